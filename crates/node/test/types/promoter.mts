// Compiled, not run: calls that the types accept, and calls that they reject.
import {
  Channel, MemoryLedger, MemoryRegistry, OciRegistry, Promoter, Provenance, TagwardenError, TestRegistry, conformance, openLedger,
  packArtifact, pushArtifact,
} from 'tagwarden'
import type { ActiveHold, ChannelStatus, Guardrail, Receipt, RecoveryResult, Registry, Failure } from 'tagwarden'

const promoter = new Promoter(new MemoryRegistry(), await openLedger('/srv/ledger'), { times: { ttlMs: 1000 } })
const provenance = Provenance.fromCi({ release: 'v1' })
const prod = new Channel('registry.example.com/acme/shop:prod')

const receipt: Receipt = await promoter.promote(prod, 'registry.example.com/acme/shop:1', {
  provenance,
  expected: 'absent',
  signal: AbortSignal.timeout(1000),
})
const current: ChannelStatus = await promoter.current(String(prod))
const recovered: RecoveryResult = await promoter.recover(prod, { provenance, abort: true })
if (recovered.event) console.log(recovered.result, recovered.event.status, receipt.digest, current.live?.length)
for await (const event of promoter.history(prod)) console.log(event.intent.provenance.actor.id)

const hold: number = await promoter.hold(prod, { provenance, reason: 'incident 7', scope: 'all', until: new Date() })
const holds: ActiveHold[] = await promoter.holds(prod)
await promoter.unhold(prod, hold, { provenance, reason: 'it is over' })
const ended: number[] = await promoter.unholdMine(prod, { provenance, reason: 'it is over' })
console.log(holds[0]?.provenance.actor.id, ended)
const plan = await promoter.plan(prod, { op: 'rollback', to: 'prod#42' }, { provenance })
await promoter.execute(plan.approve())

try {
  // @ts-expect-error: a plan that is not approved cannot be executed
  await promoter.execute(plan)
  // @ts-expect-error: a move needs a provenance
  await promoter.repair(prod, {})
  // @ts-expect-error: adopting needs a reason
  await promoter.adopt(prod, { provenance })
  // @ts-expect-error: an option that is not known
  await promoter.recover(prod, { provenance, timeout: 3 })
  // @ts-expect-error: a recovery says who asks
  await promoter.recover(prod, { abort: true })
  // @ts-expect-error: a hold has a reason
  await promoter.hold(prod, { provenance })
  // @ts-expect-error: a scope that is not known
  await promoter.hold(prod, { provenance, reason: 'incident 7', scope: 'some' })
  // @ts-expect-error: both a registry and a ledger are needed
  new Promoter(new MemoryLedger())
} catch (error) {
  if (error instanceof TagwardenError && error.code === 'POLICY_REFUSED') console.log(error.findings[0]?.retry)
}

// Own backends, guardrails and faults.
const counting: Registry = {
  resolve: (repository, tag) => inner.resolve(repository, tag),
  fetch: (reference) => inner.fetch(reference),
  put: (repository, tag, manifest, options) => inner.put(repository, tag, manifest, options),
  tags: (repository) => inner.tags(repository),
  hasBlob: (repository, digest) => inner.hasBlob(repository, digest),
}
const inner = new MemoryRegistry()
inner.script(['after', { fault: 'late', timeMs: 5 }], { tag: 'prod' })
// @ts-expect-error: it needs a time
inner.script([{ fault: 'late' }])
const slow: Guardrail = { name: 'slow', timeoutMs: 50, judge: async ({ op }) => ({ verdict: 'pass', why: op }) }
const server = await TestRegistry.start({ user: 'ci', password: 'x', token: true })
server.scriptHttp([{ fault: 'status', status: 503 }], { method: 'PUT' })
const packed = await packArtifact('.', { source: 'https://git.example/a', revision: 'main@sha1:0', created: new Date() })
const leftOut: readonly string[] = (await packArtifact('.', { ignorePaths: ['*.md'], include: ['logo.png'] })).leftOut
console.log(leftOut, packed.warnings)
await pushArtifact(packed, new OciRegistry(), server.repository('a/b'), 'v1', { signal: AbortSignal.timeout(1000) })
// @ts-expect-error: it is pushed to a real registry
await pushArtifact(packed, inner, server.repository('a/b'), 'v1')
new Promoter(counting, new MemoryLedger(), { policy: 'own', guardrails: [slow] })
const broken: Failure[] = await conformance.registry(counting, { broken: counting, repository: 'reg.io/requirements', store: () => {} })
console.log(broken.length)
