// The tools for users' own tests: faults of puts, reads and requests, chaos from a seed, and the recorded calls.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLedger, MemoryRegistry, OciRegistry, Promoter, TestRegistry } from 'tagwarden'
import { bootstrapped, code, prod, provenance, quick, release, repository } from './shop.mjs'

const foreign = new MemoryRegistry().pushImage(repository, 'hotfix', 666)

test('each fault of a put has its documented result', async () => {
  for (const [fault, ends] of [
    ['pass', 'committed'],
    ['after', 'committed'],
    ['before', 'committed'],
    ['denied', 'MOVE_FAILED'],
    [{ fault: 'refused', code: 'DENIED' }, 'MOVE_FAILED'],
    ['ignored', 'MOVE_INDETERMINATE'],
    ['gone', 'committed'],
    [{ fault: 'stale', reads: 1 }, 'committed'],
    [{ fault: 'slow', timeMs: 5 }, 'committed'],
    [{ fault: 'late', timeMs: 50 }, 'committed'],
    [{ fault: 'twice', timeMs: 50 }, 'committed'],
    [{ fault: 'foreignBefore', manifest: foreign }, 'committed'],
    [{ fault: 'foreignAfter', manifest: foreign }, 'CHANNEL_OVERWRITTEN'],
  ]) {
    const { promoter, registry, digests } = await bootstrapped({ times: { ...quick, ttlMs: 600 } })
    registry.script([fault], { tag: 'prod' })
    const ended = await promoter.promote(prod, release(2), { provenance, timeoutMs: 1000 }).catch((error) => error)
    assert.equal(ended.result ?? ended.code, ends, JSON.stringify(fault))
    assert.equal(registry.faultsLeft(), 0)
    if (ends === 'committed') assert.equal(registry.peek(repository, 'prod'), digests[1])
    if (ends === 'MOVE_FAILED') assert.equal(registry.peek(repository, 'prod'), digests[0])
  }
})

test('each fault of a read has its documented result', async () => {
  const { digests } = await bootstrapped()
  for (const [fault, ends] of [
    ['pass', digests[0]],
    ['unavailable', 'REGISTRY_UNAVAILABLE'],
    ['busy', 'REGISTRY_BUSY'],
    ['denied', 'REGISTRY_DENIED'],
    ['stale', null],
    [{ fault: 'past', changes: 0 }, digests[0]],
    [{ fault: 'past', changes: 1 }, null],
    [{ fault: 'lag', windowMs: 0 }, digests[0]],
    [{ fault: 'slow', timeMs: 5 }, digests[0]],
    [{ fault: 'foreignBefore', manifest: foreign }, foreign.digest],
    [{ fault: 'foreignAfter', manifest: foreign }, digests[0]],
    [{ fault: 'deletedAfter', digest: digests[0] }, digests[0]],
  ]) {
    const { registry } = await bootstrapped()
    registry.scriptReads([fault], { tag: 'prod' })
    const found = await registry.resolve(repository, 'prod').catch((error) => error.code)
    assert.equal(found, ends, JSON.stringify(fault))
  }
  const { registry } = await bootstrapped()
  registry.scriptReads(['digestMismatch'])
  await assert.rejects(registry.fetch(release(1)), code('REGISTRY_DIGEST_MISMATCH'))
})

test('lagging reads answer every value of the window, and lag(0) ends it', async () => {
  const { registry, digests } = await bootstrapped()
  const before = registry.overwrite(repository, 'prod', foreign)
  const seen = async () => {
    const found = new Set()
    for (let look = 0; look < 100; look++) found.add(await registry.resolve(repository, 'prod'))
    return found
  }
  registry.lag(3_600_000)
  assert.deepEqual(await seen(), new Set([null, digests[0], foreign.digest]))
  registry.lag(0)
  assert.deepEqual([before, await seen()], [digests[0], new Set([foreign.digest])])
  assert.throws(() => registry.lag(-1), code('VALUE_INVALID'))
})

test('refused puts and hidden manifests have the scripted words', async () => {
  const { registry, digests } = await bootstrapped()
  registry.script([{ fault: 'refused', status: 423, message: 'frozen until Monday' }], { tag: 'prod' })
  const refused = await registry.put(repository, 'prod', foreign).catch((error) => error)
  assert.match(refused.message, /answered 423: frozen until Monday/)
  assert.throws(() => registry.script([{ fault: 'refused' }]), /code: it is missing, and there is no status either/)
  registry.hide(repository, digests[0], { status: 412, code: 'PROJECTPOLICYVIOLATION', message: '3 critical' })
  const hidden = await registry.resolve(repository, 'prod').catch((error) => error)
  assert.match(hidden.message, /412 PROJECTPOLICYVIOLATION: 3 critical/)
  assert.equal(hidden.context.status, '412')
  assert.equal((await registry.fetch(release(2))).digest, digests[1])
  assert.deepEqual([registry.unhide(repository, digests[0]), registry.unhide(repository, digests[0])], [true, false])
  assert.equal(await registry.resolve(repository, 'prod'), digests[0])
})

