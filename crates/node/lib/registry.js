'use strict'

const native = require('../native.js')
const { ask, decodeBytes, encode, encodeBytes, sync } = require('./call.js')

/** The property in which a registry or a ledger of the core keeps its native half. */
const PORT = Symbol('tagwarden.port')

/** A manifest of the native half's JSON. */
const manifestOf = ({ digest, bytes, media_type: mediaType }) => ({ digest, bytes: decodeBytes(bytes), mediaType })

/** A manifest as the native half reads it. */
function manifestArgument(manifest) {
  const { bytes, mediaType } = manifest
  return { bytes: encodeBytes('bytes', bytes), mediaType }
}

/** The five calls of a registry that the core implements. */
class NativeRegistry {
  constructor(port) {
    Object.defineProperty(this, PORT, { value: port })
  }
  resolve(repository, tag, options) {
    return ask(this[PORT], 'resolve', { repository, tag }, options)
  }
  async fetch(reference, options) {
    const found = await ask(this[PORT], 'fetch', { reference }, options)
    return found && manifestOf(found)
  }
  async put(repository, tag, manifest, options) {
    await ask(this[PORT], 'put', { repository, tag, ...manifestArgument(manifest) }, options)
  }
  tags(repository, options) {
    return ask(this[PORT], 'tags', { repository }, options)
  }
  hasBlob(repository, digest, options) {
    return ask(this[PORT], 'has_blob', { repository, digest }, options)
  }
}

class OciRegistry extends NativeRegistry {
  constructor(options = {}) {
    super(sync(() => native.Registry.oci(encode(options))))
  }
}

module.exports = { PORT, NativeRegistry, OciRegistry, manifestOf, manifestArgument }
