// Holds: their authors, the moves that they stop, and their ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLedger, MemoryRegistry, Promoter, Provenance } from 'tagwarden'
import { bootstrapped, prod, provenance, release, repository } from './shop.mjs'

const ben = Provenance.of({ provider: 'manual', runId: 'second-steps', actor: 'ben' })

/** The refusing findings, code and reason. A hold can be lifted, so the error says `later`. */
async function refused(move) {
  const error = await move.catch((error) => error)
  assert.deepEqual([error.code, error.retry], ['POLICY_REFUSED', 'later'], error.message)
  const refusing = error.findings.filter(({ verdict }) => verdict === 'refuse')
  assert.ok(refusing.every(({ retry }) => retry === 'later'))
  return refusing.map(({ code, why }) => [code, why])
}

/** A write around the ledger. */
const drift = (registry) => registry.pushImage(repository, 'prod', 9).digest

test('hold of one person ended leaves the hold of another', async () => {
  const { promoter } = await bootstrapped()
  const incident = await promoter.hold(prod, { reason: 'incident 7', provenance })
  const audit = await promoter.hold(prod, { reason: 'an audit', scope: 'all', provenance: ben })
  const holds = [
    { seq: incident, scope: 'promotions', reason: 'incident 7', provenance },
    { seq: audit, scope: 'all', reason: 'an audit', provenance: ben },
  ]
  assert.deepEqual(await promoter.holds(prod), holds)
  assert.deepEqual((await promoter.current(prod)).holds, holds)
  assert.equal(await promoter.unhold(prod, incident, { reason: 'it is over', provenance: ben }), audit + 1)
  assert.deepEqual(await promoter.holds(prod), holds.slice(1))
  const why = `held for all moves by ben until it is ended (hold ${audit}): an audit`
  assert.deepEqual(await refused(promoter.promote(prod, release(2), { provenance })), [['CHANNEL_HELD', why]])
  await assert.rejects(promoter.unhold(prod, incident, { reason: 'again', provenance }), {
    code: 'VALUE_INVALID', message: `hold ${incident} of ${prod} is not in force; in force: ${audit}`,
  })
  await promoter.unhold(prod, audit, { reason: 'it is over', provenance: ben })
  assert.equal((await promoter.promote(prod, release(2), { provenance })).result, 'committed')
  assert.deepEqual((await promoter.verify(prod)).holds, [])
})

test('unholdMine ends the holds of one person', async () => {
  const { promoter } = await bootstrapped()
  const ids = []
  for (const who of [provenance, ben, provenance]) ids.push(await promoter.hold(prod, { reason: 'why', provenance: who }))
  assert.deepEqual(await promoter.unholdMine(prod, { reason: 'it is over', provenance }), [ids[0], ids[2]])
  assert.deepEqual((await promoter.holds(prod)).map(({ seq }) => seq), [ids[1]])
  assert.deepEqual(await promoter.unholdMine(prod, { reason: 'again', provenance }), [])
})

test('hold of promotions lets rollback, repair and adopt pass', async () => {
  const { promoter, registry, digests } = await bootstrapped()
  await promoter.promote(prod, release(2), { provenance })
  const hold = await promoter.hold(prod, { reason: 'incident 7', provenance })
  const why = `held for promotions by ada until it is ended (hold ${hold}): incident 7`
  assert.deepEqual(await refused(promoter.promote(prod, release(3), { provenance })), [['CHANNEL_HELD', why]])
  assert.equal((await promoter.rollback(prod, { provenance })).digest, digests[0])
  drift(registry)
  assert.equal((await promoter.repair(prod, { provenance })).digest, digests[0])
  const hotfix = drift(registry)
  assert.equal((await promoter.adopt(prod, { provenance, reason: 'hotfix' })).digest, hotfix)
  assert.deepEqual((await promoter.holds(prod)).map(({ seq }) => seq), [hold])
})

test('hold of promotions stops a bootstrap', async () => {
  const registry = new MemoryRegistry()
  registry.pushImage(repository, '1.4.1', 1)
  const promoter = new Promoter(registry, new MemoryLedger())
  await assert.rejects(promoter.hold(prod, { reason: 'not yet', provenance }), { code: 'CHANNEL_ABSENT' })
  registry.pushImage(repository, 'prod', 1)
  await promoter.hold(prod, { reason: 'not yet', provenance })
  const [[code]] = await refused(promoter.bootstrap(prod, { source: release(1), provenance }))
  assert.equal(code, 'CHANNEL_HELD')
})

test('hold of all moves stops every move', async () => {
  const { promoter, registry } = await bootstrapped()
  await promoter.promote(prod, release(2), { provenance })
  const hold = await promoter.hold(prod, { reason: 'an audit', scope: 'all', provenance: ben })
  const held = [['CHANNEL_HELD', `held for all moves by ben until it is ended (hold ${hold}): an audit`]]
  assert.deepEqual(await refused(promoter.promote(prod, release(3), { provenance })), held)
  assert.deepEqual(await refused(promoter.rollback(prod, { provenance })), held)
  drift(registry)
  assert.deepEqual(await refused(promoter.repair(prod, { provenance })), held)
  assert.deepEqual(await refused(promoter.adopt(prod, { provenance, reason: 'hotfix' })), held)
})

test('hold with an end is recorded, and a past end is refused', async () => {
  const { promoter } = await bootstrapped()
  const until = new Date('2099-01-01T00:00:00.000Z')
  await promoter.hold(prod, { reason: 'incident 7', provenance, until })
  assert.deepEqual((await promoter.holds(prod)).map((hold) => hold.until), [until.toJSON()])
  await assert.rejects(promoter.hold(prod, { reason: 'incident 7', provenance, until: new Date(0) }), {
    code: 'VALUE_INVALID', message: /would have ended already$/,
  })
  await assert.rejects(promoter.hold(prod, { reason: 'incident 7', provenance, scope: 'some' }), {
    code: 'VALUE_INVALID', message: 'hold: scope: "some" is none of promotions, all',
  })
})

test('rollback accepts a digest, a release or a move', async () => {
  const { promoter, digests } = await bootstrapped()
  const { event } = await promoter.current(prod)
  for (const to of [digests[0], '1.4.1', `prod#${event.seq}`]) {
    await promoter.promote(prod, release(2), { provenance, override: ['not-rolled-back'], reason: 'to go back once more' })
    assert.equal((await promoter.rollback(prod, { provenance, to })).digest, digests[0], to)
  }
  await assert.rejects(promoter.rollback(prod, { provenance, to: 'prod#' }), {
    code: 'VALUE_INVALID', message: /after '#' is not the sequence number of a move$/,
  })
})
