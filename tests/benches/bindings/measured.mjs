// Runs the command in each line of its input, and prints its duration in microseconds.
import { createInterface } from 'node:readline'
import tagwarden from '../../../crates/node/index.js'

const { MemoryLedger, OciRegistry, Promoter, Provenance, openLedger } = tagwarden
const [host, logs] = process.argv.slice(2)
const [repository, registry] = [`${host}/node`, new OciRegistry()]
const [channel, onDisk] = [`${repository}:prod`, Array.from({ length: 100 }, (_, number) => `${host}/logs:at-${number}`)]
const provenance = Provenance.of({ provider: 'manual', runId: 'bench', actor: 'bench' })
const moves = new Promoter(registry, new MemoryLedger())
const reads = new Promoter(registry, await openLedger(logs))
await moves.bootstrap(channel, { source: `${repository}:1`, provenance })
let live = 1
const inTurn = async (call) => {
  for (let calls = 0; calls < 100; calls++) await call()
}

const acts = {
  promote: () => moves.promote(channel, `${repository}:${(live = 3 - live)}`, { provenance }),
  previous: () => inTurn(() => moves.previous(channel)),
  current: () => inTurn(() => moves.current(channel)),
  currents: () => Promise.all(onDisk.map((channel) => reads.current(channel))),
  in_turn: async () => {
    for (const channel of onDisk) await reads.current(channel)
  },
}
for await (const line of createInterface({ input: process.stdin })) {
  const begun = performance.now()
  await acts[line]()
  console.log((performance.now() - begun) * 1e3)
}
