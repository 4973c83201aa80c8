'use strict'

const native = require('../native.js')
const { encode, encodeBytes, sync } = require('./call.js')
const { keep } = require('./error.js')
const { PORT } = require('./registry.js')

/** The longest that one call of a backend may take, in milliseconds. */
const TIME_OUT = 30_000

const REGISTRY = ['resolve', 'fetch', 'put', 'tags', 'hasBlob']
const LEDGER = ['size', 'read', 'append', 'channels']

/** The native half of a registry: the core's own, or one that asks the object it was given. */
function registryPort(registry) {
  return portOf('registry', registry, REGISTRY, (ask, timeOut) => native.hostRegistry(ask, timeOut))
}

/** The native half of a ledger. */
function ledgerPort(ledger) {
  return portOf('ledger', ledger, LEDGER, (ask, timeOut) => native.hostLedger(ask, timeOut))
}

function portOf(what, backend, calls, make) {
  if (backend?.[PORT]) return backend[PORT]
  const lacks = calls.find((call) => typeof backend?.[call] !== 'function')
  if (lacks !== undefined) throw new TypeError(`${what}: it has no method ${lacks}`)
  const ask = answering(async (call, args) => answered(call, await backend[call](...taken(call, args))))
  return sync(() => make(ask, backend.timeOut ?? TIME_OUT))
}

/** A function that the native half can call: it answers `{given}` or `{thrown}`, and never throws. */
function answering(act) {
  return async (request) => {
    try {
      const { call, arguments: args } = JSON.parse(request)
      const given = await act(call, args)
      if (given === undefined) throw new TypeError(`${call} answered undefined`)
      return encode({ given })
    } catch (exception) {
      return JSON.stringify({ thrown: keep(exception) })
    }
  }
}

/** The arguments of a call, with bytes where there was base 64. */
function taken(call, args) {
  const bytes = (text) => Buffer.from(text, 'base64')
  if (call === 'put') return args.map((arg, at) => (at === 2 ? { ...arg, bytes: bytes(arg.bytes) } : arg))
  if (call === 'append') return args.map((arg, at) => (at === 2 ? bytes(arg) : arg))
  return args
}

/** The answer of a call, with base 64 where there were bytes. */
function answered(call, answer) {
  if (call === 'fetch' && answer) return { bytes: encodeBytes('bytes', answer.bytes), mediaType: answer.mediaType }
  if (call === 'read') return Array.from(answer, (entry) => encodeBytes('entry', entry))
  if (call === 'put' && answer !== 'applied') {
    if (answer && 'refused' in answer) return { refused: keep(answer.refused) }
    if (answer && 'unknown' in answer) return { unknown: keep(answer.unknown) }
    throw new TypeError('put answers "applied", { refused } or { unknown }')
  }
  return answer
}

/** The native half of a guardrail: a plain function of the facts, which never throws either. */
function guardrailPort(guardrail) {
  const { name, settings = null } = guardrail ?? {}
  if (typeof name !== 'string') throw new TypeError('guardrail: it has no name')
  if (typeof guardrail.judge !== 'function') throw new TypeError(`guardrail ${name}: it has no method judge`)
  const judge = (facts) => {
    try {
      const given = guardrail.judge(JSON.parse(facts))
      if (typeof given?.then === 'function') {
        Promise.resolve(given).catch(() => {})
        throw new TypeError('a promise is no finding: judge is a plain function')
      }
      return encode({ given })
    } catch (exception) {
      return JSON.stringify({ thrown: keep(exception, name) })
    }
  }
  return sync(() => new native.Guardrail(name, encode(settings), judge))
}

module.exports = { registryPort, ledgerPort, guardrailPort, answering }
