/** Runs one command: its outputs for the workflow, and its summary for people. */

import * as core from '@actions/core'
import { Channel, Config, OciRegistry, Promoter, Provenance } from 'tagwarden'
import { ledgerOf } from './ledger.mjs'
import { report } from './report.mjs'
import { audited, current, goesOn, history, moved, retention } from './summary.mjs'

const MOVES = ['bootstrap', 'promote', 'rollback']

/** `{outputs, summary, problems}`; problems fail the step. */
export async function command(given) {
  const moves = MOVES.includes(given.command)
  // Before the ledger is opened: a move without a run and an actor cannot be recorded.
  const provenance = moves ? Provenance.fromCi({ release: given.release }) : undefined
  const config = configOf(given)
  const ledger = await ledgerOf(given, config, moves ? 'write' : 'read')
  const named = given.channels.map((name) => (name.includes('/') ? name : (config.channel(name) ?? name)))
  const all = given.command === 'audit' && named.length === 0
  const asked = { ...given, config, channels: all ? await ledger.channels() : named }
  const promoter = new Promoter(registry(asked), ledger, settings(asked))
  if (moves) return move(promoter, asked, provenance)
  return { current: look, history: past, audit, retention: plan }[given.command](promoter, asked)
}

/** The `tagwarden.toml` of the step: that of the input, else the one of the workspace, unless the step says the pipeline itself. */
function configOf({ config, pipeline }) {
  if (config !== undefined) return Config.read(config)
  return pipeline.length > 0 ? { channel: () => null } : Config.find(process.cwd())
}

/** The policy is that of the channel; every other channel of an audit is only looked at. The core refuses two pipelines. */
function settings({ config, channels: [channel], pipeline: stages }) {
  const pipeline = stages.length > 0 ? stages : undefined
  return config.file !== undefined && channel !== undefined ? { config, channel, pipeline } : { pipeline }
}

/** The registry client. A login goes only to the one host of the step's channels or repository. */
function registry({ config, username, password, token, tokenServers, caFile, retryForMs, channels, repository }) {
  const own = { tokenServers, caFile, retryForMs, ...(config.file === undefined ? {} : { config }) }
  // The core takes it as the login of ghcr.io, after the stored ones.
  if (token) process.env.GITHUB_TOKEN ||= token
  const named = [...channels, repository].filter(Boolean)
  const hosts = [...new Set(named.map((name) => name.replace(/^oci:\/\//, '').split('/')[0]))]
  if (!username) return new OciRegistry({ ...own, loginRegistry: hosts.length === 1 ? hosts[0] : undefined })
  if (hosts.length > 1) throw new Error(`username and password are for one registry, and the channels are on ${hosts.join(' and ')}`)
  return new OciRegistry({ ...own, credentials: Object.fromEntries(hosts.map((host) => [host, { user: username, password }])) })
}

async function move(promoter, given, provenance) {
  const channel = one(given)
  const { idempotencyKey, reason, expected, override, onConflict, timeoutMs, to, order } = given
  const terms = { provenance, idempotencyKey, reason, expected, override, onConflict, timeoutMs }
  const source = sourceOf(given)
  if (given.command === 'promote' && source === undefined) throw new Error('promote needs source or source-channel')
  const receipt = report(await {
    promote: () => promoter.promote(channel, source, { ...terms, order }),
    bootstrap: () => promoter.bootstrap(channel, { ...terms, source, order }),
    rollback: () => promoter.rollback(channel, { ...terms, to }),
  }[given.command]())
  for (const { why, code } of receipt.warnings) core.warning(`${channel}: ${why}`, { title: code })
  const outputs = {
    digest: receipt.digest,
    'previous-digest': receipt.previous_digest,
    seq: receipt.move?.seq,
    move: receipt.move,
    live: receipt.live,
    changed: receipt.result === 'committed' && receipt.previous_digest !== receipt.digest,
  }
  const [events, state, changes] = await Promise.all([
    recent(promoter, channel, 5).catch(unread('history', [])),
    promoter.current(channel).then(report).catch(unread('holds', {})),
    changed(promoter, channel, receipt).catch(unread('comparison', undefined)),
  ])
  return { outputs, summary: moved(receipt, events, state.holds, changes), problems: [] }
}

/** The comparison of the release with the one before it; undefined if nothing changed. */
async function changed(promoter, channel, { result, previous_digest: previous, digest }) {
  if (result !== 'committed' || previous === undefined || previous === digest) return undefined
  return report(await promoter.diff(previous, digest, { channel }))
}

async function look(promoter, given) {
  const state = await standing(promoter, one(given))
  const { event } = state
  const live = event && { digest: state.live, seq: event.seq, at: event.outcome.at }
  const outputs = { digest: state.live, 'previous-digest': state.previous, seq: event?.seq, move: event, live, changed: false }
  return { outputs, summary: current(state), problems: [] }
}

async function past(promoter, given) {
  const { channel, migrated } = await standing(promoter, one(given))
  const events = await recent(promoter, channel, given.limit)
  return { outputs: { report: events, changed: false }, summary: history(channel, events, migrated), problems: [] }
}

/** The state of a channel. Warns if its log was migrated, so that the state may be old. */
async function standing(promoter, channel) {
  const state = report(await promoter.current(channel))
  if (state.migrated) core.warning(`${channel}: ${goesOn(state.migrated)}`, { title: 'tagwarden' })
  return state
}

async function audit(promoter, { channels, parts }) {
  const found = report(await promoter.audit(channels, { parts }))
  for (const { channel, findings } of found.channels) {
    for (const { why, code } of findings) core.warning(`${channel}: ${why}`, { title: code })
  }
  const off = found.channels.filter(({ state, observed }) => state !== 'in_sync' && !(state === 'never_recorded' && !observed))
  const problems = off.map((audit) => `${audit.channel}: ${audit.state.replaceAll('_', ' ')}${seen(audit)}`)
  // A ledger at a wrong prefix or database has no channels; it must not look like a ledger in good order.
  if (channels.length === 0) problems.push('the ledger has no channels: nothing was looked at')
  return { outputs: { report: found, changed: false }, summary: audited(found), problems }
}

async function plan(promoter, { repository, config }) {
  if (!repository) throw new Error('retention needs a repository')
  const found = report(await promoter.retentionPlan(repository, { rule: config.retention }))
  const problems = found.blocked ? [`${repository}: nothing expires: ${found.blocked}`] : []
  return { outputs: { report: found, changed: false }, summary: retention(found), problems }
}

async function recent(promoter, channel, limit) {
  const { events } = await promoter.historyPage(channel, { limit })
  return events.map(report)
}

/** Does not fail the step if a part of the summary cannot be read: the move was made. */
function unread(part, instead) {
  return (error) => {
    core.warning(`no ${part}: ${error.message}`)
    return instead
  }
}

function one({ command, channels: [channel, ...more] }) {
  if (channel === undefined || more.length > 0) throw new Error(`${command} needs one channel`)
  return channel
}

/** The release, by the grammar of the core. */
function sourceOf({ source, sourceChannel }) {
  if (source !== undefined && sourceChannel !== undefined) throw new Error('give source or source-channel, not both')
  return sourceChannel === undefined ? source : new Channel(sourceChannel)
}

function seen({ expected, observed, why }) {
  if (why) return `: ${why}`
  if (!expected && observed) return `: the registry says ${observed}`
  return expected ? `: the ledger says ${expected}, the registry ${observed ?? 'that the tag is absent'}` : ''
}
