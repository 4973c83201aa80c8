'use strict'

const { thrown } = require('./error.js')

/** The JSON text of arguments. TypeError for a value that JSON would silently drop or change. */
function encode(args) {
  return JSON.stringify(args, function (name, value) {
    const given = this[name]
    if (typeof given === 'function' || typeof given === 'symbol') throw new TypeError(`${name}: a ${typeof given} is no argument`)
    if (typeof given === 'bigint') throw new TypeError(`${name}: a bigint is no argument; give a number`)
    if (typeof given === 'number' && !Number.isFinite(given)) throw new TypeError(`${name}: ${given} is not a finite number`)
    if (given instanceof Date && Number.isNaN(given.getTime())) throw new TypeError(`${name}: the date is not valid`)
    const kind = Object.prototype.toString.call(value).slice(8, -1)
    if (typeof value === 'object' && !WRITTEN.has(kind)) throw new TypeError(`${name}: it is of type ${kind}, which JSON cannot carry`)
    return value
  })
}

/** The types that JSON can carry. It writes a Map, a Promise and the like as `{}`. */
const WRITTEN = new Set(['Null', 'Object', 'Array', 'String', 'Number', 'Boolean'])

/** Bytes as base 64. */
function encodeBytes(name, bytes) {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name}: a Uint8Array is needed`)
  // A new view throws if the buffer is detached; the existing view would only look empty.
  return Buffer.from(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('base64')
}

const decodeBytes = (text) => Buffer.from(text, 'base64')

/** The options of a call without its signal, and the signal. */
function split(options) {
  if (options === undefined) return [{}, undefined]
  if (options === null || typeof options !== 'object') throw new TypeError('the options of a call are an object')
  const { signal, ...rest } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal: an AbortSignal is needed')
  return [rest, signal]
}

/** The signal of a call that has no other option. */
function signalOf(options) {
  const [rest, signal] = split(options)
  const unknown = Object.keys(rest)[0]
  if (unknown !== undefined) throw new TypeError(`${unknown}: it is not known here`)
  return signal
}

/** Runs a native call. Returns its result; throws a TagwardenError or the signal's reason. */
async function run(signal, start) {
  signal?.throwIfAborted()
  const call = sync(start)
  const abort = () => call.abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    return await call.done()
  } catch (caught) {
    const { aborted, error } = thrown(caught)
    if (aborted) throw signal?.aborted ? signal.reason : new Error('the call was ended with its environment')
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** Arguments with options. An option must not replace an argument: it could name another channel. */
function joined(given, options) {
  const twice = Object.keys(options).find((name) => Object.hasOwn(given, name))
  if (twice !== undefined) throw new TypeError(`${twice}: it is an argument, and no option`)
  return { ...given, ...options }
}

/** Calls a method of a native object with arguments and options; its result is JSON. */
async function ask(native, method, given, options) {
  const [rest, signal] = split(options)
  return JSON.parse(await run(signal, () => native.call(method, encode(joined(given, rest)))))
}

/** Calls a synchronous method of a native object. */
function set(native, method, given = {}) {
  return JSON.parse(sync(() => native.set(method, encode(given))))
}

/** Returns the result of a synchronous native function, or throws a TagwardenError. */
function sync(act) {
  try {
    return act()
  } catch (caught) {
    throw thrown(caught).error
  }
}

module.exports = { encode, joined, encodeBytes, decodeBytes, split, signalOf, run, ask, set, sync }
