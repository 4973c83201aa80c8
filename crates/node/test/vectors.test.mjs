// The vectors in tests/vectors, which Rust and Python read too, give the listed results.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import * as tagwarden from 'tagwarden'
import { code } from './shop.mjs'

const { MemoryRegistry, Promoter } = tagwarden
const vectors = new URL('../../../tests/vectors/', import.meta.url)
const read = (path) => readFile(new URL(path, vectors))
const prod = 'registry.example.com/acme/shop:prod'

test('values are parsed as listed', async () => {
  const values = JSON.parse(await read('values.json'))
  assert.ok(values.length >= 23)
  for (const { kind, given, text, code: refused } of values) {
    if (text === undefined) assert.throws(() => new tagwarden[kind](given), code(refused), `${kind} ${given}`)
    else assert.equal(String(new tagwarden[kind](given)), text)
  }
})

/** A read-only ledger of one log, without its torn tail, which a ledger does not return. */
function lines(log) {
  const entries = log.toString('latin1').split('\n').slice(0, -1).map((line) => Buffer.from(line, 'latin1'))
  return {
    size: (channel) => (channel === prod ? entries.length : 0),
    read: (channel, from, limit) => entries.slice(from, from + limit),
    append: () => assert.fail('verify must not write'),
    channels: () => [prod],
  }
}

test('logs are verified as listed', async () => {
  const expected = Object.entries(JSON.parse(await read('log/expected.json')))
  assert.ok(expected.length >= 37)
  for (const [name, want] of expected) {
    const promoter = new Promoter(new MemoryRegistry(), lines(await read(`log/${name}.jsonl`)))
    const { defect, defects, holds, blocked, entries, root, live = null, openIntent = null } = await promoter.verify(prod)
    assert.deepEqual(defects.map(({ seq, code }) => ({ seq, code })), want.defects, name)
    assert.deepEqual([defect, holds, blocked], [defects[0], want.holds, want.blocked], name)
    const wanted = `sha256:${Buffer.from(want.root, 'base64').toString('hex')}`
    assert.deepEqual([entries, root, live, openIntent], [want.entries, wanted, want.live, want.open_intent], name)
  }
})
