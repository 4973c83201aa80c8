import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MemoryRegistry } from 'tagwarden'
import { tasks } from '../examples/tasks.mjs'
import { repository } from './shop.mjs'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))
const blocks = (text, language) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block).join('')

test('the example of the README begins that of the package', async () => {
  // packed.test.mjs runs the example of the package.
  const [readme, example] = await Promise.all(['../../../README.md', '../README.md'].map((file) => readFile(new URL(file, import.meta.url), 'utf8')))
  const block = blocks(readme, 'js')
  assert.ok(block.includes('promoter.promote(') && example.includes(`\`\`\`js\n${block}`))
})

test('the code of the guide runs and prints the listed output', { timeout: 60_000 }, async () => {
  const text = await readFile(new URL('../../../docs/guides/node.md', import.meta.url), 'utf8')
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', blocks(text, 'js')], { cwd: home })
  assert.equal(stderr, '', 'console.assert reports a failure on standard error')
  assert.equal(stdout, blocks(text, 'text'))
})

test('the ten tasks run, and have the names of the other languages', async (t) => {
  const named = async (path) => [...(await readFile(new URL(path, import.meta.url), 'utf8')).matchAll(/(?:\/\/|#) task: (.*)/g)].map(([, name]) => name)
  const names = await named('../examples/tasks.mjs')
  assert.equal(names.length, 11, 'ten tasks and their end')
  assert.deepEqual(names, await named('../../core/examples/tasks.rs'))
  assert.deepEqual(names, await named('../../py/examples/tasks.py'))

  const registry = new MemoryRegistry()
  const digests = [1, 2].map((number) => registry.pushImage(repository, `1.4.${number}`, number).digest)
  const log = t.mock.method(console, 'log', () => {})
  const ledger = await mkdtemp(join(tmpdir(), 'tagwarden-'))
  t.after(() => rm(ledger, { recursive: true }))
  await tasks(registry, ledger, repository)
  const printed = log.mock.calls.map(({ arguments: given }) => given.join(' '))
  assert.equal(printed[0], `${digests[0]} -> ${digests[1]}`)
  assert.ok(printed.includes(`live ${digests[1]} before ${digests[0]}`), printed.join('\n'))
  assert.ok(printed.some((line) => line.includes('incident 7')), printed.join('\n'))
})
