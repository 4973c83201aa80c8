import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { MemoryLedger, MemoryRegistry, Promoter, TagwardenError, errorKinds } from 'tagwarden'
import { provenance } from './shop.mjs'

const text = (path) => readFile(new URL(path, import.meta.url), 'utf8')

test('the types name every error code, and no other', async () => {
  const union = (await text('../lib/error.d.ts')).match(/export type ErrorCode =([^\n]*\n(?:  \|.*\n)+)/)[1]
  const named = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)
  assert.deepEqual(named, errorKinds().map(({ code }) => code))
})

test('every error code passes through an asynchronous call', async () => {
  for (const { code, retry } of errorKinds()) {
    const raised = new TagwardenError('as it was raised', { code, context: { place: 'a backend' } })
    const fail = () => Promise.reject(raised)
    const ledger = { size: fail, read: fail, append: fail, channels: fail }
    const registry = { resolve: fail, fetch: fail, put: fail, tags: fail, hasBlob: fail }
    const ofRegistry = /^(REGISTRY|MANIFEST)_/.test(code)
    const call = ofRegistry
      ? new Promoter(registry, new MemoryLedger()).plan('reg.io/a:prod', { op: 'bootstrap' }, { provenance })
      : new Promoter(new MemoryRegistry(), ledger).channels()
    const error = await call.catch((error) => error)
    // A ledger may throw only LEDGER codes; another code becomes LEDGER_UNAVAILABLE. The exception is always the cause.
    const own = ofRegistry || code.startsWith('LEDGER_')
    assert.deepEqual([error.code, error.cause, error.cause.retry], [own ? code : 'LEDGER_UNAVAILABLE', raised, retry])
  }
})

test('the promoter has every method of the core', async () => {
  const sources = await Promise.all(
    ['promoter', 'move_request', 'query', 'audit', 'retention', 'recover'].map((name) => text(`../../core/src/promotion/${name}.rs`)),
  )
  const inherent = sources.join('\n').matchAll(/^    pub (?:async fn (\w+)\(\s*&self|fn (\w+)<'a>\(\s*&'a self)/gm)
  const names = [...inherent].map(([, method, request]) => method ?? request)
  const core = names.map((name) => (name === 'history_page' ? 'history' : name).replace(/_(.)/g, (_, letter) => letter.toUpperCase()))
  assert.ok(core.length > 15, core.join(' '))
  // The requests of the five operations call `run`; a page of `historyPage` is `history`; `current` has the public part
  // of `state`; Node's `audit` has the options of `auditWith`.
  const wanted = core.filter((name) => !['run', 'state', 'auditWith'].includes(name))
  const own = Object.getOwnPropertyNames(Promoter.prototype).filter((name) => name !== 'constructor')
  assert.deepEqual(own.sort(), wanted.sort())
  const declared = [...(await text('../lib/promoter.d.ts')).split('export declare class Promoter')[1].matchAll(/^  (\w+)\(/gm)]
  assert.deepEqual([...new Set(declared.map(([, name]) => name))].filter((name) => name !== 'constructor').sort(), wanted.sort())
})

test('index.mjs and index.d.ts export the same names as index.js', async () => {
  const types = await Promise.all(
    [...(await text('../index.d.ts')).matchAll(/'\.\/(lib\/\w+)\.js'/g)].map(([, name]) => text(`../${name}.d.ts`)),
  )
  const declared = [...types.join('\n').matchAll(/^export declare (?:const|function|class) (\w+)/gm)].map(([, name]) => name)
  assert.deepEqual(declared.sort(), Object.keys(await import('tagwarden')).filter((name) => name !== 'default').sort())
  assert.ok(new MemoryLedger() instanceof MemoryLedger)
})

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())
/** Node's name of a field or setter of the core: the name of a duration ends in its unit, because it is a plain number. */
const named = ([, field, type]) => {
  const name = field === 'overrides' ? 'override' : field // `override` is a keyword of Rust.
  return camel(type.startsWith('Duration') ? `${name}_ms` : name)
}
const sorted = (found) => [...found].map(([, name]) => name).sort()

test('options and records have the fields of the core', async () => {
  const fields = async (path, name) =>
    [...(await text(`../../core/src/${path}.rs`)).match(new RegExp(`pub struct ${name}(?:<.*?>)? \\{([^]*?)\\n\\}`))[1].matchAll(/^    pub (?:r#)?(\w+): (.*),$/gm)]
  const core = async (path, name) => sorted(await fields(path, name))
  const own = async (file, name) =>
    sorted((await text(`../lib/${file}.d.ts`)).match(new RegExp(`export interface ${name} [^]*?\\{([^]*?)\\n\\}`))[1].matchAll(/^  (\w+)\??:/gm))
  for (const [path, name] of [['promotion/request', 'MoveOptions'], ['promotion/request', 'BootstrapOptions'], ['retention/rule', 'RetentionRule']]) {
    // The tag is a part of the source.
    const wanted = (await fields(path, name)).map(named).filter((field) => field !== 'tag')
    assert.deepEqual(await own('promoter', name), wanted.sort(), name)
  }
  const source = await text('../../core/src/promotion/times.rs')
  const times = [...source.matchAll(/pub fn (?:new|with_settle)\(((?:ttl|self, settle): [^)]*)\)/g)].map((found) => found[1]).join(' ')
  assert.deepEqual(await own('promoter', 'Times'), [...times.matchAll(/(\w+): (Duration)/g)].map(named).sort())
  for (const [path, name, besides = []] of [
    ['promotion/query', 'ChannelStatus'], ['log/verify', 'LogReport'], ['log/move_record', 'MoveRecord', ['status']], ['promotion/past', 'DriftSeen'],
    ['log/body', 'Outcome', ['at', 'seq']], ['log/intent', 'Predecessor'], ['promotion/receipt', 'Receipt'], ['promotion/receipt', 'Live'],
    ['log/intent', 'TargetManifest'], ['log/intent', 'Decision'], ['log/intent', 'ReleaseOrder'], ['log/intent', 'UpstreamLog'],
    ['log/intent', 'MoveSet'], ['log/move_record', 'TakeoverRecord'], ['log/state/hold', 'ActiveHold'], ['log/state/open_move', 'OpenMove'],
    ['log/state', 'MigratedTo'], ['log/state/open_move', 'PossiblyOpen'], ['log/defect', 'Defect'], ['policy/facts', 'Facts'], ['policy/guardrail', 'Finding'],
  ]) {
    assert.deepEqual(await own('record', name), [...(await core(path, name)), ...besides].sort(), name)
  }
})

test('OciRegistry has the options of the core', async () => {
  const core = [...(await text('../../core/src/registry/oci/options.rs')).matchAll(/^    pub fn (\w+)\(mut self(?:, \w+: )?(.*)\) -> /gm)]
  assert.ok(core.length >= 13)
  const names = { scheme: 'schemes', allow_realm: 'realms' }
  const wanted = core.map(([, name, type]) => named([, names[name] ?? name, type]))
  const declared = (await text('../lib/registry.d.ts')).match(/export interface OciOptions \{([^]*?)\n\}/)[1]
  assert.deepEqual([...declared.matchAll(/^  (\w+)\?:/gm)].map(([, name]) => name).sort(), wanted.sort())
})
