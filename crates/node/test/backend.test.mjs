import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { MemoryLedger, MemoryRegistry, Promoter, TagwardenError, conformance } from 'tagwarden'
import { bootstrapped, code, prod, provenance, quick, release, repository } from './shop.mjs'

const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** A registry in JavaScript: maps of repositories, manifests and blobs. */
class MapRegistry {
  #repositories = new Map()

  #of(repository) {
    if (!this.#repositories.has(repository)) {
      this.#repositories.set(repository, { tags: new Map(), manifests: new Map(), blobs: new Set() })
    }
    return this.#repositories.get(repository)
  }
  async resolve(repository, tag) {
    return this.#of(repository).tags.get(tag) ?? null
  }
  async fetch(reference) {
    const [, repository, sort, name] = reference.match(/^(.*?)([@:])([^/]*)$/)
    const { tags, manifests } = this.#of(repository)
    return manifests.get(sort === '@' ? name : tags.get(name)) ?? null
  }
  async put(repository, tag, manifest) {
    const { tags, manifests } = this.#of(repository)
    manifests.set(manifest.digest, manifest)
    tags.set(tag, manifest.digest)
  }
  tags(repository) {
    return [...this.#of(repository).tags.keys()]
  }
  hasBlob(repository, digest) {
    return this.#of(repository).blobs.has(digest)
  }
  store(repository, { blobs, manifests }) {
    const held = this.#of(repository)
    for (const blob of blobs) held.blobs.add(digestOf(blob))
    for (const manifest of manifests) held.manifests.set(manifest.digest, manifest)
  }
}

const fail = async () => {
  throw new Error('the port is closed')
}
const closed = { resolve: fail, fetch: fail, put: fail, tags: fail, hasBlob: fail }

const requirements = (registry, broken = closed) =>
  conformance.registry(registry, {
    broken,
    repository: 'reg.io/requirements',
    store: (repository, parts) => registry.store(repository, parts),
  })

test('a registry in JavaScript meets every requirement', async () => {
  assert.deepEqual(await requirements(new MapRegistry()), [])
})

test('a registry that answers null on a failure breaks a_failure_is_not_an_absence', async () => {
  const broken = await requirements(new MapRegistry(), { ...closed, resolve: async () => null })
  assert.deepEqual(broken.map(({ requirement }) => requirement), ['a_failure_is_not_an_absence'])
  assert.match(broken[0].seen, /resolve/)
})

test('a registry that forgets an acknowledged put breaks last_put_wins', async () => {
  class Forgets extends MapRegistry {
    async put(repository, tag, manifest) {
      if ((await this.resolve(repository, tag)) === null) await super.put(repository, tag, manifest)
    }
  }
  const broken = (await requirements(new Forgets())).map(({ requirement }) => requirement)
  assert.ok(broken.includes('last_put_wins'), broken.join(' '))
})

/** A ledger in JavaScript: a map of arrays. */
class MapLedger {
  #logs = new Map()

  size(channel) {
    return this.#logs.get(channel)?.length ?? 0
  }
  read(channel, from, limit) {
    return (this.#logs.get(channel) ?? []).slice(from, from + limit)
  }
  async append(channel, seq, entry) {
    const log = this.#logs.get(channel) ?? []
    if (seq !== log.length) return 'lost'
    this.#logs.set(channel, [...log, entry])
    return 'stored'
  }
  channels() {
    return [...this.#logs.keys()]
  }
}

test('a ledger in JavaScript meets every requirement', async () => {
  const ledger = new MapLedger()
  assert.deepEqual(await conformance.ledger(() => ledger), [])
})

test('a ledger that overwrites an entry breaks append_if_next', async () => {
  class LastWriterWins extends MapLedger {
    async append(channel, seq, entry) {
      await super.append(channel, seq, entry)
      return 'stored'
    }
  }
  const ledger = new LastWriterWins()
  const [broken] = await conformance.ledger(() => ledger)
  assert.equal(broken.requirement, 'append_if_next')
})

test('moves run on a registry and a ledger in JavaScript', async () => {
  const registry = new MapRegistry()
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2 }))
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  await registry.put(repository, '1.4.1', { bytes, mediaType, digest: digestOf(bytes) })
  const ledger = new MapLedger()
  const promoter = new Promoter(registry, ledger)
  const receipt = await promoter.bootstrap(prod, { source: release(1), provenance })
  assert.equal(receipt.digest, digestOf(bytes))
  assert.equal(ledger.size(prod), 3)
  assert.equal((await promoter.verify(prod)).defect, undefined)
})

test('the exception of a backend is the cause of the error', async () => {
  const lost = new RangeError('the disk of the mirror is full')
  const throwing = (registry) => ({
    resolve: async () => {
      throw lost
    },
    fetch: (reference) => registry.fetch(reference),
    put: (...put) => registry.put(...put),
    tags: (repository) => registry.tags(repository),
    hasBlob: (repository, digest) => registry.hasBlob(repository, digest),
  })
  const error = await bootstrapped({ wrap: throwing }).catch((error) => error)
  assert.equal(error.code, 'REGISTRY_UNAVAILABLE')
  assert.equal(error.message, 'resolve of registry failed: RangeError: the disk of the mirror is full')
  assert.equal(error.cause, lost)
})

/** The registry with one call replaced. */
const instead = (call, act) => (registry) => {
  const calls = ['resolve', 'fetch', 'put', 'tags', 'hasBlob'].map((name) => [name, registry[name].bind(registry)])
  return Object.assign(Object.fromEntries(calls), { [call]: act }, { timeoutMs: 100 })
}

