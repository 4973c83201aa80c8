// Variables of CI systems and references of other tools, by the cases that Rust and Python read too.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import { test } from 'node:test'
import tty from 'node:tty'
import { Provenance, Reference, openLedger } from 'tagwarden'
import { bootstrapped, code, prod, provenance, repository } from './shop.mjs'

const cases = async (name) => JSON.parse(await readFile(new URL(`../../../tests/vectors/${name}.json`, import.meta.url)))

/** Sets exactly these variables, and a terminal on standard error if there is a login name. */
function surrounded(t, environment, login) {
  const before = process.env
  process.env = environment
  t.mock.method(tty, 'isatty', (fd) => login !== undefined && fd === 2)
  t.mock.method(os, 'userInfo', () => {
    if (login === undefined) throw new Error('no user has this number')
    return { username: login }
  })
  t.after(() => {
    process.env = before
  })
}

test('environment gives its provenance', async (t) => {
  const environments = await cases('ci-environments')
  assert.ok(environments.length >= 5)
  for (const { env, terminal, login_name, expect } of environments) {
    await t.test(JSON.stringify(expect), (t) => {
      surrounded(t, env, terminal ? login_name : undefined)
      const { pipeline, actor, commit = null, identity } = Provenance.fromCi()
      const found = { ...pipeline, run_id: pipeline.runId, actor: actor.id, actor_kind: actor.kind, commit }
      for (const [name, want] of Object.entries(expect)) {
        if (want === 'generated') assert.match(found[name], /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
        else assert.deepEqual(found[name], want, name)
      }
      assert.equal(pipeline.attempt, undefined)
      assert.equal(identity, undefined)
    })
  }
})

test('unknown CI without run and actor is PROVENANCE_INCOMPLETE', (t) => {
  surrounded(t, { CI: 'true' }, 'ada')
  assert.throws(() => Provenance.fromCi(), code('PROVENANCE_INCOMPLETE'))
  const { pipeline, actor } = Provenance.fromCi({ runId: '7', actor: 'ada' })
  assert.deepEqual([pipeline.provider, actor.kind], ['manual', 'workload'])
})

test('a given environment ignores the terminal', (t) => {
  surrounded(t, {}, 'ada')
  assert.equal(Provenance.fromCi().actor.kind, 'human')
  assert.throws(() => Provenance.fromCi({}, {}), code('PROVENANCE_INCOMPLETE'))
})

test('workflow and job are given and read back', () => {
  const made = Provenance.of({ runId: '7', actor: 'ada', workflow: 'Release', jobId: '99', jobName: 'promote' })
  assert.deepEqual(made.pipeline, { provider: 'manual', runId: '7', workflow: 'Release', job: { id: '99', name: 'promote' } })
  assert.throws(() => Provenance.of({ runId: '7', actor: 'ada', jobName: 'promote' }), {
    message: /jobName: it is the name of a job, whose id is missing/,
  })
})

test('references of other tools are accepted', async () => {
  const [scheme, both, dsn] = await cases('references')
  assert.equal(String(new Reference(scheme.given)), scheme.expect)
  await assert.rejects(openLedger(dsn.given), { code: 'CONFIG_INVALID', message: /a libpq connection string; write it as postgres:/ })

  const tag = both.given.match(/:([^:@]+)@/)[1]
  assert.equal(tag, '1.4.2')
  const { promoter, digests } = await bootstrapped()
  const warned = async (from) => {
    const { digest, move } = await promoter.promote(`oci://${prod}`, from, { provenance })
    const { decision, provenance: recorded } = move.intent
    return [digest, recorded.release, decision.findings.filter(({ verdict }) => verdict === 'warn').map(({ code }) => code)]
  }
  assert.deepEqual(await warned(`oci://${repository}:${tag}@${digests[1]}`), [digests[1], tag, []])
  assert.deepEqual(await warned(`${repository}:${tag}@${digests[2]}`), [digests[2], tag, ['TARGET_TAG_DIFFERS']])
  assert.equal((await promoter.current(`oci://${prod}`)).live, digests[2])
})
