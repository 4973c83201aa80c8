import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootstrapped, prod, provenance, release } from './shop.mjs'

/** A promoter with another guardrail, which judges only promotions. */
const guarded = (judge, settings) =>
  bootstrapped({
    policy: 'release',
    guardrails: [
      {
        name: 'weekday',
        settings,
        timeoutMs: 100,
        judge: (facts) => (facts.op === 'promote' ? judge(facts) : { verdict: 'pass', why: 'no promotion' }),
      },
    ],
  })

test('a guardrail judges the facts after the built-in ones and is recorded', async () => {
  let asked
  const { promoter, digests } = await guarded((facts) => {
    asked = facts
    return { verdict: 'warn', code: 'DAY_LATE', why: 'it is Friday' }
  }, { days: ['Mon', 'Tue'] })
  const receipt = await promoter.promote(prod, release(2), { provenance })
  assert.equal(asked.channel, prod)
  assert.equal(asked.live, digests[0])
  assert.equal(asked.target.digest, digests[1])
  assert.deepEqual(asked.source, { reference: release(2) })
  assert.deepEqual(asked.provenance, provenance)
  assert.equal(asked.here, 'never')
  const { policy, findings } = receipt.move.intent.decision
  assert.equal(policy.name, 'release')
  assert.deepEqual(findings.at(-1), { guardrail: 'weekday', verdict: 'warn', code: 'DAY_LATE', why: 'it is Friday' })
  assert.equal(findings.length, 10)
})

test('a refusal of a guardrail stops the promotion', async () => {
  const { promoter } = await guarded(() => ({ verdict: 'refuse', code: 'DAY_LATE', why: 'it is Friday' }))
  const error = await promoter.promote(prod, release(2), { provenance }).catch((error) => error)
  assert.equal(error.code, 'POLICY_REFUSED')
  assert.equal(error.message, `${prod}: refused by 1 of 10 guardrails: weekday: it is Friday`)
  assert.equal(error.cause, undefined)
  const plan = await promoter.plan(prod, { op: 'promote', source: release(2) }, { provenance })
  assert.throws(() => plan.approve(), { code: 'POLICY_REFUSED' })
})

test('a refusal says whether the same move may pass later', async () => {
  for (const retry of ['never', 'later']) {
    const { promoter } = await guarded(() => ({ verdict: 'refuse', code: 'DAY_LATE', why: 'it is Friday', retry }))
    const error = await promoter.promote(prod, release(2), { provenance }).catch((error) => error)
    assert.deepEqual([error.retry, error.findings.at(-1).retry, error.toJSON().retry], [retry, retry, retry])
  }
})

test('a guardrail can return a promise', async () => {
  const { promoter } = await guarded(async ({ channel }) => ({ verdict: 'warn', code: 'DAY_LATE', why: await channel }))
  const receipt = await promoter.promote(prod, release(2), { provenance })
  assert.equal(receipt.move.intent.decision.findings.at(-1).why, prod)
})

test('each of two moves at once has the exception of its own guardrail as cause', async () => {
  const { promoter } = await guarded(async ({ target }) => {
    throw new RangeError(`no quota for ${target.digest}`)
  })
  const errors = await Promise.all([2, 3].map((number) => promoter.promote(prod, release(number), { provenance }).catch((error) => error)))
  for (const error of errors) assert.equal(error.findings.at(-1).why, `RangeError: ${error.cause.message}`)
  assert.notEqual(errors[0].cause.message, errors[1].cause.message)
})

test('a guardrail that throws, hangs or answers nonsense refuses with its exception as cause', async () => {
  const bug = new TypeError('facts.when is not a function')
  for (const [judge, why] of [
    [() => { throw bug }, 'TypeError: facts.when is not a function'],
    [async () => { throw bug }, 'TypeError: facts.when is not a function'],
    [() => undefined, 'TypeError: judge gave undefined'],
    [() => new Promise(() => {}), 'it did not answer within 100 ms'],
    [() => ({ verdict: 'perhaps', why: 'who knows' }), /^it gave what is no finding: verdict: "perhaps" is none of pass, warn, refuse/],
    [() => ({ verdict: 'refuse', why: 'no code' }), /^it gave what is no finding: a warning and a refusal have a code/],
  ]) {
    const { promoter } = await guarded(judge)
    const error = await promoter.promote(prod, release(2), { provenance }).catch((error) => error)
    assert.equal(error.code, 'POLICY_REFUSED')
    const finding = error.findings.at(-1)
    assert.equal(finding.code, 'GUARDRAIL_FAILED')
    if (typeof why === 'string') assert.equal(finding.why, why)
    else assert.match(finding.why, why)
    if (/when is not/.test(why)) assert.equal(error.cause, bug)
  }
})

test('policy has the names of own guardrails or a given one, which is recorded', async () => {
  const pass = { name: 'has-commit', judge: () => ({ verdict: 'pass', why: 'yes' }) }
  for (const [given, name] of [[{}, 'standard+has-commit'], [{ policy: 'own' }, 'own']]) {
    const { promoter } = await bootstrapped({ guardrails: [pass], ...given })
    const { move } = await promoter.promote(prod, release(2), { provenance })
    assert.equal(move.intent.decision.policy.name, name)
  }
})

test('own guardrails need unique names', async () => {
  const pass = { name: 'no-hold', judge: () => ({ verdict: 'pass', why: 'yes' }) }
  await assert.rejects(bootstrapped({ policy: 'own', guardrails: [pass] }), {
    code: 'CONFIG_INVALID',
    message: 'policy own: no-hold stands in it twice',
  })
  await assert.rejects(bootstrapped({ policy: 'own', guardrails: [{ name: 'x' }] }), TypeError)
})
