import type { GivenManifest, Manifest, NativeRegistry, Signal } from './registry.js'
import type { Digest, Repository, Tag } from './value.js'

/** A fault of one put. Times are in milliseconds. */
export type InjectedFault =
  /** No fault; it takes one place in the order. */
  | 'pass'
  /** It fails before anything is applied, and the caller cannot know. */
  | 'before'
  /** It is applied, and the answer is lost. */
  | 'after'
  /** The registry does not accept the credentials, and nothing moves. */
  | 'denied'
  /** The answer is lost, and the tag is gone. */
  | 'gone'
  /** It is answered as applied, and nothing was. */
  | 'ignored'
  /** The registry refuses in these words, and nothing moves. */
  | ({ fault: 'refused' } & RegistryWords)
  /** `late`: the answer is lost, and it lands after this time. `twice`: it lands once more. `slow`: it takes this long. */
  | { fault: 'late' | 'twice' | 'slow'; timeMs: number }
  /** It is applied, and this many of the next reads of the tag still answer the value before it. */
  | { fault: 'stale'; reads: number }
  /** A foreign writer moves the tag to this manifest just before or after the put lands. */
  | { fault: 'foreignBefore' | 'foreignAfter'; manifest: Manifest }

/** An error of a registry: a code, a status from 400 to 499 (by default the one that vendors answer with the code), or both. */
export type RegistryWords = ({ code: string; status?: number } | { code?: string; status: number }) & { message?: string }

/** A fault of one read. Times are in milliseconds. */
export type ReadFault =
  /** No fault; it takes one place in the order. */
  | 'pass'
  /** REGISTRY_UNAVAILABLE, REGISTRY_BUSY, REGISTRY_DENIED. */
  | 'unavailable' | 'busy' | 'denied'
  /** A fetch gets other bytes than it asked for: REGISTRY_DIGEST_MISMATCH. */
  | 'digestMismatch'
  /** It answers the tag's value before the last change. */
  | 'stale'
  /** It answers the tag's value of this many changes ago: 0 is the value now, more than there were is *absent*. */
  | { fault: 'past'; changes: number }
  /** It lags this far behind, as every read does after `MemoryRegistry.lag`. */
  | { fault: 'lag'; windowMs: number }
  /** It answers the value at the time of the request, after this delay. */
  | { fault: 'slow'; timeMs: number }
  /** A foreign writer moves the tag to this manifest just before or after. */
  | { fault: 'foreignBefore' | 'foreignAfter'; manifest: Manifest }
  /** A foreign writer deletes this manifest, and every tag on it, just after. */
  | { fault: 'deletedAfter'; digest: Digest | string }

/** A fault of one HTTP request. Times are in milliseconds. */
export type HttpFault =
  /** No fault; it takes one place in the order. */
  | 'pass'
  /** The body is cut, the connection is closed (before or after the request was processed), or there is never an answer. */
  | 'cutBody' | 'closed' | 'closedAfter' | 'silent' | 'silentAfter'
  /** `Docker-Content-Digest` is wrong, or missing. */
  | 'wrongDigest' | 'noDigest'
  /** A 429, with `Retry-After` if `seconds` are given. */
  | 'busy'
  | { fault: 'busy'; seconds: number }
  /** This status instead of the request, after it, or with a page of HTML. */
  | { fault: 'status' | 'statusAfter' | 'html'; status: number }
  | { fault: 'redirect'; status: number; location: string }
  /** `slow`: the delay of the answer. `trickle`: the delay between the bytes of its body. */
  | { fault: 'slow' | 'trickle'; timeMs: number }

/** One call of a registry's port. */
export type Call =
  | { call: 'resolve'; repository: string; tag: string }
  | { call: 'fetch'; reference: string }
  | { call: 'put'; repository: string; tag: string; digest: string }
  | { call: 'tags'; repository: string }
  | { call: 'has_blob'; repository: string; digest: string }

