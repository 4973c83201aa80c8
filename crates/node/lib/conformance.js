'use strict'

const native = require('../native.js')
const { decodeBytes, encode, run, signalOf, split } = require('./call.js')
const { answering, ledgerPort, registryPort } = require('./port.js')
const { manifestOf } = require('./registry.js')

/** Runs every requirement of a registry; the requirements that it broke. */
async function registry(registry, options) {
  const [{ broken, store, ...asked }, signal] = split(options)
  const fixture = answering(async (_, { repository, blobs, manifests }) => {
    await store(repository, { blobs: blobs.map(decodeBytes), manifests: manifests.map(manifestOf) })
    return null
  })
  const ports = [registryPort(registry), registryPort(broken)]
  return JSON.parse(await run(signal, () => native.registryRequirements(...ports, fixture, encode(asked))))
}

/** Runs the requirements of a ledger until one is broken; the requirement that it broke. */
async function ledger(open, options) {
  const signal = signalOf(options)
  const fixture = answering(async () => native.lend(ledgerPort(await open())))
  return JSON.parse(await run(signal, () => native.ledgerRequirements(fixture)))
}

module.exports = { conformance: Object.freeze({ registry, ledger }) }
