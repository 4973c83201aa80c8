/**
 * Makes the native half of the tree from cargo's output of the profile `dev`: the library and its loader. `napi build` would
 * build everything again, for a target that it names itself. `npm run debug` calls it, and fails if the types that are checked
 * in are not those of the build; `npm run debug -- --types` writes them.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateTypeDef, parseTriple, readNapiConfig, writeJsBinding } from '@napi-rs/cli'

const home = fileURLToPath(new URL('.', import.meta.url))
const target = join(home, '../../target')
const { binaryName, packageName, packageJson } = await readNapiConfig(join(home, 'package.json'))
const [, host] = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))

copyFileSync(join(target, 'debug/libtagwarden_node.so'), join(home, `${binaryName}.${parseTriple(host).platformArchABI}.node`))

// The macros of napi wrote the types in the last build.
const types = await generateTypeDef({ typeDefDir: join(target, 'napi'), constEnum: false, configDtsHeaderFile: 'types.d.ts', cwd: home })
await writeJsBinding({
  platform: true, idents: types.exports, jsBinding: 'native.js', binaryName, packageName, version: packageJson.version, outputDir: home,
})

// The quotes of a comment that reached the macro through another macro.
const dts = types.dts.replace(/((?:\/\*\*|^ *\*) )r#*" ?/gm, '$1').replace(/ +$/gm, '')
const file = join(home, 'native.d.ts')
if (process.argv.includes('--types')) {
  writeFileSync(file, dts)
} else if (readFileSync(file, 'utf8') !== dts) {
  console.error('error: native.d.ts does not have the types of the last build; npm run debug -- --types writes it')
  process.exit(1)
}
