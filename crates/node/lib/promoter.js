'use strict'

const native = require('../native.js')
const { ask, encode, run, split, sync } = require('./call.js')
const { Channel } = require('./value.js')
const { registryPort, ledgerPort, guardrailPort } = require('./port.js')

/** How many moves a page of history has. */
const PAGE = 64

class Promoter {
  #native
  constructor(registry, ledger, { guardrails = [], ...options } = {}) {
    const ports = [registryPort(registry), ledgerPort(ledger), encode(options), guardrails.map(guardrailPort)]
    this.#native = sync(() => new native.Promoter(...ports))
  }

  async plan(channel, operation, options) {
    const [terms, signal] = split(options)
    const { op, ...given } = operation
    const request = encode({ channel, ...sourced(given), ...terms })
    return new Plan(await run(signal, () => this.#native.plan(String(op), request)))
  }
  async execute(approved, options) {
    const [, signal] = split(options)
    if (!(approved instanceof Approved)) throw new TypeError('execute takes what Plan.approve returned')
    return ask(signal, () => this.#native.execute(approved[HELD]))
  }

  promote(channel, from, options) {
    return this.#run('promote', channel, { from: from ?? null }, options)
  }
  rollback(channel, options) {
    return this.#run('rollback', channel, {}, options)
  }
  bootstrap(channel, options) {
    return this.#run('bootstrap', channel, {}, options)
  }
  repair(channel, options) {
    return this.#run('repair', channel, {}, options)
  }
  adopt(channel, options) {
    return this.#run('adopt', channel, {}, options)
  }
  recover(channel, options) {
    return this.#ask('recover', { channel }, options)
  }
  hold(channel, options) {
    return this.#ask('hold', { channel }, options)
  }
  release(channel, options) {
    return this.#ask('release', { channel }, options)
  }

  async channels(options) {
    const [, signal] = split(options)
    return ask(signal, () => this.#native.channels())
  }
  current(channel, options) {
    return this.#ask('current', { channel }, options)
  }
  previous(channel, options) {
    return this.#ask('previous', { channel }, options)
  }
  async *history(channel, options) {
    const [{ before: start, limit = Infinity, ...rest }, signal] = split(options)
    if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) throw new TypeError('limit: a whole number is needed')
    for (let before = start, left = limit; left > 0; ) {
      const page = await this.#ask('history', { channel, before, limit: Math.min(left, PAGE) }, { ...rest, signal })
      yield* page.events
      if (page.next === undefined) return
      before = page.next
      left -= page.events.length
    }
  }
  at(channel, at, options) {
    return this.#ask('at', { channel, at }, options)
  }
  audit(channels, options) {
    return this.#ask('audit', { channels }, options)
  }
  verify(channel, options) {
    return this.#ask('verify', { channel }, options)
  }
  retentionPlan(repository, options) {
    return this.#ask('retentionPlan', { repository }, options)
  }
  mayDelete(repository, digest, options) {
    return this.#ask('mayDelete', { repository, digest }, options)
  }

  async #run(op, channel, given, options) {
    const [terms, signal] = split(options)
    return ask(signal, () => this.#native.run(op, encode({ channel, ...sourced({ ...given, ...terms }) })))
  }
  async #ask(name, given, options) {
    const [rest, signal] = split(options)
    return ask(signal, () => this.#native[name](encode({ ...given, ...rest })))
  }
}

/** A channel as the source of a move means what is live on it, not what its tag points at. */
function sourced(given) {
  return given.from instanceof Channel ? { ...given, from: { channel: given.from } } : given
}

const HELD = Symbol('native')

class Plan {
  #native
  constructor(held) {
    this.#native = held
    const { change, findings, settled } = JSON.parse(held.says())
    this.change = change
    this.findings = findings
    this.settled = settled
    Object.freeze(this)
  }
  approve() {
    return new Approved(sync(() => this.#native.approve()))
  }
}

class Approved {
  constructor(held) {
    Object.defineProperty(this, HELD, { value: held })
  }
}

module.exports = { Promoter, Plan, Approved }
