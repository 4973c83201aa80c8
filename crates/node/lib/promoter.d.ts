import type { Ledger } from './ledger.js'
import type { Registry, Signal } from './registry.js'
import type {
  ActiveHold, AuditReport, ChannelStatus, Facts, Finding, HoldScope, LiveAt, LogReport, MayDelete, Predecessor, MoveRecord, Receipt, RecoveryResult, RetentionPlan,
  Source,
} from './record.js'
import type { Channel, Digest, Environment, IdempotencyKey, Provenance, Reference, Repository, Timestamp } from './value.js'

/**
 * A target: a tag or digest of the channel's own repository, or, given as a channel, what is live there. Of `tag@digest` the
 * digest counts, and a tag that points at another one is a warning; an `oci://` before it is dropped.
 */
export type MoveSource = string | Reference | Channel | Source

/** How a promoter works. */
export interface PromoterOptions {
  /** The order of environments that releases go through. */
  pipeline?: { environment: Environment | string; channel: Channel | string }[]
  times?: Times
  /** Rules of your own, which judge after the built-in ones. They make a policy of another name: give it. */
  guardrails?: Guardrail[]
  /** The name of the policy, as it stands in the log with each move. `standard` by default. */
  policy?: string
}

/**
 * One rule that judges facts. It is pure: the same facts give the same finding. What throws, is silent or answers something
 * else than a finding refuses the move (GUARDRAIL_FAILED), and what it threw is the error's cause.
 */
export interface Guardrail {
  /** In lower case with dashes; unique in a policy. */
  name: string
  /** What it is set to, as JSON; it goes into the policy's digest. */
  settings?: unknown
  judge(facts: Facts): PolicyEvaluation | Promise<PolicyEvaluation>
  /** The longest that it may take, in milliseconds. 30,000 by default. */
  timeoutMs?: number
}

/**
 * What a guardrail says: a code and the reason, with names, numbers and units; and of a refusal whether the same move may pass
 * later, because time or a person can lift it. `never` by default.
 */
export type PolicyEvaluation =
  | { verdict: 'pass'; why: string }
  | { verdict: 'warn'; code: string; why: string }
  | { verdict: 'refuse'; code: string; why: string; retry?: 'never' | 'later' }

/** What a promoter writes into the log, and how long one put may take, in milliseconds: each from 1 to 3,600,000. */
export interface Times {
  /** After this a worker sends no put. 60,000 by default. */
  ttlMs?: number
  /** How long after that others may take over. 30,000 by default. */
  graceMs?: number
  /** How long a put whose answer was lost may still land. 30,000 by default. */
  quietMs?: number
  /** The timeout of one put: shorter than `ttlMs`, not longer than `graceMs` and `quietMs`. 15,000 by default. */
  putMs?: number
  /**
   * How long after a write a read of the tag may answer an older value; not shorter than `quietMs`. 30,000 by default,
   * 600,000 for ghcr.io, 120,000 for *.azurecr.io.
   */
  settleMs?: number
}

/** Who asks for a move, and on what terms. */
export interface MoveOptions extends Signal {
  /** The pipeline run and the actor. */
  provenance: Provenance
  /** The same request with the same key moves the channel once. A random one by default. */
  idempotencyKey?: IdempotencyKey | string
  /** Why. `adopt` needs it. */
  reason?: string
  /** What the channel must point at for the move to start: anything by default, nothing, or a digest. */
  expected?: 'any' | 'absent' | Digest | (string & {})
  /**
   * Names of guardrails whose refusal does not count; they are recorded with the move, which needs a reason.
   * `ledger-complete` can be one in a bootstrap and a repair (another ledger seems to govern the repository), `parts-present`
   * in a rollback and a repair (the registry does not have all of the target).
   */
  override?: string[]
  /**
   * What to do when another move comes first: wait and go on only if the live digest is still the same (the default),
   * wait and judge anew, or give up at once.
   */
  onConflict?: 'wait' | 'requeue' | 'fail'
  /** How long to wait for others, in milliseconds. 180,000 by default. */
  timeoutMs?: number
}

/** A first state. */
export interface BootstrapOptions {
  /** What the channel is to point at: its tag must be absent or point there already. Without it, the tag as it is. */
  source?: MoveSource
  predecessor?: Predecessor
}

/**
 * What a rollback goes back to, which must have been live on the channel: a digest; a release, by its tag or label; or, as
 * `prod#42`, what the move at this position made live.
 */
export type RollbackTarget = Digest | string

/** Who asks for something, and why. */
export interface Reasoned extends Signal {
  /** Why, for the log. */
  reason: string
  /** The pipeline run and the actor; they are recorded. */
  provenance: Provenance
}

/** What is to be planned. */
export type Operation =
  | { op: 'promote'; source: MoveSource }
  | { op: 'rollback'; to?: RollbackTarget }
  | ({ op: 'bootstrap' } & BootstrapOptions)
  | { op: 'repair' }
  | { op: 'adopt' }

/** How far back a channel can be rolled back. A digest inside either window is kept. */
export interface RetentionRule {
  /** Digests kept for rollback on each channel, the live one included. At least 1; 10 by default. */
  keepLast?: number
  /** How long a digest is kept after it stopped being live, in milliseconds. 30 days by default. */
  keepForMs?: number
}

/** How an audit treats a channel whose registry may answer an older value of the tag. */
export interface AuditOptions extends Signal {
  /** Look again until reads are settled; false says `lagging` at once. True by default. */
  settle?: boolean
  /** How long to look again at most; then such a channel is `unsettled`. 180,000 by default. */
  timeoutMs?: number
  /**
   * Look at the parts of each live digest, too: its manifests, configs and layers. What is missing is among the `findings`
   * of its channel, a warning, and no other state. False, the default, looks at the tags alone, one request for each.
   */
  parts?: boolean
}

