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
  hide(repository, digest, words) {
    set(this.#native, 'hide', { ...words, repository, digest })
  }
  unhide(repository, digest) {
    return set(this.#native, 'unhide', { repository, digest })
  }
  script(faults, options) {
    set(this.#native, 'script', { ...options, faults: faults.map(faultArgument) })
  }
  scriptReads(faults, options) {
    set(this.#native, 'script_reads', { ...options, faults: faults.map(faultArgument) })
  }
  lag(windowMs) {
    set(this.#native, 'lag', { windowMs })
  }
  chaos(seed, percent, options) {
    set(this.#native, 'chaos', { ...options, seed, percent })
  }
  calm() {
    set(this.#native, 'calm')
  }
  latency(latencyMs) {
    set(this.#native, 'latency', { latencyMs })
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

/** A fault as the native half reads it. A string is a fault without parameters. */
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
    const [login, signal] = split(options)
    const registry = new TestRegistry(await run(signal, () => native.startServer()))
    try {
      registry.demand(login)
    } catch (error) {
      await registry.close()
      throw error
    }
    return registry
  }
  repository(path) {
    return `${this.host}/${path}`
  }
  demand(login) {
    set(this.#native, 'demand', login)
  }
  scriptHttp(faults, options) {
    set(this.#native, 'script_http', { ...options, faults: faults.map(faultArgument) })
  }
  calm() {
    set(this.#native, 'calm')
  }
  faultsLeft() {
    return set(this.#native, 'faults_left')
  }
  latency(latencyMs) {
    set(this.#native, 'latency', { latencyMs })
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
