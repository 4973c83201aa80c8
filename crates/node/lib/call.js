'use strict'

const { TagwardenError } = require('./error.js')

/** Runs a native function that gives a promise. Its errors have the stack of the caller; a signal aborts it. */
async function run(name, act, args) {
  const signal = args.at(-1)?.signal
  let abort
  if (signal !== undefined) {
    if (!(signal instanceof AbortSignal)) throw new TypeError('signal: an AbortSignal is needed')
    signal.throwIfAborted()
    const listen = (listener) => signal.addEventListener('abort', (abort = listener), { once: true })
    args = [...args.slice(0, -1), { ...args.at(-1), signal: listen }]
  }
  try {
    return await sync(name, act, args)
  } catch (error) {
    if (error.code === 'Cancelled' && signal?.aborted) throw signal.reason
    if (error instanceof TagwardenError) Error.captureStackTrace(error)
    throw error
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
  }
}

/** Calls a native function. The error of an invalid argument names the call. */
function sync(name, act, args) {
  try {
    return act(...args)
  } catch (error) {
    if (error.code === 'VALUE_INVALID') {
      error.message = `${name}: ${error.message}`
      Error.captureStackTrace(error)
    }
    if (/^InvalidArg$|Expected$/.test(error.code)) throw new TypeError(`${name}: ${error.message}`)
    if (error.code !== 'GenericFailure') throw error
    const message = `a panic inside tagwarden ended the call (${error.message}); please report it`
    throw new TagwardenError(message, { code: 'INTERNAL_FAULT', cause: error })
  }
}

/** Makes native methods methods of JavaScript: all of them, or those of these names. `how` runs them. */
function wrap(how, object, names = Object.getOwnPropertyNames(object)) {
  for (const name of names) {
    const { value: act, ...property } = Object.getOwnPropertyDescriptor(object, name)
    if (typeof act !== 'function' || name === 'constructor') continue
    const method = function (...args) {
      return how(name, act.bind(this), args)
    }
    Object.defineProperty(object, name, { ...property, value: Object.defineProperty(method, 'name', { value: name }) })
  }
}

module.exports = { run, sync, wrap }
