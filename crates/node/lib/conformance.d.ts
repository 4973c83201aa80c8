import type { Ledger } from './ledger.js'
import type { Manifest, Registry, Signal } from './registry.js'

/** A law that a backend broke. */
export interface Violation {
  /** The name of the law; the core's documentation says what each demands. */
  law: string
  /** What was seen, and what should have been. */
  seen: string
}

/** What an image or an index names: its blobs, the children of an index with theirs. */
export interface Parts {
  blobs: Buffer[]
  children: (Parts & { manifest: Manifest & { digest: string } })[]
}

/** What the laws need of a registry under test. */
export interface RegistryFixture {
  registry: Registry
  /** Where the laws may write: each takes a repository of its own below it. */
  repository: string
  /** Stores what a manifest names, by whatever way there is (blobs are not in the port). Not the manifest itself. */
  storeParts(repository: string, parts: Parts): Promise<void> | void
  /** The same registry where every answer fails, and a repository to ask it for. */
  broken: { registry: Registry; repository: string }
  /** How long a read may lag behind a put, in milliseconds. 0 by default. */
  lag?: number
}

/** The laws of both ports. They write to the store that they are given, under names of their own. */
export declare const conformance: {
  /** Every law that a registry broke; none, if it keeps them all. */
  registry(fixture: RegistryFixture, options?: Signal): Promise<Violation[]>
  /**
   * The first law that a ledger broke. `open` opens it as a process would that has just started; a ledger that does not
   * outlive its process gives out the same one again.
   */
  ledger(open: () => Promise<Ledger> | Ledger, options?: Signal): Promise<Violation[]>
}
