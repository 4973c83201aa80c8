'use strict'

const native = require('../native.js')
const { ask, encode, joined, run, signalOf, split, sync } = require('./call.js')
const { Channel } = require('./value.js')
const { registryPort, ledgerPort, guardrailPort } = require('./port.js')

/** The number of moves on a page of history. */
const PAGE = 64

class Promoter {
  #native
  constructor(registry, ledger, { guardrails = [], ...options } = {}) {
    const ports = [registryPort(registry), ledgerPort(ledger), encode(options), guardrails.map(guardrailPort)]
    this.#native = sync(() => native.Promoter.over(...ports))
  }

  async plan(channel, operation, options) {
    const [terms, signal] = split(options)
    const request = encode(joined(joined({ channel }, sourced(operation)), terms))
    return new Plan(await run(signal, () => this.#native.call('plan', request)))
  }
  async execute(approved, options) {
    const signal = signalOf(options)
    if (!(approved instanceof ApprovedPlan)) throw new TypeError('execute takes what Plan.approve returned')
    return JSON.parse(await run(signal, () => this.#native.execute(approved[HELD])))
  }

  promote(channel, source, options) {
    return this.#move('promote', channel, options, { source: source ?? null })
  }
  rollback(channel, options) {
    return this.#move('rollback', channel, options)
  }
  bootstrap(channel, options) {
    return this.#move('bootstrap', channel, options)
  }
  repair(channel, options) {
    return this.#move('repair', channel, options)
  }
  adopt(channel, options) {
    return this.#move('adopt', channel, options)
  }
  recover(channel, options) {
    return ask(this.#native, 'recover', { channel }, options)
  }
  hold(channel, options) {
    return ask(this.#native, 'hold', { channel }, options)
  }
  unhold(channel, hold, options) {
    return ask(this.#native, 'unhold', { channel, hold }, options)
  }
  unholdMine(channel, options) {
    return ask(this.#native, 'unhold_mine', { channel }, options)
  }
  holds(channel, options) {
    return ask(this.#native, 'holds', { channel }, options)
  }

  channels(options) {
    return ask(this.#native, 'channels', {}, options)
  }
  current(channel, options) {
    return ask(this.#native, 'current', { channel }, options)
  }
  previous(channel, options) {
    return ask(this.#native, 'previous', { channel }, options)
  }
  async *history(channel, options) {
    const [{ before: start, limit = Infinity, ...rest }, signal] = split(options)
    if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) throw new TypeError('limit: a whole number is needed')
    for (let before = start, left = limit; left > 0; ) {
      const asked = { channel, before, limit: Math.min(left, PAGE) }
      const { events, next } = await ask(this.#native, 'history', asked, { ...rest, signal })
      yield* events
      if (next === undefined) return
      before = next
      left -= events.length
    }
  }
  at(channel, at, options) {
    return ask(this.#native, 'at', { channel, at }, options)
  }
  audit(channels, options) {
    return ask(this.#native, 'audit', { channels }, options)
  }
  verify(channel, options) {
    return ask(this.#native, 'verify', { channel }, options)
  }
  retentionPlan(repository, options) {
    return ask(this.#native, 'retention_plan', { repository }, options)
  }
  mayDelete(repository, digest, options) {
    return ask(this.#native, 'may_delete', { repository, digest }, options)
  }

  async #move(op, channel, options, given = {}) {
    const [terms, signal] = split(options)
    return ask(this.#native, op, { channel }, { ...sourced(joined(given, terms)), signal })
  }
}

/** A channel as the source of a move means its live digest, not its tag's digest. */
function sourced(given) {
  return given.source instanceof Channel ? { ...given, source: { channel: given.source } } : given
}

const HELD = Symbol('native')

class Plan {
  #native
  constructor(held) {
    this.#native = held
    const { change, findings, settled, dead_move } = JSON.parse(held.says())
    this.change = change
    this.findings = findings
    this.settled = settled
    this.deadMove = dead_move
    Object.freeze(this)
  }
  approve() {
    return new ApprovedPlan(sync(() => this.#native.approve()))
  }
}

class ApprovedPlan {
  constructor(held) {
    Object.defineProperty(this, HELD, { value: held })
  }
}

module.exports = { Promoter, Plan, ApprovedPlan }
