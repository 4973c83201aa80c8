import type { Provenance } from './value.js'

// What the core answers, as its own JSON: the field names are those of docs/ledger-format.md, times are RFC 3339 in UTC,
// digests are text. Fields are only ever added.

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
}

/** Where a target was named: a tag or digest, or what was live on another channel. */
export type Source = { reference: string } | { channel: string }

/** A provenance as it stands in the ledger. */
export interface RecordedProvenance extends Provenance {
  /** The claims of a token that was verified. Absent where nothing was; it cannot be given. */
  identity?: { issuer: string; subject: string; audience: string; claims_sha256: string }
}

/** What a move was to do, who asked and how it was judged. */
export interface Intent {
  op: Op
  move_id: string
  key: string
  /** The SHA-256 of the request as it was given. */
  request: string
  from?: string
  to: { digest: string; media_type: string; size: number }
  source: Source
  provenance: RecordedProvenance
  reason?: string
  decision: {
    policy: { name: string; digest: string }
    findings: Finding[]
    overrides?: { guardrail: string; by: string; reason: string }[]
    approvals?: number[]
  }
  replaced?: string
  predecessor?: Predecessor
  owner: string
  epoch: number
  ttl_ms: number
  grace_ms: number
  quiet_ms: number
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
  observed?: string
  /** Puts that were sent by whoever closed it. */
  attempts: number
  /** True if the answer to one of them was lost. */
  ambiguous: boolean
  /** True if another worker than the first closed it. */
  recovered: boolean
  error?: { code: string; text: string }
}

/** A move of a channel, from its intent to its outcome. */
export interface PromotionEvent {
  channel: string
  /** Where the intent stands in the channel's log, from 0. */
  seq: number
  at: string
  status: 'open' | 'committed' | 'failed' | 'aborted'
  intent: Intent
  takeovers: { seq: number; at: string; owner: string; previous_owner: string; epoch: number }[]
  /** Absent while it is open. */
  outcome?: Outcome
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
  target?: { digest: string; media_type: string; size: number }
  /** The tag that was written beside the source's digest, and what it points at; absent if it does not exist. */
  tagged?: { tag: string; answered?: string }
  expected: 'any' | 'absent' | { at: string }
  provenance: RecordedProvenance
  hold?: Standing
  /** The environment before this one in the pipeline. */
  upstream?: { environment: string; channel: string; live?: string; passage: Passage }
  /** Whether the target was live in this channel. */
  here: Passage
  at: string
}

/** Whether a digest was live in a channel. */
export type Passage = 'live' | 'earlier' | 'never'

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
  move?: PromotionEvent
  /** What is live now. After a replay that may be what a later move set. */
  live: Live
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
export type Recovered = { result: 'nothing' } | { result: 'closed'; event: PromotionEvent }

/** A hold that stands. */
export interface Standing {
  seq: number
  reason: string
  by: string
  until?: string
}

/** The move that holds a channel. */
export interface OpenMove {
  seq: number
  op: Op
  move_id: string
  key: string
  request: string
  from?: string
  to: string
  replaced?: string
  as_it_is: boolean
  owner: string
  epoch: number
}

/** What a channel is now, as its log says. */
export interface Current {
  channel: string
  /** The live digest; absent before the first move. */
  live?: string
  /** The live digest before the last move that changed it. */
  previous?: string
  /** The last committed move. */
  event?: PromotionEvent
  open?: OpenMove
  hold?: Standing
  /** Where the log goes on, if it moved to another ledger. */
  moved?: { seq: number; to: string }
  /** How many entries the log has. */
  size: number
}

/** How what the registry answered stands to what a channel's log says. */
export type Drift =
  | { state: 'in_sync'; live: string }
  | { state: 'moved_outside'; expected: string; observed: string }
  | { state: 'moved_back'; expected: string; observed: string }
  | { state: 'missing'; expected: string }
  | { state: 'open_intent'; seq: number; target: string; observed?: string; landing: 'landed' | 'not_landed' | 'elsewhere' }
  | { state: 'never_recorded'; observed?: string }
  | { state: 'unknown'; why: string }

/** What an audit found, channel by channel. */
export interface AuditReport {
  at: string
  /** The worst that was found; absent if nothing is wrong. */
  worst?: 'drift' | 'indeterminate' | 'unknown'
  channels: ({ channel: string; size: number } & Drift)[]
}

/** What the check of a whole log found. */
export interface LogReport {
  channel?: string
  entries: number
  /** Bytes of a last append that never returned: no defect. */
  torn_bytes: number
  moves: number
  committed: number
  live?: string
  previous?: string
  open_intent?: number
  /** Where the entry stands that says the log goes on elsewhere, and the ledger in which it does. */
  moved?: number
  moved_to?: string
  /** The RFC 6962 root over the entries that hold. */
  root: string
  /** How many entries say an earlier time than the one before them. A warning: time never orders. */
  clock_went_back: number
  /** The first rule that is broken, if one is; nothing after it was judged. */
  defect?: { seq: number; code: string; why: string }
}

/** Why a digest is kept. */
export type Keep =
  | { reason: 'live'; channel: string }
  | { reason: 'open'; channel: string; seq: number }
  | { reason: 'window'; channel: string; nth: number }
  | { reason: 'recent'; channel: string; until: string }
  | { reason: 'tagged'; tag: string }
  | { reason: 'child_of'; index: string }
  | { reason: 'not_understood'; why: string }

/** Why a digest may go. */
export type Expire =
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
  digests: ({ digest: string; pin: 'held' | 'absent' } & ({ keep: Keep } | { expire: Expire }))[]
}

/** Whether a digest may be deleted. */
export type MayDelete = { yes: { because: Expire; pin: 'held' | 'absent' } } | { no: { because: Keep } }
