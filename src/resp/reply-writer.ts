/**
 * Writes replies, RESP2 or RESP3, one behind the other into the one reply buffer of its thread.
 *
 *   buf   | given away | replies so far |          free          |
 *         0            ^floor           ^pos                     ^buf.length
 *
 * The buffer doubles when it is full. `takeOver` gives what is written to somebody who keeps it (a socket that could not
 * send at once); the writer goes on behind it, or in a fresh buffer when little room is left.
 * Invariant 1: bytes below `floor` belong to others and are never written again.
 * Invariant 2: positions (`pos`, marks) survive growing: bytes keep their place, only `buf` becomes another buffer.
 */
import { copyInto } from '../../native-free-shm/bytes.ts';
import { formatDouble, integerBytes, writeInteger } from './numbers.ts';

const FIRST_BYTES = 256 * 1024;
/** A buffer that grew beyond this goes back to FIRST_BYTES once it is empty. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** Behind a part that was given away, room worth going on in. */
const WORTH_KEEPING_BYTES = 64 * 1024;

/** Header or number: type byte, sign, 19 digits, CR LF, and the CR LF behind a payload. */
const HEADER_BYTES = 32;
/** Texts up to here are copied by a loop, which is faster than a call. */
const LOOP_CHARACTERS = 24;
/** Payloads up to here are copied through views, longer ones by Buffer.copy. */
const VIEW_BYTES = 192;

const CR = 13;
const LF = 10;
/** Both as one number, the lower byte first. */
const CR_LF = CR | (LF << 8);
/** Lengths of fewer bytes than these have one or two digits. */
const SHORT_BYTES = 100;
/** By length: the first four bytes of the header of a bulk string that long, as one number. */
const SHORT_HEADERS = Int32Array.from({ length: SHORT_BYTES }, (_, length) =>
  Buffer.from(`$${length}\r\n`).readInt32LE(0),
);
const ZERO = 48;
const SPACE = 32;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const COMMA = 44;
const HASH = 35;
const UNDERSCORE = 95;
const PERCENT = 37;
const TILDE = 126;
const GREATER = 62;
const EQUALS = 61;
const PAREN = 40;
const BAR = 124;
const LETTER_K = 75;
const LETTER_O = 79;
const LETTER_T = 116;
const LETTER_F = 102;
const QUEUED = Buffer.from('+QUEUED\r\n');

export class ReplyWriter {
  buf: Buffer;
  pos = 0;
  /** Protocol version of the client that is answered. */
  resp: 2 | 3 = 2;
  /** Who passes this position is closed for it, so a long reply may end here unfinished. */
  most = Number.POSITIVE_INFINITY;
  private floor = 0;
  private limit: number;
  /** Of all of `buf`. */
  private view: DataView;

  constructor(firstBytes: number = FIRST_BYTES) {
    this.buf = Buffer.allocUnsafeSlow(firstBytes);
    this.view = new DataView(this.buf.buffer, this.buf.byteOffset, firstBytes);
    this.limit = firstBytes;
  }

  // ---- simple types

  ok(): void {
    if (this.pos + HEADER_BYTES > this.limit) this.grow(HEADER_BYTES);
    const buf = this.buf;
    const pos = this.pos;
    buf[pos] = PLUS;
    buf[pos + 1] = LETTER_O;
    buf[pos + 2] = LETTER_K;
    buf[pos + 3] = CR;
    buf[pos + 4] = LF;
    this.pos = pos + 5;
  }

  /** What MULTI answers to a command that waits for EXEC. */
  queued(): void {
    if (this.pos + HEADER_BYTES > this.limit) this.grow(HEADER_BYTES);
    const { buf, pos } = this;
    for (let i = 0; i < QUEUED.length; i++) buf[pos + i] = QUEUED[i];
    this.pos = pos + QUEUED.length;
  }

  /** A status reply; line ends in the text become blanks. */
  simple(text: string): void {
    this.line(PLUS, text);
  }

  /** An error reply; the text begins with its code ('ERR …'), line ends in it become blanks. */
  error(text: string): void {
    this.line(MINUS, text);
  }

