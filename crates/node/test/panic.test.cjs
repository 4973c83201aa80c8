'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { Promoter, MemoryLedger, MemoryRegistry } = require('tagwarden')
const native = require('../native.js')
const { run, sync } = require('../lib/call.js')

test('a panic in a call or before it is INTERNAL_FAULT, and the process continues', async () => {
  const inside = await run('injectPanic', native.injectPanic, [true]).catch((error) => error)
  assert.equal(inside.code, 'INTERNAL_FAULT')
  assert.equal(inside.message, 'a panic inside tagwarden ended the call; please report it')
  assert.throws(() => sync('injectPanic', native.injectPanic, [false]), { name: 'TagwardenError', code: 'INTERNAL_FAULT', message: /please report it$/ })
  const promoter = new Promoter(new MemoryRegistry(), new MemoryLedger())
  assert.deepEqual(await promoter.channels(), [])
})
