/** What the workflow says, read once and checked as far as it is the Action's own. */

import * as core from '@actions/core'
import { Digest } from 'tagwarden'

const COMMANDS = ['bootstrap', 'promote', 'rollback', 'current', 'history', 'audit', 'retention']

export function inputs() {
  const text = (name) => core.getInput(name) || undefined
  const command = core.getInput('command', { required: true })
  if (!COMMANDS.includes(command)) throw new Error(`command: ${JSON.stringify(command)} is none of ${COMMANDS.join(', ')}`)
  const ledger = core.getInput('ledger', { required: true })
  // A password in a URL is not read from it by every ledger; wherever it stands, it is not shown.
  const secret = /^[a-z]+:\/\/[^:@/]*:([^@/]+)@/.exec(ledger)?.[1]
  if (secret) {
    core.setSecret(secret)
    core.setSecret(decoded(secret))
  }
  const [username, password] = [text('username'), text('password')]
  if (password) core.setSecret(password)
  if (!username !== !password) throw new Error('username and password: give both or neither')
  const given = {
    command, ledger, username, password,
    channels: core.getMultilineInput('channel'),
    from: text('from'), fromChannel: text('from-channel'), to: text('to'), repository: text('repository'),
    pipeline: core.getMultilineInput('pipeline').map(stage),
    reason: text('reason'), release: text('release'), expect: text('expect'), meet: text('meet'),
    patience: number('timeout', 180) * 1000, limit: number('limit', 10),
  }
  return { ...given, key: text('key') ?? ofRun(command) }
}

/** A part of a URL without its escapes; as it is, if they are none. */
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

/** The key of this step in this run, the same in each attempt. None outside of a run: then each call is its own. */
function ofRun(command) {
  const { GITHUB_RUN_ID, GITHUB_JOB = '', GITHUB_ACTION = '' } = process.env
  if (!GITHUB_RUN_ID) return undefined
  const key = ['github', GITHUB_RUN_ID, GITHUB_JOB, GITHUB_ACTION, command].join('-')
  return key.length <= 128 ? key : `github-${GITHUB_RUN_ID}-${String(Digest.of(Buffer.from(key))).slice(7, 71)}`
}
