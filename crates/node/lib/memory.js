'use strict'

const native = require('../native.js')
const { encodeBytes, run, set, split } = require('./call.js')
const { NativeRegistry, manifestArgument, manifestOf } = require('./registry.js')

class MemoryRegistry extends NativeRegistry {
  #native
  constructor(held = new native.MemoryRegistry()) {
    super(held.port())
    this.#native = held
  }
  push(repository, tag, manifest) {
    return set(this.#native, 'push', { repository, tag, ...manifestArgument(manifest) })
  }
  pushImage(repository, tag, number) {
    return manifestOf(set(this.#native, 'push_image', { repository, tag, number }))
  }
  storeBlob(repository, bytes) {
    return set(this.#native, 'store_blob', { repository, bytes: encodeBytes('bytes', bytes) })
  }
  overwrite(repository, tag, manifest) {
    return set(this.#native, 'overwrite', { repository, tag, ...manifestArgument(manifest) })
  }
  deleteTag(repository, tag) {
    return set(this.#native, 'delete_tag', { repository, tag })
  }
  deleteManifest(repository, digest) {
    return set(this.#native, 'delete_manifest', { repository, digest })
  }
  deleteBlob(repository, digest) {
    return set(this.#native, 'delete_blob', { repository, digest })
  }
  peek(repository, tag) {
    return set(this.#native, 'peek', { repository, tag })
  }
  holds(repository, digest) {
    return set(this.#native, 'holds', { repository, digest })
  }
  script(faults, { tag } = {}) {
    set(this.#native, 'script', { faults: faults.map(faultArgument), tag })
  }
  scriptReads(faults, { tag } = {}) {
    set(this.#native, 'script_reads', { faults: faults.map(faultArgument), tag })
  }
  chaos(seed, percent, { latency, lag } = {}) {
    set(this.#native, 'chaos', { seed, percent, latency, lag })
  }
  calm() {
    set(this.#native, 'calm')
  }
  latency(latency) {
    set(this.#native, 'latency', { latency })
  }
  faultsLeft() {
    return set(this.#native, 'faults_left')
  }
  calls() {
    return set(this.#native, 'calls')
  }
  clearCalls() {
    set(this.#native, 'clear_calls')
  }
  changes() {
    return set(this.#native, 'changes')
  }
}

/** A fault as the native half reads it: a name alone is one without more to say. */
function faultArgument(fault) {
  if (typeof fault === 'string') return { fault }
  const { manifest, ...rest } = fault
  return manifest === undefined ? rest : { ...rest, ...manifestArgument(manifest) }
}

class TestRegistry {
  #native
  constructor(started) {
    this.#native = started
    this.host = started.host()
    this.memory = new MemoryRegistry(started.memory())
    Object.freeze(this)
  }
  static async start(options) {
    const [{ user, password, token, ...rest }, signal] = split(options)
    const unknown = Object.keys(rest)[0]
    if (unknown !== undefined) throw new TypeError(`TestRegistry: ${unknown}: it is not known here`)
    const registry = new TestRegistry(await run(signal, () => native.startServer()))
    registry.demand({ user, password, token })
    return registry
  }
  repository(path) {
    return `${this.host}/${path}`
  }
  demand(credentials = {}) {
    set(this.#native, 'demand', credentials)
  }
  scriptHttp(faults, { method, path } = {}) {
    set(this.#native, 'script_http', { faults: faults.map(faultArgument), method, path })
  }
  calm() {
    set(this.#native, 'calm')
  }
  faultsLeft() {
    return set(this.#native, 'faults_left')
  }
  latency(latency) {
    set(this.#native, 'latency', { latency })
  }
  endTokens() {
    set(this.#native, 'end_tokens')
  }
  requests() {
    return set(this.#native, 'requests')
  }
  clearRequests() {
    set(this.#native, 'clear_requests')
  }
  async close() {
    await run(undefined, () => this.#native.stop())
  }
}
if (Symbol.asyncDispose) {
  TestRegistry.prototype[Symbol.asyncDispose] = function () {
    return this.close()
  }
}

module.exports = { MemoryRegistry, TestRegistry }
