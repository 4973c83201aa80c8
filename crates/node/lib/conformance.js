'use strict'

const native = require('../native.js')
const { decodeBytes, encode, run, signalOf, split } = require('./call.js')
const { answering, ledgerPort, registryPort } = require('./port.js')
const { manifestOf } = require('./registry.js')

/** Runs every law of a registry; the laws that it broke. */
async function registry(registry, options) {
  const [{ broken, store, ...asked }, signal] = split(options)
  const fixture = answering(async (_, { repository, blobs, manifests }) => {
    await store(repository, { blobs: blobs.map(decodeBytes), manifests: manifests.map(manifestOf) })
    return null
  })
  const ports = [registryPort(registry), registryPort(broken)]
  return JSON.parse(await run(signal, () => native.registryLaws(...ports, fixture, encode(asked))))
}

/** Runs the laws of a ledger until one is broken; the law that it broke. */
async function ledger(open, options) {
  const signal = signalOf(options)
  const fixture = answering(async () => native.lend(ledgerPort(await open())))
  return JSON.parse(await run(signal, () => native.ledgerLaws(fixture)))
}

module.exports = { conformance: Object.freeze({ registry, ledger }) }
