'use strict'

const os = require('node:os')
const tty = require('node:tty')
const { inspect } = require('node:util')
const native = require('./native.js')
const { TagwardenError } = require('./lib/error.js')
const { run, sync, wrap } = require('./lib/call.js')

const { Config, Promoter, Plan, ApprovedPlan, OciRegistry, MemoryRegistry, TestRegistry, OpenedLedger, Artifact, errorKinds, conformance } = native
const { Digest, Repository, Tag, Reference, Channel, Environment, IdempotencyKey, Commit, ReleaseLabel, Timestamp } = native
const values = { Digest, Repository, Tag, Reference, Channel, Environment, IdempotencyKey, Commit, ReleaseLabel, Timestamp }
const functions = { openLedger: native.openLedger, initLedger: native.initLedger, packArtifact: native.packArtifact, pushArtifact: native.pushArtifact }

const PORT = ['resolve', 'fetch', 'put', 'tags', 'hasBlob']
const rest = (kind, names) => Object.getOwnPropertyNames(kind.prototype).filter((name) => !names.includes(name))
for (const kind of [Promoter, OciRegistry, OpenedLedger]) wrap(run, kind.prototype)
for (const [kind, names] of [[MemoryRegistry, PORT], [TestRegistry, ['close']]]) {
  wrap(run, kind.prototype, names)
  wrap(sync, kind.prototype, rest(kind, names))
}
wrap(run, TestRegistry, ['start'])
wrap(sync, Config, ['read', 'find'])
wrap(sync, Config.prototype, ['channel'])
wrap(run, Config.prototype, ['openLedger'])
wrap(run, conformance)
wrap(run, functions)

// Minifiers keep these names, not those of classes.
for (const [name, kind] of Object.entries(values)) {
  kind.prototype[inspect.custom] = function () {
    return `${name} ${this}`
  }
}

if (Symbol.asyncDispose) TestRegistry.prototype[Symbol.asyncDispose] = TestRegistry.prototype.close

class MemoryLedger extends OpenedLedger {}

Promoter.prototype.history = async function* (channel, { signal } = {}) {
  for (let before; ; ) {
    const { events, next } = await this.historyPage(channel, { signal, before })
    yield* events
    if (next === undefined) return
    before = next
  }
}

/** Makes the provenance of a request: who asks, in which pipeline run. */
const Provenance = Object.freeze({
  of: (parts) => sync('provenance', native.provenance, [parts, undefined, false]),
  manual: (actor) => sync('manual', native.manualProvenance, [actor]),
  fromCi(parts, environment) {
    const around = environment === undefined ? [{ ...process.env }, inTerminal(), login()] : [environment, false]
    return sync('provenance', native.provenance, [parts, ...around])
  },
})

/** True if standard input or standard error is a terminal. */
function inTerminal() {
  return tty.isatty(0) || tty.isatty(2)
}

function login() {
  try {
    return os.userInfo().username
  } catch {
    // The system has no name for this user: the core's error says which argument to give.
    return undefined
  }
}

module.exports = {
  TagwardenError, errorKinds, Config, Promoter, Plan, ApprovedPlan, Provenance, OciRegistry, MemoryRegistry, TestRegistry, OpenedLedger,
  MemoryLedger, Artifact, conformance, ...functions, ...values,
}
