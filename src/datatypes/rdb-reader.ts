/**
 * Reads bytes in the form of RDB files (rdb-writer.ts has the picture). Whatever does not parse is a DamagedRdbError; nothing
 * is believed before it is there.
 */
import { writeInteger } from '../resp/numbers.ts';
import { lzfExpand } from './lzf.ts';

const INTEGER_TEXT_BYTES = 24;
/** Strings may be so long at most. */
const MAX_STRING_BYTES = 2 ** 31 - 1;

export class DamagedRdbError extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'DamagedRdbError';
  }
}

/** A collection without elements, which no server makes on purpose; all of it has been read. */
export class EmptyValueError extends DamagedRdbError {
  constructor() {
    super('an empty collection');
  }
}

export class RdbReader {
  buf: Buffer;
  pos: number;
  end: number;

  // ---- registers of `string`
  /** sBuf[sStart, sEnd): valid until the next string is read. */
  sBuf: Buffer;
  sStart = 0;
  sEnd = 0;
  /** Register of `length`: what was read is a form of string, and which. */
  isSpecial = false;

  private readonly number = Buffer.alloc(INTEGER_TEXT_BYTES);
  private expanded: Buffer = Buffer.alloc(0);
  private held: Buffer = Buffer.alloc(0);

  constructor(buf: Buffer, start: number, end: number) {
    this.buf = buf;
    this.pos = start;
    this.end = end;
    this.sBuf = buf;
  }

  /** Makes sure that `bytes` more bytes lie at `pos`; a reader of files fetches them here. */
  need(bytes: number): void {
    if (this.pos + bytes > this.end) throw new DamagedRdbError('unexpected end');
  }

  byte(): number {
    this.need(1);
    return this.buf[this.pos++];
  }

  /** A length; with `isSpecial` the number of a special form of string. Up to 2^53. */
  lengthOrForm(): number {
    const first = this.byte();
    this.isSpecial = false;
    switch (first >> 6) {
      case 0:
        return first;
      case 1:
        return ((first & 63) << 8) | this.byte();
      case 3:
        this.isSpecial = true;
        return first & 63;
    }
    if (first === 0x80) {
      this.need(4);
      this.pos += 4;
      return this.buf.readUInt32BE(this.pos - 4);
    }
    if (first !== 0x81) throw new DamagedRdbError(`byte ${first} begins no length`);
    const big = this.unsigned64();
    return Number(big);
  }

  /** A length or number; 0 … 2^53. */
  length(): number {
    const n = this.lengthOrForm();
    if (this.isSpecial) throw new DamagedRdbError('a length was expected');
    if (n > Number.MAX_SAFE_INTEGER) throw new DamagedRdbError('a length is too large');
    return n;
  }

  /** A number up to 2^64 - 1 in the form of a length. */
  bigLength(): bigint {
    this.need(1);
    if (this.buf[this.pos] !== 0x81) return BigInt(this.length());
    this.pos++;
    return this.unsigned64();
  }

  private unsigned64(): bigint {
    this.need(8);
    this.pos += 8;
    return this.buf.readBigUInt64BE(this.pos - 8);
  }

  /** Fills the registers with a string. */
  string(): void {
    const length = this.lengthOrForm();
    if (!this.isSpecial) {
      if (length > MAX_STRING_BYTES) throw new DamagedRdbError('a string is too long');
      this.need(length);
      this.sBuf = this.buf;
      this.sStart = this.pos;
      this.sEnd = this.pos += length;
      return;
    }
    if (length === 3) return this.packedString();
    const bytes = 1 << length;
    if (length > 2) throw new DamagedRdbError(`no form of string has the number ${length}`);
    this.need(bytes);
    const value =
      length === 0
        ? this.buf.readInt8(this.pos)
        : length === 1
          ? this.buf.readInt16LE(this.pos)
          : this.buf.readInt32LE(this.pos);
    this.pos += bytes;
    this.sBuf = this.number;
    this.sStart = 0;
    this.sEnd = writeInteger(this.number, 0, value);
  }

  private packedString(): void {
    const packed = this.length();
    const length = this.length();
    // LZF makes at most 264 bytes out of 3
    if (length > MAX_STRING_BYTES || length > packed * 88 + 264)
      throw new DamagedRdbError('a packed string is too long');
    this.need(packed);
    if (this.expanded.length < length) this.expanded = Buffer.allocUnsafeSlow(length);
    if (!lzfExpand(this.buf, this.pos, this.pos + packed, this.expanded, length))
      throw new DamagedRdbError('a packed string is damaged');
    this.pos += packed;
    this.sBuf = this.expanded;
    this.sStart = 0;
    this.sEnd = length;
  }

  /** As string, with the bytes in a buffer of their own: valid until the next held string is read, whatever else is read. */
  heldString(): void {
    this.string();
    const length = this.sEnd - this.sStart;
    if (this.held.length < length) this.held = Buffer.allocUnsafeSlow(Math.max(length, 256));
    this.sBuf.copy(this.held, 0, this.sStart, this.sEnd);
    this.sBuf = this.held;
    this.sStart = 0;
    this.sEnd = length;
  }

  /** Steps over `bytes` bytes. */
  skip(bytes: number): void {
    this.need(bytes);
    this.pos += bytes;
  }

  /** Steps over a string. */
  skipString(): void {
    const length = this.lengthOrForm();
    if (!this.isSpecial) return this.skip(length);
    if (length < 3) return this.skip(1 << length);
    if (length > 3) throw new DamagedRdbError(`no form of string has the number ${length}`);
    const packed = this.length();
    this.length();
    this.skip(packed);
  }

  /** The string as text, one character per byte. Cold. */
  stringText(): string {
    this.string();
    return this.sBuf.toString('latin1', this.sStart, this.sEnd);
  }

  /** Eight bytes of a double, low first. */
  double(): number {
    this.need(8);
    this.pos += 8;
    return this.buf.readDoubleLE(this.pos - 8);
  }

  /** A double as text behind its length; the scores of the oldest sorted sets. */
  doubleText(): number {
    const length = this.byte();
    if (length === 253) return Number.NaN;
    if (length === 254) return Number.POSITIVE_INFINITY;
    if (length === 255) return Number.NEGATIVE_INFINITY;
    this.need(length);
    const text = this.buf.toString('latin1', this.pos, this.pos + length);
    this.pos += length;
    return Number(text);
  }

  /** Eight bytes of a signed number, low first: unix ms. */
  millis(): number {
    this.need(8);
    this.pos += 8;
    return Number(this.buf.readBigInt64LE(this.pos - 8));
  }

  /** Four bytes, low first: unix seconds. */
  seconds(): number {
    this.need(4);
    this.pos += 4;
    return this.buf.readInt32LE(this.pos - 4);
  }
}
