'use strict'

const native = require('../native.js')
const { ask, encode, encodeBytes, split, sync } = require('./call.js')
const { raised } = require('./error.js')

/** Where a registry or a ledger of the core keeps its native half. */
const PORT = Symbol('tagwarden.port')

/** The five calls of a registry that the core implements. */
class NativeRegistry {
  constructor(port) {
    Object.defineProperty(this, PORT, { value: port })
  }
  async resolve(repository, tag, options) {
    const [rest, signal] = split(options)
    return ask(signal, () => this[PORT].resolve(encode({ repository, tag, ...rest })))
  }
  async fetch(reference, options) {
    const [rest, signal] = split(options)
    const found = await ask(signal, () => this[PORT].fetch(encode({ reference, ...rest })))
    return found && { ...found, bytes: Buffer.from(found.bytes, 'base64') }
  }
  async put(repository, tag, manifest, options) {
    const [rest, signal] = split(options)
    const { mediaType } = manifest
    const bytes = encodeBytes('bytes', manifest.bytes)
    const { refused, unknown } = await ask(signal, () => this[PORT].put(encode({ repository, tag, bytes, mediaType, ...rest })))
    if (refused) return { refused: raised(refused) }
    if (unknown) return { unknown: raised(unknown) }
    return 'applied'
  }
  async tags(repository, options) {
    const [rest, signal] = split(options)
    return ask(signal, () => this[PORT].tags(encode({ repository, ...rest })))
  }
  async hasBlob(repository, digest, options) {
    const [rest, signal] = split(options)
    return ask(signal, () => this[PORT].hasBlob(encode({ repository, digest, ...rest })))
  }
}

class OciRegistry extends NativeRegistry {
  #native
  constructor(options = {}) {
    const registry = sync(() => new native.OciRegistry(encode(options)))
    super(registry.port())
    this.#native = registry
  }
  async pushArtifact(repository, tag, options) {
    const [artifact, signal] = split(options)
    return ask(signal, () => native.pushArtifact(this.#native, encode({ repository, tag, ...artifact })))
  }
}

/** Packs a directory as an artifact that Flux consumes. */
async function packArtifact(options) {
  const [artifact, signal] = split(options)
  const { manifest, blobs } = await ask(signal, () => native.packArtifact(encode(artifact)))
  const bytes = (text) => Buffer.from(text, 'base64')
  return { manifest: { ...manifest, bytes: bytes(manifest.bytes) }, blobs: blobs.map(bytes) }
}

module.exports = { PORT, NativeRegistry, OciRegistry, packArtifact }
