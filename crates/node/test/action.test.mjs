import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Config, OciRegistry, Promoter, Provenance, packArtifact, pushArtifact } from 'tagwarden'
import { audited, current, history } from '../action/src/summary.mjs'
import { moto, noMoto } from './servers.mjs'
import { RUN, bundle, workflow } from './workflow.mjs'

const data = fileURLToPath(new URL('../../../tests/data/podinfo', import.meta.url))
const docs = fileURLToPath(new URL('../../../docs/guides/github-action.md', import.meta.url))

test('the Action promotes, refuses, rolls back, and finds drift', { timeout: 120_000 }, async (t) => {
  const { server, shop, prod, digests, step } = await workflow(t)
  const first = await step({ command: 'bootstrap', channel: `oci://${prod}`, source: `1.4.1@${digests[0]}` })
  assert.equal(first.status, 0, first.said)

  const promoted = await step({ command: 'promote', channel: prod, source: '1.4.2', release: 'v1.4.2' })
  assert.equal(promoted.status, 0, promoted.said)
  const { digest, 'previous-digest': previous, seq, changed, move, live } = promoted.outputs
  assert.deepEqual({ digest, previous, seq, changed }, { digest: digests[1], previous: digests[0], seq: '3', changed: 'true' })
  const { provenance, key } = JSON.parse(move).intent
  assert.deepEqual([JSON.parse(live).digest, JSON.parse(live).seq], [digests[1], 3])
  assert.deepEqual(provenance.pipeline, {
    provider: 'github-actions', run_id: '4711', attempt: 1, url: 'https://github.com/acme/shop/actions/runs/4711', job: { id: 'release' },
  })
  assert.deepEqual([provenance.actor.id, provenance.commit, provenance.release, provenance.identity], ['ada', RUN.GITHUB_SHA, 'v1.4.2', undefined])
  assert.equal(key, 'github-4711-1-release-__tagwarden-promote')
  assert.equal(server.memory.peek(shop, 'prod'), digests[1])

  const again = await step({ command: 'promote', channel: prod, source: '1.4.2' })
  assert.deepEqual([again.status, again.outputs.changed, again.outputs.seq], [0, 'false', '3'], again.said)

  const pipeline = `staging=${shop}:staging\nprod=${prod}`
  const refused = await step({ command: 'promote', channel: prod, source: '1.4.3', pipeline }, { GITHUB_RUN_ID: '4712' })
  assert.equal(refused.status, 1)
  assert.match(refused.said, /::error title=promotion-order%3A [A-Z_]+::/)
  assert.match(refused.said, /::error title=Refused by the policy::/)
  assert.match(refused.summary, /^## POLICY_REFUSED\n[^]*\| refuse \| promotion-order /)
  assert.equal(server.memory.peek(shop, 'prod'), digests[1])

  const back = await step({ command: 'rollback', channel: prod, reason: 'incident 7' })
  assert.deepEqual([back.status, back.outputs.digest, back.outputs['previous-digest']], [0, digests[0], digests[1]], back.said)
  assert.match(back.summary, /\n### Changes\n[^]*\| between \| 1 move, \d+ seconds apart \|\n\| platforms \| 0 added, 0 gone, 1 the same \|\n\| layers \| 1 added, 1 gone, /)
  // A repetition of the promotion's step names the move that replaced it, its time, and the live digest.
  const old = await step({ command: 'promote', channel: prod, source: '1.4.2' })
  assert.equal(old.status, 1, old.said)
  assert.match(old.said, /::error title=IDEMPOTENCY_SUPERSEDED::/)
  assert.match(old.summary, /^## IDEMPOTENCY_SUPERSEDED\n/)
  for (const words of [
    `was committed (seq 3) and replaced by ${digests[0]} (seq 5: `, `run 4711, ada, at ${JSON.parse(back.outputs.live).at}`, 'a retry needs nothing more',
  ]) assert.ok(old.said.includes(words), `${words}: ${old.said}`)
  assert.equal(server.memory.peek(shop, 'prod'), digests[0])
  // Another attempt of the job is judged by what is live now: it would undo the rollback.
  const rerun = await step({ command: 'promote', channel: prod, source: '1.4.2' }, { GITHUB_RUN_ATTEMPT: '2' })
  assert.equal(rerun.status, 1, rerun.said)
  assert.match(rerun.said, /::error title=not-rolled-back%3A ROLLED_BACK::/)
  assert.equal(server.memory.peek(shop, 'prod'), digests[0])
  const current = await step({ command: 'current', channel: prod })
  assert.deepEqual([current.status, current.outputs.digest, current.outputs.seq], [0, digests[0], '5'], current.said)
  const history = await step({ command: 'history', channel: prod })
  assert.deepEqual(JSON.parse(history.outputs.report).map((event) => event.intent.op), ['rollback', 'promote', 'bootstrap'])

  const sound = await step({ command: 'audit', channel: `${prod}\n${shop}:never` })
  assert.equal(sound.status, 0, sound.said)
  assert.match(sound.summary, /^## Audit: every tag is where the ledger says\n[^]*never` \| never recorded \|/)
  server.memory.pushImage(shop, 'prod', 3)
  // Both wait until reads are settled. The rollback's digest is live, so a repetition of its step finds the drift.
  const [audit, drifted] = await Promise.all([
    step({ command: 'audit' }),
    step({ command: 'rollback', channel: prod, reason: 'incident 7' }),
  ])
  assert.equal(audit.status, 1)
  assert.match(drifted.summary, /^## CHANNEL_DRIFTED\n/, drifted.said)
  assert.equal(drifted.status, 1)
  assert.match(audit.said, new RegExp(`::error title=tagwarden::${prod.replace(':', '(:|%3A)')}: moved outside: the ledger says ${digests[0]}, the registry ${digests[2]}`))
  assert.match(audit.summary, /^## Audit: the worst is drift\n/)
  const retention = await step({ command: 'retention', repository: shop })
  assert.equal(retention.status, 0, retention.said)
  assert.match(retention.summary, /\| stays \| live \|/)

  const unseen = { GITHUB_STEP_SUMMARY: '/nowhere/summary', GITHUB_RUN_ID: '4713' }
  server.memory.pushImage(shop, 'prod', 1)
  const terms = { override: 'not-rolled-back', reason: 'it was not the cause' }
  const blind = await step({ command: 'promote', channel: prod, source: '1.4.2', ...terms }, unseen)
  assert.deepEqual([blind.status, blind.outputs.digest], [0, digests[1]], blind.said)
  assert.match(blind.said, /::warning::no summary: /)

  for (const { said, summary, outputs } of [first, promoted, refused, back, audit]) {
    const unmasked = said.replace(/^::add-mask::.*$/gm, '')
    assert.doesNotMatch(unmasked + summary + JSON.stringify(outputs), /canary/)
  }
})

test('a tagwarden.toml that is named has the ledger, the channels and the policy', { timeout: 60_000 }, async (t) => {
  const { server, prod, digests, home, step } = await workflow(t)
  const config = join(home, 'shop.toml')
  await writeFile(config, `
    ledger = "configured"
    [order]
    by = "semver"
    [[pipeline]]
    environment = "prod"
    channel = "${prod}"
    policy = { forward-only = "refuse", after-rollback = "hold" }
  `)
  const given = { ledger: '', config, channel: 'prod' }
  const first = await step({ ...given, command: 'bootstrap', source: '1.4.2' })
  assert.equal(first.status, 0, first.said)
  const older = await step({ ...given, command: 'promote', source: '1.4.1' })
  assert.match(older.said, /::error title=forward-only%3A ORDER_OUTDATED::/)
  const newer = await step({ ...given, command: 'promote', source: '1.4.1', order: '1.5.0' })
  assert.deepEqual([newer.status, newer.outputs.digest], [0, digests[0]], newer.said)
  const unknown = await step({ ...given, command: 'current', channel: 'staging' })
  assert.match(unknown.said, /::error title=VALUE_INVALID::/)
  const two = await step({ ...given, command: 'rollback', pipeline: `prod=${prod}` })
  assert.match(two.said, /::error title=VALUE_INVALID::Promoter: pipeline: the config says it/)
  const absent = await step({ ...given, command: 'current', config: join(home, 'absent.toml') })
  assert.match(absent.said, /::error title=CONFIG_INVALID::/)
})

test("the run's own token is masked, and a password goes to one registry", { timeout: 60_000 }, async (t) => {
  const { prod, step } = await workflow(t)
  const given = { username: '', password: '', token: 'canary-token' }
  const denied = await step({ ...given, command: 'bootstrap', channel: prod, source: '1.4.1' })
  assert.match(denied.said, /::error title=REGISTRY_DENIED::.*the request was anonymous/)
  assert.match(denied.said, /^::add-mask::canary-token$/m)
  assert.doesNotMatch(denied.said.replace('::add-mask::canary-token', '') + denied.summary, /canary-token/)

  const other = 'ghcr.io/acme/shop:prod'
  const both = await step({ command: 'audit', channel: `${prod}\n${other}` })
  assert.match(both.said, /username and password are for one registry, and the channels are on 127\.0\.0\.1(:|%3A)\d+ and ghcr\.io/)
})

test('the guide has the summary of moves by a tagwarden.toml of the workspace', { timeout: 60_000 }, async (t) => {
  const { server, shop, prod, home, step } = await workflow(t)
  const registry = new OciRegistry({ credentials: { [server.host]: { user: 'ci', password: 'canary-7f3a91' } } })
  for (const [release, podinfo, digit] of [['1.5.0', '6.14.0', '5'], ['1.5.1', '6.14.1', '6']]) {
    const packed = await packArtifact(join(data, podinfo), {
      source: 'https://github.com/acme/shop', revision: `main@sha1:${digit.repeat(40)}`, created: `2026-11-2${digit}T08:00:00Z`,
    })
    await pushArtifact(packed, registry, shop, release)
  }
  const file = join(home, 'tagwarden.toml')
  await writeFile(file, `
    ledger = "configured"
    [[pipeline]]
    environment = "prod"
    channel = "${prod}"
    policy = { after-rollback = "hold" }
  `)
  const given = { ledger: '', channel: 'prod' }
  const first = await step({ ...given, command: 'bootstrap', source: '1.5.0' })
  assert.equal(first.status, 0, first.said)
  const promoted = await step({ ...given, command: 'promote', source: '1.5.1', release: 'v1.5.1' })
  assert.equal(promoted.status, 0, promoted.said)
  const promoter = new Promoter(registry, await Config.read(file).openLedger())
  const until = new Date(Date.now() + 3_600_000)
  await promoter.hold(prod, { reason: 'no releases during the sale', until, provenance: Provenance.manual('ben') })
  const back = await step({ ...given, command: 'rollback', reason: 'incident 7' })
  assert.equal(back.status, 0, back.said)

  const plain = ({ summary }) => summary
    .replaceAll(server.host, 'registry.example.com')
    .replace(/\d{4}-\d\d-\d\dT[\d:]+\.\d+Z/g, '2026-11-27T09:30:00.000Z')
    .replace(/\d+ seconds apart/, '2 days apart')
  const shown = [...(await readFile(docs, 'utf8')).matchAll(/```markdown\n([^]*?)```/g)].map(([, block]) => block)
  assert.deepEqual([plain(promoted), plain(back).split('### Findings')[0].trimEnd() + '\n'], shown)
})

/** Two runs of a step at once: the first put is so slow that the other run meets the open move. */
async function race(t, inputs, environment) {
  const { server, shop, prod, digests, step } = await workflow(t)
  const { ledger, ...terms } = inputs
  const both = { channel: prod, ...(ledger && { ledger }) }
  assert.equal((await step({ command: 'bootstrap', ...both, source: '1.4.1' }, environment)).status, 0)
  server.scriptHttp([{ fault: 'slow', timeMs: 3000 }], { method: 'PUT', path: '/manifests/prod' })
  const runs = await Promise.all(['4801', '4802'].map((run, at) =>
    step({ command: 'promote', ...both, ...terms, source: `1.4.${at + 2}` }, { ...environment, GITHUB_RUN_ID: run }),
  ))
  assert.equal(server.faultsLeft(), 0)
  const history = await step({ command: 'history', ...both }, environment)
  const moves = JSON.parse(history.outputs.report).map(({ status, intent }) => [status, intent.op, intent.target.digest])
  assert.equal(moves[0][2], server.memory.peek(shop, 'prod'), 'the tag points at the target of the last move')
  return { runs, moves, digests }
}

test('of two runs at once one moves, and the other fails with CHANNEL_CHANGED', { timeout: 120_000 }, async (t) => {
  const { runs, moves, digests } = await race(t, {})
  const [lost] = runs.filter(({ status }) => status !== 0)
  assert.deepEqual(runs.map(({ status }) => status).sort(), [0, 1], runs.map(({ said }) => said).join('\n'))
  assert.match(lost.said, /::error title=Another move came first::/)
  assert.match(lost.summary, /^## CHANNEL_CHANGED\n/)
  assert.deepEqual(moves.map(([status, op]) => `${op} ${status}`), ['promote committed', 'bootstrap committed'])
  assert.equal(moves[0][2], digests[1 + runs.findIndex(({ status }) => status === 0)])
})

test('two runs at once that requeue both move, with a ledger in S3', { timeout: 120_000, skip: noMoto() }, async (t) => {
  const { url, environment } = await moto(t)
  const { runs, moves, digests } = await race(t, { 'on-conflict': 'requeue', ledger: url }, environment)
  assert.deepEqual(runs.map(({ status }) => status), [0, 0], runs.map(({ said }) => said).join('\n'))
  assert.deepEqual(moves.map(([status, op]) => `${op} ${status}`), ['promote committed', 'promote committed', 'bootstrap committed'])
  assert.deepEqual(moves.slice(0, 2).map(([, , to]) => to).sort(), digests.slice(1).sort())
})

test('a wrong input, a wrong password and a missing actor are errors', { timeout: 60_000 }, async (t) => {
  const { prod, step } = await workflow(t)
  const said = async (inputs, environment) => {
    const { status, said } = await step(inputs, environment)
    assert.equal(status, 1, said)
    return said.replace(/^::add-mask::.*$/gm, '').trim()
  }
  assert.match(await said({ command: 'destroy', channel: prod }), /command: "destroy" is none of bootstrap, promote, /)
  assert.match(await said({ command: 'promote', channel: prod }), /promote needs source or source-channel/)
  assert.match(await said({ command: 'current', channel: `${prod}\n${prod}` }), /current needs one channel/)
  assert.match(await said({ command: 'rollback', channel: prod, source: '1.4.1' }), /source: rollback does not take it, only channel, to, pipeline, /)
  assert.match(await said({ command: 'audit', limit: '3' }), /limit: audit does not take it, only channel, parts$/)
  const empty = await step({ command: 'audit' })
  assert.deepEqual([empty.status, empty.summary.split('\n')[0]], [1, '## Audit: the ledger has no channels'])
  assert.match(empty.said, /::error title=tagwarden::the ledger has no channels: nothing was looked at/)
  const denied = await said({ command: 'bootstrap', channel: prod, source: '1.4.1', password: 'canary-other' })
  assert.match(denied, /::error title=REGISTRY_DENIED::/)
  assert.doesNotMatch(denied, /canary/)
  const named = await said({ command: 'current', channel: prod, 'token-servers': 'auth.example.com\nb.example.com/token' })
  assert.match(named, /::error title=CONFIG_INVALID::[^]*token server "b\.example\.com\/token"/)
  const noActor = { GITHUB_ACTOR: '', GITHUB_TRIGGERING_ACTOR: '' }
  assert.match(await said({ command: 'bootstrap', channel: prod, source: '1.4.1' }, noActor), /::error title=PROVENANCE_INCOMPLETE::/)
})

test('values of a ledger are escaped in the summary', () => {
  const event = (run_id, url) => ({
    seq: 2, at: '2026-11-24T09:30:00.000Z', status: 'committed',
    intent: { op: 'promote', target: { digest: `sha256:${'0'.repeat(64)}` }, provenance: { pipeline: { run_id, url }, actor: { id: '<img src=x>' } } },
  })
  const events = [
    event('1', 'https://ci.example/runs/1'), event('2', 'javascript:alert(1)'), event('3', 'https://ci.example/) | [x](https://evil.example'),
    event('[4](https://evil.example) | x\n| y', undefined),
  ]
  const rows = history('reg.io/a:prod', events).split('\n').filter((line) => line.startsWith('| 2 '))
  const cells = rows.map((row) => row.split(/(?<!\\)\|/).length)
  assert.deepEqual(cells, [9, 9, 9, 9])
  assert.deepEqual(rows.map((row) => row.split(/(?<!\\)\|/)[6].trim()), ['[1](https://ci.example/runs/1)', '2', '3', '\\[4\\](https\\://evil.example) \\| x \\| y'])
  assert.ok(rows.every((row) => row.includes('\\<img src=x\\>')))
})

test('the summary shows a migrated log, holds and unknown channels', () => {
  const migrated = { seq: 4, ledger: 's3://acme-audit/new' }
  assert.match(current({ channel: 'reg.io/a:prod', size: 5, migrated }), /\| migrated \| the log was migrated to s3\\:\/\/acme-audit\/new at seq 4; /)
  assert.match(history('reg.io/a:prod', [], migrated), /\n\nthe log was migrated to s3/)
  const holds = [
    { seq: 3, scope: 'promotions', reason: 'incident 7', provenance: { actor: { id: 'ada' } } },
    { seq: 6, scope: 'all', reason: 'an | audit', provenance: { actor: { id: 'ben' } } },
  ]
  const held = current({ channel: 'reg.io/a:prod', size: 7, holds })
  assert.match(held, /\| hold 3 \| promotions: incident 7 \(ada\) \|\n\| hold 6 \| all moves: an \\\| audit \(ben\) \|/)
  const blocks = [{ channel: 'reg.io/a:dev', digest: 'sha256:0', reason: 'bad', provenance: { actor: { id: 'ada' } } }]
  assert.match(current({ channel: 'reg.io/a:prod', size: 7, blocks }), /\| blocked \| `sha256:0` on `reg\.io\/a:dev`: bad \(ada\) \|/)
  const unknown = { channel: 'reg.io/a:prod', state: 'unknown', why: 'no route\r\nto www.evil.example' }
  assert.match(audited({ worst: 'unknown', channels: [unknown] }), /^## Audit: the worst is unknown\n[^]*\| unknown: no route to www\\\.evil\.example \| `–` \|/)
})

test('a password in a ledger URL is never shown', { timeout: 60_000 }, async (t) => {
  const { prod, step } = await workflow(t)
  const canary = 'canary-5d20/c4@7'
  for (const ledger of [
    `postgres://ci:${canary}@127.0.0.1:1/audit`, `POSTGRES://ci:${encodeURIComponent(canary)}@127.0.0.1:1/audit`,
    `postgres://ci@127.0.0.1:1/audit?password=${canary}`, `host=127.0.0.1 password='${canary}'`, `mysql://ci:${canary}@db/audit`,
  ]) {
    const { status, said, summary } = await step({ command: 'current', channel: prod, ledger })
    assert.equal(status, 1, said)
    // The runner hides masked values; a workflow command carries them percent-encoded.
    const hidden = [...said.matchAll(/^::add-mask::(.*)$/gm)].map(([, secret]) => secret.replaceAll('%25', '%'))
    assert.ok(hidden.some((secret) => [canary, encodeURIComponent(canary)].includes(secret)), ledger)
    const shown = hidden.reduce((text, secret) => text.replaceAll(secret, '***'), said.replace(/^::add-mask::.*$/gm, '') + summary)
    assert.doesNotMatch(shown, /canary-5d20/, ledger)
  }
})

test('a platform without a native half is an error that names it', { timeout: 60_000 }, async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(home, { recursive: true }))
  await copyFile(bundle, join(home, 'index.mjs'))
  const child = spawn(process.execPath, [join(home, 'index.mjs')], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text))
  const status = await new Promise((resolve) => child.on('close', resolve))
  assert.equal(status, 1)
  assert.match(said, new RegExp(`^::error title=Error::this Action does not run on ${process.platform}-${process.arch}[a-z-]*: Cannot find module`))
})
