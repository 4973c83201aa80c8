import type { GivenManifest, OciRegistry, Signal } from './registry.js'
import type { Repository, Tag, Timestamp } from './value.js'

/** Where a directory of Kubernetes manifests comes from. The same directory from there gives the same digest. */
export interface ArtifactSource extends Signal {
  /** The URL of the source repository. */
  source: string
  /** `branch@sha1:<40 hex>`: the branch or tag, and its whole commit. */
  revision: string
  /** When the content was made, such as the time of the commit. */
  created: Date | Timestamp | string
}

/** A directory packed as Flux consumes it. */
export declare class Artifact {
  private constructor()
  readonly manifest: GivenManifest
  /** Its config and its layer. */
  readonly blobs: readonly Buffer[]
  /** The digest of the manifest. */
  readonly digest: string
}

/** Packs a directory as an artifact that Flux consumes. SOURCE_INVALID for what cannot be packed, VALUE_INVALID. */
export declare function packArtifact(directory: string, options: ArtifactSource): Promise<Artifact>

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
