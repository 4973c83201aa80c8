// Blocks, holds of a pipeline, orders, comparisons and `tagwarden.toml`.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  Channel, Config, MemoryLedger, MemoryRegistry, OciRegistry, Promoter, Reference, TestRegistry, packArtifact, pushArtifact,
} from 'tagwarden'
import { bootstrapped, prod, provenance, quick, release, repository } from './shop.mjs'

const preprod = `${repository}:preprod`

const FILE = `
ledger = "ledger"

[order]
by = "semver"

[[pipeline]]
environment = "preprod"
channel = "${preprod}"

[[pipeline]]
environment = "prod"
channel = "${prod}"
[pipeline.policy]
forward-only = { mode = "refuse", ops = ["repair"] }
promotion-order = "warn"
after-rollback = "hold"
override = { allowed = ["parts-present"] }

[registry."registry.example.com"]
settle = "45s"

[retention]
keep-last = 4
keep-for = "2d"
`

/** A directory with this `tagwarden.toml`. */
async function configured(t, text = FILE) {
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(home, { recursive: true }))
  await writeFile(join(home, 'tagwarden.toml'), text)
  return { home, config: Config.read(join(home, 'tagwarden.toml')) }
}

/** The codes of the refusing findings. */
async function codes(move) {
  const error = await move.catch((error) => error)
  assert.equal(error.code, 'POLICY_REFUSED', error.message)
  return error.findings.filter(({ verdict }) => verdict === 'refuse').map(({ code }) => code)
}

test('a Config says what the file has', async (t) => {
  const { home, config } = await configured(t)
  assert.deepEqual([config.file, config.ledger], [join(home, 'tagwarden.toml'), join(home, 'ledger')])
  assert.deepEqual(config.order, { by: 'semver', required: false })
  const [first, second] = config.environments
  assert.deepEqual([first.environment, first.channel, first.policy.name, first.override], ['preprod', preprod, 'standard', {}])
  assert.deepEqual([second.policy.name, second.afterRollback, second.override], ['prod', 'hold', { allowed: ['parts-present'] }])
  const of = ({ guardrails }, wanted) => guardrails.find(({ name }) => name === wanted)
  assert.deepEqual(of(first, 'forward-only'), { name: 'forward-only', mode: 'warn', ops: ['promote'] })
  assert.deepEqual(of(second, 'forward-only'), { name: 'forward-only', mode: 'refuse', ops: ['promote', 'repair'] })
  assert.deepEqual([of(first, 'promotion-order').mode, of(second, 'promotion-order').mode, second.guardrails.length], ['refuse', 'warn', 9])
  assert.deepEqual([config.channel('prod'), config.channel('staging')], [prod, null])
  assert.deepEqual(config.retention, { keepLast: 4, keepForMs: 2 * 86_400_000 })
  assert.deepEqual(config.registries, [{ host: 'registry.example.com', settleMs: 45_000 }])
  assert.deepEqual(Config.find(join(home, 'below')).environments, config.environments)
})

test('a Config without a file is empty, and a wrong one names its place', async (t) => {
  const empty = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(empty, { recursive: true }))
  const config = Config.find(empty)
  assert.deepEqual([config.file, config.ledger, config.order, config.environments], [undefined, undefined, undefined, []])
  await assert.rejects(config.openLedger(), { code: 'CONFIG_INVALID', message: 'the configuration names no ledger' })
  await writeFile(join(empty, 'tagwarden.toml'), "ledgr = 'x'\n")
  assert.throws(() => Config.find(empty), { code: 'CONFIG_INVALID', message: /tagwarden\.toml:1:1: .*ledger/ })
  assert.throws(() => Config.read(join(empty, 'absent.toml')), { code: 'CONFIG_INVALID' })
})

test('a promoter of a Config has the policy of its environment', async (t) => {
  const { config } = await configured(t)
  const registry = new MemoryRegistry()
  for (const number of [0, 1, 2]) registry.pushImage(repository, `1.${number}.0`, number)
  const promoter = new Promoter(registry, await config.openLedger(), { config, channel: prod, times: quick })
  await promoter.bootstrap(prod, { source: '1.0.0', provenance })
  const { move } = await promoter.promote(prod, '1.2.0', { provenance })
  assert.deepEqual(move.intent.order, { by: 'semver', value: '1.2.0' })
  assert.deepEqual(move.intent.decision.policy, config.environments[1].policy)
  assert.deepEqual(await codes(promoter.promote(prod, '1.1.0', { provenance })), ['ORDER_OUTDATED'])
  const spite = { provenance, override: ['forward-only'], reason: 'a hotfix' }
  assert.deepEqual(await codes(promoter.promote(prod, '1.1.0', spite)), ['OVERRIDE_NOT_ALLOWED'])

  const back = await promoter.rollback(prod, { provenance })
  const [hold] = await promoter.holds(prod)
  assert.deepEqual([back.hold, hold.scope], [hold.seq, 'promotions'])
  assert.match(hold.reason, /^after-rollback: /)
  assert.deepEqual((await codes(promoter.promote(prod, '1.2.0', { provenance }))).sort(), ['CHANNEL_HELD', 'ROLLED_BACK'])
  assert.deepEqual(await (await config.openLedger({ access: 'read' })).channels(), [prod])
})

