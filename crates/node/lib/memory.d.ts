import type { GivenManifest, Manifest, NativeRegistry, Signal } from './registry.js'
import type { Digest, Repository, Tag } from './value.js'

/** What happens to a put. Times are in milliseconds. */
export type InjectedFault =
  /** Nothing: it stands for its place in the order. */
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
  /** It is applied, and this many of the next reads of the tag still see what was there before. */
  | { fault: 'stale'; reads: number }
  /** A foreign writer moves the tag to this manifest just before or after the put lands. */
  | { fault: 'foreignBefore' | 'foreignAfter'; manifest: Manifest }

/** An error of a registry: a code, a status from 400 to 499 (by default the one that vendors answer with the code), or both. */
export type RegistryWords = ({ code: string; status?: number } | { code?: string; status: number }) & { message?: string }

/** What happens to a read. Times are in milliseconds. */
export type ReadFault =
  /** Nothing: it stands for its place in the order. */
  | 'pass'
  /** REGISTRY_UNAVAILABLE, REGISTRY_BUSY, REGISTRY_DENIED. */
  | 'unavailable' | 'busy' | 'denied'
  /** A fetch gets other bytes than it asked for: REGISTRY_DIGEST_MISMATCH. */
  | 'digestMismatch'
  /** It sees what was there before the tag's last change. */
  | 'stale'
  /** It sees what the tag had this many changes ago: 0 is what is there; more than it had is *absent*. */
  | { fault: 'past'; changes: number }
  /** It lags this far behind, as every read does after `MemoryRegistry.lag`. */
  | { fault: 'lag'; windowMs: number }
  /** The answer was true when the read arrived, and comes after this time. */
  | { fault: 'slow'; timeMs: number }
  /** A foreign writer moves the tag to this manifest just before or after. */
  | { fault: 'foreignBefore' | 'foreignAfter'; manifest: Manifest }
  /** A foreign writer deletes this manifest, and every tag on it, just after. */
  | { fault: 'deletedAfter'; digest: Digest | string }

/** What happens to a request over HTTP. Times are in milliseconds. */
export type HttpFault =
  /** Nothing: it stands for its place in the order. */
  | 'pass'
  /** The body is cut, the connection is closed (before or after the request was done), or nothing is ever answered. */
  | 'cutBody' | 'closed' | 'closedAfter' | 'silent' | 'silentAfter'
  /** `Docker-Content-Digest` is wrong, or missing. */
  | 'wrongDigest' | 'noDigest'
  /** A 429, with `Retry-After` if `seconds` are given. */
  | 'busy'
  | { fault: 'busy'; seconds: number }
  /** This status instead of the request, after it, or with a page of HTML. */
  | { fault: 'status' | 'statusAfter' | 'html'; status: number }
  | { fault: 'redirect'; status: number; location: string }
  /** `slow`: it waits this long. `trickle`: so long between the bytes of its body. */
  | { fault: 'slow' | 'trickle'; timeMs: number }

/** One call of a registry's port. */
export type Call =
  | { call: 'resolve'; repository: string; tag: string }
  | { call: 'fetch'; reference: string }
  | { call: 'put'; repository: string; tag: string; digest: string }
  | { call: 'tags'; repository: string }
  | { call: 'has_blob'; repository: string; digest: string }

