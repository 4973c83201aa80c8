/**
 * Makes the native half of the tree from cargo's output of the profile `dev`: the library, its loader and its types. `napi
 * build` would build everything again, for a target that it names itself. `npm run debug` calls it.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateTypeDef, parseTriple, readNapiConfig, writeJsBinding } from '@napi-rs/cli'

const home = fileURLToPath(new URL('.', import.meta.url))
const target = join(home, '../../target')
const { binaryName, packageName, packageJson } = await readNapiConfig(join(home, 'package.json'))
const [, host] = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))

copyFileSync(join(target, 'debug/libtagwarden_node.so'), join(home, `${binaryName}.${parseTriple(host).platformArchABI}.node`))
const { exports, dts } = await generateTypeDef({ typeDefDir: join(target, 'napi'), constEnum: false, declareBindingTarget: true, cwd: home })
writeFileSync(join(home, 'native.d.ts'), dts)
await writeJsBinding({
  platform: true, idents: exports, jsBinding: 'native.js', binaryName, packageName, version: packageJson.version, outputDir: home,
})
