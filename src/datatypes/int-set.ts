/**
 * A set of 64-bit integers in one block, sorted: byte for byte what Redis calls an intset; so RDB files and DUMP payloads take it
 * as it is.
 *
 *   block:  | bytes per integer u32: 2, 4 or 8 | integers u32 | integer | integer | …      little endian, the block may be longer
 *
 * Stateless over an arena but for registers. What changes a set returns its handle, which may be another.
 *
 * Invariant 1: the integers ascend, each stands there once.
 * Invariant 2: integers are as wide as the widest that was ever added needs; they never become narrower.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { moveWithin } from '../../native-free-shm/bytes.ts';
import { parseInt64, parseInteger, writeInteger } from '../resp/numbers.ts';

const OFFSET_MASK = 0x3ffffff;
const HEADER_BYTES = 8;
const TWO_32 = 4294967296;
/** The longest text of a 64-bit integer. */
const MAX_INTEGER_TEXT = 20;
/** Integers are formatted into this much; so many may be read before the first text is overwritten. */
const TEXT_SLOTS = 8;
const TEXT_SLOT_BYTES = 24;
/** Redis's own limit: sizes must stay within 32 bits. */
export const MAX_INT_SET_ENTRIES = 2 ** 30;

export class IntSet {
  readonly arena: Arena;

  // ---- the probe: what `find`, `add` and `remove` are about; low is unsigned
  private probeHigh = 0;
  private probeLow = 0;
  /** Its value; only near it beyond ±2^53. */
  private probe = 0;
  /** Where the probe stands, or belongs, after `find`. */
  private place = 0;

  // ---- registers of `read`
  /** The integer as text: tBuf[tStart, tEnd), valid for the next 7 integers read. */
  readonly tBuf = Buffer.alloc(TEXT_SLOTS * TEXT_SLOT_BYTES);
  readonly tView = new DataView(this.tBuf.buffer, this.tBuf.byteOffset, this.tBuf.length);
  tStart = 0;
  tEnd = 0;
  /** Its halves. */
  high = 0;
  low = 0;

  constructor(arena: Arena) {
    this.arena = arena;
  }

  /** A new, empty set. */
  create(): number {
    const h = this.arena.allocate(HEADER_BYTES);
    const at = (h & OFFSET_MASK) << 2;
    const i32 = this.arena.i32[h >>> 26];
    i32[at] = 2;
    i32[at + 1] = 0;
    return h;
  }

  /** A new set that holds these bytes, which must be sound (see `isSoundIntSet`). */
  createFrom(bytes: Buffer, start: number, end: number): number {
    const h = this.arena.allocate(end - start);
    bytes.copy(this.arena.buf[h >>> 26], (h & OFFSET_MASK) << 4, start, end);
    return h;
  }

  /** Bytes per integer. */
  width(h: number): number {
    return this.arena.i32[h >>> 26][(h & OFFSET_MASK) << 2];
  }

