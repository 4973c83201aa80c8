/** The inputs of the workflow, read once. The core checks those that it takes; the others are checked here. */

import * as core from '@actions/core'
import { Digest } from 'tagwarden'

const TERMS = ['pipeline', 'idempotency-key', 'reason', 'release', 'expected', 'override', 'on-conflict', 'timeout']

/** The inputs of each command, besides those that all commands take. */
const TAKES = {
  bootstrap: ['channel', 'source', 'source-channel', 'order', ...TERMS],
  promote: ['channel', 'source', 'source-channel', 'order', ...TERMS],
  rollback: ['channel', 'to', ...TERMS],
  current: ['channel'],
  history: ['channel', 'limit'],
  audit: ['channel', 'parts'],
  retention: ['repository'],
}

export function inputs() {
  const text = (name) => core.getInput(name) || undefined
  const ledger = core.getInput('ledger')
  const [username, password, token] = [text('username'), text('password'), text('token')]
  // Mask a password wherever it is, even if it is not read from there.
  for (const secret of [password, token, ...secretsOf(ledger)].filter(Boolean)) core.setSecret(secret)
  const command = core.getInput('command', { required: true })
  const takes = Object.hasOwn(TAKES, command) ? TAKES[command] : undefined
  if (takes === undefined) throw new Error(`command: ${JSON.stringify(command)} is none of ${Object.keys(TAKES).join(', ')}`)
  // An ignored input could mean another move than the intended one.
  const idle = [...new Set(Object.values(TAKES).flat())].find((name) => text(name) && !takes.includes(name))
  if (idle !== undefined) throw new Error(`${idle}: ${command} does not take it, only ${takes.join(', ')}`)
  if (!username !== !password) throw new Error('username and password: give both or neither')
  const given = {
    command, ledger, username, password, token, config: text('config'),
    caFile: text('ca-file'), retryForMs: text('retry-for') && number('retry-for') * 1000,
    tokenServers: core.getMultilineInput('token-servers'), channels: core.getMultilineInput('channel'),
    source: text('source'), sourceChannel: text('source-channel'), order: text('order'), to: text('to'), repository: text('repository'),
    pipeline: core.getMultilineInput('pipeline').map(stage),
    reason: text('reason'), release: text('release'), expected: text('expected'), override: core.getMultilineInput('override'), onConflict: text('on-conflict'),
    timeoutMs: number('timeout', 180) * 1000, limit: number('limit', 10), parts: truth('parts'),
  }
  return { ...given, idempotencyKey: text('idempotency-key') ?? ofRun(command) }
}

/** Possible passwords in a ledger's URL, or in an invalid URL: as written, and without escapes. */
function secretsOf(ledger) {
  const [, rest] = /^[^:/?#]*:\/\/([^]*)$/.exec(ledger) ?? []
  // A password with an `@` or a `/` that is not escaped ends at the last `@`.
  const user = rest?.slice(0, Math.max(rest.lastIndexOf('@'), 0)) ?? ''
  const found = user.includes(':') ? [user.slice(user.indexOf(':') + 1)] : []
  for (const [, quoted, plain] of ledger.matchAll(/password\s*=\s*(?:'([^']*)'|([^&#\s]*))/gi)) found.push(quoted ?? plain)
  return [...found, ...found.map(decoded)]
}

/** A part of a URL without its escapes; unchanged if they are invalid. */
function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function stage(line) {
  const at = line.indexOf('=')
  if (at < 1) throw new Error(`pipeline: ${JSON.stringify(line)} is not name=HOST/REPOSITORY:TAG`)
  return { environment: line.slice(0, at).trim(), channel: line.slice(at + 1).trim() }
}

function number(name, otherwise) {
  const text = core.getInput(name)
  const value = text === '' ? otherwise : Number(text)
  if (!(Number.isFinite(value) && value >= 0)) throw new Error(`${name}: ${JSON.stringify(text)} is not a number`)
  return value
}

/** True or false; false if the input is empty. */
function truth(name) {
  const text = core.getInput(name)
  if (!['', 'true', 'false'].includes(text)) throw new Error(`${name}: ${JSON.stringify(text)} is neither true nor false`)
  return text === 'true'
}

/**
 * The key of this step in this attempt of the run: a repeated step moves nothing twice, and a job that a person runs again is judged
 * by what is live now. Undefined outside of a run: the core makes a random key.
 */
function ofRun(command) {
  const { GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT = '1', GITHUB_JOB = '', GITHUB_ACTION = '' } = process.env
  if (!GITHUB_RUN_ID) return undefined
  const run = `github-${GITHUB_RUN_ID}-${GITHUB_RUN_ATTEMPT}`
  const key = [run, GITHUB_JOB, GITHUB_ACTION, command].join('-')
  return key.length <= 128 ? key : `${run}-${String(Digest.of(Buffer.from(key))).slice(7, 71)}`
}