  /** An error reply out of bytes. */
  errorBytes(bytes: Uint8Array, start: number, end: number): void {
    this.room(end - start + HEADER_BYTES);
    const buf = this.buf;
    let pos = this.pos;
    buf[pos++] = MINUS;
    for (let i = start; i < end; i++) buf[pos++] = lineByte(bytes[i]);
    this.endLine(pos);
  }

  /** A whole number, |n| < 2^53. */
  integer(n: number): void {
    if (this.pos + HEADER_BYTES > this.limit) this.grow(HEADER_BYTES);
    const buf = this.buf;
    let pos = this.pos;
    buf[pos] = COLON;
    if (n >= 0 && n < 10) {
      buf[pos + 1] = ZERO + n;
      pos += 2;
    } else {
      pos = writeInteger(buf, pos + 1, n);
    }
    buf[pos] = CR;
    buf[pos + 1] = LF;
    this.pos = pos + 2;
  }

  /** A whole number of 64 bits. */
  bigInteger(n: bigint): void {
    this.line(COLON, n.toString());
  }

  /** RESP3: #t or #f; RESP2: :1 or :0. */
  boolean(value: boolean): void {
    if (this.resp === 2) {
      this.integer(value ? 1 : 0);
      return;
    }
    this.room(HEADER_BYTES);
    this.buf[this.pos] = HASH;
    this.buf[this.pos + 1] = value ? LETTER_T : LETTER_F;
    this.endLine(this.pos + 2);
  }

  /** A double, as Redis writes it: `formatDouble`. RESP2: as a bulk string. */
  double(x: number): void {
    this.doubleText(formatDouble(x));
  }

  /** A number that is formatted already (long doubles). RESP2: as a bulk string. */
  doubleText(text: string): void {
    if (this.resp === 2) this.bulkText(text);
    else this.line(COMMA, text);
  }

  /** A number of any size in decimal. RESP2: as a bulk string. */
  bigNumber(text: string): void {
    if (this.resp === 2) this.bulkText(text);
    else this.line(PAREN, text);
  }

  /** Nothing. RESP2: the null bulk string. */
  null(): void {
    if (this.pos + HEADER_BYTES > this.limit) this.grow(HEADER_BYTES);
    if (this.resp === 2) this.minusOne(DOLLAR);
    else this.underscore();
  }

  /** Nothing, where an array was expected. RESP2: the null array. */
  nullArray(): void {
    this.room(HEADER_BYTES);
    if (this.resp === 2) this.minusOne(STAR);
    else this.underscore();
  }

  // ---- strings

  /** The bytes bytes[start, end) as a bulk string. */
  bulk(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (this.pos + length + HEADER_BYTES > this.limit) this.grow(length + HEADER_BYTES);
    if (length < 10) {
      this.shortBulk(bytes, start, length);
      return;
    }
    this.header(DOLLAR, length);
    copyInto(this.buf, this.pos, bytes, start, length);
    this.endLine(this.pos + length);
  }

