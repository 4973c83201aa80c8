'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')

const tagwarden = require('tagwarden')

test('CommonJS and ESM give the same things', async () => {
  const esm = await import('tagwarden')
  assert.deepEqual(Object.keys(tagwarden).sort(), Object.keys(esm).sort())
  for (const name of Object.keys(tagwarden)) assert.equal(tagwarden[name], esm[name], name)
})
