/**
 * Atomicity of many histories at low cost: writers set all keys of a group to one token that is never used again, so a
 * reader that sees two tokens at once saw half a write. Says nothing about the order of writes: that is linearizability.
 */
import type { Reply } from '../server/reply-reader.ts';

export interface GroupRead {
  readonly keys: readonly string[];
  /** Replies of one MGET over all keys of the group. */
  readonly values: readonly Reply[];
}

/** Reads of groups that were only written as a whole and nevertheless show different tokens. */
export function tornReads(reads: readonly GroupRead[]): GroupRead[] {
  return reads.filter(({ values }) => values.some((value) => value !== values[0]));
}

/** Where one token wanders by RENAME among the keys of a group: reads that find it nowhere, or in several places. */
export function lostTokens(reads: readonly GroupRead[]): GroupRead[] {
  return reads.filter(({ values }) => values.filter((value) => value !== null).length !== 1);
}
