'use strict'

const native = require('../native.js')

/** What each code means, from the core's table. */
const kinds = new Map(JSON.parse(native.errorKinds()).map((kind) => [kind.code, Object.freeze(kind)]))

class TagwardenError extends Error {
  constructor(message, { code, context = {}, findings = [], cause } = {}) {
    const kind = kinds.get(code)
    if (kind === undefined) throw new TypeError(`${String(code)} is not an error code of tagwarden`)
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retry = kind.retry
    this.context = Object.freeze({ ...context })
    this.findings = Object.freeze([...findings])
  }

  toJSON() {
    const { code, retry, message, context, findings } = this
    return findings.length === 0 ? { code, retry, message, context } : { code, retry, message, context, findings }
  }
}
Object.defineProperty(TagwardenError.prototype, 'name', { value: 'TagwardenError', configurable: true, writable: true })

/** Exceptions of backends written in JavaScript, by number, until they come back as a cause. The oldest are let go. */
const exceptions = new Map()
const MOST_EXCEPTIONS = 1000
let lastNumber = 0

/** Keeps an exception, and describes it for the native half; that of a guardrail is found by its finding, too. */
function keep(exception, guardrail) {
  lastNumber = (lastNumber + 1) % 2 ** 32
  const described = { exception: lastNumber, message: messageOf(exception) }
  remember(lastNumber, exception)
  if (guardrail !== undefined) remember(`${guardrail}: it threw: ${described.message}`, exception)
  if (exception instanceof TagwardenError) described.code = exception.code
  return described
}

function remember(name, exception) {
  exceptions.delete(name)
  exceptions.set(name, exception)
  if (exceptions.size > MOST_EXCEPTIONS) exceptions.delete(exceptions.keys().next().value)
}

function messageOf(exception) {
  try {
    return String(exception instanceof Error ? exception.message || exception.name : exception).toWellFormed()
  } catch {
    return 'an exception that cannot be shown'
  }
}

/** The exception that a description of the native half stands for. */
function raised({ code, message, context, findings = [], cause, exception }) {
  if (exceptions.has(exception)) return exceptions.get(exception)
  const behind = cause === undefined ? failure(findings) : raised(cause)
  if (code !== undefined) return new TagwardenError(message, { code, context, findings, cause: behind })
  return new Error(message, behind === undefined ? undefined : { cause: behind })
}

/** What a guardrail threw, if a finding says that it did. */
function failure(findings) {
  const failed = findings.find((finding) => finding.code === 'GUARDRAIL_FAILED')
  return failed && exceptions.get(`${failed.guardrail}: ${failed.why}`)
}

/** What the native half threw: `{aborted}` or `{error}`. Anything else of napi's (a wrong argument) is as it is. */
function thrown(error) {
  let described
  try {
    described = JSON.parse(error.message)
  } catch {
    if (error.code !== 'GenericFailure') return { error }
    const message = `a panic inside tagwarden ended the call (${error.message}); please report it`
    return { error: new TagwardenError(message, { code: 'INTERNAL_FAULT', cause: error }) }
  }
  return described.aborted === true ? { aborted: true } : { error: raised(described) }
}

module.exports = { TagwardenError, errorKinds: () => [...kinds.values()], keep, raised, thrown }
