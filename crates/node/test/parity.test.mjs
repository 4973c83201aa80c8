import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { MemoryLedger, MemoryRegistry, Promoter, TagwardenError, errorKinds } from 'tagwarden'
import { fileURLToPath } from 'node:url'
import { provenance } from './shop.mjs'
import { nodeSurface, pythonSurface } from './surface.mjs'

const text = (path) => readFile(new URL(path, import.meta.url), 'utf8')

test('the types name every error code, and no other', async () => {
  const union = (await text('../types.d.ts')).match(/export type ErrorCode =([^\n]*\n(?:  \|.*\n)+)/)[1]
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

test('index.mjs and index.d.ts export the same names as index.js', async () => {
  const declared = [...(await text('../native.d.ts')).matchAll(/^export declare (?:const|function|class|namespace) (\w+)/gm)].map(([, name]) => name)
  assert.deepEqual(declared.sort(), Object.keys(await import('tagwarden')).filter((name) => name !== 'default').sort())
  assert.ok(new MemoryLedger() instanceof MemoryLedger)
})

/** The deliberate differences: what only Node has, and what only Python has. */
const DIFFERENCES = {
  // Python has a blocking and an awaited form of everything, and classes for faults and for a pipeline.
  classes: ['', 'AsyncPromoter InjectedFault NativeRegistry Pipeline ReadFault'],
  functions: ['', 'initLedgerAsync openLedgerAsync packArtifactAsync pushArtifactAsync'],
  Config: ['', 'openLedgerAsync'],
  // A record is a plain object in Node. In Python it is a class, which can also be asked.
  Provenance: ['pipeline', 'actorKind attempt jobId jobName provider runId url workflow'],
  Plan: ['change', 'digest previousDigest'],
  DigestRetention: ['', 'because kept'],
  Finding: ['', 'passes refuses warns'],
  Intent: ['', 'findings'],
  LogReport: ['', 'valid'],
  MayDelete: ['', 'allowed because'],
  // `bytes` is a type of Python, and `from` a keyword.
  OpenedLedger: ['new read(from)', 'read(start)'],
  MemoryLedger: ['read(from)', 'read(start)'],
  Digest: ['of(bytes)', 'of(data)'],
  Manifest: ['bytes', 'data'],
  MemoryRegistry: ['storeBlob(bytes)', 'storeBlob(data)'],
  // An operation of Node is an object, so that each has only its own arguments; `new` is a keyword of JavaScript.
  Promoter: ['diff(newer) plan(op)', 'diff(new) plan(operation)'],
  // A constructor of Node cannot be awaited.
  TestRegistry: ['demand(password) demand(user) start', 'demand(credentials)'],
  // `oci` is for TypeScript, which compares classes by their members.
  OciRegistry: ['oci', ''],
}

test('Node and Python have the same classes, methods, arguments and fields', async () => {
  const node = nodeSurface(fileURLToPath(new URL('../native.d.ts', import.meta.url)))
  const python = pythonSurface(await text('../../py/python/tagwarden/_tagwarden.pyi'))
  const found = { classes: ['', [...python.keys()].filter((name) => !node.has(name)).join(' ')] }
  for (const [name, members] of node) {
    if (!python.has(name)) continue
    // A plain object has no constructor.
    const its = new Set([...python.get(name)].filter((member) => members.has('new') || !/^new\b/.test(member)))
    const only = [without(members, its), without(its, members)]
    if (only.some((names) => names !== '')) found[name] = only
  }
  assert.deepEqual(found, DIFFERENCES)
})

/** The members that the other side has not, without the arguments of a method that it has not. */
function without(members, other) {
  const only = [...members].filter((name) => !other.has(name))
  return only.filter((name) => !only.some((method) => name.startsWith(`${method}(`))).sort().join(' ')
}
