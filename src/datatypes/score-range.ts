/** Ranges of sorted sets: by score, and by member where all scores are equal. Objects are filled again for every command. */
import { parseFloatStrict } from '../resp/numbers.ts';

const OPEN = 40; // (
const CLOSED = 91; // [
const MINUS = 45;
const PLUS = 43;
const SPACE = 32;
const LAST_CONTROL_SPACE = 13;
const FIRST_CONTROL_SPACE = 9;

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Scores from `min` to `max`, each of which may be excluded. */
export class ScoreRange {
  min = 0;
  max = 0;
  minExcluded = false;
  maxExcluded = false;

  /** Reads both ends; false: one of them is no number. */
  parse(buf: Buffer, minStart: number, minEnd: number, maxStart: number, maxEnd: number): boolean {
    this.minExcluded = minStart < minEnd && buf[minStart] === OPEN;
    this.maxExcluded = maxStart < maxEnd && buf[maxStart] === OPEN;
    this.min = parseEnd(buf, this.minExcluded ? minStart + 1 : minStart, minEnd);
    this.max = parseEnd(buf, this.maxExcluded ? maxStart + 1 : maxStart, maxEnd);
    return !Number.isNaN(this.min) && !Number.isNaN(this.max);
  }

  isBelow(score: number): boolean {
    return this.minExcluded ? score <= this.min : score < this.min;
  }

  isAbove(score: number): boolean {
    return this.maxExcluded ? score >= this.max : score > this.max;
  }
}

/** One end of a score range, by C's rules for text: it ends at a zero byte, none at all is 0, what is too large is infinite. */
function parseEnd(buf: Buffer, start: number, end: number): number {
  const value = parseFloatStrict(buf, start, end);
  if (!Number.isNaN(value)) return value;
  const zero = buf.indexOf(0, start);
  const stop = zero >= 0 && zero < end ? zero : end;
  if (start === stop) return 0;
  while (start < stop && isSpace(buf[start])) start++;
  const again = parseFloatStrict(buf, start, stop);
  if (!Number.isNaN(again)) return again;
  const text = buf.toString('latin1', start, stop);
  return DECIMAL.test(text) ? Number(text) : Number.NaN;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= FIRST_CONTROL_SPACE && byte <= LAST_CONTROL_SPACE);
}

/** An end of a range of members. */
export const LEX_END = { first: 0, last: 1, included: 2, excluded: 3 } as const;

/** Members from one to another, in order of their bytes. The bytes stay those of the buffer that was parsed. */
export class LexRange {
  buf: Buffer = Buffer.alloc(0);
  /** LEX_END numbers; the bytes of an included or excluded member are buf[minStart, minEnd). */
  minKind = 0;
  minStart = 0;
  minEnd = 0;
  maxKind = 0;
  maxStart = 0;
  maxEnd = 0;

  /** Reads both ends; false: one of them is no end. */
  parse(buf: Buffer, minStart: number, minEnd: number, maxStart: number, maxEnd: number): boolean {
    this.buf = buf;
    this.minKind = kindOf(buf, minStart, minEnd);
    this.maxKind = kindOf(buf, maxStart, maxEnd);
    this.minStart = minStart + 1;
    this.minEnd = minEnd;
    this.maxStart = maxStart + 1;
    this.maxEnd = maxEnd;
    return this.minKind >= 0 && this.maxKind >= 0;
  }

  /** Does the member stand before the range? */
  isBelow(buf: Buffer, start: number, end: number): boolean {
    if (this.minKind === LEX_END.first) return false;
    if (this.minKind === LEX_END.last) return true;
    const order = compareBytes(buf, start, end, this.buf, this.minStart, this.minEnd);
    return this.minKind === LEX_END.excluded ? order <= 0 : order < 0;
  }

  isAbove(buf: Buffer, start: number, end: number): boolean {
    if (this.maxKind === LEX_END.last) return false;
    if (this.maxKind === LEX_END.first) return true;
    const order = compareBytes(buf, start, end, this.buf, this.maxStart, this.maxEnd);
    return this.maxKind === LEX_END.excluded ? order >= 0 : order > 0;
  }

  /** No member can be in it. */
  isEmpty(): boolean {
    const { minKind, maxKind } = this;
    if (minKind === LEX_END.last || maxKind === LEX_END.first) return minKind !== maxKind || minKind === LEX_END.last;
    if (minKind === LEX_END.first || maxKind === LEX_END.last) return false;
    const order = compareBytes(this.buf, this.minStart, this.minEnd, this.buf, this.maxStart, this.maxEnd);
    return order > 0 || (order === 0 && (minKind === LEX_END.excluded || maxKind === LEX_END.excluded));
  }
}

function kindOf(buf: Buffer, start: number, end: number): number {
  if (start === end) return -1;
  const first = buf[start];
  if (first === CLOSED) return LEX_END.included;
  if (first === OPEN) return LEX_END.excluded;
  if (end - start !== 1) return -1;
  return first === MINUS ? LEX_END.first : first === PLUS ? LEX_END.last : -1;
}

const COMPARE_LOOP_LIMIT = 48;

/** < 0, 0, > 0: how the first range stands to the second in order of bytes; a prefix stands first. */
export function compareBytes(a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number, bEnd: number): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  if (length > COMPARE_LOOP_LIMIT) return a.compare(b, bStart, bEnd, aStart, aEnd);
  for (let i = 0; i < length; i++) {
    const difference = a[aStart + i] - b[bStart + i];
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** As compareBytes, four bytes at a time. */
export function compareViews(
  a: DataView,
  aStart: number,
  aEnd: number,
  b: DataView,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const x = a.getUint32(aStart + i);
    const y = b.getUint32(bStart + i);
    if (x !== y) return x < y ? -1 : 1;
  }
  for (let i = whole; i < length; i++) {
    const difference = a.getUint8(aStart + i) - b.getUint8(bStart + i);
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}
