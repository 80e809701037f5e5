/**
 * Ids of stream entries: two unsigned numbers of 64 bits, milliseconds and sequence, each kept as two words of 32 bits. So every
 * id is exact, and no bigint is made for the ids that occur in practice.
 *
 *   in a block, four words:  | ms high | ms low | seq high | seq low |
 *   as text:                 ms-seq, decimal
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { TieBreak } from '../../native-free-shm/ordered-tree.ts';
import { writeInteger } from '../resp/numbers.ts';

const OFFSET_MASK = 0x3ffffff;
const TWO_32 = 4294967296;
const MAX_WORD = 0xffffffff;
/** High words below this: the number is within 2^53. */
const SAFE_HIGH = 0x200000;
const ZERO = 48;
const DASH = 45;
const PLUS = 43;
const STAR = 42;
const OPEN = 40;
/** So many digits are exact in a double. */
const EXACT_DIGITS = 15;
const MAX_U64 = 2n ** 64n - 1n;
/** What strtoull takes: blanks, a sign and digits. */
const LENIENT = /^[\t-\r ]*([+-]?)(\d+)$/;
/** What Redis takes for a negative number beforehand, and refuses. */
const NEGATIVE = /^-[1-9]\d*$/;
const MIN_I64 = 2n ** 63n;
const MAX_ARGUMENT_BYTES = 127;
/** Room that the text of an id may take. */
export const ID_TEXT_BYTES = 41;

/** What an argument was: no id; an id; `ms-*`, an id whose sequence is to be chosen. */
export const ID_FORM = { none: 0, whole: 1, openSequence: 2 } as const;

export class StreamId {
  msHigh = 0;
  msLow = 0;
  seqHigh = 0;
  seqLow = 0;

  copy(other: StreamId): void {
    this.msHigh = other.msHigh;
    this.msLow = other.msLow;
    this.seqHigh = other.seqHigh;
    this.seqLow = other.seqLow;
  }

  setZero(): void {
    this.msHigh = this.msLow = this.seqHigh = this.seqLow = 0;
  }

  setMax(): void {
    this.msHigh = this.msLow = this.seqHigh = this.seqLow = MAX_WORD;
  }

  /** ms-0; 0 <= ms < 2^53. */
  setMs(ms: number): void {
    this.msHigh = Math.floor(ms / TWO_32);
    this.msLow = ms >>> 0;
    this.seqHigh = this.seqLow = 0;
  }

  load(words: Int32Array, at: number): void {
    this.msHigh = words[at] >>> 0;
    this.msLow = words[at + 1] >>> 0;
    this.seqHigh = words[at + 2] >>> 0;
    this.seqLow = words[at + 3] >>> 0;
  }

  store(words: Int32Array, at: number): void {
    words[at] = this.msHigh;
    words[at + 1] = this.msLow;
    words[at + 2] = this.seqHigh;
    words[at + 3] = this.seqLow;
  }

  isZero(): boolean {
    return this.msLow === 0 && this.seqLow === 0 && this.msHigh === 0 && this.seqHigh === 0;
  }

  isMax(): boolean {
    return this.seqLow === MAX_WORD && this.seqHigh === MAX_WORD && this.hasMaxMs();
  }

  private hasMaxMs(): boolean {
    return this.msLow === MAX_WORD && this.msHigh === MAX_WORD;
  }

  hasMaxSequence(): boolean {
    return this.seqLow === MAX_WORD && this.seqHigh === MAX_WORD;
  }

  sameMs(other: StreamId): boolean {
    return this.msLow === other.msLow && this.msHigh === other.msHigh;
  }

  /** < 0: before `other`; 0: the same; > 0: behind it. */
  compare(other: StreamId): number {
    if (this.msHigh !== other.msHigh) return this.msHigh < other.msHigh ? -1 : 1;
    if (this.msLow !== other.msLow) return this.msLow < other.msLow ? -1 : 1;
    if (this.seqHigh !== other.seqHigh) return this.seqHigh < other.seqHigh ? -1 : 1;
    if (this.seqLow !== other.seqLow) return this.seqLow < other.seqLow ? -1 : 1;
    return 0;
  }

