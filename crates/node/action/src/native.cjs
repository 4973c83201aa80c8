'use strict'

// In the bundle there is one native half for each platform, beside it.
const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
const abi = { linux: musl ? '-musl' : '-gnu', win32: '-msvc' }[process.platform] ?? ''
module.exports = requireBeside(`./tagwarden.${process.platform}-${process.arch}${abi}.node`)
