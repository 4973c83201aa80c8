import type { Ledger } from './ledger.js'
import type { Registry, Signal } from './registry.js'
import type {
  ActiveHold, AuditReport, ChannelStatus, Facts, Finding, HoldScope, LiveAt, LogReport, MayDelete, Predecessor, MoveRecord, Receipt, RecoveryResult, RetentionPlan,
  Source,
} from './record.js'
import type { Channel, Digest, Environment, IdempotencyKey, Provenance, Reference, Repository, Timestamp } from './value.js'

/**
 * A target: a tag or digest of the channel's own repository, or, given as a channel, the live digest there. In `tag@digest` the
 * digest counts, and a tag that points at another one is a warning; a leading `oci://` is dropped.
 */
export type MoveSource = string | Reference | Channel | Source

/** The options of a promoter. */
export interface PromoterOptions {
  /** The order of environments that releases go through. */
  pipeline?: { environment: Environment | string; channel: Channel | string }[]
  times?: Times
  /** Rules of your own, which run after the built-in ones. They make another policy, so that `policy` must name it. */
  guardrails?: Guardrail[]
  /** The name of the policy, written into the log with each move. `standard` by default. */
  policy?: string
}

/**
 * One rule that judges facts. It is pure: the same facts give the same finding. A guardrail that throws, does not answer in
 * time, or answers no finding refuses the move (GUARDRAIL_FAILED); its exception is the error's cause.
 */
export interface Guardrail {
  /** In lower case with dashes; unique in a policy. */
  name: string
  /** Its settings, as JSON; they go into the policy's digest. */
  settings?: unknown
  judge(facts: Facts): PolicyEvaluation | Promise<PolicyEvaluation>
  /** The longest that it may take, in milliseconds. 30,000 by default. */
  timeoutMs?: number
}

/**
 * A guardrail's result: a code and the reason, with names, numbers and units. `retry` of a refusal is `later` if time or a
 * person can lift it, else `never`, the default.
 */
export type PolicyEvaluation =
  | { verdict: 'pass'; why: string }
  | { verdict: 'warn'; code: string; why: string }
  | { verdict: 'refuse'; code: string; why: string; retry?: 'never' | 'later' }

/** Times that a promoter writes into the log, and the timeout of one put, in milliseconds: each from 1 to 3,600,000. */
export interface Times {
  /** After this a worker sends no put. 60,000 by default. */
  ttlMs?: number
  /** How long after `ttlMs` another worker may take the move over. 30,000 by default. */
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

/** The author and the terms of a move. */
export interface MoveOptions extends Signal {
  /** The pipeline run and the actor. */
  provenance: Provenance
  /** The same request with the same key moves the channel once. A random one by default. */
  idempotencyKey?: IdempotencyKey | string
  /** The reason, for the log. `adopt` needs it. */
  reason?: string
  /** The required digest of the channel before the move: any (the default), none, or this one. */
  expected?: 'any' | 'absent' | Digest | (string & {})
  /**
   * Names of guardrails whose refusal is ignored; they are recorded with the move, which needs a reason.
   * `ledger-complete` is allowed in a bootstrap and a repair (another ledger seems to govern the repository), `parts-present`
   * in a rollback and a repair (the registry does not have all of the target).
   */
  override?: string[]
  /**
   * How to treat another move that comes first: wait and continue only if the live digest is still the same (the default),
   * wait and evaluate the policy again, or give up at once.
   */
  onConflict?: 'wait' | 'requeue' | 'fail'
  /** How long to wait for other moves, in milliseconds. 180,000 by default. */
  timeoutMs?: number
}

/** The first state of a channel. */
export interface BootstrapOptions {
  /** The release that the channel shall point at: its tag must be absent or point there already. By default the tag's digest. */
  source?: MoveSource
  predecessor?: Predecessor
}

/**
 * The target of a rollback, which must have been live on the channel: a digest; a release, by its tag or label; or, as
 * `prod#42`, the digest that the move at this position made live.
 */
export type RollbackTarget = Digest | string

/** The author and the reason of a request. */
export interface Reasoned extends Signal {
  /** The reason, for the log. */
  reason: string
  /** The pipeline run and the actor; they are recorded. */
  provenance: Provenance
}

/** The move to plan. */
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
  /** Read again until reads are settled; false reports `lagging` at once. True by default. */
  settle?: boolean
  /** How long to read again at most, in milliseconds; after that, the channel is `unsettled`. 180,000 by default. */
  timeoutMs?: number
  /**
   * Also check the parts of each live digest: its manifests, configs and layers. A missing part is a warning among the
   * `findings` of its channel, and does not change its state. False, the default, reads only the tags, one request for each.
   */
  parts?: boolean
}

/** A planned move, and the policy's findings about it. Nothing was moved. */
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
 * A move whose worker did not close it within its times. Planning does not change it. `closing`: executing would complete
 * it (it has the key of this request), or commit it if it has landed and abort it otherwise.
 */
