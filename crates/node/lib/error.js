'use strict'

const native = require('../native.js')

/** The properties of each code, from the core's table. */
const kinds = new Map(JSON.parse(native.errorKinds()).map((kind) => [kind.code, Object.freeze(kind)]))

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

/** Exceptions of backends and guardrails in JavaScript, by number, for the `cause` of errors. The oldest are dropped. */
const exceptions = new Map()
const MOST_EXCEPTIONS = 100
let lastNumber = 0

/** Keeps an exception, and describes it for the native half. A TagwardenError keeps its code. */
function keep(exception) {
  lastNumber = (lastNumber + 1) % 2 ** 32
  exceptions.set(lastNumber, exception)
  if (exceptions.size > MOST_EXCEPTIONS) exceptions.delete(exceptions.keys().next().value)
  const described = { exception: lastNumber, message: messageOf(exception) }
  return exception instanceof TagwardenError ? { ...described, code: exception.code } : described
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

/** Makes the error that the native half describes. If a backend in JavaScript threw, its exception is the innermost cause. */
function raised({ code, message, context, findings, retry, cause }, exception) {
  const behind = cause === undefined ? exception : raised(cause, exception)
  if (code !== undefined) return new TagwardenError(message, { code, context, findings, retry, cause: behind })
  return behind ?? new Error(message)
}

/** Reads an exception of the native half: `{aborted}` or `{error}`. An argument that napi rejects is a TypeError. */
function thrown(error) {
  let described
  try {
    described = JSON.parse(error.message)
  } catch {
    if (error instanceof TypeError) return { error }
    if (error.code !== 'GenericFailure') return { error: new TypeError(error.message, { cause: error }) }
    const message = `a panic inside tagwarden ended the call (${error.message}); please report it`
    return { error: new TagwardenError(message, { code: 'INTERNAL_FAULT', cause: error }) }
  }
  if (described.aborted === true) return { aborted: true }
  return { error: raised(described.error, exceptions.get(described.exception)) }
}

module.exports = { TagwardenError, errorKinds: () => [...kinds.values()], keep, thrown }
