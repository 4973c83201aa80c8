'use strict'

const native = require('../native.js')
const { ask, encode, encodeBytes, run, split } = require('./call.js')
const { PORT } = require('./registry.js')

/** The four calls of a ledger that the core implements. */
class NativeLedger {
  constructor(port) {
    Object.defineProperty(this, PORT, { value: port })
  }
  async size(channel, options) {
    const [rest, signal] = split(options)
    return ask(signal, () => this[PORT].size(encode({ channel, ...rest })))
  }
  async read(channel, from, limit, options) {
    const [rest, signal] = split(options)
    const entries = await ask(signal, () => this[PORT].read(encode({ channel, from, limit, ...rest })))
    return entries.map((entry) => Buffer.from(entry, 'base64'))
  }
  async append(channel, seq, entry, options) {
    const [rest, signal] = split(options)
    const bytes = encodeBytes('entry', entry)
    return ask(signal, () => this[PORT].append(encode({ channel, seq, bytes, ...rest })))
  }
  async channels(options) {
    const [, signal] = split(options)
    return ask(signal, () => this[PORT].channels())
  }
}

class MemoryLedger extends NativeLedger {
  constructor() {
    super(native.memoryLedger())
  }
}

async function openLedger(url, options) {
  const [rest, signal] = split(options)
  return new NativeLedger(await run(signal, () => native.openLedger(encode({ url: textOf(url), ...rest }))))
}

async function initLedger(url, options) {
  const [rest, signal] = split(options)
  return ask(signal, () => native.initLedger(encode({ url: textOf(url), ...rest })))
}

const textOf = (url) => (url instanceof URL ? url.href : url)

module.exports = { NativeLedger, MemoryLedger, openLedger, initLedger }
