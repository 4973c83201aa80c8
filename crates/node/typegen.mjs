/** The types of the native code and its exports, from what the macro of napi wrote in the last build. */

import { fileURLToPath } from 'node:url'
import { generateTypeDef } from '@napi-rs/cli'

const cwd = fileURLToPath(new URL('.', import.meta.url))
const typeDefDir = fileURLToPath(new URL('../../target/napi', import.meta.url))

export async function types() {
  const { exports, dts } = await generateTypeDef({ typeDefDir, constEnum: false, configDtsHeaderFile: 'types.d.ts', cwd })
  // The quotes of a comment that reached the macro through another macro.
  return { exports, dts: dts.replace(/((?:\/\*\*|^ *\*) )r#*" ?/gm, '$1').replace(/ +$/gm, '') }
}
