import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))
const project = fileURLToPath(new URL('../../../target/node-package', import.meta.url))

/** The code blocks of a language in a Markdown text. */
function blocks(text, language) {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block)
}

test('the packed tarball, installed into an empty project, runs the example of its README', { timeout: 60_000 }, async () => {
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
  await writeFile(join(project, 'example.mjs'), blocks(readme, 'js')[0])
  const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: project })
  assert.equal(stderr, '')
  assert.equal(stdout, blocks(readme, 'text')[0])
})
