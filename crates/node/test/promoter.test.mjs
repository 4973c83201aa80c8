import assert from 'node:assert/strict'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { MemoryRegistry, Promoter, TagwardenError, errorKinds, initLedger, openLedger } from 'tagwarden'
import { git } from './git.mjs'
import { bootstrapped, code, gathered, prod, provenance, repository } from './shop.mjs'

test('a promotion is in the state and the history', async () => {
  const { registry, promoter, digests } = await bootstrapped()
  const receipt = await promoter.promote(prod, `${repository}:1.4.2`, { provenance, reason: 'the release of the week' })
  assert.equal(receipt.result, 'committed')
  assert.deepEqual([receipt.previousDigest, receipt.digest], [digests[0], digests[1]])
  assert.equal(registry.peek(repository, 'prod'), digests[1])

  const current = await promoter.current(prod)
  assert.deepEqual([current.live, current.previous, current.open], [digests[1], digests[0], undefined])
  assert.equal(current.event.intent.reason, 'the release of the week')
  assert.equal(await promoter.previous(prod), digests[0])

  const history = await gathered(promoter.history(prod))
  assert.deepEqual(history.map((event) => [event.seq, event.intent.op, event.status]), [
    [3, 'promote', 'committed'],
    [1, 'bootstrap', 'committed'],
  ])
  assert.deepEqual(await promoter.recover(prod, { provenance }), { result: 'nothing', warnings: [] })
})

test('history has all moves, and a page stops at its limit', async () => {
  const { promoter } = await bootstrapped()
  for (let number = 0; number < 70; number += 1) {
    await promoter.promote(prod, `${repository}:1.4.${2 + (number % 2)}`, { provenance })
  }
  const all = await gathered(promoter.history(prod))
  assert.equal(all.length, 71)
  assert.deepEqual(all.map((event) => event.seq), all.map((_, at) => 141 - 2 * at))
  const three = await promoter.historyPage(prod, { before: 100, limit: 3 })
  assert.deepEqual([three.events.map((event) => event.seq), three.next], [[99, 97, 95], 95])
})

test('a missing part is a finding of the audit, and an override permits the rollback to it', async () => {
  const { registry, promoter, digests } = await bootstrapped()
  const { bytes } = registry.pushImage(repository, '1.4.1', 1)
  const layer = JSON.parse(bytes).layers[0].digest
  assert.ok(registry.deleteBlob(repository, layer))
  assert.deepEqual((await promoter.audit([prod])).channels[0].findings, [])
  const { worst, channels: [audited] } = await promoter.audit([prod], { parts: true })
  assert.deepEqual([worst, audited.state, audited.findings.length], [undefined, 'in_sync', 1])
  assert.deepEqual([audited.findings[0].verdict, audited.findings[0].code], ['warn', 'TARGET_INCOMPLETE'])
  assert.ok(audited.findings[0].why.includes(layer))

  await promoter.promote(prod, `${repository}:1.4.2`, { provenance })
  await assert.rejects(promoter.rollback(prod, { provenance }), code('POLICY_REFUSED'))
  const back = await promoter.rollback(prod, { provenance, override: ['parts-present'], reason: 'nodes have it' })
  assert.deepEqual([back.digest, back.warnings], [digests[0], []])
  assert.deepEqual(back.move.intent.decision.overrides, [{ guardrail: 'parts-present', reason: 'nodes have it' }])
})

test('an asynchronous failure is a TagwardenError with code, retry, context and findings', async () => {
  const { promoter } = await bootstrapped()
  const failed = await promoter.promote(prod, `${repository}:9.9.9`, { provenance }).catch((error) => error)
  assert.ok(failed instanceof TagwardenError && failed instanceof Error)
  assert.equal(failed.name, 'TagwardenError')
  assert.equal(failed.code, 'POLICY_REFUSED')
  assert.equal(failed.retry, 'never')
  assert.deepEqual(failed.context, { channel: prod, policy: 'standard' })
  assert.equal(
    failed.message,
    `${prod}: refused by 1 of 9 guardrails: target-readable: ${repository}:9.9.9 does not exist in the registry`,
  )
  const refused = failed.findings.filter((finding) => finding.verdict === 'refuse')
  assert.deepEqual(refused.map((finding) => finding.code), ['TARGET_ABSENT'])
  assert.match(failed.stack, /promoter\.test\.mjs/, 'the stack contains the caller')
})

test('a missing, wrong or unknown argument is named', async () => {
  const { promoter } = await bootstrapped()
  const message = async (promise) => (await promise.catch((error) => error)).message
  assert.equal(await message(promoter.promote(prod, `${repository}:1`, {})), 'promote: provenance: it is missing')
  assert.equal(await message(promoter.promote(prod, undefined, { provenance })), 'promote: source: it is missing')
  assert.equal(
    await message(promoter.promote(prod, `${repository}:1`, { provenance, patienc: 1 })),
    'promote: patienc: it is not known here',
  )
  assert.equal(
    await message(promoter.promote(prod, `${repository}:1`, { provenance, onConflict: 'later' })),
    'promote: onConflict: "later" is none of wait, requeue, fail',
  )
  assert.equal(
    await message(promoter.promote(prod, `${repository}:1`, { provenance, timeoutMs: -1 })),
    'promote: invalid timeoutMs: -1 is not a number of milliseconds from 0 to 9007199254740991',
  )
  await assert.rejects(promoter.current('shop:prod'), code('VALUE_INVALID'))
})

