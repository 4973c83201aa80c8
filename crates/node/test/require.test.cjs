'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const tagwarden = require('tagwarden')

test('CommonJS and ESM export the same objects', async () => {
  const esm = await import('tagwarden')
  assert.deepEqual(Object.keys(tagwarden).sort(), Object.keys(esm).sort())
  for (const name of Object.keys(tagwarden)) assert.equal(tagwarden[name], esm[name], name)
})
