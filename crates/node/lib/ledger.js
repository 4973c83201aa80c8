'use strict'

const native = require('../native.js')
const { ask, decodeBytes, encode, encodeBytes, joined, run, split } = require('./call.js')
const { PORT } = require('./registry.js')

/** The four calls of a ledger that the core implements. */
class NativeLedger {
  constructor(port) {
    Object.defineProperty(this, PORT, { value: port })
  }
  size(channel, options) {
    return ask(this[PORT], 'size', { channel }, options)
  }
  async read(channel, from, limit, options) {
    return (await ask(this[PORT], 'read', { channel, from, limit }, options)).map(decodeBytes)
  }
  async append(channel, seq, entry, options) {
    return ask(this[PORT], 'append', { channel, seq, bytes: encodeBytes('entry', entry) }, options)
  }
  channels(options) {
    return ask(this[PORT], 'channels', {}, options)
  }
}

class MemoryLedger extends NativeLedger {
  constructor() {
    super(native.Ledger.memory())
  }
}

async function openLedger(url, options) {
  const [rest, signal] = split(options)
  return new NativeLedger(await run(signal, () => native.openLedger(encode(joined({ url: textOf(url) }, rest)))))
}

async function initLedger(url, options) {
  const [rest, signal] = split(options)
  return JSON.parse(await run(signal, () => native.initLedger(encode(joined({ url: textOf(url) }, rest)))))
}

const textOf = (url) => (url instanceof URL ? url.href : url)

module.exports = { NativeLedger, MemoryLedger, openLedger, initLedger }