test('a rerun of an old job is superseded or drifted', async () => {
  const { registry, promoter, digests } = await bootstrapped()
  const old = () => promoter.promote(prod, `${repository}:1.4.2`, { provenance, idempotencyKey: 'job-1' })
  const { move } = await old()
  const { live } = await promoter.promote(prod, `${repository}:1.4.3`, { provenance, idempotencyKey: 'job-2' })
  const superseded = await old().catch((error) => error)
  assert.deepEqual([superseded.code, superseded.retry], ['IDEMPOTENCY_SUPERSEDED', 'never'])
  assert.deepEqual([superseded.context.live, superseded.context.live_seq], [digests[2], `${live.seq}`])
  for (const words of [
    `was committed (seq ${move.seq}) and replaced by ${digests[2]}`,
    `run first-steps, ada, at ${live.at}`,
    'a retry needs nothing more',
  ]) assert.ok(superseded.message.includes(words), `${words}: ${superseded.message}`)
  assert.equal(registry.peek(repository, 'prod'), digests[2])

  // The old job's digest is live again; then the tag is moved by hand.
  await promoter.rollback(prod, { provenance })
  assert.equal((await old()).result, 'replayed')
  registry.overwrite(repository, 'prod', registry.pushImage(repository, '9.9.9', 9))
  await assert.rejects(old(), code('CHANNEL_DRIFTED'))
})

test('a ledger in a directory is read by another promoter', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  try {
    const { digests } = await bootstrapped({ ledger: await openLedger(directory) })
    const later = new Promoter(new MemoryRegistry(), await openLedger(directory, { access: 'read' }))
    assert.deepEqual(await later.channels(), [prod])
    assert.equal((await later.current(prod)).live, digests[0])
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a ledger in a Git branch is read by another promoter, and its commits say what was moved', async () => {
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  const cache = process.env.XDG_CACHE_HOME
  process.env.XDG_CACHE_HOME = join(home, 'cache')
  try {
    git('init', '--quiet', '--bare', join(home, 'ledger.git'))
    const url = `git+file://${home}/ledger.git#audit`
    await initLedger(url)
    const { digests } = await bootstrapped({ ledger: await openLedger(url) })
    const later = new Promoter(new MemoryRegistry(), await openLedger(url, { access: 'read' }))
    assert.deepEqual(await later.channels(), [prod])
    assert.equal((await later.current(prod)).live, digests[0])
    assert.match(git('-C', join(home, 'ledger.git'), 'log', '--format=%s', 'audit'), /^bootstrap acme\/shop:prod to /m)
    await rename(join(home, 'ledger.git'), join(home, 'gone.git'))
    const copy = await openLedger(url, { access: 'offline' })
    assert.deepEqual(await copy.channels(), [prod])
    assert.ok(Date.parse(copy.asOf) <= Date.now())
    await assert.rejects(copy.append(prod, 0, Buffer.from('{}')), code('LEDGER_DENIED'))
    assert.equal((await openLedger(url, { access: 'read' })).asOf, null)
  } finally {
    if (cache === undefined) delete process.env.XDG_CACHE_HOME
    else process.env.XDG_CACHE_HOME = cache
    await rm(home, { recursive: true })
  }
})

test('a missing ledger or a wrong URL is an error without the password', async () => {
  await assert.rejects(openLedger('/nowhere/at/all', { access: 'read' }), code('LEDGER_ABSENT'))
  const error = await openLedger('mysql://ci:hunter2@db/audit').catch((error) => error)
  assert.equal(error.code, 'CONFIG_INVALID')
  assert.doesNotMatch(JSON.stringify(error) + error.stack, /hunter2/)
})

test('errorKinds is the table of the core', () => {
  const kinds = errorKinds()
  assert.ok(kinds.length > 40)
  assert.deepEqual(
    kinds.find((kind) => kind.code === 'MOVE_INDETERMINATE'),
    {
      code: 'MOVE_INDETERMINATE',
      retry: 'recover',
      class: 'indeterminate',
      meaning: 'A move began, and it is not known whether the tag moved.',
    },
  )
  assert.throws(() => new TagwardenError('no', { code: 'NO_SUCH' }), TypeError)
  assert.equal(new TagwardenError('no', { code: 'MOVE_FAILED', retry: 'never' }).retry, 'never')
  assert.throws(() => new TagwardenError('no', { code: 'MOVE_FAILED', retry: 'soon' }), TypeError)
})
