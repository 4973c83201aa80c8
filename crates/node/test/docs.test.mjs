import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

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
