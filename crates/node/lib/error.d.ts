import type { Finding } from './record.js'

/** The caller's next step after an error: none, retry later, plan again, or recover the channel. */
export type Retry = 'never' | 'later' | 'replan' | 'recover'

/** The kind of an error: `refused` is a decision, `failed` a fault; `unknown` means no usable answer. */
export type ErrorClass = 'failed' | 'usage' | 'refused' | 'drift' | 'indeterminate' | 'unknown' | 'defect'

/** The stable code of an error. Never renamed, never reused; `docs/reference/errors.md` explains each. */
export type ErrorCode =
  | 'VALUE_INVALID' | 'PROVENANCE_INCOMPLETE' | 'CONFIG_INVALID' | 'SOURCE_INVALID'
  | 'POLICY_REFUSED'
  | 'CHANNEL_CHANGED' | 'CHANNEL_BUSY' | 'CHANNEL_NOT_BOOTSTRAPPED' | 'CHANNEL_BOOTSTRAPPED'
  | 'CHANNEL_ABSENT' | 'CHANNEL_OCCUPIED' | 'CHANNEL_DRIFTED' | 'CHANNEL_OVERWRITTEN'
  | 'ROLLBACK_NO_TARGET' | 'IDEMPOTENCY_MISMATCH' | 'IDEMPOTENCY_SUPERSEDED' | 'CHANNEL_UNSETTLED'
  | 'MOVE_FAILED' | 'MOVE_INDETERMINATE' | 'MOVE_TAKEN_OVER'
  | 'REGISTRY_UNAVAILABLE' | 'REGISTRY_BUSY' | 'REGISTRY_DENIED' | 'REGISTRY_REFUSED' | 'REGISTRY_ABSENT'
  | 'REGISTRY_DIGEST_MISMATCH' | 'REGISTRY_UNSUPPORTED' | 'REGISTRY_AMBIGUOUS'
  | 'MANIFEST_INVALID' | 'MANIFEST_AMBIGUOUS' | 'MANIFEST_UNSUPPORTED' | 'MANIFEST_TOO_LARGE'
  | 'LEDGER_UNAVAILABLE' | 'LEDGER_ABSENT' | 'LEDGER_DENIED' | 'LEDGER_UNSUPPORTED'
  | 'LEDGER_AMBIGUOUS' | 'LEDGER_CORRUPT' | 'LEDGER_TRUNCATED' | 'LEDGER_FORKED' | 'LEDGER_TOO_NEW'
  | 'LEDGER_MIGRATED' | 'LEDGER_BEHIND' | 'LEDGER_FOREIGN'
  | 'ENTRY_TOO_LARGE' | 'INTERNAL_FAULT'

/** An error: what failed, where, and what helps. No message, context or cause ever holds a credential. */
export declare class TagwardenError extends Error {
  /** An error of your own backend; `retry` is that of the code by default. */
  constructor(message: string, options: {
    code: ErrorCode
    context?: Record<string, string>
    findings?: readonly Finding[]
    retry?: Retry
    cause?: unknown
  })
  readonly name: 'TagwardenError'
  readonly code: ErrorCode
  /** The code determines it. A refusal by the policy is `later` if every finding that refuses is `later`. */
  readonly retry: Retry
  /** Where it happened, as names and values: `channel`, `seq`, `move_id`, … */
  readonly context: Readonly<Record<string, string>>
  /** The findings of the guardrails, if the policy refused; empty otherwise. */
  readonly findings: readonly Finding[]
  /** The exception of your own backend that caused the error, unchanged. */
  readonly cause?: unknown
  toJSON(): { code: ErrorCode; retry: Retry; message: string; context: Record<string, string>; findings?: Finding[] }
}

/** Every code, in the order of `docs/reference/errors.md`. */
export declare function errorKinds(): readonly { code: ErrorCode; retry: Retry; class: ErrorClass; meaning: string }[]
