import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { OciRegistry } from 'tagwarden'
import { dockerRegistry, missing } from './docker-registry.mjs'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))
const project = fileURLToPath(new URL('../../../target/node-package', import.meta.url))

/** The code blocks of a language in a Markdown text. */
function blocks(text, language) {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block)
}

test('the packed tarball, installed into an empty project, runs the example of its README on a real registry', { timeout: 60_000, skip: missing() }, async (t) => {
  await rm(project, { recursive: true, force: true })
  await mkdir(project, { recursive: true })
  const packed = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: home })
  const [{ filename, files }] = JSON.parse(packed.stdout)
  const names = files.map((file) => file.path)
  assert.ok(names.some((name) => name.endsWith('.node')) && names.includes('index.d.ts'), names.join(' '))
  assert.ok(names.every((name) => !/^(src|test|node_modules)\//.test(name)), names.join(' '))

  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true }))
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`], { cwd: project })
  const readme = await readFile(join(project, 'node_modules/tagwarden/README.md'), 'utf8')
  const { host, home: dir } = await dockerRegistry(t)
  const shop = `${host}/acme/shop`
  for (const [tag, sign] of [['1.4.1', 'a'], ['1.4.2', 'b']]) {
    const revision = `main@sha1:${sign.repeat(40)}`
    await new OciRegistry().pushArtifact(shop, tag, { dir: join(home, 'lib'), source: 'https://git.example/a', revision, created: new Date(0) })
  }
  await writeFile(join(project, 'example.mjs'), blocks(readme, 'js')[0].replace('registry.example.com', host))
  const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: project })
  assert.equal(stderr, '')
  assert.equal(stdout, blocks(readme, 'text')[0])

  const script = join(home, 'examples/release.mjs')
  const released = await run(process.execPath, [script, `${host}/acme/release`, join(dir, 'ledger'), join(home, 'lib')], { cwd: home })
  const lines = released.stdout.trimEnd().split('\n')
  assert.match(released.stdout, /^pass +has-commit: there is a commit/m)
  assert.match(released.stdout, /^held: CHANNEL_HELD, later$/m)
  assert.deepEqual(lines.slice(-4, -1).map((line) => line.split(' ')[2]), ['rollback', 'promote', 'bootstrap'])
  assert.equal(lines.at(-1), 'audit: in sync; may be deleted: false')
})
