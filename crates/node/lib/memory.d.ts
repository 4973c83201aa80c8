import type { Manifest, NativeRegistry, Signal } from './registry.js'
import type { Repository, Tag } from './value.js'

/** What happens to a put. Times are in milliseconds. */
export type Fault =
  /** Nothing: it stands for its place in the order. */
  | 'pass'
  /** It fails before anything is applied, and the caller cannot know. */
  | 'before'
  /** It is applied, and the answer is lost. */
  | 'after'
  /** The registry refuses, and nothing moves. */
  | 'refused'
  /** The registry does not accept the credentials, and nothing moves. */
  | 'denied'
  /** The answer is lost, and the tag is gone. */
  | 'gone'
  /** It is answered as applied, and nothing was. */
  | 'ignored'
  /** `late`: the answer is lost, and it lands after this time. `twice`: it lands once more. `slow`: it takes this long. */
  | { fault: 'late' | 'twice' | 'slow'; ms: number }
  /** It is applied, and this many of the next reads of the tag still see what was there before. */
  | { fault: 'stale'; reads: number }

/** A registry in memory, for tests. What is done to it here goes around its port, as a foreign writer would. */
export interface MemoryRegistry extends NativeRegistry {}
export declare class MemoryRegistry {
  constructor()
  /** Pushes the small valid image of this number, from 0, and points `tag` at it. The same number, the same digest. */
  pushImage(repository: Repository | string, tag: Tag | string, number: number): string
  /** Points `tag` at a manifest and stores it, unchecked. Its digest. */
  push(repository: Repository | string, tag: Tag | string, manifest: Manifest): string
  /** Takes a tag away. False if it was not there. */
  deleteTag(repository: Repository | string, tag: Tag | string): boolean
  /** The next puts meet these faults, in order, one each; pins are puts, too. */
  script(faults: Fault[]): void
  /** How many scripted faults no put has met yet. */
  readonly faultsLeft: number
  /** What a tag points at now. */
  peek(repository: Repository | string, tag: Tag | string): string | null
}

/** An OCI registry over HTTP on a free port of 127.0.0.1, in this process, for tests. Close it, or `await using` it. */
export declare class TestRegistry {
  private constructor()
  /** Starts one: open to everybody, or behind Basic authentication, or behind tokens of its own where `token` is true. */
  static start(options?: Signal & { user?: string; password?: string; token?: boolean }): Promise<TestRegistry>
  /** `127.0.0.1:PORT`, the host of its repositories. */
  readonly host: string
  /** What it serves; scripted faults come through. */
  readonly memory: MemoryRegistry
  /** Every request so far. */
  requests(): { method: string; path: string; status: number | null }[]
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
