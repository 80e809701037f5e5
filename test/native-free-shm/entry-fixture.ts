/** Entries for tests: what a hash table and a deadline heap know of an entry, with a key and nothing else. */
import type { Arena } from '../../native-free-shm/arena.ts';

export const BACK_WORD = 6;
const HAS_DEADLINE = 1 << 28;

/** Writes an entry with `key` into a new block; returns its handle. */
export function newEntry(arena: Arena, hash: number, key: Uint8Array, withDeadline: boolean): number {
  const header = withDeadline ? 28 : 16;
  const handle = arena.allocate(header + key.length);
  const words = arena.i32[handle >>> 26];
  const at = (handle & 0x3ffffff) << 2;
  words[at] = hash;
  words[at + 1] = key.length | (withDeadline ? HAS_DEADLINE : 0);
  words[at + 2] = 0;
  words[at + 3] = 0;
  arena.u8[handle >>> 26].set(key, (at << 2) + header);
  return handle;
}

/** The key of an entry as a string of latin1 characters. */
export function keyOf(arena: Arena, handle: number): string {
  const words = arena.i32[handle >>> 26];
  const at = (handle & 0x3ffffff) << 2;
  const start = (at << 2) + ((words[at + 1] & HAS_DEADLINE) !== 0 ? 28 : 16);
  return arena.buf[handle >>> 26].toString('latin1', start, start + (words[at + 1] & 0xffffff));
}

/** A repeatable source of 32-bit numbers (xorshift). */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