test('config and channel belong together', async (t) => {
  const { config } = await configured(t)
  const make = (options) => () => new Promoter(new MemoryRegistry(), new MemoryLedger(), options)
  assert.throws(make({ config }), { code: 'VALUE_INVALID', message: /^Promoter: channel: / })
  assert.throws(make({ channel: prod }), { code: 'VALUE_INVALID', message: /^Promoter: channel: / })
  const pipeline = [{ environment: 'prod', channel: prod }]
  assert.throws(make({ config, channel: prod, pipeline }), { code: 'VALUE_INVALID', message: /^Promoter: pipeline: / })
  assert.throws(make({ config: { file: 'x' }, channel: prod }), TypeError)
})

test('an order is given as a text or a number', async (t) => {
  const { config } = await configured(t, `[order]\nby = "build-number"\n[[pipeline]]\nenvironment = "prod"\nchannel = "${prod}"\n`)
  const { promoter } = await bootstrapped()
  await assert.rejects(promoter.promote(prod, release(2), { provenance, order: '1.4.2' }), {
    code: 'VALUE_INVALID', message: /order: no order of releases is configured/,
  })
  const registry = new MemoryRegistry()
  for (const [number, tag] of ['a', 'b', 'c'].entries()) registry.pushImage(repository, tag, number)
  const numbered = new Promoter(registry, new MemoryLedger(), { config, channel: prod, times: quick })
  await numbered.bootstrap(prod, { source: 'a', provenance, order: 41 })
  assert.equal((await numbered.promote(prod, 'b', { provenance, order: '42' })).move.intent.order.value, 42)
  // Without a value, a release keeps the one that it has in the log.
  for (const [source, order, code] of [['c', 41, 'ORDER_OUTDATED'], ['a', undefined, 'ORDER_OUTDATED'], ['c', undefined, 'ORDER_UNKNOWN']]) {
    const plan = await numbered.plan(prod, { op: 'promote', source, order }, { provenance })
    assert.deepEqual(plan.findings.filter(({ verdict }) => verdict === 'warn').map(({ code }) => code), [code])
  }
  await assert.rejects(numbered.promote(prod, 'b', { provenance, order: 'x' }), { code: 'VALUE_INVALID', message: /order: "x" is not a whole number/ })
  await assert.rejects(numbered.promote(prod, 'b', { provenance, order: true }), { code: 'VALUE_INVALID' })
})

test('a blocked release is refused until the block ends', async () => {
  const { promoter, digests } = await bootstrapped()
  const url = 'https://acme.example/7'
  const done = await promoter.block('1.4.2', { reason: 'it loses orders', provenance, only: prod, url })
  const { block } = done
  assert.deepEqual(done, { channel: prod, digest: digests[1], block, already: false })
  const blocks = [{ channel: prod, seq: block, digest: digests[1], reason: 'it loses orders', provenance, url }]
  assert.deepEqual(await promoter.blocks(prod), blocks)
  assert.deepEqual((await promoter.current(prod)).blocks, blocks)
  assert.deepEqual(await promoter.block(digests[1], { reason: 'again', provenance, only: prod }), { ...done, already: true })
  assert.deepEqual(await codes(promoter.promote(prod, release(2), { provenance })), ['TARGET_BLOCKED'])
  await assert.rejects(promoter.unblock('1.4.3', { reason: 'it is fine', provenance, only: prod }), {
    code: 'VALUE_INVALID', message: /is not blocked on/,
  })
  assert.equal(await promoter.unblock('1.4.2', { reason: 'it is fine', provenance, only: prod }), block + 1)
  assert.equal((await promoter.promote(prod, release(2), { provenance })).result, 'committed')
  await promoter.block('1.4.2', { reason: 'bad', provenance, only: prod })
  const { channels: [audited] } = await promoter.audit([prod])
  assert.deepEqual([audited.state, audited.live, audited.instead], ['blocked_and_live', digests[1], digests[0]])
})

