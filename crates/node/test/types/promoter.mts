// Compiled, not run: what the types allow, and what they refuse.
import { Channel, MemoryLedger, MemoryRegistry, Promoter, Provenance, TagwardenError, openLedger } from 'tagwarden'
import type { Current, Receipt, Recovered } from 'tagwarden'

const promoter = new Promoter(new MemoryRegistry(), await openLedger('/srv/ledger'), { times: { ttl: 1000 } })
const provenance = Provenance.fromEnvironment({ release: 'v1' })
const prod = new Channel('registry.example.com/acme/shop:prod')

const receipt: Receipt = await promoter.promote(prod, 'registry.example.com/acme/shop:1', {
  provenance,
  expect: 'absent',
  signal: AbortSignal.timeout(1000),
})
const current: Current = await promoter.current(String(prod))
const recovered: Recovered = await promoter.recover(prod, { how: 'abandon' })
if (recovered.result === 'closed') console.log(recovered.event.status, receipt.to, current.live?.length)
for await (const event of promoter.history(prod, { limit: 3 })) console.log(event.intent.provenance.actor.id)

const plan = await promoter.plan(prod, { op: 'rollback' }, { provenance })
await promoter.execute(plan.approve())

try {
  // @ts-expect-error: what was not approved cannot be executed
  await promoter.execute(plan)
  // @ts-expect-error: a move needs a provenance
  await promoter.repair(prod, {})
  // @ts-expect-error: adopting needs a reason
  await promoter.adopt(prod, { provenance })
  // @ts-expect-error: an option that is not known
  await promoter.recover(prod, { patienc: 3 })
  // @ts-expect-error: both a registry and a ledger are needed
  new Promoter(new MemoryLedger())
} catch (error) {
  if (error instanceof TagwardenError && error.code === 'CHANNEL_HELD') console.log(error.findings[0]?.why)
}
