'use strict'

const os = require('node:os')
const tty = require('node:tty')
const native = require('../native.js')
const { encode, sync } = require('./call.js')

/** A value that the core has parsed. Equal values have equal text; its JSON is the text. Minifiers keep `kind`, not class names. */
class Value {
  #text
  constructor(text) {
    if (typeof text !== 'string' && !(text instanceof Value)) throw new TypeError(`${new.target.kind}: a string is needed`)
    const { text: written, ...parts } = JSON.parse(sync(() => native.parseValue(new.target.kind, safe(String(text)))))
    this.#text = written
    for (const [name, part] of Object.entries(parts)) this[name] = part ?? undefined
    Object.freeze(this)
  }
  static parse(text) {
    return text instanceof this ? text : new this(text)
  }
  equals(other) {
    return other instanceof this.constructor && String(other) === this.#text
  }
  toString() {
    return this.#text
  }
  toJSON() {
    return this.#text
  }
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return `${this.constructor.kind} ${this.#text}`
  }
}

/** Returns a string that UTF-8 can carry. TypeError for a lone surrogate. */
function safe(text) {
  if (!text.isWellFormed()) throw new TypeError('a string with a lone surrogate is no text')
  return text
}

class Digest extends Value {
  static kind = 'Digest'
  static of(bytes) {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes: a Uint8Array is needed')
    return new Digest(native.digestOf(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)))
  }
}
class Repository extends Value {
  static kind = 'Repository'
}
class Tag extends Value {
  static kind = 'Tag'
}
class Reference extends Value {
  static kind = 'Reference'
}
class Channel extends Value {
  static kind = 'Channel'
}
class Environment extends Value {
  static kind = 'Environment'
}
class IdempotencyKey extends Value {
  static kind = 'IdempotencyKey'
}
class Commit extends Value {
  static kind = 'Commit'
}
class ReleaseLabel extends Value {
  static kind = 'ReleaseLabel'
}
class Timestamp extends Value {
  static kind = 'Timestamp'
  toDate() {
    return new Date(this.toString())
  }
}

/** Makes the provenance of a request: who asks, in which pipeline run. */
const Provenance = Object.freeze({
  of: (given) => built(given),
  fromEnvironment: (given = {}, environment = undefined) =>
    environment === undefined ? built(given, { ...process.env }, inTerminal(), login()) : built(given, { ...environment }),
})

function built(given, environment, terminal = false, login = undefined) {
  return JSON.parse(sync(() => native.provenance(encode(given ?? null), environment, terminal, login)))
}

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
  Digest, Repository, Tag, Reference, Channel, Environment, IdempotencyKey, Commit, ReleaseLabel, Timestamp, Provenance,
}
