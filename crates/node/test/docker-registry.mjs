/** Debian's docker-registry, on loopback. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const program = process.env.PATH.split(delimiter).map((dir) => join(dir, 'docker-registry')).find((path) => existsSync(path))

/** Why it cannot be started, for `skip`; in CI that is an error. */
export function missing() {
  if (program) return false
  if (process.env.CI === 'true') throw new Error('docker-registry is missing, and in CI nothing is skipped')
  return 'docker-registry is missing'
}

/** Starts one, with a directory that is removed with it; it is stopped at the end of the test. Gives `{host, home}`. */
export async function dockerRegistry(t) {
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  const port = await free()
  const config = join(home, 'registry.yml')
  const root = join(home, 'registry')
  await writeFile(config, `version: 0.1\nstorage: {filesystem: {rootdirectory: ${root}}, delete: {enabled: true}}\nhttp: {addr: 127.0.0.1:${port}}\n`)
  const child = spawn(program, ['serve', config], { stdio: 'ignore' })
  t.after(async () => {
    child.kill('SIGKILL')
    await rm(home, { recursive: true, force: true })
  })
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries > 500 || child.exitCode !== null) throw new Error('docker-registry did not start')
    await sleep(20)
  }
  return { host: `127.0.0.1:${port}`, home }
}

function free() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
