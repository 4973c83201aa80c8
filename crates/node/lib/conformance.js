'use strict'

const native = require('../native.js')
const { ask, encode, split } = require('./call.js')
const { answering, ledgerPort, registryPort } = require('./port.js')

/** Runs every law of a registry; the laws that it broke. */
async function registry(fixture, options) {
  const [, signal] = split(options)
  const { repository: prefix, broken, lag } = fixture
  const request = encode({ prefix, brokenRepository: broken.repository, lag })
  const setup = answering(async (call, [repository, parts]) => {
    await fixture.storeParts(repository, decoded(parts))
    return null
  })
  const ports = [registryPort(fixture.registry), registryPort(broken.registry)]
  return ask(signal, () => native.registryLaws(...ports, setup, request))
}

/** The parts of a sample, with bytes where there was base 64. */
function decoded({ manifest, blobs, children }) {
  const bytes = (text) => Buffer.from(text, 'base64')
  const parts = { blobs: blobs.map(bytes), children: children.map(decoded) }
  return manifest === undefined ? parts : { manifest: { ...manifest, bytes: bytes(manifest.bytes) }, ...parts }
}

/** Runs the laws of a ledger until one is broken; the law that it broke. */
async function ledger(open, options) {
  const [, signal] = split(options)
  const opened = answering(async () => native.lend(ledgerPort(await open())))
  return ask(signal, () => native.ledgerLaws(opened))
}

module.exports = { conformance: Object.freeze({ registry, ledger }) }
