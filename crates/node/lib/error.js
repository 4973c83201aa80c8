'use strict'

const native = require('../native.js')

/** The properties of each code, from the core's table. */
const kinds = new Map(native.errorKinds().map((kind) => [kind.code, Object.freeze(kind)]))

const RETRIES = ['never', 'later', 'replan', 'recover']

class TagwardenError extends Error {
  constructor(message, { code, context = {}, findings = [], retry, cause } = {}) {
    const kind = kinds.get(code)
    if (kind === undefined) throw new TypeError(`${String(code)} is not an error code of tagwarden`)
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    if (retry !== undefined && !RETRIES.includes(retry)) throw new TypeError(`${String(retry)} is none of ${RETRIES.join(', ')}`)
    this.retry = retry ?? kind.retry
    this.context = Object.freeze({ ...context })
    this.findings = Object.freeze([...findings])
  }

  toJSON() {
    const { code, retry, message, context, findings } = this
    return findings.length === 0 ? { code, retry, message, context } : { code, retry, message, context, findings }
  }
}
Object.defineProperty(TagwardenError.prototype, 'name', { value: 'TagwardenError', configurable: true, writable: true })

/**
 * Makes the error of native code: the outermost of `errors`, each caused by the next one. If a backend in JavaScript threw,
 * its exception is the innermost cause.
 */
function errorOf(errors, exception) {
  return errors.reduceRight((cause, [code, retry, message, context, findings]) => {
    if (code === null) return cause ?? new Error(message)
    return new TagwardenError(message, { code, retry, context, findings, cause })
  }, exception ?? undefined)
}

/** The methods that answer nothing. */
const SILENT = ['put', 'store']

/** The methods of a user's object, wrapped for native code so that they never throw, with its name and its timeout. */
function hostOf(what, object, methods) {
  const lacks = methods.find((method) => typeof object?.[method] !== 'function')
  if (lacks !== undefined) throw new TypeError(`${what}: it has no method ${lacks}`)
  const wrapped = methods.map((method) => [method, async (...args) => {
    try {
      const given = await object[method](...args)
      if (given === undefined && !SILENT.includes(method)) throw new TypeError(`${method} gave undefined`)
      return { given }
    } catch (exception) {
      return { exception, message: messageOf(exception), code: exception instanceof TagwardenError ? exception.code : undefined }
    }
  }])
  const name = Object.getPrototypeOf(object)?.constructor?.name
  const { timeoutMs } = object
  return { ...Object.fromEntries(wrapped), name: name && name !== 'Object' ? name : what, timeoutMs, untouched: untouched(object, methods) }
}

/** True for a registry or a ledger of the core, if it has no method of the user: then the core calls its own. */
function untouched(object, methods) {
  const core = [native.OciRegistry, native.MemoryRegistry, native.OpenedLedger].find((kind) => object instanceof kind)
  return core !== undefined && methods.every((method) => object[method] === core.prototype[method])
}

function messageOf(exception) {
  try {
    if (!(exception instanceof Error)) return String(exception).toWellFormed()
    const { name, message } = exception
    const named = ['Error', 'TagwardenError'].includes(name) && message !== '' ? message : [name, message].filter(Boolean).join(': ')
    return String(named).toWellFormed()
  } catch {
    return 'an exception that cannot be shown'
  }
}

native.install(errorOf, hostOf)

module.exports = { TagwardenError }
