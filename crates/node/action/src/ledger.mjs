/** The ledger of the step: that of the input, else that of the `tagwarden.toml`, else a branch of the workflow's repository. */

import { openLedger } from 'tagwarden'

const DEFAULT = 'git'

export async function ledgerOf({ ledger, token }, config, access) {
  giveToken(ledger || (config.ledger ?? DEFAULT), token)
  if (ledger) return openLedger(ledger, { access })
  return config.ledger === undefined ? openLedger(DEFAULT, { access }) : config.openLedger({ access })
}

/**
 * Gives the token to the Git ledger, by the environment: an argument would be seen in the list of processes. The input's default is the
 * token of the workflow, so it goes to the workflow's own server and to no other. A token in the step's `env` comes first.
 */
function giveToken(ledger, token) {
  if (token && !process.env.TAGWARDEN_GIT_TOKEN && isOwn(ledger)) process.env.TAGWARDEN_GIT_TOKEN = token
}

/** True for a Git ledger on the server that runs the workflow. */
function isOwn(ledger) {
  if (/^git(#|$)/.test(ledger)) return true
  const [, url] = /^git\+(https?:\/\/[^\\\s]+)$/i.exec(ledger) ?? []
  const origin = (text) => URL.canParse(text) && new URL(text).origin
  return Boolean(url && origin(url) && origin(url) === origin(process.env.GITHUB_SERVER_URL))
}
