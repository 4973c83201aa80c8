import type { Provenance } from './value.js'

// What the core answers, as its own JSON: the field names are those of docs/reference/ledger-format.md, times are RFC 3339
// in UTC, digests are text. Fields are only ever added.

/** What a move does. */
export type Op = 'promote' | 'rollback' | 'bootstrap' | 'repair' | 'adopt'

/** What a guardrail says of a move. Anything but a pass or a warning stops it. */
export interface Finding {
  guardrail: string
  verdict: 'pass' | 'warn' | 'refuse'
  /** The code of a warning or refusal, `AREA_STATE`. */
  code?: string
  /** Why, with names, numbers and units. */
  why: string
  /** Of a refusal: whether the same move may pass later, because time or a person can lift it. A log does not keep it. */
  retry?: 'never' | 'later'
}

/** Where a target was named: a tag or digest, or what was live on another channel. */
export type Source = { reference: string } | { channel: string }

/** A provenance as it stands in the ledger. */
export interface RecordedProvenance extends Provenance {
  /** The claims of a token that was verified. Absent where nothing was; it cannot be given. */
  identity?: { issuer: string; subject: string; audience: string; claims: Record<string, string>; token_sha256: string }
}

/** What a move was to do, who asked and how it was judged. */
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
  /** What the caller said that the channel must point at: a digest, or `absent`. */
  expected?: string
  order?: ReleaseOrder
  /** The logs of the earlier environments that were read. */
  upstream?: UpstreamLog[]
  decision: Decision
  /** What the tag pointed at instead of the live digest, in a repair. */
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

/** How a policy judged a move. */
export interface Decision {
  /** When, by the clock of the machine that judged. */
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
  /** What the value is, such as `semver` or `build-number`. */
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

/** How a move ended. */
export interface Outcome {
  seq: number
  at: string
  move_id: string
  intent_seq: number
  owner: string
  epoch: number
  status: 'committed' | 'failed' | 'aborted'
  /**
   * What became of its puts: none was sent, the registry refused every one, it is not known (an answer was lost, or another
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
  /** Where the intent stands in the channel's log, from 0. */
  seq: number
  at: string
  status: 'open' | 'committed' | 'failed' | 'aborted'
  intent: Intent
  /** The workers that took it over, in order. */
  takeovers: TakeoverRecord[]
  /** Absent while it is open. */
  outcome?: Outcome
}

/** What was live on a channel at some time: the committed move that had made it live. */
export interface LiveAt extends MoveRecord {
  /** The move that was open then, with the end that it came to. */
  open?: MoveRecord
  /** The last drift that had been seen by then, since that move. */
  drift?: DriftSeen
}

/** An observation of drift. */
export interface DriftSeen {
  seq: number
  at: string
  /** The live digest. */
  expected?: string
  /** What the registry answered; absent if the tag was. */
  observed?: string
}

/** A takeover of a move by another worker. */
export interface TakeoverRecord {
  seq: number
  at: string
  /** What the new worker was asked for: a move of its own, to complete the open one, or to abort it. */
  op: Op | 'recover' | 'abort'
  owner: string
  previous_owner: string
  /** One more than before; the intent's own is 0. */
  epoch: number
  /** Who took it over. */
  provenance: RecordedProvenance
}

/** Everything that a guardrail may look at. */
export interface Facts {
  op: Op
  channel: string
  /** What the last committed move made the channel point at. */
  live?: string
  previous?: string
  /** What the registry answered for the channel's tag; absent if the tag is proven absent. */
  observed?: string
  source?: Source
  /** The manifest that the channel is to point at; absent if it is proven absent. */
  target?: TargetManifest
  /** Parts of the target that are proven missing in the registry: a rollback and a repair look at all of them, a promotion
   * at manifests. */
  missing?: string[]
  /** Parts of the target that could not be looked at, in the registry's words, and manifests that are not understood. */
  unknown?: string[]
  /** The tag that was written beside the source's digest, and what it points at; absent if it does not exist. */
  tagged?: { tag: string; answered?: string }
  expected: 'any' | 'absent' | { at: string }
  provenance: RecordedProvenance
  /** The holds in force that stop such a move. */
  holds?: ActiveHold[]
  /** The digest of the policy that the log says is binding. */
  binding_policy?: string
  /** The environment before this one in the pipeline; its log was read up to `size`, with the RFC 6962 root `root`. */
  upstream?: { environment: string; channel: string; live?: string; passage: LiveHistory; size: number; root: string }
  /** Whether the target was live in this channel. */
  here: LiveHistory
  at: string
}

/** Whether a digest was live in a channel. */
export type LiveHistory = 'live' | 'earlier' | 'never'

/** What a move did. */
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
  /** What is live now. After a replay that may be what a later move set. */
  live: Live
  /** What went wrong beside the move, such as a pin that could not be written after it had landed; absent if nothing did. */
  warnings?: Finding[]
}

