/**
 * Makes the native half of the tree from cargo's output of the profile `dev`: the library and its loader. `napi build` would
 * build everything again, for a target that it names itself. `npm run debug` calls it; `npm run debug -- --types` also writes
 * the types, which are checked in.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseTriple, readNapiConfig, writeJsBinding } from '@napi-rs/cli'
import { types } from './typegen.mjs'

const home = fileURLToPath(new URL('.', import.meta.url))
const target = join(home, '../../target')
const { binaryName, packageName, packageJson } = await readNapiConfig(join(home, 'package.json'))
const [, host] = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))

copyFileSync(join(target, 'debug/libtagwarden_node.so'), join(home, `${binaryName}.${parseTriple(host).platformArchABI}.node`))
const { exports, dts } = await types()
if (process.argv.includes('--types')) writeFileSync(join(home, 'native.d.ts'), dts)
await writeJsBinding({
  platform: true, idents: exports, jsBinding: 'native.js', binaryName, packageName, version: packageJson.version, outputDir: home,
})