test('a block and a hold of a pipeline reach every environment', async () => {
  const { registry, ledger, promoter: alone, digests } = await bootstrapped()
  const pipeline = [{ environment: 'preprod', channel: preprod }, { environment: 'prod', channel: prod }]
  const promoter = new Promoter(registry, ledger, { pipeline, times: quick })
  await promoter.block(digests[1], { reason: 'bad', provenance })
  assert.deepEqual((await promoter.blocks(prod)).map(({ channel }) => channel), [preprod])
  const held = await promoter.holdPipeline({ reason: 'incident 7', provenance, scope: 'all' })
  assert.deepEqual(held.map(({ channel }) => channel), [preprod, prod])
  for (const { channel, hold } of held) assert.deepEqual((await promoter.holds(channel)).map(({ seq }) => seq), [hold])
  const again = await promoter.holdPipeline({ reason: 'an audit', provenance, until: new Date(Date.now() + 3_600_000) })
  for (const { channel } of again) assert.equal((await promoter.holds(channel))[1].scope, 'promotions')
  await assert.rejects(alone.holdPipeline({ reason: 'incident 7', provenance }), { code: 'CONFIG_INVALID' })
  await assert.rejects(alone.block('1.4.2', { reason: 'bad', provenance }), { code: 'CONFIG_INVALID', message: /there is no pipeline, so no first environment/ })
  await assert.rejects(alone.block('9.9', { reason: 'bad', provenance, only: prod }), { code: 'REGISTRY_ABSENT' })
})

test('names of releases are those of the core', async () => {
  const { promoter, digests: [first, second, third] } = await bootstrapped()
  await promoter.promote(prod, release(2), { provenance })
  const to = async (source) => (await promoter.plan(prod, { op: 'promote', source }, { provenance })).change.digest
  for (const source of ['1.4.3', release(3), third, new Reference(release(3)), { reference: release(3) }, `1.4.3@${third}`]) {
    assert.equal(await to(source), third, String(source))
  }
  for (const source of ['prod~1', '~1', `${prod}~1`]) assert.equal(await to(source), first, source)
  assert.equal((await promoter.plan(prod, { op: 'rollback', to: '~1' }, { provenance })).change.digest, first)
  await assert.rejects(promoter.promote(prod, 'prod~9', { provenance }), { code: 'RELEASE_UNKNOWN', retry: 'never' })
  await assert.rejects(promoter.rollback(prod, { to: 'prod~9', provenance }), { code: 'ROLLBACK_NO_TARGET', retry: 'never' })
  assert.equal((await promoter.rollback(prod, { to: 'prod~1', provenance })).digest, first)
  const again = await promoter.promote(prod, 'prod#3', { provenance, override: ['not-rolled-back'], reason: 'x' })
  assert.equal(again.digest, second)
  await assert.rejects(promoter.promote(prod, 7, { provenance }), { code: 'VALUE_INVALID', message: 'promote: source: a number instead of a release or a channel' })
})

test('diff says what changes between two releases', async () => {
  const { promoter, digests } = await bootstrapped()
  await promoter.promote(prod, release(2), { provenance })
  const diff = await promoter.diff('prod~1', 'prod', { channel: new Channel(prod), unified: true, timeoutMs: 5000 })
  assert.deepEqual([diff.old.name, diff.old.digest, diff.new.digest], ['prod~1', digests[0], digests[1]])
  assert.deepEqual([diff.old.facts, diff.new.facts, diff.files], ['registry', 'registry', undefined])
  assert.deepEqual([diff.between.channel, diff.between.count, diff.between.moves[0].op], [prod, 1, 'promote'])
  assert.deepEqual([diff.layers.added.length, diff.layers.gone.length], [1, 1])
  await assert.rejects(promoter.diff('1.4.1', '1.4.2'), { code: 'VALUE_INVALID', message: /name the channel that it is about/ })
})

test('diff of artifacts has their files', async (t) => {
  const [server, home] = await Promise.all([TestRegistry.start(), mkdtemp(join(tmpdir(), 'tagwarden-'))])
  t.after(() => Promise.all([server.close(), rm(home, { recursive: true })]))
  const [registry, shop, source] = [new OciRegistry(), `${server.host}/acme/shop`, 'https://github.com/acme/shop']
  await writeFile(join(home, 'service.yaml'), 'kind: Service\n')
  for (const number of [1, 2]) {
    await writeFile(join(home, 'app.yaml'), `replicas: ${number}\n`)
    const revision = `main@sha1:${String(number).repeat(40)}`
    const packed = await packArtifact(home, { source, revision, created: `2026-01-0${number}T00:00:00Z` })
    await pushArtifact(packed, registry, shop, `1.${number}`)
  }
  const promoter = new Promoter(registry, new MemoryLedger())
  const diff = await promoter.diff('1.1', '1.2', { channel: `${shop}:prod`, unified: true })
  const [{ unified, ...file }] = diff.files
  assert.deepEqual([diff.files.length, file], [1, { path: 'app.yaml', change: 'changed' }])
  assert.ok(unified.endsWith('-replicas: 1\n+replicas: 2\n'), unified)
  assert.equal(diff.compareUrl, `${source}/compare/${'1'.repeat(40)}...${'2'.repeat(40)}`)
  assert.deepEqual([diff.new.annotations.created, diff.between, diff.notes], ['2026-01-02T00:00:00Z', undefined, []])
  const plain = await promoter.diff('1.1', '1.2', { channel: `${shop}:prod` })
  assert.deepEqual(plain.files, [{ path: 'app.yaml', change: 'changed' }])
})
