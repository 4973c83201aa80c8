import type { GivenManifest, OciRegistry, Signal } from './registry.js'
import type { Repository, Tag, Timestamp } from './value.js'

/** The origin of a directory of Kubernetes manifests, and the files of it to pack. */
export interface PackOptions extends Signal {
  /** The URL of the source repository; a user or password in it is left out. By default git's remote `origin`, else the CI's. */
  source?: string
  /**
   * `branch@sha1:<40 hex>`: the branch or tag, and its whole commit. By default git's branch (else the CI's branch or tag, else
   * a tag of the commit) and commit; outside of a git repository the CI's.
   */
  revision?: string
  /**
   * When the content was made, written in whole seconds; releases are put in order by it. By default the time in
   * SOURCE_DATE_EPOCH, else that of the commit, else now.
   */
  created?: Date | Timestamp | string
  /**
   * Patterns of paths to leave out, as in a `.gitignore`. By default those of `flux push artifact`: `.git/`, `.gitignore`,
   * `.gitmodules`, `.gitattributes`, `*.jpg`, `*.jpeg`, `*.gif`, `*.png`, `*.wmv`, `*.flv`, `*.tar.gz`, `*.zip`; patterns of
   * your own replace these.
   */
  ignorePaths?: readonly string[]
  /** Paths inside the directory that are always packed, even if a pattern matches them. By default none. */
  include?: readonly string[]
}

/** A directory packed as Flux consumes it. */
export declare class Artifact {
  private constructor()
  readonly manifest: GivenManifest
  /** Its config and its layer. */
  readonly blobs: readonly Buffer[]
  /** The digest of the manifest. */
  readonly digest: string
  /** The paths inside the directory that were left out; a directory as a whole, with `/` at its end. */
  readonly leftOut: readonly string[]
  /** Warnings for people: the directory differs from its commit, or `created` is the clock's time. */
  readonly warnings: readonly string[]
}

/**
 * Packs a directory as an artifact that Flux consumes. The same files, source, revision and time give the same digest.
 *
 * Also left out are the paths that a `.sourceignore` matches, in its directory and below; and, unless `include` names them,
 * `.env` and `.env.*`, private keys (by their name or their content), `*.pem`, `.git`, `.hg`, `.svn` and `.jj`.
 *
 * SOURCE_INVALID for a file that cannot be packed; VALUE_INVALID for an invalid option, or if neither git nor a CI names the
 * source or the revision.
 */
export declare function packArtifact(directory: string, options?: PackOptions): Promise<Artifact>

/**
 * Pushes an artifact and points a version tag at it. Returns the digest that was read back. Safe to repeat. REGISTRY_REFUSED if
 * the tag points at another digest: a version tag never moves.
 */
export declare function pushArtifact(
  artifact: Artifact,
  registry: OciRegistry,
  repository: Repository | string,
  tag: Tag | string,
  options?: Signal,
): Promise<string>