test('methods that bypass the port are no calls, and every change of a tag is recorded', async () => {
  const { registry, digests } = await bootstrapped()
  registry.clearCalls()
  const manifest = await registry.fetch(release(2))
  assert.deepEqual(registry.calls(), [{ call: 'fetch', reference: release(2) }])
  assert.equal(registry.overwrite(repository, 'prod', manifest), digests[0])
  assert.equal(registry.push(repository, 'other', manifest), digests[1])
  const blob = registry.storeBlob(repository, Buffer.from('blob'))
  assert.equal(await registry.hasBlob(repository, blob), true)
  assert.deepEqual([registry.deleteBlob(repository, blob), registry.deleteBlob(repository, blob)], [true, false])
  assert.deepEqual([registry.holds(repository, digests[1]), registry.deleteManifest(repository, digests[1])], [true, true])
  assert.deepEqual([registry.holds(repository, digests[1]), registry.peek(repository, 'prod')], [false, null])
  assert.deepEqual(registry.changes().slice(-4).map(({ tag, digest }) => [tag, digest]).sort(), [
    ['1.4.2', null], ['other', null], ['other', digests[1]], ['prod', null],
  ])
})

test('chaos of one seed is reproducible, and calm ends it', async () => {
  const seen = async () => {
    const { registry } = await bootstrapped()
    registry.chaos(7, 50)
    const looks = []
    for (let look = 0; look < 10; look++) looks.push(await registry.resolve(repository, 'prod').catch((error) => error.code))
    registry.calm()
    assert.ok((await registry.resolve(repository, 'prod')).startsWith('sha256:'))
    return looks
  }
  // In parallel, because a slow read takes seconds.
  const [looks, again] = await Promise.all([seen(), seen()])
  assert.deepEqual(again, looks)
  assert.ok(new Set(looks).size > 1, 'some fail, some do not')
})

test('HTTP requests meet their scripted faults', async (t) => {
  const server = await TestRegistry.start({ user: 'ci', password: 'hunter2', token: true })
  t.after(() => server.close())
  const shop = server.repository('acme/shop')
  const [first, second] = [1, 2].map((number) => server.memory.pushImage(shop, `1.4.${number}`, number).digest)
  const registry = new OciRegistry({ credentials: { [server.host]: { user: 'ci', password: 'hunter2' } } })
  const promoter = new Promoter(registry, new MemoryLedger(), { times: quick })
  await promoter.bootstrap(`${shop}:prod`, { source: `${shop}:1.4.1`, provenance })

  server.endTokens()
  server.scriptHttp([{ fault: 'status', status: 503 }, { fault: 'trickle', timeMs: 1 }], { method: 'GET', path: '/manifests/1.4.2' })
  server.scriptHttp([{ fault: 'statusAfter', status: 500 }], { method: 'PUT', path: '/manifests/prod' })
  const receipt = await promoter.promote(`${shop}:prod`, `${shop}:1.4.2`, { provenance })
  assert.deepEqual([receipt.previousDigest, receipt.digest, receipt.move.outcome.put], [first, second, 'unknown'])
  assert.equal(server.faultsLeft(), 0)

  // Count requests of another tag: the promotion may still read its own one.
  const old = '/manifests/1.4.1'
  server.clearRequests()
  server.scriptHttp(['cutBody', 'closed', { fault: 'busy', seconds: 1 }], { path: old })
  assert.equal(server.faultsLeft(), 3)
  server.calm()
  assert.equal(await registry.resolve(shop, '1.4.1'), first)
  const asked = server.requests().filter(({ path }) => path.endsWith(old))
  assert.deepEqual(asked.map(({ method, status }) => [method, status]), [['HEAD', 200]])

  server.demand()
  assert.equal(await new OciRegistry({ lookup: 'nowhere' }).resolve(shop, 'prod'), second)
  assert.throws(() => server.scriptHttp(['sometimes']), code('VALUE_INVALID'))
  await assert.rejects(TestRegistry.start({ users: 'ci' }), { message: 'start: users: it is not known here' })
  assert.throws(() => server.memory.script(['after'], { tags: 'prod' }), { message: 'script: tags: it is not known here' })
  assert.throws(() => server.scriptHttp(['closed'], { verb: 'PUT' }), code('VALUE_INVALID'))
  assert.throws(() => server.demand({ user: 'ci' }), { message: 'demand: user: give a user and a password; nothing at all opens it to all' })
  assert.throws(() => server.demand({ token: true }), code('VALUE_INVALID'))
  server.demand({ user: 'ci', password: 'secret' })
  assert.throws(() => server.demand({ tokens: true }), code('VALUE_INVALID'))
  await assert.rejects(new OciRegistry({ lookup: 'nowhere' }).resolve(shop, 'prod'), code('REGISTRY_DENIED'))
  assert.deepEqual([server.faultsLeft(), server.memory.faultsLeft()], [0, 0], 'a refused script has no effect')
})
