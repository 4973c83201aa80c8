// packArtifact: the paths that it leaves out, and the defaults of source, revision and time.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { packArtifact } from 'tagwarden'
import { code } from './shop.mjs'

async function directory(t, names) {
  const dir = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(dir, { recursive: true }))
  for (const name of names) await writeFile(join(dir, name), name === 'key.txt' ? '-----BEGIN RSA PRIVATE KEY-----\n' : 'x')
  return dir
}

test('leftOut lists skipped paths, and include packs them', async (t) => {
  const dir = await directory(t, ['app.yaml', 'logo.png', '.env', 'a.md', 'key.txt'])
  const from = { source: 'https://git.example.com/a', revision: `main@sha1:${'0'.repeat(40)}`, created: '2026-01-01T00:00:00Z' }
  const leftOut = async (options) => (await packArtifact(dir, { ...from, ...options })).leftOut
  assert.deepEqual(await leftOut({}), ['.env', 'key.txt', 'logo.png'])
  assert.deepEqual(await leftOut({ include: ['.env', 'logo.png'] }), ['key.txt'])
  assert.deepEqual(await leftOut({ ignorePaths: ['*.md'] }), ['.env', 'a.md', 'key.txt'])
  assert.deepEqual(await leftOut({ ignorePaths: [] }), ['.env', 'key.txt'])
  await assert.rejects(leftOut({ include: ['nothing'] }), code('SOURCE_INVALID'))
  await assert.rejects(leftOut({ ignorePaths: '*.md' }), code('VALUE_INVALID'))
  await assert.rejects(leftOut({ environment: {} }), code('VALUE_INVALID'))
})

test('missing source and revision come from the CI', async (t) => {
  const dir = await directory(t, ['app.yaml'])
  const before = { ...process.env }
  t.after(() => Object.assign(process.env, before))
  for (const name of ['GITHUB_ACTIONS', 'GITLAB_CI', 'CIRCLECI', 'TF_BUILD', 'BUILDKITE', 'JENKINS_URL', 'SOURCE_DATE_EPOCH']) {
    delete process.env[name]
  }
  const missing = await packArtifact(dir).catch((error) => error)
  assert.equal(missing.code, 'VALUE_INVALID')
  assert.match(missing.message, /not a git repository.*no CI was found; give --source and --revision/)
  process.env.GITLAB_CI = 'true'
  t.after(() => delete process.env.GITLAB_CI)
  process.env.CI_PROJECT_URL = 'https://gitlab.example.com/acme/shop'
  process.env.CI_COMMIT_REF_NAME = 'main'
  process.env.CI_COMMIT_SHA = 'a'.repeat(40)
  const packed = await packArtifact(dir)
  const { annotations } = JSON.parse(packed.manifest.bytes)
  assert.equal(annotations['org.opencontainers.image.source'], 'https://gitlab.example.com/acme/shop')
  assert.equal(annotations['org.opencontainers.image.revision'], `main@sha1:${'a'.repeat(40)}`)
  assert.match(packed.warnings[0], /^created is the time of the clock/)
})