  /** As compare, with an id in a block. */
  compareWith(words: Int32Array, at: number): number {
    let other = words[at] >>> 0;
    if (this.msHigh !== other) return this.msHigh < other ? -1 : 1;
    other = words[at + 1] >>> 0;
    if (this.msLow !== other) return this.msLow < other ? -1 : 1;
    other = words[at + 2] >>> 0;
    if (this.seqHigh !== other) return this.seqHigh < other ? -1 : 1;
    other = words[at + 3] >>> 0;
    if (this.seqLow !== other) return this.seqLow < other ? -1 : 1;
    return 0;
  }

  /** The milliseconds as key of an ordered tree: rounded beyond 2^53, but never out of order. */
  treeKey(): number {
    return this.msHigh * TWO_32 + this.msLow;
  }

  /** To the next id; false: there is none. */
  increment(): boolean {
    if (this.seqLow !== MAX_WORD) {
      this.seqLow++;
      return true;
    }
    if (this.isMax()) return false;
    this.seqLow = 0;
    if (this.seqHigh !== MAX_WORD) {
      this.seqHigh++;
      return true;
    }
    this.seqHigh = 0;
    if (this.msLow === MAX_WORD) {
      this.msLow = 0;
      this.msHigh++;
    } else {
      this.msLow++;
    }
    return true;
  }

  /** To the id before; false: there is none. */
  decrement(): boolean {
    if (this.seqLow !== 0) {
      this.seqLow--;
      return true;
    }
    if (this.isZero()) return false;
    this.seqLow = MAX_WORD;
    if (this.seqHigh !== 0) {
      this.seqHigh--;
      return true;
    }
    this.seqHigh = MAX_WORD;
    if (this.msLow === 0) {
      this.msLow = MAX_WORD;
      this.msHigh--;
    } else {
      this.msLow--;
    }
    return true;
  }

  // ---- text

  /** Writes the text at buf[pos]; returns the position behind it. The caller provides ID_TEXT_BYTES of room. */
  write(buf: Buffer, pos: number): number {
    pos = writeUnsigned(buf, pos, this.msHigh, this.msLow);
    buf[pos] = DASH;
    return writeUnsigned(buf, pos + 1, this.seqHigh, this.seqLow);
  }

  toString(): string {
    return `${(BigInt(this.msHigh) << 32n) + BigInt(this.msLow)}-${(BigInt(this.seqHigh) << 32n) + BigInt(this.seqLow)}`;
  }

  /** Reads `ms-seq`, `ms` or `ms-*` from buf[start, end); an ID_FORM. `lastOfMs`: `ms` alone means its last id, not its first. */
  parse(buf: Buffer, start: number, end: number, lastOfMs: boolean): number {
    let i = start;
    let ms = 0;
    for (; i < end; i++) {
      const digit = buf[i] - ZERO;
      if (digit >>> 0 > 9) break;
      ms = ms * 10 + digit;
    }
    if (i === start || i - start > EXACT_DIGITS) return this.parseOdd(buf, start, end, lastOfMs);
    this.msHigh = Math.floor(ms / TWO_32);
    this.msLow = ms >>> 0;
    if (i === end) {
      this.seqHigh = this.seqLow = lastOfMs ? MAX_WORD : 0;
      return ID_FORM.whole;
    }
    if (buf[i] !== DASH) return this.parseOdd(buf, start, end, lastOfMs);
    const seqStart = ++i;
    let seq = 0;
    for (; i < end; i++) {
      const digit = buf[i] - ZERO;
      if (digit >>> 0 > 9) break;
      seq = seq * 10 + digit;
    }
    if (i !== end || i === seqStart || i - seqStart > EXACT_DIGITS) return this.parseOdd(buf, start, end, lastOfMs);
    this.seqHigh = Math.floor(seq / TWO_32);
    this.seqLow = seq >>> 0;
    return ID_FORM.whole;
  }

