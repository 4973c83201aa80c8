// The scenarios of tests/vectors/stories.json, which Rust and Python run too, give the listed results.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Channel, MemoryLedger, MemoryRegistry, Promoter, Provenance } from 'tagwarden'
import { report } from '../action/src/report.mjs'

const stories = JSON.parse(await readFile(new URL('../../../tests/vectors/stories.json', import.meta.url)))
const shop = 'registry.example.com/acme/shop'
const provenance = Provenance.of({ provider: 'manual', runId: 'run-1', actor: 'ada', commit: 'f0b6723', release: 'v1' })

for (const { name, images, pipeline, steps } of stories) {
  test(name, { timeout: 60_000 }, async () => {
    const registry = new MemoryRegistry()
    for (const [tag, number] of Object.entries(images)) registry.pushImage(shop, tag, number)
    const stages = pipeline?.map((environment) => ({ environment, channel: `${shop}:${environment}` }))
    const promoter = new Promoter(registry, new MemoryLedger(), { pipeline: stages, times: { quietMs: 200, putMs: 200, settleMs: 200 } })
    for (const { is, ...step } of steps) {
      const ended = await told(promoter, registry, step).catch(({ code, retry, findings }) => ({ code, retry, findings }))
      assert.deepEqual(plain(report(ended)), plain(is), JSON.stringify(step))
    }
  })
}

/** Runs one step. Returns its result. */
async function told(promoter, registry, { do: what, ...given }) {
  const { channel: tag, source: named, source_channel, to, rule, digest, channels, idempotency_key: idempotencyKey, ...terms } = given
  const channel = `${shop}:${tag}`
  const options = { ...terms, provenance, idempotencyKey, expected: image(terms.expected) }
  const source = source_channel ? new Channel(`${shop}:${source_channel}`) : named && `${shop}:${named}`
  const kept = rule && { rule: { keepLast: rule.keep_last, keepForMs: rule.keep_for_s * 1000 } }
  switch (what) {
    case 'push': return void registry.pushImage(shop, given.tag, given.image)
    case 'untag': return registry.deleteTag(shop, given.tag)
    case 'fail_reads': return registry.scriptReads(Array(given.times).fill('unavailable'))
    case 'bootstrap': return receipt(await promoter.bootstrap(channel, { ...options, source }))
    case 'promote': return receipt(await promoter.promote(channel, source, options))
    case 'rollback': return receipt(await promoter.rollback(channel, { ...options, to: image(to) }))
    case 'repair': return receipt(await promoter.repair(channel, options))
    case 'adopt': return receipt(await promoter.adopt(channel, options))
    case 'hold': return promoter.hold(channel, { scope: given.scope, reason: given.reason, provenance })
    case 'unhold': return promoter.unhold(channel, given.hold, { reason: given.reason, provenance })
    case 'plan': {
      const { op, ...rest } = options
      const { change, findings } = await promoter.plan(channel, { op, source, to: image(to) }, rest)
      return { change, findings }
    }
    case 'audit': return promoter.audit(channels.map((tag) => `${shop}:${tag}`))
    case 'retention_plan': return promoter.retentionPlan(shop, kept)
    case 'may_delete': return promoter.mayDelete(shop, image(digest), kept)
    default: assert.fail(`${what} is not known`)
  }
}

const receipt = ({ result, previousDigest, digest }) => ({ result, previousDigest, digest })

/** Replaces `image 3` by the digest of that image; returns any other text unchanged. */
function image(text) {
  const [, number] = /^image (\d+)$/.exec(text ?? '') ?? []
  return number === undefined ? text : new MemoryRegistry().pushImage(shop, 'x', Number(number)).digest
}

/** The JSON of a result, without empty lists, and with every time replaced by the word TIME. */
const plain = (ended) => JSON.parse(JSON.stringify(ended ?? null, full).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'))
const full = (_, value) => (Array.isArray(value) && value.length === 0 ? undefined : value)
