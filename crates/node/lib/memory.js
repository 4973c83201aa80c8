'use strict'

const native = require('../native.js')
const { encode, encodeBytes, run, split, sync } = require('./call.js')
const { NativeRegistry } = require('./registry.js')

class MemoryRegistry extends NativeRegistry {
  #native
  constructor(held = new native.MemoryRegistry()) {
    super(held.port())
    this.#native = held
  }
  pushImage(repository, tag, number) {
    return this.#set('pushImage', { repository, tag, number })
  }
  push(repository, tag, { bytes, mediaType }) {
    return this.#set('push', { repository, tag, bytes: encodeBytes('bytes', bytes), mediaType })
  }
  deleteTag(repository, tag) {
    return this.#set('deleteTag', { repository, tag })
  }
  peek(repository, tag) {
    return this.#set('peek', { repository, tag })
  }
  script(faults) {
    sync(() => this.#native.script(encode({ faults: faults.map((fault) => (typeof fault === 'string' ? { fault } : fault)) })))
  }
  get faultsLeft() {
    return this.#native.faultsLeft()
  }
  #set(name, request) {
    return JSON.parse(sync(() => this.#native[name](encode(request))))
  }
}

class TestRegistry {
  #native
  constructor(started) {
    this.#native = started
    this.memory = new MemoryRegistry(started.memory())
    Object.freeze(this)
  }
  static async start(options) {
    const [access, signal] = split(options)
    return new TestRegistry(await run(signal, () => native.startRegistry(encode(access))))
  }
  get host() {
    return this.#native.host
  }
  requests() {
    return JSON.parse(sync(() => this.#native.requests()))
  }
  async close() {
    await run(undefined, () => this.#native.close())
  }
}
if (Symbol.asyncDispose) {
  TestRegistry.prototype[Symbol.asyncDispose] = function () {
    return this.close()
  }
}

module.exports = { MemoryRegistry, TestRegistry }