/** A move that was thought through, and what the policy says of it. Nothing was written. */
export declare class Plan {
  private constructor()
  /** The live digest now and the one that would be; absent if there is nothing to do. */
  readonly change?: { previous_digest?: string; digest: string }
  readonly findings: readonly Finding[]
  /** The receipt, if there is nothing to do. */
  readonly settled?: Receipt
  /** The dead worker's move that executing would close before it judges; absent if no such move is open. */
  readonly deadMove?: DeadMove
  /** The permission to execute it, once. Throws POLICY_REFUSED with every finding. */
  approve(): ApprovedPlan
}

/**
 * A move whose worker did not close it within its times. A plan leaves it as it is. `closing`: executing would complete
 * it (it has the key of this request), or commit it if it has landed and abort it otherwise.
 */
export interface DeadMove {
  readonly seq: number
  readonly op: string
  readonly target: string
  readonly closing: 'complete' | 'commit_or_abort'
}

/** A plan that the policy permits. `Promoter.execute` takes nothing else. */
export declare class ApprovedPlan {
  private constructor()
  private readonly approved: true
}

/**
 * Moves channels, and says what they are and were. Every call is safe to make from many tasks, processes and machines at
 * once: the ledger puts the moves of a channel in order. Every failure is a TagwardenError; an argument that JSON cannot
 * carry is a TypeError.
 */
export declare class Promoter {
  constructor(registry: Registry, ledger: Ledger, options?: PromoterOptions)

  /** Finds out what a move would do and what the policy says of it. */
  plan(channel: Channel | string, operation: Operation, terms: MoveOptions): Promise<Plan>
  /** Executes an approved plan. CHANNEL_CHANGED if the channel has moved since, unless the terms say to requeue. */
  execute(approved: ApprovedPlan, options?: Signal): Promise<Receipt>

  /** Points the channel at a release: plans, has the policy judge, and executes. */
  promote(channel: Channel | string, source: MoveSource, terms: MoveOptions): Promise<Receipt>
  /** Points it back at the digest that was live before, or at `to`, which must have been live here. */
  rollback(channel: Channel | string, terms: MoveOptions & { to?: RollbackTarget }): Promise<Receipt>
  /** Takes the channel's first state into the log. */
  bootstrap(channel: Channel | string, terms: MoveOptions & BootstrapOptions): Promise<Receipt>
  /** Puts the live digest back after a write around the ledger. */
  repair(channel: Channel | string, terms: MoveOptions): Promise<Receipt>
  /** Takes what was put there by hand as live. */
  adopt(channel: Channel | string, terms: MoveOptions & { reason: string }): Promise<Receipt>
  /**
   * Closes the move that is open, if one is: waits until it may be taken over, and brings it about, or, with
   * `abort`, gives it up if it has not landed. `provenance` says who asks, and is recorded where the move is taken over.
   * `timeoutMs` is 180,000 ms by default.
   */
  recover(
    channel: Channel | string,
    options: Signal & { provenance: Provenance; abort?: boolean; timeoutMs?: number },
  ): Promise<RecoveryResult>

  /**
   * Stops moves of the channel, until the hold is ended or until `until`. The scope `promotions` (the default) stops promote
   * and bootstrap, while rollback, repair and adopt pass; `all` stops every move. The hold's id, which is its position.
   * CHANNEL_ABSENT if the ledger has no log of the channel and the registry has no such tag; one that cannot be asked stops
   * no hold.
   */
  hold(channel: Channel | string, options: Reasoned & { scope?: HoldScope; until?: Date | Timestamp | string }): Promise<number>
  /** Ends one hold; the others stay. Where that stands in the log. VALUE_INVALID if no such hold is in force. */
  unhold(channel: Channel | string, hold: number, options: Reasoned): Promise<number>
  /** Ends every hold of one person: those of the same provider and actor. The ids of the holds that were ended. */
  unholdMine(channel: Channel | string, options: Reasoned): Promise<number[]>
  /** The holds in force now, the oldest first. */
  holds(channel: Channel | string, options?: Signal): Promise<ActiveHold[]>

  /** Every channel that the ledger has a log of. */
  channels(options?: Signal): Promise<string[]>
  /** What a channel is now: live and previous digest, the move that made it so, what is open, which holds are in force. */
  current(channel: Channel | string, options?: Signal): Promise<ChannelStatus>
  /** The digest that was live before the last move that changed it. */
  previous(channel: Channel | string, options?: Signal): Promise<string | null>
  /** The moves, newest first: at most `limit`, those before the intent at `before`. All of them by default. */
  history(
    channel: Channel | string,
    options?: Signal & { before?: number; limit?: number },
  ): AsyncGenerator<MoveRecord, void, undefined>
  /** What the channel was at that time, and what was open or had drifted then; null before it was bootstrapped. */
  at(channel: Channel | string, at: Date | Timestamp | string, options?: Signal): Promise<LiveAt | null>
  /** Compares each channel's live digest with what its tag points at. What could not be looked at is unknown. */
  audit(channels: (Channel | string)[], options?: AuditOptions): Promise<AuditReport>
  /** Checks a channel's whole log, from its first byte. */
  verify(channel: Channel | string, options?: Signal): Promise<LogReport>
  /** What may go from a repository and what must stay, each digest with its reason. */
  retentionPlan(repository: Repository | string, options?: Signal & { rule?: RetentionRule }): Promise<RetentionPlan>
  /** Whether a digest may be deleted now, and why. */
  mayDelete(
    repository: Repository | string,
    digest: Digest | string,
    options?: Signal & { rule?: RetentionRule },
  ): Promise<MayDelete>
}