  /** What is not made of a few digits. Redis reads up to a NUL byte, and numbers as generously as strtoull. */
  private parseOdd(buf: Buffer, start: number, end: number, lastOfMs: boolean): number {
    if (end - start > MAX_ARGUMENT_BYTES) return ID_FORM.none;
    let text = buf.toString('latin1', start, end);
    const nul = text.indexOf('\0');
    if (nul >= 0) text = text.slice(0, nul);
    const dash = text.indexOf('-');
    const ms = lenientUnsigned(dash < 0 ? text : text.slice(0, dash));
    if (ms < 0n) return ID_FORM.none;
    const seqText = dash < 0 ? null : text.slice(dash + 1);
    const isOpen = seqText === '*';
    const seq = seqText === null ? (lastOfMs ? MAX_U64 : 0n) : isOpen ? 0n : lenientUnsigned(seqText);
    if (seq < 0n) return ID_FORM.none;
    this.msHigh = Number(ms >> 32n);
    this.msLow = Number(ms & 0xffffffffn);
    this.seqHigh = Number(seq >> 32n);
    this.seqLow = Number(seq & 0xffffffffn);
    return isOpen ? ID_FORM.openSequence : ID_FORM.whole;
  }

  /**
   * Reads an end of an interval: an id, `(` and an id, `-` or `+`. `isStart`: which end, for ids without sequence. The
   * outcome is an INTERVAL_END; an excluded id is not moved yet.
   */
  parseEnd(buf: Buffer, start: number, end: number, isStart: boolean): number {
    if (end - start > 1 && buf[start] === OPEN) {
      const form = this.parse(buf, start + 1, end, !isStart);
      return form === ID_FORM.whole ? INTERVAL_END.excluded : INTERVAL_END.none;
    }
    if (end - start === 1 && buf[start] === DASH) this.setZero();
    else if (end - start === 1 && buf[start] === PLUS) this.setMax();
    else if (this.parse(buf, start, end, !isStart) !== ID_FORM.whole) return INTERVAL_END.none;
    return INTERVAL_END.included;
  }
}

/** Outcomes of `parseEnd`. */
export const INTERVAL_END = { none: 0, included: 1, excluded: 2 } as const;

function writeUnsigned(buf: Buffer, pos: number, high: number, low: number): number {
  if (high < SAFE_HIGH) return writeInteger(buf, pos, high * TWO_32 + low);
  return pos + buf.write(((BigInt(high) << 32n) + BigInt(low)).toString(), pos, 'latin1');
}

/** A number of 64 bits without sign, -1n where there is none. */
function lenientUnsigned(text: string): bigint {
  const match = LENIENT.exec(text);
  if (match === null) return -1n;
  const value = BigInt(match[2]);
  if (value > MAX_U64) return -1n;
  if (match[1] !== '-') return value;
  return NEGATIVE.test(text) && value <= MIN_I64 ? -1n : BigInt.asUintN(64, -value);
}

/** True: bytes[start, end) are this one character. */
export function isCharacter(bytes: Buffer, start: number, end: number, character: number): boolean {
  return end - start === 1 && bytes[start] === character;
}

/** True: bytes[start, end) ask for an id to be made: `*`. */
export function asksForId(bytes: Buffer, start: number, end: number): boolean {
  return isCharacter(bytes, start, end, STAR);
}

/** Order of blocks that begin with an id, for ordered trees with the milliseconds as key. */
export class IdOrder implements TieBreak {
  readonly probe = new StreamId();
  private readonly i32: Int32Array[];

  constructor(arena: Arena) {
    this.i32 = arena.i32;
  }

  compare(entry: number): number {
    return -this.probe.compareWith(this.i32[entry >>> 26], (entry & OFFSET_MASK) << 2);
  }
}
