// Shared fixtures: a repository with three releases, the first of them live.
import { MemoryLedger, MemoryRegistry, Promoter, Provenance, TagwardenError } from 'tagwarden'

export const repository = 'registry.example.com/acme/shop'
export const prod = `${repository}:prod`
export const provenance = Provenance.of({ provider: 'manual', runId: 'first-steps', actor: 'ada' })

/** Short times, because a promoter waits the quiet time for a put whose answer was lost. */
export const quick = { ttlMs: 5000, graceMs: 200, quietMs: 200, putMs: 200, settleMs: 200 }

export const release = (number) => `${repository}:1.4.${number}`

/** A promoter over a registry with the releases 1 to 3, of which 1 is live; `wrap` can replace the registry. */
export async function bootstrapped({ ledger = new MemoryLedger(), wrap = (registry) => registry, times = quick, ...options } = {}) {
  const registry = new MemoryRegistry()
  const digests = [1, 2, 3].map((number) => registry.pushImage(repository, `1.4.${number}`, number).digest)
  const promoter = new Promoter(wrap(registry), ledger, { times, ...options })
  await promoter.bootstrap(prod, { source: release(1), provenance })
  return { registry, ledger, promoter, digests }
}

/** A check for `assert.rejects`: a TagwardenError of this code. */
export const code = (expected) => (error) => error instanceof TagwardenError && error.code === expected

export async function gathered(events) {
  const list = []
  for await (const event of events) list.push(event)
  return list
}
