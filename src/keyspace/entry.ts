/**
 * The layout of one key: an arena block that the hash table finds by its key bytes.
 *
 *   word 0  hash of the key
 *   word 1  bits 0..23 key bytes | 24..27 type | 28 HAS_DEADLINE | 29 RAW | 30 LARGE
 *   word 2  string: bytes of the value; other types: handle of the structure
 *   word 3  bits 0..23 access clock in seconds | 24..31 encoding of a structure
 *   words 4..6 (only with HAS_DEADLINE)  deadline in unix ms, low and high word; position in the deadline heap
 *   the key from byte 16 (28 with a deadline), the value right behind it, unaligned
 *   LARGE: behind the key, on the next multiple of 4, the handle of a block that holds the value
 *
 * Invariant 1: a block is written only by the thread that holds its shard's latch.
 * Invariant 2: the deadline heap holds exactly the entries with HAS_DEADLINE, each at the position in its word 6.
 */
export const WORD_HASH = 0;
export const WORD_META = 1;
export const WORD_VALUE = 2;
export const WORD_CLOCK = 3;
export const WORD_DEADLINE_LOW = 4;
export const WORD_DEADLINE_HIGH = 5;
export const WORD_HEAP_POSITION = 6;

export const KEY_BYTES_MASK = 0xffffff;
/** The longest key, in bytes. */
export const MAX_KEY_BYTES = 0xfffffe;
export const TYPE_SHIFT = 24;
export const TYPE_MASK = 15;
export const HAS_DEADLINE = 1 << 28;
/** The string was patched in place (APPEND, SETRANGE, SETBIT): OBJECT ENCODING answers raw. */
export const RAW = 1 << 29;
export const LARGE = 1 << 30;

export const HEADER_BYTES = 16;
export const HEADER_BYTES_WITH_DEADLINE = 28;
/** Longer string values live in a block of their own, so that RENAME, EXPIRE and growth do not copy them. */
export const MAX_EMBEDDED_BYTES = 4096;
/** More bytes than these are not copied under the latch where that can be avoided (R4). */
export const MAX_LATCHED_COPY_BYTES = 64 * 1024;

export const CLOCK_MASK = 0xffffff;
export const ENCODING_SHIFT = 24;

/** Value types, numbered as Redis numbers its objects. */
export const TYPE_STRING = 0;
export const TYPE_LIST = 1;
export const TYPE_SET = 2;
export const TYPE_SORTED_SET = 3;
export const TYPE_HASH = 4;
export const TYPE_STREAM = 6;

/** Names as the TYPE command answers them, by number. */
export const TYPE_NAMES: readonly string[] = ['string', 'list', 'set', 'zset', 'hash', 'module', 'stream'];

/** No deadline, where a deadline in unix ms is asked for. */
export const NO_DEADLINE = -1;
/** Keep the deadline that the overwritten entry has. */
export const KEEP_DEADLINE = -2;
