import type { Provenance } from './value.js'

// The core's answers, as its own JSON: the field names are those of docs/reference/ledger-format.md, times are RFC 3339
// in UTC, digests are text. Fields are only ever added.

/** The operation of a move. */
export type Op = 'promote' | 'rollback' | 'bootstrap' | 'repair' | 'adopt'

/** A guardrail's result for a move. A refusal stops the move. */
export interface Finding {
  guardrail: string
  verdict: 'pass' | 'warn' | 'refuse'
  /** The code of a warning or refusal, `AREA_STATE`. */
  code?: string
  /** The reason, with names, numbers and units. */
  why: string
  /** For a refusal, `later` if time or a person can lift it, else `never`. The log does not keep it. */
  retry?: 'never' | 'later'
}

/** The name of a target: a tag or digest, or the live digest of another channel. */
export type Source = { reference: string } | { channel: string }

/** A provenance as it is written in the ledger. */
export interface RecordedProvenance extends Provenance {
  /** The claims of a verified token. Absent if no token was verified; a caller cannot set it. */
  identity?: { issuer: string; subject: string; audience: string; claims: Record<string, string>; token_sha256: string }
}

/** The request of a move, its author, and the policy's decision. */
export interface Intent {
  op: Op
  move_id: string
  key: string
  /** The SHA-256 of the request as it was given. */
  request: string
  /** The live digest before the move; absent before the first one. */
  previous?: string
  target: TargetManifest
  source: Source
  provenance: RecordedProvenance
  reason?: string
  /** The digest that the caller required the channel to point at, or `absent`. */
  expected?: string
  order?: ReleaseOrder
  /** The logs of the earlier environments that were read. */
  upstream?: UpstreamLog[]
  decision: Decision
  /** In a repair, the digest that the tag pointed at instead of the live digest. */
  replaced?: string
  predecessor?: Predecessor
  /** The moves of other channels that belong to this one. */
  set?: MoveSet
  owner: string
  epoch: number
  ttl_ms: number
  grace_ms: number
  quiet_ms: number
  /** How long a read of the tag may answer an earlier value. */
  settle_ms: number
}

/** The manifest that a move points at. */
export interface TargetManifest {
  digest: string
  media_type: string
  size: number
  artifact_type?: string
  /** Its own `org.opencontainers.image.` annotations created, revision, source, version, url and title. */
  annotations?: Record<string, string>
}

/** A policy's decision about a move. */
export interface Decision {
  /** When, by the clock of the machine that decided. */
  at: string
  /** Its name, and the SHA-256 of its text, which is in the log. */
  policy: { name: string; digest: string }
  findings: Finding[]
  /** Refusals that the caller overrode. */
  overrides?: { guardrail: string; reason: string }[]
  /** Positions of the approvals that were counted. */
  approvals?: number[]
  /** The checks that were counted, each in the log of its channel. */
  checks?: { channel: string; seq: number }[]
}

/** A release's place among the others of its series; values of another series are not comparable. */
export interface ReleaseOrder {
  /** The kind of the value, such as `semver` or `build-number`. */
  by: string
  value: number | string
  series?: string
}

/** The log of an earlier environment, as far as it was read, and the RFC 6962 root over those entries. */
export interface UpstreamLog {
  environment: string
  channel: string
  size: number
  root: string
}

/** Channels that move together. */
export interface MoveSet {
  id: string
  channels: string[]
  on_failure: 'resume' | 'restore'
}

/** The log that a new one continues, when a repository was renamed. */
export interface Predecessor {
  channel: string
  size: number
  root: string
}

/** The outcome of a move. */
export interface Outcome {
  seq: number
  at: string
  move_id: string
  intent_seq: number
  owner: string
  epoch: number
  status: 'committed' | 'failed' | 'aborted'
  /**
   * The result of its puts: none was sent, the registry refused every one, it is unknown (an answer was lost, or another
   * worker may have sent one), or the registry accepted one.
   */
  put: 'none' | 'refused' | 'unknown' | 'accepted'
  observed?: string
  /** Puts that were sent by the worker that closed it. */
  attempts: number
  /** True if another worker than the first closed it. */
  recovered: boolean
  error?: { code: string; text: string }
}

/** A move of a channel, from its intent to its outcome. */
export interface MoveRecord {
  channel: string
  /** The position of the intent in the channel's log, from 0. */
  seq: number
  at: string
  status: 'open' | 'committed' | 'failed' | 'aborted'
  intent: Intent
  /** The workers that took it over, in order. */
  takeovers: TakeoverRecord[]
  /** Absent while it is open. */
  outcome?: Outcome
}