/** A registry in memory, for tests. What is done to it here goes around its port: it is no call and meets no fault. */
export interface MemoryRegistry extends NativeRegistry {}
export declare class MemoryRegistry {
  constructor()
  /** Points `tag` at a manifest and stores it, unchecked. Its digest. */
  push(repository: Repository | string, tag: Tag | string, manifest: Manifest): string
  /** Pushes the small valid image of this number, from 0, with all that it names. The same number, the same bytes. */
  pushImage(repository: Repository | string, tag: Tag | string, number: number): GivenManifest
  /** Stores a blob. Its digest. */
  storeBlob(repository: Repository | string, bytes: Uint8Array): string
  /** A write around the ledger: what the tag pointed at before. */
  overwrite(repository: Repository | string, tag: Tag | string, manifest: Manifest): string | null
  /** Takes a tag, a manifest with every tag on it, or a blob away. False if it was not there. */
  deleteTag(repository: Repository | string, tag: Tag | string): boolean
  deleteManifest(repository: Repository | string, digest: Digest | string): boolean
  deleteBlob(repository: Repository | string, digest: Digest | string): boolean
  /** What a tag points at now. */
  peek(repository: Repository | string, tag: Tag | string): string | null
  /** True if the manifest is there. */
  holds(repository: Repository | string, digest: Digest | string): boolean
  /**
   * A policy hides this manifest: a resolve of a tag that points at it, and a fetch of it, is answered so. Everything else can
   * be read, and puts are not touched. It is REGISTRY_DENIED for 401 and 403, REGISTRY_BUSY for 429, else REGISTRY_UNAVAILABLE.
   */
  hide(repository: Repository | string, digest: Digest | string, words: RegistryWords): void
  /** The policy hides it no longer. False if it did not. */
  unhide(repository: Repository | string, digest: Digest | string): boolean
  /** The next puts (of this tag, if one is given) meet these faults, in order, one each; pins are puts, too. */
  script(faults: InjectedFault[], options?: { tag?: Tag | string }): void
  /** The next reads (or resolves of this tag) meet these faults, in order, one each. */
  scriptReads(faults: ReadFault[], options?: { tag?: Tag | string }): void
  /**
   * From now on a read of a tag answers any value, a digest or *absent*, that the tag had within so many milliseconds: in any
   * order, each as likely as the others. 0 at first, and ends it. The draws come from a fixed seed, or from that of `chaos`.
   * Fetches by digest, blobs and lists of tags do not lag.
   */
  lag(windowMs: number): void
  /**
   * Random faults from a seed for `percent` of the calls that no scripted fault waits for. `latencyMs` is the longest that a
   * call is slow, `lagMs` how long after a change a stale read may see what was before, in milliseconds. `lag` makes every read
   * lag, over more than one value.
   */
  chaos(seed: number, percent: number, options?: { latencyMs?: number; lagMs?: number }): void
  /** Ends chaos, and forgets the faults that no call has met. Reads lag as before; `lag(0)` ends that. */
  calm(): void
  /** Each call takes so many milliseconds from now on. */
  latency(latencyMs: number): void
  /** How many scripted faults no call has met yet. */
  faultsLeft(): number
  /** Every call of the port so far. */
  calls(): Call[]
  clearCalls(): void
  /** Every change of a tag so far, by whomever; `digest` is null where the tag was taken away. */
  changes(): { repository: string; tag: string; digest: string | null }[]
}

/** An OCI registry over HTTP on a free port of 127.0.0.1, in this process, for tests. Close it, or `await using` it. */
export declare class TestRegistry {
  private constructor()
  /** Starts one: open to everybody, or as `demand` says. */
  static start(options?: Signal & Demand): Promise<TestRegistry>
  /** `127.0.0.1:PORT`, the host of its repositories. */
  readonly host: string
  /** What it serves; its scripted faults come through. */
  readonly memory: MemoryRegistry
  /** A repository of it. */
  repository(path: string): string
  /** From now on it asks for this login, as Basic authentication or for tokens of its own; for nothing without one. */
  demand(login?: Demand): void
  /** The next requests (of a method, whose path ends so) meet these faults, in order, one each. */
  scriptHttp(faults: HttpFault[], options?: { method?: string; path?: string }): void
  /** Forgets the faults of requests that are still to come. */
  calm(): void
  /** How many faults no request has met yet. */
  faultsLeft(): number
  /** Each request waits so many milliseconds from now on. */
  latency(latencyMs: number): void
  /** Ends every token that was given. */
  endTokens(): void
  /** Every request so far. */
  requests(): { method: string; path: string; status: number | null }[]
  clearRequests(): void
  /** Stops it and frees the port. Doing it again is no error. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A login that a registry demands; with tokens of its own where `token` is true. */
export interface Demand {
  user?: string
  password?: string
  token?: boolean
}
