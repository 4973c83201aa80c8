// A promoter's log, checked by an independent verifier.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Promoter, Provenance, TagwardenError, openLedger } from 'tagwarden'
import { bootstrapped, code, prod, provenance, release, repository } from './shop.mjs'

const verifier = fileURLToPath(new URL('../../../tests/tools/verify_ledger.py', import.meta.url))
const ben = Provenance.of({ provider: 'manual', runId: 'second-steps', actor: 'ben' })
const times = { ttlMs: 400, graceMs: 200, quietMs: 200, putMs: 200, settleMs: 200 }

/** A ledger that fails every append after the worker's intent. */
const dying = (inner, size) => ({
  size: (channel) => inner.size(channel),
  read: (channel, from, limit) => inner.read(channel, from, limit),
  append: (channel, seq, entry) => {
    if (seq > size) throw new TagwardenError('the worker is gone', { code: 'LEDGER_UNAVAILABLE' })
    return inner.append(channel, seq, entry)
  },
  channels: () => inner.channels(),
})

/** A promoter that wrote every kind of entry: every operation, and every result of a move. */
async function everything(ledger) {
  const { promoter, registry } = await bootstrapped({ ledger, times })
  await promoter.promote(prod, release(2), { provenance })
  const freeze = await promoter.hold(prod, { reason: 'a freeze', provenance })
  await promoter.hold(prod, { reason: 'an audit', scope: 'all', provenance: ben })
  await promoter.unholdMine(prod, { reason: 'it is over', provenance: ben })
  await promoter.rollback(prod, { provenance })
  await promoter.unhold(prod, freeze, { reason: 'it is over', provenance: ben })
  registry.script([{ fault: 'refused', code: 'DENIED' }], { tag: 'prod' })
  await assert.rejects(promoter.promote(prod, release(3), { provenance }), code('MOVE_FAILED'))
  registry.pushImage(repository, 'prod', 9)
  await assert.rejects(promoter.promote(prod, release(3), { provenance }), code('CHANNEL_DRIFTED'))
  await promoter.repair(prod, { provenance })
  registry.pushImage(repository, 'prod', 9)
  await promoter.adopt(prod, { provenance, reason: 'a hotfix' })

  // Two workers die after their intents: one move is aborted, and one is completed.
  registry.pushImage(repository, '1.4.4', 4)
  for (const [put, abort, number] of [['before', true, 3], ['after', false, 4]]) {
    registry.script([put], { tag: 'prod' })
    const { size } = await promoter.current(prod)
    const lost = new Promoter(registry, dying(ledger, size), { times }).promote(prod, release(number), { provenance, timeoutMs: 1000 })
    await assert.rejects(lost, { retry: 'recover' })
    const { event } = await promoter.recover(prod, { provenance: ben, abort })
    assert.deepEqual([event.status, event.outcome.recovered], [abort ? 'aborted' : 'committed', true])
    assert.deepEqual(event.takeovers.map(({ op, provenance }) => ({ op, provenance })), [{ op: abort ? 'abort' : 'recover', provenance: ben }])
  }
  return promoter
}

test('log of every kind of entry satisfies the independent verifier', { timeout: 120_000 }, async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(home, { recursive: true }))
  const promoter = await everything(await openLedger(home))
  const [name, ...more] = (await readdir(home, { recursive: true })).filter((name) => name.endsWith('.jsonl'))
  assert.deepEqual(more, [])
  const log = join(home, name)
  const entries = (await readFile(log, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line))
  assert.deepEqual([...new Set(entries.map(({ kind }) => kind))].sort(), ['hold', 'intent', 'observation', 'outcome', 'policy', 'takeover', 'unhold'])
  const said = (of, name) => [...new Set(entries.filter(({ kind }) => kind === of).map(({ body }) => body[name]))].sort()
  assert.deepEqual(said('intent', 'op'), ['adopt', 'bootstrap', 'promote', 'repair', 'rollback'])
  assert.deepEqual(said('takeover', 'op'), ['abort', 'recover'])
  assert.deepEqual(said('outcome', 'status'), ['aborted', 'committed', 'failed'])
  assert.deepEqual(said('hold', 'scope'), ['all', 'promotions'])

  const { stdout } = await promisify(execFile)('python3', [verifier, log, '--json'])
  const { entries: size, moves, committed, live, defects } = JSON.parse(stdout)
  const report = await promoter.verify(prod)
  assert.deepEqual([report.defects, defects], [[], []])
  assert.deepEqual([size, moves, committed, live], [report.entries, report.moves, report.committed, report.live])
})
