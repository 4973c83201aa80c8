import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { git, gitHost } from './git.mjs'
import { workflow } from './workflow.mjs'

const file = (path) => readFile(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8')
const TOKEN = 'canary-ghs-91'

/** The first workflow of a document that uses the Action. */
async function documented(path) {
  const blocks = [...(await file(path)).matchAll(/```yaml\n([^]*?)```/g)].map(([, block]) => block)
  return blocks.find((block) => block.includes('uses: acme/tagwarden-action'))
}

/** The inputs that the runner gives to the Action: those of `with`, and the defaults of action.yml. */
async function inputsOf(workflow, values) {
  const action = await file('crates/node/action/action.yml')
  const defaults = [...action.matchAll(/^ {2}([a-z-]+):\n(?: {4}.*\n)*? {4}default: (.+)$/gm)].map(([, name, value]) => [name, value])
  assert.deepEqual(defaults, [['token', '${{ github.token }}']])
  const [, lines] = /\n +with:\n((?: +[a-z-]+: .+\n)+)/.exec(workflow)
  const given = lines.trim().split('\n').map((line) => /^ *([a-z-]+): (.+)$/.exec(line).slice(1))
  const filled = (text) => text.replace(/\$\{\{ (\S+) \}\}/g, (_, name) => values[name] ?? assert.fail(name))
  return Object.fromEntries([...defaults, ...given].map(([name, text]) => [name, filled(text)]))
}

test('workflows of the README and the guide promote with a ledger in a branch of their repository', { timeout: 300_000 }, async (t) => {
  const { server, shop, prod, digests, home, step } = await workflow(t)
  const host = await gitHost(t, { name: 'acme/shop', token: TOKEN })
  const environment = { GITHUB_SERVER_URL: host.url, GITHUB_REPOSITORY: 'acme/shop' }
  // On GitHub the token is the registry's login as well. The registry here has another password, so that each is seen to go to its own server.
  const run = async (path, release, id) => {
    const workflow = await documented(path)
    assert.match(workflow, /\npermissions:\n {2}contents: write .*\n {2}packages: write .*\n/, path)
    const inputs = await inputsOf(workflow, { 'github.token': TOKEN, 'inputs.release': release })
    const here = { ...inputs, ledger: '', channel: inputs.channel.replace('ghcr.io', server.host) }
    return step(here, { ...environment, GITHUB_RUN_ID: id })
  }
  const first = await run('README.md', undefined, '4711')
  assert.equal(first.status, 0, first.said)
  assert.equal(server.memory.peek(shop, 'prod'), digests[1])
  const second = await run('docs/guides/git-ledger.md', '1.4.3', '4712')
  assert.deepEqual([second.status, second.outputs['previous-digest'], second.outputs.digest], [0, digests[1], digests[2]], second.said)

  const history = await step({ command: 'history', channel: prod, ledger: '', token: TOKEN }, environment)
  assert.deepEqual(JSON.parse(history.outputs.report).map((event) => event.intent.target.digest), [digests[2], digests[1]], history.said)
  const messages = git('-C', host.repository, 'log', '--format=%B', 'tagwarden')
  assert.match(messages, /^promote acme\/shop:prod to 1\.4\.3 \(sha256:[0-9a-f]{12}\)$/m)
  assert.match(messages, /\[skip ci\]/)
  const files = git('-C', host.repository, 'ls-tree', '-r', '--name-only', 'tagwarden')
  assert.match(files, /\/acme\/shop\/@prod\/000000000000\.jsonl$/m)
  const deleted = git('-C', host.repository, 'log', '-m', '--no-renames', '--format=', '--numstat', 'tagwarden').split('\n')
  assert.deepEqual(deleted.filter((line) => line && line.split('\t')[1] !== '0'), [])

  assert.throws(() => git('-C', join(home, '.cache'), 'grep', '--no-index', '--text', '--quiet', 'canary'), { status: 1 })
  for (const { said, summary, outputs } of [first, second, history]) {
    assert.doesNotMatch(said.replace(/^::add-mask::.*$/gm, '') + summary + JSON.stringify(outputs), /canary/)
  }
  assert.doesNotMatch(git('-C', host.repository, 'log', '--patch', '--format=fuller', 'tagwarden'), /canary/)
})

test('the token goes to no other server than that of the workflow', { timeout: 300_000 }, async (t) => {
  const { shop, step } = await workflow(t)
  const other = await gitHost(t, { name: 'acme/ledger', token: TOKEN })
  const ledger = `${other.url.replace('http:', 'git+http:')}/acme/ledger`
  const given = { command: 'promote', channel: `${shop}:prod`, source: '1.4.2', ledger, token: TOKEN }
  const refused = await step(given)
  assert.equal(refused.status, 1, refused.said)
  assert.match(refused.said, /::error title=LEDGER_DENIED::/)
  assert.ok(other.logins.length > 0)
  assert.deepEqual(other.logins.filter(Boolean), [])
  const named = await step(given, { TAGWARDEN_GIT_TOKEN: TOKEN })
  assert.equal(named.status, 0, named.said)
})
