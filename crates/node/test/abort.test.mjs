import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Digest, MemoryLedger, OciRegistry, Promoter, Provenance, TagwardenError } from 'tagwarden'
import { bootstrapped, code, gathered, prod, provenance, quick, release, repository } from './shop.mjs'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))

test('an aborted signal starts no call', async () => {
  const { promoter, digests } = await bootstrapped()
  const reason = new Error('no more')
  const signal = AbortSignal.abort(reason)
  for (const call of [
    () => promoter.promote(prod, release(2), { provenance, signal }),
    () => promoter.plan(prod, { op: 'rollback' }, { provenance, signal }),
    () => promoter.current(prod, { signal }),
    () => promoter.channels({ signal }),
    () => gathered(promoter.history(prod, { signal })),
  ]) {
    await assert.rejects(call(), (error) => error === reason)
  }
  assert.equal((await promoter.current(prod)).live, digests[0])
})

/** A registry whose put of `prod` waits for `letOn()`; `arrived` resolves when the put has begun. */
function held(registry) {
  let come, on
  const arrived = new Promise((resolve) => (come = resolve))
  const letOn = new Promise((resolve) => (on = resolve))
  const calls = ['resolve', 'fetch', 'put', 'tags', 'hasBlob'].map((name) => [name, registry[name].bind(registry)])
  const put = async (of, tag, ...rest) => {
    if (tag === 'prod') {
      come()
      await letOn
    }
    return registry.put(of, tag, ...rest)
  }
  return { registry: { ...Object.fromEntries(calls), put }, arrived, letOn: on }
}

test('an abort during a put rejects at once, and the move completes', async () => {
  const { registry, ledger, digests } = await bootstrapped()
  const waits = held(registry)
  const promoter = new Promoter(waits.registry, ledger)
  const controller = new AbortController()
  const moving = promoter.promote(prod, release(2), { provenance, signal: controller.signal })
  await waits.arrived
  const reason = new Error('the job was cancelled')
  controller.abort(reason)
  await assert.rejects(moving, (error) => error === reason)
  const { open } = await new Promoter(registry, ledger).current(prod)
  assert.equal(open.target, digests[1], 'the open move is in the log')

  waits.letOn()
  const { live } = await settled(new Promoter(registry, ledger))
  assert.equal(live, digests[1])
  assert.deepEqual(await new Promoter(registry, ledger).recover(prod, { provenance }), { result: 'nothing', warnings: [] })
})

test('recover closes a move whose put was aborted and not answered', async () => {
  const { registry, ledger, digests } = await bootstrapped()
  const waits = held(registry)
  const times = { ttlMs: 500, graceMs: 200, quietMs: 200, putMs: 200 }
  const controller = new AbortController()
  const moving = new Promoter(waits.registry, ledger, { times }).promote(prod, release(2), { provenance, signal: controller.signal })
  await waits.arrived
  controller.abort()
  await assert.rejects(moving, { name: 'AbortError' })
  const other = new Promoter(registry, ledger, { times })
  await other.recover(prod, { provenance, timeoutMs: 10_000 })
  const { live, open } = await other.current(prod)
  assert.equal(open, undefined)
  assert.equal(registry.peek(repository, 'prod'), live)
  assert.ok(digests.includes(live))
  assert.equal((await other.verify(prod)).defect, undefined)
})

test('no rejection of a backend, a guardrail, an abort or a call is left unhandled', { timeout: 60_000 }, async () => {
  const script = `
    import { MemoryLedger, MemoryRegistry, Promoter, Provenance } from 'tagwarden'
    const fails = () => Promise.reject(new Error('down'))
    const down = { resolve: fails, fetch: fails, put: fails, tags: fails, hasBlob: fails }
    const terms = { provenance: Provenance.manual('ada') }
    const guardrails = [{ name: 'throws', judge: async () => { throw new Error('no') } }]
    const registry = new MemoryRegistry()
    registry.pushImage('reg.io/a', '1', 1)
    const calls = [
      new Promoter(down, new MemoryLedger()).bootstrap('reg.io/a:b', { source: 'reg.io/a:1', ...terms }),
      new Promoter(registry, new MemoryLedger(), { policy: 'own', guardrails }).bootstrap('reg.io/a:b', { source: 'reg.io/a:1', ...terms }),
      new Promoter(down, new MemoryLedger()).audit(['reg.io/a:b'], { signal: AbortSignal.abort() }),
      new Promoter(down, new MemoryLedger()).current('no channel'),
    ]
    const said = (error) => (error.name === 'AbortError' ? error.name : error.code)
    for (const code of await Promise.all(calls.map((call) => call.catch(said)))) console.log(code)
    await new Promise((resolve) => setTimeout(resolve, 300))`
  const ended = await run(process.execPath, ['--unhandled-rejections=strict', '--input-type=module', '-e', script], { cwd: home, timeout: 20_000 })
  assert.equal(ended.stderr, '')
  assert.deepEqual(ended.stdout.trim().split('\n'), ['REGISTRY_UNAVAILABLE', 'POLICY_REFUSED', 'AbortError', 'VALUE_INVALID'])
})

