import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { test } from 'node:test'
import {
  Config, MemoryLedger, MemoryRegistry, OciRegistry, Promoter, TestRegistry, packArtifact, pushArtifact,
} from 'tagwarden'
import { code, provenance } from './shop.mjs'

/** A directory with one file, and the options that name its source. */
async function artifact(t) {
  const dir = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'app.yaml'), 'kind: ConfigMap\n')
  const revision = `main@sha1:${'0'.repeat(40)}`
  return [dir, { source: 'https://git.example.com/acme/shop', revision, created: new Date(0) }]
}

for (const token of [false, true]) {
  test(`promotions work over HTTP with ${token ? 'tokens' : 'a password'}`, async (t) => {
    const server = await TestRegistry.start({ user: 'ci', password: 'hunter2', token })
    t.after(() => server.close())
    const registry = new OciRegistry({ credentials: { [server.host]: { user: 'ci', password: 'hunter2' } } })
    const shop = `${server.host}/acme/shop`
    const [first, second] = [1, 2].map((number) => server.memory.pushImage(shop, `1.4.${number}`, number).digest)
    const promoter = new Promoter(registry, new MemoryLedger())
    await promoter.bootstrap(`${shop}:prod`, { source: `${shop}:1.4.1`, provenance })
    const receipt = await promoter.promote(`${shop}:prod`, `${shop}:1.4.2`, { provenance })
    assert.deepEqual([receipt.previousDigest, receipt.digest], [first, second])
    assert.equal(server.memory.peek(shop, 'prod'), second)
    assert.ok(server.requests().some(({ method, path }) => method === 'PUT' && path.endsWith('/manifests/prod')))

    const stranger = new OciRegistry({ lookup: 'nowhere', credentials: { [server.host]: { user: 'ci', password: 'canary' } } })
    const error = await stranger.resolve(shop, 'prod').catch((error) => error)
    assert.equal(error.code, 'REGISTRY_DENIED')
    assert.doesNotMatch(inspect(error, { depth: null, showHidden: true }) + inspect(stranger), /canary|hunter2/)
  })
}

test('logins of the environment go to the registry that the caller or a tagwarden.toml names', async (t) => {
  const server = await TestRegistry.start({ user: 'ci', password: 'canary-7f3a91' })
  const home = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  const before = { ...process.env }
  t.after(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
    return Promise.all([server.close(), rm(home, { recursive: true })])
  })
  Object.assign(process.env, { HOME: home, DOCKER_CONFIG: home, XDG_RUNTIME_DIR: home, XDG_CONFIG_HOME: home })
  const shop = `${server.host}/acme/shop`
  const { digest } = server.memory.pushImage(shop, '1.0', 1)
  const file = join(home, 'tagwarden.toml')
  await writeFile(file, `[registry."${server.host}"]\nuser-env = "REG_USER"\npassword-env = "REG_PASSWORD"\n`)
  const config = Config.read(file)
  assert.deepEqual(config.registries, [{ host: server.host, userEnv: 'REG_USER', passwordEnv: 'REG_PASSWORD' }])
  await assert.rejects(new OciRegistry({ config }).resolve(shop, '1.0'), /REG_USER and REG_PASSWORD \(not set\)/)
  Object.assign(process.env, { REG_USER: 'ci', REG_PASSWORD: 'canary-7f3a91' })
  assert.equal(await new OciRegistry({ config }).resolve(shop, '1.0'), digest)

  Object.assign(process.env, { TAGWARDEN_USERNAME: 'ci', TAGWARDEN_PASSWORD: 'canary-7f3a91' })
  assert.equal(await new OciRegistry({ loginRegistry: server.host }).resolve(shop, '1.0'), digest)
  const unclear = await new OciRegistry().resolve(shop, '1.0').catch((error) => error)
  assert.equal(unclear.code, 'CONFIG_INVALID')
  assert.match(unclear.message, /set TAGWARDEN_REGISTRY to its host/)
  assert.doesNotMatch(inspect(unclear, { depth: null, showHidden: true }), /canary/)
})

