/**
 * A pipeline script: promotes a release through dev and prod of a real registry, and rolls it back.
 *
 * usage: node release.mjs REPOSITORY LEDGER DIRECTORY
 *
 * REPOSITORY is on a registry that may be pushed to (a login is found as docker finds it), LEDGER is a URL or a directory,
 * DIRECTORY has the files to release.
 */

import { Channel, OciRegistry, Promoter, Provenance, TagwardenError, openLedger, packArtifact, pushArtifact } from 'tagwarden'

const [repository, url, dir] = process.argv.slice(2)
if (!repository || !url || !dir) throw new Error('usage: node release.mjs REPOSITORY LEDGER DIRECTORY')
const [dev, prod] = [new Channel(`${repository}:dev`), new Channel(`${repository}:prod`)]

/**
 * A rule of our own: production takes releases only from a commit.
 * @type {import('tagwarden').Guardrail}
 */
const hasCommit = {
  name: 'has-commit',
  judge: ({ channel, provenance }) =>
    channel === String(prod) && provenance.commit === undefined
      ? { verdict: 'refuse', code: 'COMMIT_MISSING', why: 'a release for prod names its commit' }
      : { verdict: 'pass', why: 'there is a commit, or it is not prod' },
}

const registry = new OciRegistry()
const promoter = new Promoter(registry, await openLedger(url), {
  pipeline: [{ environment: 'dev', channel: dev }, { environment: 'prod', channel: prod }],
  guardrails: [hasCommit],
  policy: 'example',
})
const commit = '4e1243bd22c66e76c2ba9eddc1f91394e57f9f83'
const provenance = Provenance.of({ provider: 'example', runId: '1', actor: 'release-bot', commit })

for (const number of [1, 2]) {
  const from = { source: 'https://git.example/acme/shop', revision: `main@sha1:${commit}`, created: new Date(number * 86_400_000) }
  const pushed = await pushArtifact(await packArtifact(dir, from), registry, repository, `1.${number}`)
  console.log(`1.${number} is ${pushed}`)
}
for (const channel of [dev, prod]) await promoter.bootstrap(channel, { source: `${repository}:1.1`, provenance })
await promoter.promote(dev, `${repository}:1.2`, { provenance, idempotencyKey: 'run-1-dev' })

const plan = await promoter.plan(prod, { op: 'promote', source: dev }, { provenance, idempotencyKey: 'run-1-prod' })
for (const { verdict, guardrail, why } of plan.findings) console.log(`${verdict.padEnd(6)} ${guardrail}: ${why}`)
const receipt = await promoter.execute(plan.approve())
console.log(`prod: ${receipt.previousDigest} -> ${receipt.digest}`)

const hold = await promoter.hold(prod, { reason: 'incident 7', provenance })
try {
  await promoter.promote(prod, `${repository}:1.1`, { provenance })
} catch (error) {
  if (!(error instanceof TagwardenError)) throw error
  const refused = error.findings.filter(({ verdict }) => verdict === 'refuse').map(({ code }) => code)
  console.log(`hold ${hold}: ${refused.join()}, ${error.retry}`)
}
await promoter.unhold(prod, hold, { reason: 'it is over', provenance })

const back = await promoter.rollback(prod, { provenance, reason: 'incident 7', signal: AbortSignal.timeout(60_000) })
console.log(`prod: back at ${back.digest}`)
for await (const { seq, status, intent } of promoter.history(prod)) console.log(seq, status, intent.op, intent.target.digest)

const audit = await promoter.audit(await promoter.channels())
const may = await promoter.mayDelete(repository, back.digest)
console.log(`audit: ${audit.worst ?? 'in sync'}; may be deleted: ${'yes' in may}`)
const { defect } = await promoter.verify(prod)
process.exitCode = audit.worst === undefined && defect === undefined ? 0 : 1
