import type { Digest, Reference, Repository, Tag, Timestamp } from './value.js'

/** The option that aborts a call. */
export interface Signal {
  /** The call rejects with the signal's reason. A move that may have begun is completed nevertheless. */
  signal?: AbortSignal
}

/** A manifest: its exact bytes and the media type it is served with. */
export interface Manifest {
  bytes: Uint8Array
  mediaType: string
}

/** A manifest that the core gives. */
export interface GivenManifest extends Manifest {
  /** The SHA-256 of its bytes. */
  digest: string
  bytes: Buffer
}

/**
 * The store of manifests and of the tags that point at them. `null` and `false` mean proven absent; a failure to read is an
 * exception: REGISTRY_UNAVAILABLE, or the code of a TagwardenError that begins with
 * `REGISTRY_` or `MANIFEST_`. The exception is the cause of the promoter's error.
 */
export interface Registry {
  /** The digest that a tag points at. */
  resolve(repository: string, tag: string): Promise<string | null> | string | null
  /** The manifest of `repository:tag` or `repository@digest`. */
  fetch(reference: string): Promise<Manifest | null> | Manifest | null
  /**
   * Points a tag at a manifest, and gives up after `timeoutMs` milliseconds. An exception means that the result is unknown,
   * unless it is a TagwardenError REGISTRY_REFUSED or REGISTRY_DENIED: then nothing was moved and nothing will land.
   */
  put(repository: string, tag: string, manifest: GivenManifest, options: { timeoutMs: number }): Promise<void> | void
  /** All tags of a repository, in no order. */
  tags(repository: string): Promise<string[]> | string[]
  /** True if the blob exists, false if it is proven absent. */
  hasBlob(repository: string, digest: string): Promise<boolean> | boolean
  /** The longest that one call may take, in milliseconds; a put has its own. 30,000 by default. */
  timeoutMs?: number
}

/** The calls of a registry that the core implements. */
export interface NativeRegistry extends Registry {
  resolve(repository: Repository | string, tag: Tag | string, options?: Signal): Promise<string | null>
  fetch(reference: Reference | string, options?: Signal): Promise<GivenManifest | null>
  /** `timeoutMs` is 15,000 ms by default. */
  put(
    repository: Repository | string,
    tag: Tag | string,
    manifest: Manifest,
    options?: Signal & { timeoutMs?: number },
  ): Promise<void>
  tags(repository: Repository | string, options?: Signal): Promise<string[]>
  hasBlob(repository: Repository | string, digest: Digest | string, options?: Signal): Promise<boolean>
}

/** A login for a registry. `{}` is no login. No error shows it. */
export type Credentials =
  | { user: string; password: string }
  | { identityToken: string }
  | { registryToken: string }
  | Record<string, never>

/** The options of an `OciRegistry`. Times are in milliseconds. */
export interface OciOptions {
  /** By `host[:port]`; they take precedence over those that are looked up. */
  credentials?: Record<string, Credentials>
  /** Where credentials are looked up when a registry asks for them: `environmentThenDocker` by default. */
  lookup?: 'nowhere' | 'environment' | 'docker' | 'environmentThenDocker'
  /** By default `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
  dockerConfig?: string
  /** Roots to trust besides the platform's own: the text of a PEM file. */
  caPem?: string
  /** By `host[:port]`. By default HTTP for loopback and HTTPS for all others. */
  schemes?: Record<string, 'http' | 'https'>
  /** Token servers that registries may name on another site, `host[:port]`. */
  realms?: string[]
  /** The access of tokens: `pullPush` by default; `pull` is enough to audit. */
  access?: 'pull' | 'pullPush'
  /** 5,000 by default. */
  connectTimeoutMs?: number
  /** 15,000 by default. */
  idleTimeoutMs?: number
  /** The longest that a read may take, with token, retries and body. 30,000 by default. */
  totalTimeoutMs?: number
  /** 300,000 by default. */
  uploadTimeoutMs?: number
  /** How often a read is tried again. 5 by default. */
  retries?: number
  /** The longest `Retry-After` to wait for. 10,000 by default. */
  maxRetryAfterMs?: number
}

/** Every OCI registry, each reached by the host in a repository. CONFIG_INVALID for options that contradict each other. */
export declare class OciRegistry {
  constructor(options?: OciOptions)
  private readonly oci: true
}
export interface OciRegistry extends NativeRegistry {}
