'use strict'

const native = require('../native.js')
const { decodeBytes, encode, joined, run, split, sync } = require('./call.js')
const { OciRegistry, PORT, manifestOf } = require('./registry.js')

/** A packed Flux artifact. */
class Artifact {
  #native
  constructor(held) {
    this.#native = held
    const { manifest, blobs, left_out: leftOut, warnings } = JSON.parse(sync(() => held.packed()))
    this.manifest = manifestOf(manifest)
    this.blobs = blobs.map(decodeBytes)
    this.leftOut = Object.freeze(leftOut)
    this.warnings = Object.freeze(warnings)
    Object.freeze(this)
  }
  get digest() {
    return this.manifest.digest
  }
  static nativeOf(artifact) {
    if (!(artifact instanceof Artifact)) throw new TypeError('what is pushed is what packArtifact returned')
    return artifact.#native
  }
}

async function packArtifact(directory, options) {
  const [meta, signal] = split(options)
  const given = { directory, environment: { ...process.env } }
  return new Artifact(await run(signal, () => native.pack(encode(joined(given, meta)))))
}

async function pushArtifact(artifact, registry, repository, tag, options) {
  const [rest, signal] = split(options)
  const held = Artifact.nativeOf(artifact)
  if (!(registry instanceof OciRegistry)) throw new TypeError('an artifact is pushed to an OciRegistry')
  return JSON.parse(await run(signal, () => held.push(registry[PORT], encode(joined({ repository, tag }, rest)))))
}

module.exports = { Artifact, packArtifact, pushArtifact }
