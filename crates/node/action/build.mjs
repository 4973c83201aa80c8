/** Builds `action/dist`: one bundle, and the native halves that `npm run build` made. `npm run action` calls it. */

import { copyFile, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const home = fileURLToPath(new URL('.', import.meta.url))
const dist = join(home, 'dist')

/** Replaces the package's loader, which looks for npm packages: the bundle has the native file in its own directory. */
const beside = {
  name: 'beside',
  setup({ onResolve }) {
    onResolve({ filter: /\/native\.js$/ }, () => ({ path: join(home, 'src/native.cjs') }))
    onResolve({ filter: /^tagwarden$/ }, () => ({ path: join(home, '../index.mjs') }))
  },
}

await rm(dist, { recursive: true, force: true })
await mkdir(dist)
await build({
  entryPoints: [join(home, 'src/index.mjs')],
  outfile: join(dist, 'index.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minify: true,
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module';const requireBeside = makeRequire(import.meta.url);const require = requireBeside;",
  },
  plugins: [beside],
  logLevel: 'warning',
})
const natives = (await readdir(join(home, '..'))).filter((name) => name.endsWith('.node'))
if (natives.length === 0) throw new Error('there is no native half: npm run build makes it')
for (const native of natives) await copyFile(join(home, '..', native), join(dist, native))
