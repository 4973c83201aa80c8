import type { Manifest, NativeRegistry } from './registry.js'
import type { Repository, Tag } from './value.js'

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
  /** What a tag points at now. */
  peek(repository: Repository | string, tag: Tag | string): string | null
}
