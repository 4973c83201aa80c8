/**
 * Packs the npm packages from the output of `npm run build`: `tagwarden` without native code, and a package with native code
 * for each target, on which `tagwarden` depends optionally. `.ci/release` calls it: `node publish.mjs DIRECTORY TARGET...`
 *
 * The tree's own package.json names none of them: `npm install` in a clone needs no package that is not published yet.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NapiCli } from '@napi-rs/cli'

const [directory, ...targets] = process.argv.slice(2)
const home = fileURLToPath(new URL('.', import.meta.url))
const license = join(home, '../../LICENSE')
const stage = join(home, '../../target/npm')

// `private` keeps the tree from being published by mistake; `scripts` and `devDependencies` are for the tree.
const { private: _, scripts: __, devDependencies: ___, napi, ...main } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
main.files = main.files.filter((name) => name !== '*.node')

rmSync(stage, { recursive: true, force: true })
mkdirSync(stage, { recursive: true })
for (const name of [...main.files, 'README.md']) cpSync(join(home, name), join(stage, name), { recursive: true })
copyFileSync(license, join(stage, 'LICENSE'))

write(stage, { ...main, napi: { ...napi, targets } })
await new NapiCli().createNpmDirs({ cwd: stage })
const platforms = readdirSync(join(stage, 'npm'))
main.optionalDependencies = {}
for (const platform of platforms) {
  const home = join(stage, 'npm', platform)
  const { name, version, main: native } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  copyFileSync(fileURLToPath(new URL(native, import.meta.url)), join(home, native))
  copyFileSync(license, join(home, 'LICENSE'))
  main.optionalDependencies[name] = version
  pack(home)
}
write(stage, main)
pack(stage)

function write(to, manifest) {
  writeFileSync(join(to, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

function pack(from) {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], { cwd: from, stdio: ['ignore', 'ignore', 'inherit'] })
}
