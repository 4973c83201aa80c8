import type { Ledger } from './ledger.js'
import type { GivenManifest, Registry, Signal } from './registry.js'
import type { Repository } from './value.js'

/** A requirement that a backend broke. */
export interface Failure {
  /** The name of the requirement; the core's documentation says what each demands. */
  requirement: string
  /** The wrong behaviour, and the right one. */
  seen: string
}

/** A registry under test, prepared for the requirements. */
export interface RegistryHarness extends Signal {
  /** The same adapter, but every call of it fails. */
  broken: Registry
  /** Where the requirements may write: each takes a new repository below it. */
  repository: Repository | string
  /** Stores blobs and manifests by digest, around the port, which cannot store blobs. */
  store(repository: string, parts: { blobs: Buffer[]; manifests: GivenManifest[] }): Promise<void> | void
  /** How many milliseconds after a change a read may still answer the old value of a tag. 0 by default. */
  lagMs?: number
}

/** The contract tests of both ports. They write to the given store, under names of their own. */
export declare const conformance: {
  /** Every requirement that the registry broke; empty if it meets all of them. */
  registry(registry: Registry, fixture: RegistryHarness): Promise<Failure[]>
  /**
   * The first requirement that the ledger broke; empty if it meets all of them. `open` opens it as a new process does; for a
   * ledger in memory it returns the same object again.
   */
  ledger(open: () => Promise<Ledger> | Ledger, options?: Signal): Promise<Failure[]>
}