/** A registry in memory, for tests. These methods bypass its port: `calls` does not list them, and no fault applies to them. */
export interface MemoryRegistry extends NativeRegistry {}
export declare class MemoryRegistry {
  constructor()
  /** Points `tag` at a manifest and stores it, unchecked. Returns its digest. */
  push(repository: Repository | string, tag: Tag | string, manifest: Manifest): string
  /** Pushes a small valid image with its config and layers. Equal numbers, from 0, give equal bytes. */
  pushImage(repository: Repository | string, tag: Tag | string, number: number): GivenManifest
  /** Stores a blob. Returns its digest. */
  storeBlob(repository: Repository | string, bytes: Uint8Array): string
  /** Moves a tag around the ledger. Returns the digest that it pointed at before, or null. */
  overwrite(repository: Repository | string, tag: Tag | string, manifest: Manifest): string | null
  /** Deletes a tag, a manifest with every tag on it, or a blob. False if it did not exist. */
  deleteTag(repository: Repository | string, tag: Tag | string): boolean
  deleteManifest(repository: Repository | string, digest: Digest | string): boolean
  deleteBlob(repository: Repository | string, digest: Digest | string): boolean
  /** The digest that a tag points at now. */
  peek(repository: Repository | string, tag: Tag | string): string | null
  /** True if the repository has the manifest. */
  holds(repository: Repository | string, digest: Digest | string): boolean
  /**
   * Hides this manifest: a resolve of a tag that points at it, and a fetch of it, fail with these words. Other reads and all
   * puts work as before. The error is REGISTRY_DENIED for 401 and 403, REGISTRY_BUSY for 429, else REGISTRY_UNAVAILABLE.
   */
  hide(repository: Repository | string, digest: Digest | string, words: RegistryWords): void
  /** Ends `hide`. False if the manifest was not hidden. */
  unhide(repository: Repository | string, digest: Digest | string): boolean
  /** The next puts (of this tag, if one is given) meet these faults, in order, one each; pins are puts, too. */
  script(faults: InjectedFault[], options?: { tag?: Tag | string }): void
  /** The next reads (or resolves of this tag) meet these faults, in order, one each. */
  scriptReads(faults: ReadFault[], options?: { tag?: Tag | string }): void
  /**
   * From now on a read of a tag answers any value, a digest or *absent*, that the tag had within this many milliseconds: in any
   * order, all equally likely. 0 is the initial value, and ends the lag. The random numbers have a fixed seed, or that of
   * `chaos`. Fetches by digest, blobs and lists of tags do not lag.
   */
  lag(windowMs: number): void
  /**
   * Injects random faults from a seed into `percent` of the calls that meet no scripted fault. `latencyMs` is the longest delay
   * of a call, `lagMs` how long after a change a stale read may answer the value before. `lag` makes every read lag, over more
   * than one value.
   */
  chaos(seed: number, percent: number, options?: { latencyMs?: number; lagMs?: number }): void
  /** Ends chaos, and drops the scripted faults that no call has met. `lag` stays; `lag(0)` ends it. */
  calm(): void
  /** Delays each call by this many milliseconds from now on. */
  latency(latencyMs: number): void
  /** The number of scripted faults that no call has met yet. */
  faultsLeft(): number
  /** Every call of the port so far. */
  calls(): Call[]
  clearCalls(): void
  /** Every change of a tag so far, by any writer; `digest` is null if the tag was deleted. */
  changes(): { repository: string; tag: string; digest: string | null }[]
}

/** An OCI registry over HTTP on a free port of 127.0.0.1, in this process, for tests. Call `close`, or use `await using`. */
export declare class TestRegistry {
  private constructor()
  /** Starts a registry without a login, or with the one of `demand`. */
  static start(options?: Signal & Demand): Promise<TestRegistry>
  /** `127.0.0.1:PORT`, the host of its repositories. */
  readonly host: string
  /** The registry that it serves, with its scripted faults. */
  readonly memory: MemoryRegistry
  /** A repository of it. */
  repository(path: string): string
  /** Demands this login from now on, as Basic authentication or for its own tokens; without an argument it demands none. */
  demand(login?: Demand): void
  /** The next requests, of this method and with this end of their path if given, meet these faults, in order, one each. */
  scriptHttp(faults: HttpFault[], options?: { method?: string; path?: string }): void
  /** Drops the scripted faults that no request has met. */
  calm(): void
  /** The number of scripted faults that no request has met yet. */
  faultsLeft(): number
  /** Delays each request by this many milliseconds from now on. */
  latency(latencyMs: number): void
  /** Invalidates every token that it issued. */
  endTokens(): void
  /** Every request so far. */
  requests(): { method: string; path: string; status: number | null }[]
  clearRequests(): void
  /** Stops it and frees the port. Safe to repeat. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A login that a registry demands: by Basic authentication, or with its own tokens if `token` is true. */
export interface Demand {
  user?: string
  password?: string
  token?: boolean
}
