'use strict'

const { PORT } = require('./registry.js')

/** The native half of a registry. */
function registryPort(registry) {
  if (registry?.[PORT]) return registry[PORT]
  throw new TypeError('registry: a registry is needed')
}

/** The native half of a ledger. */
function ledgerPort(ledger) {
  if (ledger?.[PORT]) return ledger[PORT]
  throw new TypeError('ledger: a ledger is needed')
}

module.exports = { registryPort, ledgerPort }
