import type { Signal } from './registry.js'
import type { Channel } from './value.js'

/**
 * The store of the logs: one for each channel, appended one position at a time. An append stores the bytes at `seq` if
 * and only if that is the next position; after `stored`, the entry survives a crash. An exception means that there is no
 * answer: LEDGER_UNAVAILABLE, or the code of a TagwardenError that begins with `LEDGER_`; it is the cause of the promoter's
 * error.
 */
export interface Ledger {
  /** The number of entries in the log; 0 if there is no log. */
  size(channel: string): Promise<number> | number
  /** The entries from `from` on, in order and without gaps: at least one if there is one, at most `limit`. */
  read(channel: string, from: number, limit: number): Promise<Uint8Array[]> | Uint8Array[]
  /**
   * `lost` if the position is not the next one. An exception means that the result is unknown, unless it is a TagwardenError
   * LEDGER_DENIED: then nothing was stored and nothing will be.
   */
  append(channel: string, seq: number, entry: Uint8Array): Promise<'stored' | 'lost'> | 'stored' | 'lost'
  /** Every channel that has a log, in any order. */
  channels(): Promise<string[]> | string[]
  /** The longest that one call may take, in milliseconds. 30,000 by default. */
  timeoutMs?: number
}

/** A ledger that the core implements. */
export interface NativeLedger extends Ledger {
  size(channel: Channel | string, options?: Signal): Promise<number>
  read(channel: Channel | string, from: number, limit: number, options?: Signal): Promise<Buffer[]>
  append(channel: Channel | string, seq: number, entry: Uint8Array, options?: Signal): Promise<'stored' | 'lost'>
  channels(options?: Signal): Promise<string[]>
}

/** A ledger in memory. It is gone with the process. */
export declare class MemoryLedger {
  constructor()
}
export interface MemoryLedger extends NativeLedger {}

/**
 * Opens the ledger at a directory's path or a URL: `file://`, `s3://`, `gs://`, `az://`, `postgres://`. It creates a
 * missing directory, and nothing else. `access` is `write` by default; for `read`, read permission is enough.
 * CONFIG_INVALID, LEDGER_ABSENT, LEDGER_DENIED, LEDGER_UNSUPPORTED.
 */
export declare function openLedger(url: string | URL, options?: Signal & { access?: 'write' | 'read' }): Promise<NativeLedger>

/** Creates the directory or the tables of a ledger. Safe to repeat. */
export declare function initLedger(url: string | URL, options?: Signal): Promise<null>
