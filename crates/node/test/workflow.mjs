/** A workflow's steps, run by the bundle of the Action as the runner runs it. */

import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TestRegistry } from 'tagwarden'

export const bundle = fileURLToPath(new URL('../action/dist/index.mjs', import.meta.url))

/** The runner's variables for a run that the Action reads. */
export const RUN = {
  GITHUB_ACTIONS: 'true', GITHUB_RUN_ID: '4711', GITHUB_RUN_ATTEMPT: '1', GITHUB_JOB: 'release', GITHUB_ACTION: '__tagwarden',
  GITHUB_ACTOR: 'ada', GITHUB_TRIGGERING_ACTOR: 'ada', GITHUB_SHA: 'f0b672321a89484f4da859ffc741bbfe8b5b693d',
  GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'acme/shop',
}

/** A registry that demands a login, with three releases, and a function that runs a step as the runner does: in a workspace. */
export async function workflow(t) {
  const server = await TestRegistry.start({ user: 'ci', password: 'canary-7f3a91' })
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => Promise.all([server.close(), rm(home, { recursive: true })]))
  const shop = `${server.host}/acme/shop`
  const digests = [1, 2, 3].map((number) => server.memory.pushImage(shop, `1.4.${number}`, number).digest)
  let steps = 0
  const step = async (inputs, environment = {}) => {
    const file = join(home, `step-${++steps}`)
    const [output, summary] = [`${file}-output`, `${file}-summary`]
    await Promise.all([output, summary].map((path) => writeFile(path, '')))
    const given = { ledger: join(home, 'ledger'), username: 'ci', password: 'canary-7f3a91', ...inputs }
    const asked = Object.entries(given).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])
    const env = { ...RUN, PATH: process.env.PATH, HOME: home, GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary, ...Object.fromEntries(asked), ...environment }
    const child = spawn(process.execPath, [bundle], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
    const status = await new Promise((resolve) => child.on('close', resolve))
    const written = await readFile(output, 'utf8')
    const outputs = Object.fromEntries([...written.matchAll(/^(.+)<<(.+)\n([^]*?)\n\2$/gm)].map(([, name, , value]) => [name, value]))
    return { status, said, outputs, summary: await readFile(summary, 'utf8') }
  }
  return { server, shop, prod: `${shop}:prod`, digests, home, step }
}