  /**
   * The same, for those who have a view of the memory that `bytes` is a Buffer of: four times as fast for 32 to 128 bytes.
   * Offsets into `view` and `bytes` are the same.
   */
  bulkView(view: DataView, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length < 8 || length > VIEW_BYTES) {
      this.bulk(bytes, start, end);
      return;
    }
    if (this.pos + length + HEADER_BYTES > this.limit) this.grow(length + HEADER_BYTES);
    const to = this.view;
    let pos = this.pos;
    if (length < SHORT_BYTES) {
      to.setInt32(pos, SHORT_HEADERS[length], true);
      pos += 4;
      if (length > 9) to.setInt8(pos++, LF);
    } else {
      this.header(DOLLAR, length);
      pos = this.pos;
    }
    // eight bytes at a time, the last eight overlapping those before them
    const last = length - 8;
    for (let i = 0; i < last; i += 8) to.setBigInt64(pos + i, view.getBigInt64(start + i, true), true);
    to.setBigInt64(pos + last, view.getBigInt64(start + last, true), true);
    to.setInt16(pos + length, CR_LF, true);
    this.pos = pos + length + 2;
  }

  /** A text as a bulk string, one byte per character (latin1). */
  bulkText(text: string): void {
    const length = text.length;
    this.room(length + HEADER_BYTES);
    this.header(DOLLAR, length);
    this.characters(text);
    this.endLine(this.pos);
  }

  /** A whole number, |n| < 2^53, as a bulk string. */
  bulkNumber(n: number): void {
    this.room(2 * HEADER_BYTES);
    this.header(DOLLAR, integerBytes(n));
    this.endLine(writeInteger(this.buf, this.pos, n));
  }

  /** A text for people (latin1); `format` has three letters: 'txt', 'mkd'. RESP2: as a bulk string. */
  verbatim(text: string, format: string): void {
    if (this.resp === 2) {
      this.bulkText(text);
      return;
    }
    this.room(text.length + 4 + HEADER_BYTES);
    this.header(EQUALS, text.length + 4);
    this.characters(format);
    this.buf[this.pos++] = COLON;
    this.characters(text);
    this.endLine(this.pos);
  }

  /** Bytes that are a reply, or several, already. */
  raw(bytes: Buffer, start: number, end: number): void {
    this.room(end - start);
    this.pos += bytes.copy(this.buf, this.pos, start, end);
  }

  // ---- aggregates: the header; their elements follow

  array(count: number): void {
    this.aggregate(STAR, count);
  }

  emptyArray(): void {
    this.aggregate(STAR, 0);
  }

  /** `pairs` keys, each followed by its value. RESP2: an array of twice as many elements. */
  map(pairs: number): void {
    if (this.resp === 2) this.aggregate(STAR, pairs * 2);
    else this.aggregate(PERCENT, pairs);
  }

  /** RESP2: an array. */
  set(count: number): void {
    this.aggregate(this.resp === 2 ? STAR : TILDE, count);
  }

  /** Out of band. RESP2: an array. */
  push(count: number): void {
    this.aggregate(this.resp === 2 ? STAR : GREATER, count);
  }

  /** Pairs that annotate the reply that follows them. RESP3 only: the caller leaves them out for RESP2. */
  attribute(pairs: number): void {
    if (this.resp === 2) throw new Error('RESP2 has no attributes');
    this.aggregate(BAR, pairs);
  }

  /** Puts the header of an array in front of what was written since `mark`, when the count is known only afterwards. */
  arrayBefore(mark: number, count: number): void {
    this.headerBefore(mark, STAR, count);
  }

  /** The same for `pairs` keys and values. */
  mapBefore(mark: number, pairs: number): void {
    if (this.resp === 2) this.headerBefore(mark, STAR, pairs * 2);
    else this.headerBefore(mark, PERCENT, pairs);
  }

  /** The same for a set. */
  setBefore(mark: number, count: number): void {
    this.headerBefore(mark, this.resp === 2 ? STAR : TILDE, count);
  }

  /**
   * Puts `count` bulk strings into what was written: bytes sources[i][starts[i], ends[i]) in front of what stands at places[i].
   * Places ascend. What stands behind a place moves, so marks behind places[0] are void.
   */
  insertBulks(
    count: number,
    places: readonly number[],
    sources: readonly Buffer[],
    starts: readonly number[],
    ends: readonly number[],
  ): void {
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += bulkBytes(ends[i] - starts[i]);
    this.room(bytes);
    const { buf } = this;
    let end = this.pos;
    const newEnd = end + bytes;
    let to = newEnd;
    for (let i = count - 1; i >= 0; i--) {
      const length = ends[i] - starts[i];
      const tail = end - places[i];
      buf.copyWithin(to - tail, places[i], end);
      end = places[i];
      to -= tail + bulkBytes(length);
      this.pos = to;
      this.header(DOLLAR, length);
      sources[i].copy(buf, this.pos, starts[i], ends[i]);
      this.endLine(this.pos + length);
    }
    this.pos = newEnd;
  }

  // ---- the buffer

  /** Where the next reply begins: for `rewind`, and as the start of a range of `buf`. */
  mark(): number {
    return this.pos;
  }

  /** Drops what was written since `mark`. What was given away stays. */
  rewind(mark: number): void {
    if (mark > this.floor) {
      this.pos = mark;
      return;
    }
    this.pos = this.floor;
    if (this.limit > KEPT_BYTES) this.replace(FIRST_BYTES);
  }

  /** Gives away all bytes below `pos`; returns their buffer, which is not written there again. */
  takeOver(): Buffer {
    const given = this.buf;
    if (this.limit - this.pos >= WORTH_KEEPING_BYTES && this.limit <= KEPT_BYTES) this.floor = this.pos;
    else this.replace(FIRST_BYTES);
    return given;
  }

  /** Makes room for `bytes` more, for writers that fill `buf` themselves. */
  room(bytes: number): void {
    if (this.pos + bytes > this.limit) this.grow(bytes);
  }

  private grow(bytes: number): void {
    let size = this.limit * 2;
    while (size < this.pos + bytes) size *= 2;
    const from = this.buf;
    const floor = this.floor;
    const pos = this.pos;
    this.replace(size);
    from.copy(this.buf, floor, floor, pos);
    this.pos = pos;
  }

  private replace(size: number): void {
    this.buf = Buffer.allocUnsafeSlow(size);
    this.view = new DataView(this.buf.buffer, this.buf.byteOffset, size);
    this.limit = size;
    this.floor = 0;
    this.pos = 0;
  }

  // ---- parts; the caller has made room

  private shortBulk(bytes: Buffer, start: number, length: number): void {
    const buf = this.buf;
    const pos = this.pos;
    buf[pos] = DOLLAR;
    buf[pos + 1] = ZERO + length;
    buf[pos + 2] = CR;
    buf[pos + 3] = LF;
    for (let i = 0; i < length; i++) buf[pos + 4 + i] = bytes[start + i];
    this.endLine(pos + 4 + length);
  }

  private aggregate(type: number, count: number): void {
    this.room(HEADER_BYTES);
    this.header(type, count);
  }

  private header(type: number, count: number): void {
    const buf = this.buf;
    const pos = this.pos;
    buf[pos] = type;
    if (count < 10) {
      buf[pos + 1] = ZERO + count;
      this.endLine(pos + 2);
    } else if (count < 100) {
      const tens = ((count | 0) / 10) | 0;
      buf[pos + 1] = ZERO + tens;
      buf[pos + 2] = ZERO + count - tens * 10;
      this.endLine(pos + 3);
    } else {
      this.endLine(writeInteger(buf, pos + 1, count));
    }
  }

  private headerBefore(mark: number, type: number, count: number): void {
    this.room(HEADER_BYTES);
    const bytes = 3 + integerBytes(count);
    const end = this.pos + bytes;
    this.buf.copyWithin(mark + bytes, mark, this.pos);
    this.pos = mark;
    this.header(type, count);
    this.pos = end;
  }

  private endLine(pos: number): void {
    this.buf[pos] = CR;
    this.buf[pos + 1] = LF;
    this.pos = pos + 2;
  }

  private characters(text: string): void {
    const length = text.length;
    const pos = this.pos;
    if (length <= LOOP_CHARACTERS) {
      const buf = this.buf;
      for (let i = 0; i < length; i++) buf[pos + i] = text.charCodeAt(i);
    } else {
      this.buf.write(text, pos, 'latin1');
    }
    this.pos = pos + length;
  }

  /** One line, which no text can break: CR and LF at its end are dropped, elsewhere they become blanks. */
  private line(type: number, text: string): void {
    let length = text.length;
    while (length > 0 && lineByte(text.charCodeAt(length - 1)) !== text.charCodeAt(length - 1)) length--;
    this.room(length + HEADER_BYTES);
    const buf = this.buf;
    let pos = this.pos;
    buf[pos++] = type;
    for (let i = 0; i < length; i++) buf[pos++] = lineByte(text.charCodeAt(i));
    this.endLine(pos);
  }

  private minusOne(type: number): void {
    const pos = this.pos;
    this.buf[pos] = type;
    this.buf[pos + 1] = MINUS;
    this.buf[pos + 2] = ZERO + 1;
    this.endLine(pos + 3);
  }

  private underscore(): void {
    this.buf[this.pos] = UNDERSCORE;
    this.endLine(this.pos + 1);
  }
}

/** Bytes of a bulk string with `length` bytes: type, length, line end, payload, line end. */
function bulkBytes(length: number): number {
  return 5 + integerBytes(length) + length;
}

/** The byte as it may stand inside a line. */
function lineByte(byte: number): number {
  return byte === CR || byte === LF ? SPACE : byte;
}
