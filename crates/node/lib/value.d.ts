/**
 * Values, parsed by the core: an invalid one cannot exist. A constructor throws a TagwardenError VALUE_INVALID that
 * says what, why and at which byte. Every function that takes a value also takes its text.
 */
interface Value {
  /** True for the same kind of value with the same text. */
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** The digest of some bytes: `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. */
export declare class Digest implements Value {
  constructor(text: string)
  static parse(text: string | Digest): Digest
  /** The SHA-256 of these bytes. */
  static of(bytes: Uint8Array): Digest
  readonly algorithm: 'sha256' | 'sha512'
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** `registry/path`, such as `registry.example.com/acme/shop`. No default host. */
export declare class Repository implements Value {
  constructor(text: string)
  static parse(text: string | Repository): Repository
  /** `host` or `host:port`. */
  readonly registry: string
  readonly path: string
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** A tag: 1 to 128 characters of `[A-Za-z0-9_.-]`, not beginning with `.` or `-`. */
export declare class Tag implements Value {
  constructor(text: string)
  static parse(text: string | Tag): Tag
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** `repository:tag` or `repository@digest`. */
export declare class Reference implements Value {
  constructor(text: string)
  static parse(text: string | Reference): Reference
  readonly repository: string
  readonly tag?: string
  readonly digest?: string
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** A tag that is moved, with its repository and registry, as in `registry.example.com/acme/shop:prod`. */
export declare class Channel implements Value {
  constructor(text: string)
  static parse(text: string | Channel): Channel
  readonly repository: string
  readonly tag: string
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** The name of an environment: lower-case letters, digits and inner dashes. */
export declare class Environment implements Value {
  constructor(text: string)
  static parse(text: string | Environment): Environment
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** An idempotency key: a line of 1 to 128 characters. */
export declare class IdempotencyKey implements Value {
  constructor(text: string)
  static parse(text: string | IdempotencyKey): IdempotencyKey
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** A source commit: 7 to 64 lower-case hex digits. */
export declare class Commit implements Value {
  constructor(text: string)
  static parse(text: string | Commit): Commit
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** The label of a release: a line of 1 to 128 characters. */
export declare class ReleaseLabel implements Value {
  constructor(text: string)
  static parse(text: string | ReleaseLabel): ReleaseLabel
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** A time in UTC with milliseconds, written as in RFC 3339. */
export declare class Timestamp implements Value {
  constructor(text: string)
  static parse(text: string | Timestamp): Timestamp
  toDate(): Date
  equals(other: unknown): boolean
  toString(): string
  toJSON(): string
}

/** Who moves a channel, in which pipeline run, for which commit and release. */
export interface Provenance {
  pipeline: {
    provider: string
    run_id: string
    attempt?: number
    url?: string
    workflow?: string
    job?: { id: string; name?: string }
  }
  actor: { id: string; kind: 'human' | 'workload' }
  repository_url?: string
  commit?: string
  release?: string
}

/** The parts of a provenance, as they are given. */
export interface ProvenanceParts {
  /** The CI system of the pipeline; `manual` if none is given and no CI is found. */
  provider?: string
  runId?: string
  /** Which attempt of the run, from 1. */
  attempt?: number
  /** Where people can read about the run. A user or password in it is left out. */
  url?: string
  /** The provider's name of the pipeline. */
  workflow?: string
  /** The job of the run, and its name for people. */
  jobId?: string
  jobName?: string
  actor?: string
  /**
   * By default `human` if the CI says that a person started exactly this run, in a terminal, and for the provider `manual`;
   * else `workload`.
   */
  actorKind?: 'human' | 'workload'
  repositoryUrl?: string
  commit?: Commit | string
  release?: ReleaseLabel | string
}

export declare const Provenance: {
  /** A provenance of the given parts. PROVENANCE_INCOMPLETE without run id and actor. */
  of(given: ProvenanceParts): Provenance
  /**
   * The given parts, completed from the environment variables of a CI system (GitHub, Gitea and Forgejo Actions,
   * GitLab CI, CircleCI, Azure Pipelines, Buildkite, Jenkins). A person in a terminal (standard input or error is one, and
   * `CI` is not set) needs to give nothing: the provider is `manual`, the actor `TAGWARDEN_ACTOR` or the login name, and
   * the run id a new one. All of it is context, not evidence: it is recorded as not verified. `environment` is
   * `process.env` by default; with another one, no terminal is looked for.
   */
  fromEnvironment(given?: ProvenanceParts, environment?: Record<string, string | undefined>): Provenance
}