/** The committed move that made a channel's live digest at some time live. */
export interface LiveAt extends MoveRecord {
  /** The move that was open then, with its later outcome. */
  open?: MoveRecord
  /** The last drift that was observed between that move and the time. */
  drift?: DriftSeen
}

/** An observation of drift. */
export interface DriftSeen {
  seq: number
  at: string
  /** The live digest. */
  expected?: string
  /** The observed digest; absent if the tag was. */
  observed?: string
}

/** A takeover of a move by another worker. */
export interface TakeoverRecord {
  seq: number
  at: string
  /** The operation of the new worker: a move of its own, to complete the open one, or to abort it. */
  op: Op | 'recover' | 'abort'
  owner: string
  previous_owner: string
  /** One more than before; the intent's own is 0. */
  epoch: number
  /** Who took it over. */
  provenance: RecordedProvenance
}

/** All facts that a guardrail may use. */
export interface Facts {
  op: Op
  channel: string
  /** The live digest: the target of the last committed move. */
  live?: string
  previous?: string
  /** The observed digest: the registry's answer for the tag; absent if the tag is proven absent. */
  observed?: string
  source?: Source
  /** The manifest that the move points the channel at; absent if it is proven absent. */
  target?: TargetManifest
  /** Parts of the target that are proven missing in the registry: a rollback and a repair look at all of them, a promotion
   * at manifests. */
  missing?: string[]
  /** Parts of the target that could not be read, in the registry's words, and manifests of an unknown type. */
  unknown?: string[]
  /** The tag of a source `tag@digest`, and the digest that the tag points at, absent if the tag does not exist. */
  tagged?: { tag: string; answered?: string }
  expected: 'any' | 'absent' | { at: string }
  provenance: RecordedProvenance
  /** The holds in force that stop such a move. */
  holds?: ActiveHold[]
  /** The digest of the policy that the log says is binding. */
  binding_policy?: string
  /** The environment before this one in the pipeline; its log was read up to `size`, with the RFC 6962 root `root`. */
  upstream?: { environment: string; channel: string; live?: string; passage: LiveHistory; size: number; root: string }
  /** `live` or `earlier` if the target is or was live in this channel. */
  here: LiveHistory
  at: string
}

/** The history of a digest in a channel: live now, live before, or never live. */
export type LiveHistory = 'live' | 'earlier' | 'never'

/** The result of a move. */
export interface Receipt {
  channel: string
  op: Op
  /** `unchanged`: it pointed there already, nothing was written. `replayed`: the key had moved it before. */
  result: 'committed' | 'unchanged' | 'replayed'
  /** The live digest before the move; absent before the first one. */
  previous_digest?: string
  /** The digest that the move made live; the live digest if there was nothing to move. */
  digest: string
  /** The move that this call made, or the one that its key had made before; absent if there was nothing to move. */
  move?: MoveRecord
  /** The live digest now. After a replay, a later move may have set it. */
  live: Live
  /** Failures that did not stop the move, such as a pin that could not be written after it landed; absent if there are none. */
  warnings?: Finding[]
}

/** The live digest of a channel. */
export interface Live {
  digest: string
  /** The position of the intent of the last committed move. */
  seq: number
  /** When that move was closed. */
  at: string
}

/** The result of a recovery. */
export type RecoveryResult = { result: 'nothing' } | { result: 'closed'; event: MoveRecord; warnings?: Finding[] }

/** Which moves a hold stops: promote and bootstrap, or every move. */
export type HoldScope = 'promotions' | 'all'

/** A hold that was not ended. */
export interface ActiveHold {
  /** Its position, which is its id. */
  seq: number
  scope: HoldScope
  reason: string
  provenance: RecordedProvenance
  /** When it ends by itself. */
  until?: string
}

/** The open move of a channel. */
export interface OpenMove {
  seq: number
  op: Op
  move_id: string
  key: string
  request: string
  previous?: string
  /** The digest that it points the channel at. */
  target: string
  replaced?: string
  as_it_is: boolean
  owner: string
  epoch: number
  deadlines: { ttl_ms: number; grace_ms: number; quiet_ms: number; settle_ms: number }
  /** The longest quiet time of all workers that held it. */
  quiet_ms: number
  /** The longest settle time of all workers that held it. */
  settle_ms: number
}

/** A move that may be open: the append of its intent was not answered, and it is not in the log. */
export interface PossiblyOpen {
  /** The position of the append; the next entry there decides. */
  seq: number
  op: Op
  move_id: string
  /** The digest that it points the channel at. */
  target: string
}