export interface DeadMove {
  readonly seq: number
  readonly op: string
  readonly target: string
  readonly closing: 'complete' | 'commit_or_abort'
}

/** A plan that the policy permits. `Promoter.execute` takes only this. */
export declare class ApprovedPlan {
  private constructor()
  private readonly approved: true
}

/**
 * Moves channels, and reports their state and history. Every call is safe from many tasks, processes and machines at
 * once: the ledger puts the moves of a channel in order. Every failure is a TagwardenError; an argument that JSON cannot
 * carry is a TypeError.
 */
export declare class Promoter {
  constructor(registry: Registry, ledger: Ledger, options?: PromoterOptions)

  /** Plans a move and evaluates the policy. Nothing is moved. */
  plan(channel: Channel | string, operation: Operation, terms: MoveOptions): Promise<Plan>
  /** Executes an approved plan. CHANNEL_CHANGED if the channel has moved since, unless the terms say to requeue. */
  execute(approved: ApprovedPlan, options?: Signal): Promise<Receipt>

  /** Points the channel at a release: plans, evaluates the policy, and executes. */
  promote(channel: Channel | string, source: MoveSource, terms: MoveOptions): Promise<Receipt>
  /** Points it back at the digest that was live before, or at `to`, which must have been live here. */
  rollback(channel: Channel | string, terms: MoveOptions & { to?: RollbackTarget }): Promise<Receipt>
  /** Records the channel's first state in the log. */
  bootstrap(channel: Channel | string, terms: MoveOptions & BootstrapOptions): Promise<Receipt>
  /** Puts the live digest back after a write around the ledger. */
  repair(channel: Channel | string, terms: MoveOptions): Promise<Receipt>
  /** Makes the tag's digest live, after a write around the ledger. */
  adopt(channel: Channel | string, terms: MoveOptions & { reason: string }): Promise<Receipt>
  /**
   * Closes the open move, if there is one: waits until it may be taken over, and completes it, or, with
   * `abort`, closes it without a put. `provenance` says who asks, and is recorded if the move is taken over.
   * `timeoutMs` is 180,000 ms by default.
   */
  recover(
    channel: Channel | string,
    options: Signal & { provenance: Provenance; abort?: boolean; timeoutMs?: number },
  ): Promise<RecoveryResult>

  /**
   * Stops moves of the channel, until the hold is ended or until `until`. The scope `promotions` (the default) stops promote
   * and bootstrap, while rollback, repair and adopt pass; `all` stops every move. Returns the hold's id, its position in the log.
   * CHANNEL_ABSENT if the ledger has no log of the channel and the registry has no such tag; an unreachable registry does not
   * prevent a hold.
   */
  hold(channel: Channel | string, options: Reasoned & { scope?: HoldScope; until?: Date | Timestamp | string }): Promise<number>
  /** Ends one hold; the others stay. Returns the position of the new entry. VALUE_INVALID if no such hold is in force. */
  unhold(channel: Channel | string, hold: number, options: Reasoned): Promise<number>
  /** Ends every hold of one person: those of the same provider and actor. Returns the ids of these holds. */
  unholdMine(channel: Channel | string, options: Reasoned): Promise<number[]>
  /** The holds in force now, the oldest first. */
  holds(channel: Channel | string, options?: Signal): Promise<ActiveHold[]>

  /** Every channel that the ledger has a log of. */
  channels(options?: Signal): Promise<string[]>
  /** The channel's state by its log: live and previous digest, the last committed move, the open move, the holds in force. */
  current(channel: Channel | string, options?: Signal): Promise<ChannelStatus>
  /** The digest that was live before the last move that changed it. */
  previous(channel: Channel | string, options?: Signal): Promise<string | null>
  /** The moves, newest first: at most `limit`, those before the intent at `before`. All of them by default. */
  history(
    channel: Channel | string,
    options?: Signal & { before?: number; limit?: number },
  ): AsyncGenerator<MoveRecord, void, undefined>
  /** The channel's state at that time: its live move, open move and drift; null before it was bootstrapped. */
  at(channel: Channel | string, at: Date | Timestamp | string, options?: Signal): Promise<LiveAt | null>
  /** Compares each channel's live digest with its tag's digest. A channel that could not be read is `unknown`. */
  audit(channels: (Channel | string)[], options?: AuditOptions): Promise<AuditReport>
  /** Checks a channel's whole log, from its first byte. */
  verify(channel: Channel | string, options?: Signal): Promise<LogReport>
  /** The digests of a repository that must stay and those that may go, each with its reason. Nothing is deleted. */
  retentionPlan(repository: Repository | string, options?: Signal & { rule?: RetentionRule }): Promise<RetentionPlan>
  /** The permission to delete a digest now, with the reason. */
  mayDelete(
    repository: Repository | string,
    digest: Digest | string,
    options?: Signal & { rule?: RetentionRule },
  ): Promise<MayDelete>
}
