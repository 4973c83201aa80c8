import type { Ledger } from './ledger.js'
import type { GivenManifest, Registry, Signal } from './registry.js'
import type { Repository } from './value.js'

/** A requirement that a backend broke. */
export interface Failure {
  /** The name of the requirement; the core's documentation says what each demands. */
  requirement: string
  /** What was seen, and what should have been. */
  seen: string
}

/** What the requirements need of a registry under test. */
export interface RegistryHarness extends Signal {
  /** The same adapter where every answer fails. */
  broken: Registry
  /** Where the requirements may write: each takes a new repository below it. */
  repository: Repository | string
  /** Stores blobs and manifests by digest, by whatever way there is: blobs are not in the port. */
  store(repository: string, parts: { blobs: Buffer[]; manifests: GivenManifest[] }): Promise<void> | void
  /** How many milliseconds after its end a value of a tag may still be read. 0 by default. */
  lagMs?: number
}

/** The requirements of both ports. They write to the store that they are given, under names of their own. */
export declare const conformance: {
  /** Every requirement that a registry broke; none, if it keeps them all. */
  registry(registry: Registry, fixture: RegistryHarness): Promise<Failure[]>
  /**
   * The first requirement that a ledger broke. `open` opens it as a process would that has just started; a ledger that does not
   * outlive its process gives out the same one again.
   */
  ledger(open: () => Promise<Ledger> | Ledger, options?: Signal): Promise<Failure[]>
}