test('a TagwardenError of a backend keeps its code', async () => {
  const denied = new TagwardenError('no token', { code: 'REGISTRY_DENIED' })
  const error = await bootstrapped({ wrap: instead('resolve', () => Promise.reject(denied)) }).catch((error) => error)
  assert.equal(error.code, 'REGISTRY_DENIED')
  assert.equal(error.retry, 'never')
  assert.equal(error.cause, denied)
})

test('a backend that hangs or answers nonsense is unavailable', async () => {
  const hangs = await bootstrapped({ wrap: instead('resolve', () => new Promise(() => {})) }).catch((error) => error)
  assert.equal(hangs.message, 'resolve of registry failed: it did not answer within 100 ms')
  for (const nonsense of [undefined, 7, 'latest', {}, [], true, 'sha256:00']) {
    const wrap = instead('resolve', async () => nonsense)
    await assert.rejects(bootstrapped({ wrap }), code('REGISTRY_UNAVAILABLE'), String(nonsense))
  }
  const wrongBytes = instead('fetch', async () => ({ bytes: Buffer.from('{}'), mediaType: 'a/b' }))
  const { promoter, digests } = await bootstrapped()
  const other = new Promoter(wrongBytes((await bootstrapped()).registry), new MemoryLedger())
  await assert.rejects(other.bootstrap(prod, { source: `${repository}@${digests[0]}`, provenance }), code('REGISTRY_DIGEST_MISMATCH'))
  assert.equal((await promoter.current(prod)).live, digests[0])
})

test('a put that throws is unknown and read back', async () => {
  let puts = 0
  const wrap = (registry) =>
    instead('put', async (...put) => {
      await registry.put(...put)
      puts += 1
      throw new Error('the connection broke')
    })(registry)
  const { promoter, registry, digests } = await bootstrapped({ wrap, times: quick })
  assert.ok(puts > 0)
  const { live, event } = await promoter.current(prod)
  assert.equal(live, digests[0])
  assert.equal(event.outcome.put, 'unknown')
  assert.equal(registry.peek(repository, 'prod'), digests[0])
})

test('a refused put fails the move with the refusal', async () => {
  const refusal = new TagwardenError('immutable tag', { code: 'REGISTRY_REFUSED' })
  const wrap = instead('put', () => Promise.reject(refusal))
  const error = await bootstrapped({ wrap }).catch((error) => error)
  assert.equal(error.code, 'MOVE_FAILED')
  assert.match(error.message, /put of registry failed: immutable tag/)
})

test('a put that returns a value is unknown and read back', async () => {
  const wrap = (registry) =>
    instead('put', async (...put) => {
      await registry.put(...put)
      return 'applied'
    })(registry)
  const { promoter, digests } = await bootstrapped({ wrap, times: quick })
  const { live, event } = await promoter.current(prod)
  assert.deepEqual([live, event.outcome.put], [digests[0], 'unknown'])
})

test('a backend can call its own promoter', async () => {
  let seen
  const { promoter, digests } = await (async () => {
    let promoter
    const wrap = (registry) =>
      instead('resolve', async (...resolve) => {
        if (promoter) seen = await promoter.previous(`${repository}:other`)
        return registry.resolve(...resolve)
      })(registry)
    const made = await bootstrapped({ wrap })
    promoter = made.promoter
    return made
  })()
  const receipt = await promoter.promote(prod, release(2), { provenance })
  assert.equal(receipt.digest, digests[1])
  assert.equal(seen, null)
})

test('an overridden method of a subclass or an object is called', async () => {
  class Watched extends MemoryRegistry {
    seen = []
    resolve(repository, tag, options) {
      this.seen.push(tag)
      return super.resolve(repository, tag, options)
    }
  }
  const watched = new Watched()
  watched.pushImage(repository, 'prod', 1)
  const patched = new MemoryLedger()
  const entries = []
  patched.append = (channel, seq, entry) => {
    entries.push(seq)
    return MemoryLedger.prototype.append.call(patched, channel, seq, entry)
  }
  await new Promoter(watched, patched).bootstrap(prod, { provenance })
  assert.ok(watched.seen.includes('prod'), watched.seen.join(' '))
  assert.deepEqual(entries, [0, 1, 2])
})

test('an append that throws after storing is committed, and a denied append fails', async () => {
  class Torn extends MemoryLedger {
    thrown
    async append(...asked) {
      const ended = await super.append(...asked)
      const { thrown } = this
      this.thrown = undefined
      if (thrown) throw thrown
      return ended
    }
  }
  const error = (code) => new TagwardenError('thrown after it was stored', { code })
  for (const thrown of [new Error('disk'), error('LEDGER_UNAVAILABLE'), error('POLICY_REFUSED'), error('CHANNEL_CHANGED')]) {
    const [registry, ledger] = [new MemoryRegistry(), new Torn()]
    registry.pushImage(repository, 'prod', 1)
    ledger.thrown = thrown
    const promoter = new Promoter(registry, ledger)
    assert.equal((await promoter.bootstrap(prod, { provenance })).result, 'committed', thrown.message)
    const { open, size } = await promoter.current(prod)
    assert.deepEqual([open, size], [undefined, 3])
  }
  const [registry, ledger] = [new MemoryRegistry(), new MemoryLedger()]
  registry.pushImage(repository, 'prod', 1)
  ledger.append = () => Promise.reject(error('LEDGER_DENIED'))
  await assert.rejects(new Promoter(registry, ledger).bootstrap(prod, { provenance }), code('LEDGER_DENIED'))
})

test('an object without a method of a backend is a TypeError that names it', () => {
  assert.throws(() => new Promoter({}, new MemoryLedger()), { name: 'TypeError', message: 'registry: it has no method resolve' })
  assert.throws(() => new Promoter(closed, null), { name: 'TypeError', message: 'ledger: it has no method size' })
})
