/**
 * Bitwise operations over several ranges of bytes; a range that is shorter than the result counts as filled up with zeros.
 *
 * Works piece by piece: each source's piece is copied into aligned words that fit the processor's first cache, combined
 * there, and the result is copied out. So the inner loops see private aligned arrays whatever the sources are.
 */
const PIECE_BYTES = 8192;
const PIECE_WORDS = PIECE_BYTES >> 2;

/** The operations; X is the first source, Y stands for each of the others. */
export const BIT_OPERATION = {
  and: 0,
  or: 1,
  xor: 2,
  not: 3,
  /** In X and in no Y. */
  diff: 4,
  /** In some Y and not in X. */
  diff1: 5,
  /** In X and in some Y. */
  andor: 6,
  /** In exactly one of all sources. */
  one: 7,
} as const;
export type BitOperation = (typeof BIT_OPERATION)[keyof typeof BIT_OPERATION];

const { and, or, xor, not, diff, diff1, andor, one } = BIT_OPERATION;

const sum = new Int32Array(PIECE_WORDS);
const sumBytes = Buffer.from(sum.buffer);
const next = new Int32Array(PIECE_WORDS);
const nextBytes = Buffer.from(next.buffer);
/** Bits that several sources have (one), or the union of the other sources (diff, diff1, andor). */
const other = new Int32Array(PIECE_WORDS);

/** Ranges of bytes in buffers; the arrays grow, `count` says how many ranges there are. */
export class ByteRanges {
  readonly bufs: Buffer[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  count = 0;

  /** Forgets all ranges, and the buffers with them. */
  clear(): void {
    this.count = 0;
    this.bufs.length = 0;
  }

  add(buf: Buffer, start: number, end: number): void {
    this.bufs[this.count] = buf;
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }

  /** Length of the longest range. */
  longest(): number {
    let bytes = 0;
    for (let i = 0; i < this.count; i++) bytes = Math.max(bytes, this.ends[i] - this.starts[i]);
    return bytes;
  }
}

/** Bytes [at, at + length) of range i, zeros behind its end. */
function load(target: Buffer, sources: ByteRanges, i: number, at: number, length: number): void {
  const from = sources.starts[i] + at;
  const there = Math.max(0, Math.min(length, sources.ends[i] - from));
  if (there > 0) sources.bufs[i].copy(target, 0, from, from + there);
  if (there < length) target.fill(0, there, length);
}

/** Takes `next` into the state, `count` words. */
function combine(operation: BitOperation, count: number): void {
  if (operation === and) for (let i = 0; i < count; i++) sum[i] &= next[i];
  else if (operation === or) for (let i = 0; i < count; i++) sum[i] |= next[i];
  else if (operation === xor) for (let i = 0; i < count; i++) sum[i] ^= next[i];
  else if (operation === one) {
    for (let i = 0; i < count; i++) {
      other[i] |= sum[i] & next[i];
      sum[i] |= next[i];
    }
  } else for (let i = 0; i < count; i++) other[i] |= next[i];
}

/** What remains to be done when all sources have been taken in. */
function finish(operation: BitOperation, count: number): void {
  if (operation === not) for (let i = 0; i < count; i++) sum[i] = ~sum[i];
  else if (operation === diff || operation === one) for (let i = 0; i < count; i++) sum[i] &= ~other[i];
  else if (operation === diff1) for (let i = 0; i < count; i++) sum[i] = other[i] & ~sum[i];
  else if (operation === andor) for (let i = 0; i < count; i++) sum[i] &= other[i];
}

/** Writes the operation's result over all of `sources` (at least one; `not`: exactly one) to result[0, length). */
export function combineBits(operation: BitOperation, sources: ByteRanges, result: Buffer, length: number): void {
  for (let at = 0; at < length; at += PIECE_BYTES) {
    const bytes = Math.min(PIECE_BYTES, length - at);
    const count = (bytes + 3) >> 2;
    load(sumBytes, sources, 0, at, bytes);
    if (operation > not) other.fill(0, 0, count);
    for (let i = 1; i < sources.count; i++) {
      load(nextBytes, sources, i, at, bytes);
      combine(operation, count);
    }
    finish(operation, count);
    sumBytes.copy(result, at, 0, bytes);
  }
}
