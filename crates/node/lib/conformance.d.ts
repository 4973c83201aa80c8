import type { Ledger } from './ledger.js'
import type { GivenManifest, Registry, Signal } from './registry.js'
import type { Repository } from './value.js'

/** A law that a backend broke. */
export interface Violation {
  /** The name of the law; the core's documentation says what each demands. */
  law: string
  /** What was seen, and what should have been. */
  seen: string
}

/** What the laws need of a registry under test. */
export interface RegistryFixture extends Signal {
  /** The same adapter where every answer fails. */
  broken: Registry
  /** Where the laws may write: each takes a new repository below it. */
  repository: Repository | string
  /** Stores blobs and manifests by digest, by whatever way there is: blobs are not in the port. */
  store(repository: string, parts: { blobs: Buffer[]; manifests: GivenManifest[] }): Promise<void> | void
  /** How many milliseconds after its end a value of a tag may still be read. 0 by default. */
  lagMs?: number
}

/** The laws of both ports. They write to the store that they are given, under names of their own. */
export declare const conformance: {
  /** Every law that a registry broke; none, if it keeps them all. */
  registry(registry: Registry, fixture: RegistryFixture): Promise<Violation[]>
  /**
   * The first law that a ledger broke. `open` opens it as a process would that has just started; a ledger that does not
   * outlive its process gives out the same one again.
   */
  ledger(open: () => Promise<Ledger> | Ledger, options?: Signal): Promise<Violation[]>
}
