'use strict'

// The bundle has one native half for each platform, in the same directory.
const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
const abi = { linux: musl ? '-musl' : '-gnu', win32: '-msvc' }[process.platform] ?? ''
const platform = `${process.platform}-${process.arch}${abi}`
try {
  module.exports = requireBeside(`./tagwarden.${platform}.node`)
} catch (cause) {
  throw new Error(`this Action does not run on ${platform}: ${cause.message.split('\n')[0]}`, { cause })
}