  /** Integers. */
  count(h: number): number {
    return this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + 1];
  }

  /** Bytes of the whole set. */
  bytes(h: number): number {
    return HEADER_BYTES + this.width(h) * this.count(h);
  }

  // ---- the probe

  /** Takes the integer whose canonical text is bytes[start, end) as the probe; false: that is no integer of 64 bits. */
  probeText(bytes: Buffer, start: number, end: number): boolean {
    const length = end - start;
    if (length === 0 || length > MAX_INTEGER_TEXT) return false;
    const value = parseInteger(bytes, start, end);
    if (!Number.isNaN(value)) {
      this.probe = value;
      this.probeLow = value >>> 0;
      this.probeHigh = Math.floor(value / TWO_32);
      return true;
    }
    const big = length > 15 ? parseInt64(bytes, start, end) : null;
    if (big === null) return false;
    this.probeHalves(Number(big >> 32n), Number(big & 0xffffffffn));
    return true;
  }

  /** Takes high * 2^32 + low as the probe. */
  probeHalves(high: number, low: number): void {
    this.probeHigh = high;
    this.probeLow = low;
    this.probe = high * TWO_32 + low;
  }

  /** Bytes per integer that the probe needs. */
  private probeWidth(): number {
    const value = this.probe;
    if (value >= -32768 && value < 32768) return 2;
    return value >= -2147483648 && value < 2147483648 ? 4 : 8;
  }

  /** Is the probe in the set? */
  find(h: number): boolean {
    const width = this.width(h);
    const count = this.count(h);
    if (this.probeWidth() > width) {
      this.place = this.probe < 0 ? 0 : count;
      return false;
    }
    let low = 0;
    let high = count;
    // most sets are filled in ascending order
    if (count > 0 && this.compare(h, width, count - 1) < 0) low = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(h, width, middle) < 0) low = middle + 1;
      else high = middle;
    }
    this.place = low;
    return low < count && this.compare(h, width, low) === 0;
  }

  /** How integer `index` stands to the probe, which fits into `width`: < 0 before it, 0 is it, > 0 behind it. */
  private compare(h: number, width: number, index: number): number {
    const at = ((h & OFFSET_MASK) << 4) + HEADER_BYTES + index * width;
    const view = this.arena.view[h >>> 26];
    if (width === 2) return view.getInt16(at, true) - this.probe;
    if (width === 4) return view.getInt32(at, true) - this.probe;
    const high = view.getInt32(at + 4, true) - this.probeHigh;
    return high !== 0 ? high : view.getUint32(at, true) - this.probeLow;
  }

  /** Adds the probe that `find` has just not found in this set; returns the set. */
  add(h: number): number {
    const width = this.width(h);
    const needed = this.probeWidth();
    const count = this.count(h);
    if (needed > width) h = this.widen(h, needed);
    else h = this.open(h, width, count);
    this.writeProbe(h, this.place);
    this.arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + 1] = count + 1;
    return h;
  }

  /** Makes the gap for one more integer at `place`. */
  private open(h: number, width: number, count: number): number {
    const arena = this.arena;
    const base = (h & OFFSET_MASK) << 4;
    const end = base + HEADER_BYTES + count * width;
    const gap = base + HEADER_BYTES + this.place * width;
    if (end + width - base <= arena.blockBytes(h)) {
      arena.willChange(h);
      if (gap < end) moveWithin(arena.buf[h >>> 26], gap + width, gap, end);
      return h;
    }
    const next = arena.allocate(end + width - base);
    const from = arena.buf[h >>> 26];
    const to = arena.buf[next >>> 26];
    const nextBase = (next & OFFSET_MASK) << 4;
    from.copy(to, nextBase, base, gap);
    from.copy(to, nextBase + gap - base + width, gap, end);
    arena.release(h);
    return next;
  }

  /** A copy in wider integers, with a gap at `place`, an end of the set; frees the old one. */
  private widen(h: number, width: number): number {
    const arena = this.arena;
    const count = this.count(h);
    const next = arena.allocate(HEADER_BYTES + (count + 1) * width);
    const at = (next & OFFSET_MASK) << 2;
    const i32 = arena.i32[next >>> 26];
    i32[at] = width;
    i32[at + 1] = count;
    const shift = this.place === 0 ? 1 : 0;
    for (let i = 0; i < count; i++) {
      this.load(h, i);
      this.write(next, i + shift, this.high, this.low);
    }
    arena.release(h);
    return next;
  }

  private writeProbe(h: number, index: number): void {
    this.write(h, index, this.probeHigh, this.probeLow);
  }

  private write(h: number, index: number, high: number, low: number): void {
    const width = this.width(h);
    const at = ((h & OFFSET_MASK) << 4) + HEADER_BYTES + index * width;
    const view = this.arena.view[h >>> 26];
    if (width === 2) return view.setInt16(at, low, true);
    view.setInt32(at, low, true);
    if (width === 8) view.setInt32(at + 4, high, true);
  }

  /** Takes out the probe that `find` has just found in this set; returns the set. */
  remove(h: number): number {
    return this.removeAt(h, this.place);
  }

  /** Takes out integer `index`; returns the set. */
  removeAt(h: number, index: number): number {
    const arena = this.arena;
    const width = this.width(h);
    const count = this.count(h);
    const base = (h & OFFSET_MASK) << 4;
    const end = base + HEADER_BYTES + count * width;
    const gap = base + HEADER_BYTES + index * width;
    arena.willChange(h);
    if (gap + width < end) moveWithin(arena.buf[h >>> 26], gap, gap + width, end);
    arena.i32[h >>> 26][((h & OFFSET_MASK) << 2) + 1] = count - 1;
    return this.shrunk(h);
  }

  /** Gives a set whose block is much too long a shorter one. */
  private shrunk(h: number): number {
    const arena = this.arena;
    const bytes = this.bytes(h);
    if (bytes * 2 + 64 > arena.blockBytes(h) || !arena.reserve(bytes)) return h;
    const base = (h & OFFSET_MASK) << 4;
    const next = this.createFrom(arena.buf[h >>> 26], base, base + bytes);
    arena.release(h);
    return next;
  }

  // ---- reading

  /** Loads the halves of integer `index`. */
  load(h: number, index: number): void {
    const width = this.width(h);
    const at = ((h & OFFSET_MASK) << 4) + HEADER_BYTES + index * width;
    const view = this.arena.view[h >>> 26];
    if (width === 8) {
      this.high = view.getInt32(at + 4, true);
      this.low = view.getUint32(at, true);
      return;
    }
    const value = width === 2 ? view.getInt16(at, true) : view.getInt32(at, true);
    this.high = value >> 31;
    this.low = value >>> 0;
  }

  /** Fills the registers with integer `index`. */
  read(h: number, index: number): void {
    this.load(h, index);
    const start = this.tStart === (TEXT_SLOTS - 1) * TEXT_SLOT_BYTES ? 0 : this.tStart + TEXT_SLOT_BYTES;
    this.tStart = start;
    const value = this.high * TWO_32 + this.low;
    if (Number.isSafeInteger(value)) this.tEnd = writeInteger(this.tBuf, start, value);
    else this.tEnd = start + this.tBuf.write(this.exactValue().toString(), start, 'latin1');
  }

  /** The value that was loaded last. */
  exactValue(): bigint {
    return BigInt(this.high) * BigInt(TWO_32) + BigInt(this.low);
  }

  /** Bytes of the longest text that an integer of the set may have: an end of the set has it. */
  longestText(h: number): number {
    this.read(h, 0);
    const first = this.tEnd - this.tStart;
    this.read(h, this.count(h) - 1);
    return Math.max(first, this.tEnd - this.tStart);
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(h: number): void {
    const bytes = this.bytes(h);
    if (bytes > this.arena.blockBytes(h)) throw new Error('int set: longer than its block');
    const base = (h & OFFSET_MASK) << 4;
    const buf = this.arena.buf[h >>> 26];
    if (this.count(h) > 0 && !isSoundIntSet(buf, base, base + bytes)) throw new Error('int set: damaged');
  }
}

/** Are these bytes, from a file or a client, a sound set that is not empty? */
export function isSoundIntSet(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES) return false;
  const width = bytes.readUInt32LE(start);
  const count = bytes.readUInt32LE(start + 4);
  if (width !== 2 && width !== 4 && width !== 8) return false;
  if (count === 0 || HEADER_BYTES + count * width !== end - start) return false;
  let last = Number.NEGATIVE_INFINITY;
  let lastLow = 0;
  for (let at = start + HEADER_BYTES; at < end; at += width) {
    if (width === 8) {
      const high = bytes.readInt32LE(at + 4);
      const low = bytes.readUInt32LE(at);
      if (high < last || (high === last && low <= lastLow)) return false;
      last = high;
      lastLow = low;
    } else {
      const value = width === 2 ? bytes.readInt16LE(at) : bytes.readInt32LE(at);
      if (value <= last) return false;
      last = value;
    }
  }
  return true;
}
