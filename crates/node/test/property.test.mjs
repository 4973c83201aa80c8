// A property test as users write it: fast-check drives the real engine over a registry with scripted faults.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bootstrapped, gathered, prod, provenance, quick, release, repository } from './shop.mjs'

const move = fc.oneof(
  fc.record({ op: fc.constant('promote'), source: fc.integer({ min: 1, max: 3 }).map(release) }),
  fc.constant({ op: 'rollback' }),
)
const step = fc.record({ move, faults: fc.array(fc.constantFrom('pass', 'after', { fault: 'refused', code: 'DENIED' }, 'denied'), { maxLength: 4 }) })

test('log and registry agree after any moves and faults', { timeout: 60_000 }, async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
    const { promoter, registry } = await bootstrapped({ times: quick })
    for (const { move, faults } of steps) {
      registry.script(faults)
      const { op, ...given } = move
      const before = (await promoter.current(prod)).live
      try {
        const { digest } = await (op === 'promote'
          ? promoter.promote(prod, given.source, { provenance })
          : promoter.rollback(prod, { provenance }))
        assert.equal((await promoter.current(prod)).live, digest)
      } catch (error) {
        assert.ok(['MOVE_FAILED', 'ROLLBACK_NO_TARGET', 'POLICY_REFUSED'].includes(error.code), error.stack)
        assert.equal((await promoter.current(prod)).live, before, 'a failed move moves nothing')
      }
      assert.equal(registry.peek(repository, 'prod'), (await promoter.current(prod)).live)
    }
    const { defect, committed } = await promoter.verify(prod)
    assert.equal(defect, undefined)
    const events = await gathered(promoter.history(prod))
    assert.equal(events.filter((event) => event.status === 'committed').length, committed)
    assert.equal((await promoter.audit([prod])).worst, undefined)
  })
  await fc.assert(property, { numRuns: 40, seed: 20261124 })
})
