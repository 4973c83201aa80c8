import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { dockerRegistry, missing, noRegistry } from '../servers.mjs'

const run = promisify(execFile)
const home = fileURLToPath(new URL('../..', import.meta.url))
const packages = fileURLToPath(new URL('../../../../target/packages', import.meta.url))
const project = fileURLToPath(new URL('../../../../target/tried/project', import.meta.url))
const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'))
const main = join(packages, `tagwarden-${version}.tgz`)
const native = join(packages, `tagwarden-${process.platform}-${process.arch}-gnu-${version}.tgz`)

/** `.ci/release` makes them. */
const skip = missing(main, native)
const platforms = skip ? [] : (await readdir(packages)).filter((name) => name.startsWith('tagwarden-linux-') && name.endsWith('.tgz'))

/** The code blocks of a language in a Markdown text. */
function blocks(text, language) {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block)
}

/** The names in a tarball, and its package.json. */
async function inside(tarball) {
  const { stdout } = await run('tar', ['-tzf', tarball])
  const manifest = await run('tar', ['-xzOf', tarball, 'package/package.json'])
  return { names: stdout.trimEnd().split('\n').map((name) => name.replace('package/', '')), manifest: JSON.parse(manifest.stdout) }
}

test('the package has no native code and no scripts, and depends on the platform packages of its version', { skip }, async () => {
  const { names, manifest } = await inside(main)
  assert.ok(['index.js', 'index.mjs', 'index.d.ts', 'index.d.mts', 'native.js', 'README.md', 'LICENSE'].every((name) => names.includes(name)), names.join(' '))
  assert.ok(names.every((name) => !/\.node$|^(src|test|node_modules|npm)\//.test(name)), names.join(' '))
  assert.ok(!('scripts' in manifest || 'dependencies' in manifest || 'devDependencies' in manifest || 'private' in manifest))
  assert.ok(platforms.length > 0)
  assert.deepEqual(manifest.optionalDependencies, Object.fromEntries(platforms.map((name) => [name.replace(`-${version}.tgz`, ''), version])))
})

test('a platform package has only its native code and only its platform', { skip }, async () => {
  for (const platform of platforms) {
    const { names, manifest } = await inside(join(packages, platform))
    const [, os, cpu, abi] = manifest.name.split('-')
    const file = `tagwarden.${os}-${cpu}-${abi}.node`
    assert.deepEqual(names.sort(), ['LICENSE', 'README.md', 'package.json', file])
    assert.deepEqual(
      [manifest.version, manifest.main, manifest.os, manifest.cpu, manifest.libc, manifest.scripts],
      [version, file, [os], [cpu], [{ gnu: 'glibc', musl: 'musl' }[abi]], undefined],
    )
  }
})

test('packages installed into an empty project run the example of the README on a real registry', { timeout: 60_000, skip: skip || noRegistry() }, async (t) => {
  await rm(project, { recursive: true, force: true })
  await mkdir(project, { recursive: true })
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true }))
  await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', main, native], { cwd: project })
  const installed = join(project, 'node_modules/tagwarden')
  const { OciRegistry, packArtifact, pushArtifact } = await import(pathToFileURL(join(installed, 'index.mjs')).href)

  const readme = await readFile(join(installed, 'README.md'), 'utf8')
  const { host, home: dir } = await dockerRegistry(t)
  const shop = `${host}/acme/shop`
  for (const [tag, sign] of [['1.4.1', 'a'], ['1.4.2', 'b']]) {
    const revision = `main@sha1:${sign.repeat(40)}`
    const packed = await packArtifact(join(home, 'lib'), { source: 'https://git.example/a', revision, created: new Date(0) })
    await pushArtifact(packed, new OciRegistry(), shop, tag)
  }
  await writeFile(join(project, 'example.mjs'), blocks(readme, 'js')[0].replace('registry.example.com', host))
  const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: project })
  assert.equal(stderr, '')
  assert.equal(stdout, blocks(readme, 'text')[0])

  await copyFile(join(home, 'examples/release.mjs'), join(project, 'release.mjs'))
  const released = await run(process.execPath, ['release.mjs', `${host}/acme/release`, join(dir, 'ledger'), join(home, 'lib')], { cwd: project })
  const lines = released.stdout.trimEnd().split('\n')
  assert.match(released.stdout, /^pass +has-commit: there is a commit/m)
  assert.match(released.stdout, /^hold \d+: CHANNEL_HELD, later$/m)
  assert.deepEqual(lines.slice(-4, -1).map((line) => line.split(' ')[2]), ['rollback', 'promote', 'bootstrap'])
  assert.equal(lines.at(-1), 'audit: in sync; may be deleted: false')
})