/** Waits until no move is open, bounded by the test's timeout. Returns the channel's state. */
async function settled(promoter) {
  for (;;) {
    const current = await promoter.current(prod)
    if (current.open === undefined) return current
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('a signal has no listener after its call has ended', async () => {
  const { promoter } = await bootstrapped()
  const { signal } = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...of) => (listeners++, addEventListener.apply(signal, of))
  signal.removeEventListener = (...of) => (listeners--, removeEventListener.apply(signal, of))
  await promoter.current(prod, { signal })
  await assert.rejects(promoter.current('no channel', { signal }), code('VALUE_INVALID'))
  assert.equal(listeners, 0)
})

test('a put with a lost answer is committed, and an unknown fault is refused', async () => {
  const { promoter, registry, digests } = await bootstrapped({ times: quick })
  registry.script(['pass', 'after'])
  const receipt = await promoter.promote(prod, release(2), { provenance })
  assert.equal(registry.faultsLeft(), 0)
  assert.equal(receipt.digest, digests[1])
  assert.throws(() => registry.script(['sometimes']), { message: /^script: faults: fault: "sometimes" is no fault of a put/ })
})

test('a provenance by hand has no password and no identity', async () => {
  const { promoter } = await bootstrapped()
  const byHand = { ...provenance, repositoryUrl: 'https://ada:hunter2@git.example.com/shop.git' }
  const { move } = await promoter.promote(prod, release(2), { provenance: byHand })
  assert.equal(move.intent.provenance.repositoryUrl, 'https://git.example.com/shop.git')
  const identity = { issuer: 'https://token.example.com', subject: 'ci' }
  const verified = { ...provenance, identity }
  const message = /: provenance: identity: it is not known here$/
  await assert.rejects(promoter.promote(prod, release(3), { provenance: verified }), { code: 'VALUE_INVALID', message })
  await assert.rejects(promoter.hold(prod, { reason: 'incident', provenance: verified }), { code: 'VALUE_INVALID', message })
  await assert.rejects(promoter.recover(prod, { provenance: verified }), { code: 'VALUE_INVALID', message })
  await assert.rejects(promoter.unholdMine(prod, { reason: 'over', provenance: { ...provenance, actor: 'ada' } }), {
    message: 'unholdMine: provenance: actor: a string instead of an object',
  })
  const { runId, ...pipeline } = provenance.pipeline
  const repaired = (pipeline) =>
    promoter.repair(prod, { provenance: { ...provenance, pipeline } }).then(() => 'no error', (error) => error.message)
  assert.equal(await repaired(pipeline), 'repair: provenance: pipeline: runId: it is missing')
  assert.equal(await repaired({ ...pipeline, run_id: runId }), 'repair: provenance: pipeline: run_id: it is not known here')
})

test('an argument that JSON would silently change is a TypeError', async () => {
  const { promoter, registry } = await bootstrapped()
  for (const [name, wrong] of Object.entries({ Map: new Map([['a', 1]]), Set: new Set(), RegExp: /x/, Promise: Promise.resolve('any') })) {
    await assert.rejects(promoter.promote(prod, release(2), { provenance, expected: wrong }), {
      name: 'TypeError', message: `expected: it is of type ${name}, which JSON cannot carry`,
    })
    const guardrails = [{ name: 'odd', settings: { limits: wrong }, judge: () => ({ verdict: 'pass', why: 'odd' }) }]
    assert.throws(() => new Promoter(registry, new MemoryLedger(), { policy: 'odd', guardrails }), {
      name: 'TypeError', message: `limits: it is of type ${name}, which JSON cannot carry`,
    })
  }
  assert.throws(() => Provenance.fromCi({}, { GITHUB_ACTIONS: 5 }), TypeError)
  assert.throws(() => new OciRegistry({ credentials: 'ci:canary-7f3a91' }), {
    message: 'OciRegistry: credentials: a string instead of an object',
  })
  assert.ok(new OciRegistry({ tokenServers: ['auth.example.com', '127.0.0.1:5001'] }))
  assert.throws(() => new OciRegistry({ tokenServers: ['auth.example.com/token'] }), {
    code: 'CONFIG_INVALID', message: /token server "auth.example.com\/token": expected HOST or HOST:PORT/,
  })
})

test('an argument of a wrong type is an error that moves nothing', async () => {
  const { promoter, registry, digests } = await bootstrapped()
  for (const wrong of [{ idempotencyKey: Symbol('k') }, { idempotencyKey: () => 'k' }, { timeoutMs: NaN }, { timeoutMs: 10n }, { signal: 'stop' }]) {
    await assert.rejects(promoter.promote(prod, release(2), { provenance, ...wrong }), TypeError)
  }
  await assert.rejects(promoter.promote(prod, release(2), 'terms'), TypeError)
  await assert.rejects(promoter.hold(prod, { reason: 'x', provenance, until: new Date(NaN) }), TypeError)
  for (const odd of ['\ud800', 'x'.repeat(5_000_000), '\u001b[31m', '']) {
    await assert.rejects(promoter.promote(prod, release(2), { provenance, idempotencyKey: odd }), code('VALUE_INVALID'))
  }
  await assert.rejects(promoter.execute({}), TypeError)
  await assert.rejects(promoter.current(prod, { singal: 'x' }), { message: 'current: singal: it is not known here' })
  const other = { channel: `${repository}:dev` }
  for (const call of [
    () => promoter.promote(prod, release(2), { provenance, ...other }),
    () => promoter.hold(prod, { reason: 'x', provenance, ...other }),
    () => promoter.plan(prod, { op: 'repair' }, { provenance, op: 'adopt' }),
    () => promoter.promote(prod, release(2), { provenance, source: release(3) }),
    () => registry.resolve(repository, 'prod', { tag: 'dev' }),
  ]) {
    await assert.rejects(call(), { code: 'VALUE_INVALID', message: /: it is not known here$/ })
  }
  await assert.rejects(promoter.execute({}, { timeoutMs: 1 }), { message: 'execute: timeoutMs: it is not known here' })
  const bytes = new Uint8Array(8)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  assert.throws(() => Digest.of(bytes), TypeError)
  assert.throws(() => registry.push(repository, 'x', { bytes, mediaType: 'a/b' }), TypeError)
  const huge = { bytes: new Uint8Array(4 * 1024 * 1024 + 1), mediaType: 'a/b' }
  assert.throws(() => registry.push(repository, 'x', huge), code('MANIFEST_TOO_LARGE'))
  assert.equal((await promoter.current(prod)).live, digests[0])
})

test('a plan is approved and executed only once', async () => {
  const { promoter } = await bootstrapped()
  const plan = await promoter.plan(prod, { op: 'promote', source: release(2) }, { provenance })
  const approved = plan.approve()
  assert.throws(() => plan.approve(), code('VALUE_INVALID'))
  assert.equal((await promoter.execute(approved)).result, 'committed')
  await assert.rejects(promoter.execute(approved), { message: 'the approved plan was executed already: plan again' })
  assert.ok(plan.findings.length === 9 && !(plan instanceof TagwardenError))
})

test('the process exits by itself with a backend in JavaScript and with a call in flight', { timeout: 60_000 }, async () => {
  const script = (last) => `
    import { Promoter, MemoryLedger } from 'tagwarden'
    const hangs = () => new Promise(() => {})
    const registry = { resolve: hangs, fetch: hangs, put: hangs, tags: hangs, hasBlob: () => true }
    const promoter = new Promoter(registry, new MemoryLedger())
    console.log((await promoter.current('reg.io/a:prod')).size)
    ${last}`
  for (const last of ['', "promoter.audit(['reg.io/a:prod']); process.exit(0)"]) {
    const ended = await run(process.execPath, ['--input-type=module', '-e', script(last)], { cwd: home, timeout: 20_000 })
    assert.deepEqual(ended, { stdout: '0\n', stderr: '' })
  }
})

test('worker threads have their own promoters and can be terminated during a call', { timeout: 60_000 }, async () => {
  const work = `
    const { Promoter, MemoryLedger, MemoryRegistry } = require(${JSON.stringify(home)})
    const { parentPort } = require('node:worker_threads')
    const hangs = () => new Promise(() => {})
    new Promoter({ resolve: hangs, fetch: hangs, put: hangs, tags: hangs, hasBlob: hangs }, new MemoryLedger()).audit(['reg.io/a:b'])
    new Promoter(new MemoryRegistry(), new MemoryLedger()).current('reg.io/a:prod').then(({ size }) => parentPort.postMessage(size))`
  const workers = [1, 2, 3].map(() => new Worker(work, { eval: true }))
  const sizes = await Promise.all(workers.map((worker) => new Promise((done, failed) => worker.once('message', done).once('error', failed))))
  assert.deepEqual(sizes, [0, 0, 0])
  await Promise.all(workers.map((worker) => worker.terminate()))
  const { promoter } = await bootstrapped({ ledger: new MemoryLedger() })
  assert.deepEqual(await promoter.channels(), [prod])
})
