import type { GivenManifest, OciRegistry, Signal } from './registry.js'
import type { Repository, Tag, Timestamp } from './value.js'

/** Where a directory of Kubernetes manifests comes from, and what of it is packed. */
export interface PackOptions extends Signal {
  /** The URL of the source repository; a user or password in it is left out. By default git's remote `origin`, else the CI's. */
  source?: string
  /**
   * `branch@sha1:<40 hex>`: the branch or tag, and its whole commit. By default git's branch (else the CI's branch or tag, else
   * a tag of the commit) and commit; outside of a git repository the CI's.
   */
  revision?: string
  /**
   * When the content was made, written in whole seconds; releases are put in order by it. By default what SOURCE_DATE_EPOCH
   * says, else the time of the commit, else now.
   */
  created?: Date | Timestamp | string
  /**
   * Patterns of what is left out, as in a `.gitignore`. By default those of `flux push artifact`: `.git/`, `.gitignore`,
   * `.gitmodules`, `.gitattributes`, `*.jpg`, `*.jpeg`, `*.gif`, `*.png`, `*.wmv`, `*.flv`, `*.tar.gz`, `*.zip`; what is given
   * takes their place.
   */
  ignorePaths?: readonly string[]
  /** Paths inside the directory that are packed whatever would leave them out. By default none. */
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
  /** What a person should know: the directory is not as its commit says, or `created` is the clock's time. */
  readonly warnings: readonly string[]
}

/**
 * Packs a directory as an artifact that Flux consumes. The same files, source, revision and time give the same digest.
 *
 * Left out besides what `ignorePaths` says: what a `.sourceignore` matches, in its directory and below; and what `include` does
 * not name of `.env` and `.env.*`, private keys (by their name or their content), `*.pem`, `.git`, `.hg`, `.svn` and `.jj`.
 *
 * SOURCE_INVALID for what cannot be packed; VALUE_INVALID, also if neither git nor a CI says the source or the revision.
 */
export declare function packArtifact(directory: string, options?: PackOptions): Promise<Artifact>

/**
 * Pushes an artifact and points a version tag at it, which never moves: REGISTRY_REFUSED if it points at something else;
 * the same artifact again is no error. The digest that was read back.
 */
export declare function pushArtifact(
  artifact: Artifact,
  registry: OciRegistry,
  repository: Repository | string,
  tag: Tag | string,
  options?: Signal,
): Promise<string>
