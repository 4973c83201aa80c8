/** Real servers on loopback: Debian's docker-registry, and moto for S3. Each is stopped by its process at the end of a test. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const engines = process.env.TAGWARDEN_ENGINES ?? fileURLToPath(new URL('../../../target/engines', import.meta.url))

/** A program that `tests/engines` installs. */
export const engine = (path) => join(engines, path)

const onPath = (name) => process.env.PATH.split(delimiter).map((dir) => join(dir, name)).find((path) => existsSync(path)) ?? name
const REGISTRY = onPath('docker-registry')
const MOTO = engine('moto/bin/python3')
const S3_SERVER = fileURLToPath(new URL('../../../tests/tools/s3_server.py', import.meta.url))

/** The reason to skip a test, or false; in CI a missing program is an error. */
export function missing(...programs) {
  const lacks = programs.find((program) => !existsSync(program))
  if (lacks === undefined) return false
  if (process.env.CI === 'true') throw new Error(`${lacks} is missing, and in CI nothing is skipped`)
  return `${lacks} is missing`
}
export const noRegistry = () => missing(REGISTRY)
export const noMoto = () => missing(MOTO)

/** Starts a registry, with a directory that is removed at the end of the test. Returns `{host, home}`. */
export async function dockerRegistry(t) {
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const [config, root] = [join(home, 'registry.yml'), join(home, 'registry')]
  const port = await started(t, REGISTRY, async (port) => {
    const storage = `{filesystem: {rootdirectory: ${root}}, delete: {enabled: true}}`
    await writeFile(config, `version: 0.1\nstorage: ${storage}\nhttp: {addr: 127.0.0.1:${port}}\n`)
    return ['serve', config]
  })
  return { host: `127.0.0.1:${port}`, home }
}

/** Starts an S3 server with a bucket `ledgers`. Returns the URL of a ledger in it, and the environment that opens it. */
export async function moto(t) {
  const port = await started(t, MOTO, (port) => [S3_SERVER, '-H', '127.0.0.1', '-p', String(port)])
  const endpoint = `http://127.0.0.1:${port}`
  const made = await fetch(`${endpoint}/ledgers`, { method: 'PUT' })
  if (!made.ok) throw new Error(`no bucket: ${made.status}`)
  const environment = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_ENDPOINT_URL: endpoint, AWS_ALLOW_HTTP: 'true' }
  return { url: 's3://ledgers/shop', environment }
}

/** Starts a program on a free port. Tries again with another port, because another process may take it first. */
async function started(t, program, args) {
  for (let tries = 0; tries < 5; tries++) {
    const port = await free()
    const child = spawn(program, await args(port), { stdio: 'ignore' })
    t.after(() => child.kill('SIGKILL'))
    for (let waits = 0; waits < 1500 && child.exitCode === null; waits++) {
      if (await listens(port)) return port
      await sleep(20)
    }
    child.kill('SIGKILL')
  }
  throw new Error(`${program} did not start`)
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