/** What is live on a channel. */
export interface Live {
  digest: string
  /** Where the intent of the last committed move stands. */
  seq: number
  /** When that move was closed. */
  at: string
}

/** What a recovery did. */
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

/** The move that holds a channel. */
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
  /** Where the intent was to stand; another entry there decides it. */
  seq: number
  op: Op
  move_id: string
  /** The digest that it points the channel at. */
  target: string
}

/** Where a log goes on: the position of the entry that says so, and the ledger. */
export interface MigratedTo {
  seq: number
  ledger: string
}

/** What a channel is now, as its log says. */
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
  /** Where the log goes on, if it was migrated to another ledger: the rest says what was, then. */
  migrated?: MigratedTo
  /** How many entries the log has. */
  size: number
}

/** How what the registry answered stands to what a channel's log says. */
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

/** What an audit found, channel by channel. */
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

/** What the check of a whole log found. */
export interface LogReport {
  channel?: string
  /** How many entries count: their bytes, position and parent are right. */
  entries: number
  /** Bytes of a last append that never returned: no defect. */
  torn_bytes: number
  moves: number
  committed: number
  live?: string
  previous?: string
  open_intent?: number
  /** The holds that were not ended, by position; one with an end may be over. */
  holds?: number[]
  /** The digests that are blocked. */
  blocked?: string[]
  /** Where the entry stands that says the log was migrated, and the ledger in which it goes on. */
  migrated?: number
  migrated_to?: string
  /** The RFC 6962 root over the entries that count. */
  root: string
  /** How many entries say an earlier time than the one before them. A warning: time never orders. */
  clock_went_back: number
  /** The first rule that is broken, if one is. */
  defect?: Defect
  /**
   * Every rule that is broken, in the order of the log; absent if none is. After 100 the check stops, and after broken bytes, a
   * wrong position or a wrong parent nothing can be judged.
   */
  defects?: Defect[]
}

/** A rule of the log's format that the entry at `seq` breaks; docs/reference/ledger-format.md lists the codes. */
export interface Defect {
  seq: number
  code: string
  why: string
}

/** Why a digest is kept. */
export type KeepReason =
  | { reason: 'live'; channel: string }
  | { reason: 'open'; channel: string; seq: number }
  | { reason: 'window'; channel: string; nth: number }
  | { reason: 'recent'; channel: string; until: string }
  | { reason: 'tagged'; tag: string }
  | { reason: 'child_of'; index: string }
  | { reason: 'not_understood'; why: string }

/** Why a digest may go. */
export type DeleteReason =
  | { reason: 'past'; channel: string; nth: number; since: string }
  | { reason: 'tried'; channel: string; since: string }
  | { reason: 'child_of'; index: string }

/** Which digests of a repository must stay, and which may go. */
export interface RetentionPlan {
  repository: string
  at: string
  rule: { keep_last: number; keep_for_s: number }
  logs: { channel: string; size: number }[]
  /** What could not be looked at: nothing expires. */
  blocked?: string
  digests: ({ digest: string; pin: 'held' | 'absent' } & ({ keep: KeepReason } | { expire: DeleteReason }))[]
}

/** Whether a digest may be deleted. */
export type MayDelete = { yes: { because: DeleteReason; pin: 'held' | 'absent' } } | { no: { because: KeepReason } }