/** The migration of a log: the position of the entry that says so, and the ledger that continues it. */
export interface MigratedTo {
  seq: number
  ledger: string
}

/** The state of a channel by its log. */
export interface ChannelStatus {
  channel: string
  /** The live digest; absent before the first move. */
  live?: string
  /** The live digest before the last move that changed it. */
  previous?: string
  /** The last committed move. */
  event?: MoveRecord
  open?: OpenMove
  /** The move that may be open: the append of its intent was not answered. */
  possibly_open?: PossiblyOpen
  /** The holds in force; absent if none is. */
  holds?: ActiveHold[]
  /** The ledger that continues the log, if it was migrated; the other fields are the state before that. */
  migrated?: MigratedTo
  /** The number of entries in the log. */
  size: number
}

/** The comparison of a channel's observed digest with its log. */
export type Drift =
  | { state: 'in_sync'; live: string }
  | { state: 'moved_outside'; expected: string; observed: string }
  | { state: 'moved_back'; expected: string; observed: string }
  | { state: 'missing'; expected: string }
  | { state: 'lagging' | 'unsettled'; expected: string; observed?: string }
  | { state: 'ledger_behind'; expected: string; observed: string }
  | { state: 'move_in_progress'; seq: number; target: string; observed?: string; landing: 'landed' | 'not_landed' | 'elsewhere' }
  | { state: 'possibly_open'; seq: number; target: string; observed?: string }
  | { state: 'never_recorded'; observed?: string }
  | { state: 'corrupt' | 'truncated' | 'forked' | 'unknown'; why: string }

/** The result of an audit, channel by channel. */
export interface AuditReport {
  at: string
  /** The worst that was found, in this order; absent if nothing is wrong. */
  worst?: 'defect' | 'drift' | 'unknown' | 'indeterminate'
  channels: ({
    channel: string
    size: number
    /** Warnings, such as parts of the live digest that are missing; absent if there are none. */
    findings?: Finding[]
  } & Drift)[]
}

/** The result of the check of a whole log. */
export interface LogReport {
  channel?: string
  /** How many entries count: their bytes, position and parent are right. */
  entries: number
  /** The bytes of a last append that never returned, which is no defect. */
  torn_bytes: number
  moves: number
  committed: number
  live?: string
  previous?: string
  open_intent?: number
  /** The positions of holds that were not ended; a hold with an `until` may have expired. */
  holds?: number[]
  /** The digests that are blocked. */
  blocked?: string[]
  /** The position of the entry that says that the log was migrated, and the ledger that continues it. */
  migrated?: number
  migrated_to?: string
  /** The RFC 6962 root over the entries that count. */
  root: string
  /** How many entries say an earlier time than the one before them. A warning: time never orders. */
  clock_went_back: number
  /** The first rule that is broken, if one is. */
  defect?: Defect
  /**
   * Every rule that is broken, in the order of the log; absent if none is. After 100 the check stops; nothing can be checked
   * after broken bytes, a wrong position or a wrong parent.
   */
  defects?: Defect[]
}

/** A rule of the log's format that the entry at `seq` breaks; docs/reference/ledger-format.md lists the codes. */
export interface Defect {
  seq: number
  code: string
  why: string
}

/** The reason why a digest is kept. */
export type KeepReason =
  | { reason: 'live'; channel: string }
  | { reason: 'open'; channel: string; seq: number }
  | { reason: 'window'; channel: string; nth: number }
  | { reason: 'recent'; channel: string; until: string }
  | { reason: 'tagged'; tag: string }
  | { reason: 'child_of'; index: string }
  | { reason: 'not_understood'; why: string }

/** The reason why a digest may go. */
export type DeleteReason =
  | { reason: 'past'; channel: string; nth: number; since: string }
  | { reason: 'tried'; channel: string; since: string }
  | { reason: 'child_of'; index: string }

/** The digests of a repository that must stay, and those that may go. */
export interface RetentionPlan {
  repository: string
  at: string
  rule: { keep_last: number; keep_for_s: number }
  logs: { channel: string; size: number }[]
  /** The log or tag that could not be read, so that nothing expires. */
  blocked?: string
  digests: ({ digest: string; pin: 'held' | 'absent' } & ({ keep: KeepReason } | { expire: DeleteReason }))[]
}

/** The permission to delete a digest. */
export type MayDelete = { yes: { because: DeleteReason; pin: 'held' | 'absent' } } | { no: { because: KeepReason } }
