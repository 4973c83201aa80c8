/** Ten everyday tasks. `docs/guides/three-languages.md` shows them beside Rust and Python. */

import { pathToFileURL } from 'node:url'
import { OciRegistry, Promoter, Provenance, TagwardenError, openLedger } from 'tagwarden'

/**
 * Does the ten tasks in a repository that has the releases 1.4.1 and 1.4.2.
 * @param {import('tagwarden').Registry} registry
 * @param {string} url
 * @param {string} shop
 */
export async function tasks(registry, url, shop) {
  // task: open
  const promoter = new Promoter(registry, await openLedger(url))
  const prod = `${shop}:prod`
  const provenance = Provenance.manual('ada') // in a pipeline: Provenance.fromCi()

  // task: promote
  await promoter.promote(prod, `${shop}:1.4.1`, { provenance })
  const terms = { provenance, idempotencyKey: '4711-1', reason: 'release day' }
  const receipt = await promoter.promote(prod, `${shop}:1.4.2`, terms)
  console.log(receipt.previousDigest, '->', receipt.digest)

  // task: plan
  const plan = await promoter.plan(prod, { op: 'promote', source: `${shop}:1.4.1` }, { provenance })
  for (const { guardrail, why } of plan.findings) console.log(`${guardrail}: ${why}`)

  // task: rollback
  await promoter.rollback(prod, { provenance, reason: 'error rate' })
  await promoter.rollback(prod, { to: '1.4.2', provenance })

  // task: current
  const current = await promoter.current(prod)
  console.log('live', current.live, 'before', current.previous)

  // task: history
  for await (const { seq, intent } of promoter.history(prod)) {
    console.log(`#${seq} ${intent.op} ${intent.target.digest}`)
  }

  // task: hold
  const hold = await promoter.hold(prod, { reason: 'incident 7', provenance })
  try {
    await promoter.promote(prod, `${shop}:1.4.1`, { provenance })
  } catch (refused) {
    if (!(refused instanceof TagwardenError && refused.code === 'POLICY_REFUSED')) throw refused
    console.log(refused.message)
  }
  await promoter.unhold(prod, hold, { reason: 'solved', provenance })

  // task: audit
  const { worst } = await promoter.audit([prod])
  console.log('worst:', worst)

  // task: recover
  console.log(await promoter.recover(prod, { provenance }))

  // task: retention
  console.log(await promoter.mayDelete(shop, receipt.digest))
  // task: end
}

const [, script, url, repository] = process.argv
if (script !== undefined && import.meta.url === pathToFileURL(script).href) {
  if (!url || !repository) throw new Error('usage: node tasks.mjs LEDGER REPOSITORY')
  await tasks(new OciRegistry(), url, repository)
}
