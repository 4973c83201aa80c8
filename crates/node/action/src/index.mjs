/** The Action: reads inputs, runs one command, and writes outputs, a summary and annotations. */

import * as core from '@actions/core'
import { failure } from './summary.mjs'

/** Titles of annotations, by error code. */
const TITLES = { POLICY_REFUSED: 'Refused by the policy', CHANNEL_CHANGED: 'Another move came first' }

try {
  // Imported here, so that a platform without a native half is reported like every other error.
  const [{ command }, { inputs }] = await Promise.all([import('./command.mjs'), import('./inputs.mjs')])
  const { outputs, summary, problems } = await command(inputs())
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value ?? '')
  for (const problem of problems) core.error(problem, { title: 'tagwarden' })
  if (problems.length > 0) process.exitCode = 1
  await summarize(summary)
} catch (error) {
  process.exitCode = 1
  for (const { guardrail, verdict, code, why } of error.findings ?? []) {
    if (verdict !== 'pass') core.error(why, { title: `${guardrail}: ${code}` })
  }
  core.error(error.message, { title: TITLES[error.code] ?? error.code ?? error.name })
  await summarize(failure(error))
}

/** Writes the summary. A runner without summaries does not fail the step. */
async function summarize(text) {
  try {
    if (process.env.GITHUB_STEP_SUMMARY) await core.summary.addRaw(text).write()
  } catch (error) {
    core.warning(`no summary: ${error.message}`)
  }
}