for (const vendor of ['ghcr', 'ecr', 'quay', 'harbor', 'acr']) {
  test(`a registry like ${vendor} demands a login and refuses an immutable tag in its own way`, async (t) => {
    const server = await TestRegistry.start({ vendor, user: 'ci', password: 'hunter2' })
    t.after(() => server.close())
    const shop = server.repository('acme/shop')
    server.memory.lag(0)
    server.memory.createRepository(shop)
    server.memory.pushImage(shop, '1.0', 1)
    const registry = new OciRegistry({ credentials: { [server.host]: { user: 'ci', password: 'hunter2' } } })
    assert.equal(await registry.resolve(shop, 'prod'), null)
    assert.equal(server.requests().some(({ path }) => /^\/(token|v2\/auth|service\/token|oauth2\/token)\?/.test(path)), vendor !== 'ecr')

    const promoter = new Promoter(registry, new MemoryLedger())
    const [prod, provenanced] = [`${shop}:prod`, { provenance }]
    await promoter.bootstrap(prod, { source: `${shop}:1.0`, provenance })
    server.memory.pushImage(shop, '1.1', 2)
    server.memory.immutableTags(['*'])
    const error = await promoter.promote(prod, `${shop}:1.1`, provenanced).catch((error) => error)
    const words = { ghcr: '409', ecr: '400 TAG_INVALID', quay: '409 TAG_IMMUTABLE', harbor: '412 PRECONDITION', acr: '405' }
    assert.equal(error.code, 'MOVE_FAILED')
    assert.ok(error.message.includes(words[vendor]), error.message)
    server.memory.immutableTags(['*'], { excluding: ['prod'] })
    assert.equal((await promoter.promote(prod, `${shop}:1.1`, provenanced)).result, 'committed')
  })
}

test('an unknown vendor is an invalid value', async () => {
  const invalid = { code: 'VALUE_INVALID', message: /"nexus" is none of ghcr, ecr, quay, harbor, acr/ }
  assert.throws(() => new MemoryRegistry({ vendor: 'nexus' }), invalid)
  await assert.rejects(TestRegistry.start({ vendor: 'nexus' }), invalid)
})

test('a directory is packed reproducibly, pushed under a version tag, and promoted', async (t) => {
  const server = await TestRegistry.start()
  t.after(() => server.close())
  const [dir, from] = await artifact(t)
  const packed = await packArtifact(dir, from)
  assert.deepEqual([packed.blobs.length, packed.digest], [2, packed.manifest.digest])
  const registry = new OciRegistry()
  const shop = server.repository('acme/manifests')
  assert.equal(await pushArtifact(packed, registry, shop, 'v1'), packed.digest)
  assert.equal(await pushArtifact(await packArtifact(dir, from), registry, shop, 'v1'), packed.digest)
  await writeFile(join(dir, 'app.yaml'), 'kind: Secret\n')
  await assert.rejects(pushArtifact(await packArtifact(dir, from), registry, shop, 'v1'), code('REGISTRY_REFUSED'))
  await assert.rejects(packArtifact('/nowhere', from), code('SOURCE_INVALID'))
  await assert.rejects(pushArtifact({}, registry, shop, 'v2'), TypeError)
  await assert.rejects(pushArtifact(packed, server.memory, shop, 'v2'), TypeError)
  const promoter = new Promoter(registry, new MemoryLedger())
  assert.equal((await promoter.bootstrap(`${shop}:prod`, { source: `${shop}:v1`, provenance })).digest, packed.digest)
})

test('a closed registry is unavailable and can be closed again', async () => {
  const server = await TestRegistry.start()
  await server.close()
  await server.close()
  const registry = new OciRegistry({ retryForMs: 0 })
  await assert.rejects(registry.resolve(`${server.host}/a`, 'b'), code('REGISTRY_UNAVAILABLE'))
  assert.throws(() => server.requests(), code('REGISTRY_UNAVAILABLE'))
})
