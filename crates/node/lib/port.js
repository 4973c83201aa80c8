'use strict'

const native = require('../native.js')
const { decodeBytes, encode, encodeBytes, sync } = require('./call.js')
const { keep } = require('./error.js')
const { NativeLedger } = require('./ledger.js')
const { NativeRegistry, PORT, manifestOf } = require('./registry.js')

/** The requests of the native half to a registry that is written in JavaScript, each with the method that answers. */
const REGISTRY = {
  resolve: (registry, { repository, tag }) => registry.resolve(repository, tag),
  fetch: async (registry, { reference }) => {
    const found = await registry.fetch(reference)
    return found && { bytes: encodeBytes('bytes', found.bytes), media_type: found.mediaType }
  },
  put: async (registry, { repository, tag, manifest, timeout }) =>
    (await registry.put(repository, tag, manifestOf(manifest), { timeoutMs: timeout })) ?? null,
  tags: (registry, { repository }) => registry.tags(repository),
  has_blob: (registry, { repository, digest }) => registry.hasBlob(repository, digest),
}

const LEDGER = {
  size: (ledger, { channel }) => ledger.size(channel),
  read: async (ledger, { channel, from, limit }) =>
    Array.from(await ledger.read(channel, from, limit), (entry) => encodeBytes('entry', entry)),
  append: (ledger, { channel, seq, bytes }) => ledger.append(channel, seq, decodeBytes(bytes)),
  channels: (ledger) => ledger.channels(),
}

/** The native half of a registry: the core's own, or one that calls the given object. */
function registryPort(registry) {
  const methods = ['resolve', 'fetch', 'put', 'tags', 'hasBlob']
  return portOf('registry', registry, REGISTRY, methods, native.Registry, NativeRegistry)
}

/** The native half of a ledger. */
function ledgerPort(ledger) {
  const methods = ['size', 'read', 'append', 'channels']
  return portOf('ledger', ledger, LEDGER, methods, native.Ledger, NativeLedger)
}

function portOf(what, backend, answers, methods, kind, core) {
  if (untouched(backend, core, methods)) return backend[PORT]
  const lacks = methods.find((method) => typeof backend?.[method] !== 'function')
  if (lacks !== undefined) throw new TypeError(`${what}: it has no method ${lacks}`)
  const ask = answering((method, request) => answers[method](backend, request))
  return sync(() => kind.written(nameOf(backend, what), ask, backend.timeoutMs))
}

/** True if a backend overrides no method of the core's class: then the core calls its own, without JavaScript. */
function untouched(backend, core, methods) {
  return backend instanceof core && methods.every((method) => backend[method] === core.prototype[method])
}

/** The native half of a guardrail. */
function guardrailPort(guardrail) {
  const { name, settings = null, timeoutMs } = guardrail ?? {}
  if (typeof name !== 'string') throw new TypeError('guardrail: it has no name')
  if (typeof guardrail.judge !== 'function') throw new TypeError(`guardrail ${name}: it has no method judge`)
  const ask = answering((_, facts) => guardrail.judge(facts))
  return sync(() => native.Guardrail.written(name, encode(settings), ask, timeoutMs))
}

/** A function that the native half can call: it answers `{given}` or `{thrown}`, and never throws. */
function answering(act) {
  return async (text) => {
    try {
      const { method, request } = JSON.parse(text)
      const given = await act(method, request)
      if (given === undefined) throw new TypeError(`${method} gave undefined`)
      return encode({ given })
    } catch (exception) {
      return JSON.stringify({ thrown: keep(exception) })
    }
  }
}

/** The name of a backend in messages: its class, if it has one. */
function nameOf(backend, otherwise) {
  const name = Object.getPrototypeOf(backend)?.constructor?.name
  return name && name !== 'Object' ? name : otherwise
}

module.exports = { registryPort, ledgerPort, guardrailPort, answering }
