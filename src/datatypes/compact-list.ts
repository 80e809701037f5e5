/**
 * A list of short strings and integers in one block, byte for byte what Redis calls a listpack; so RDB files and DUMP payloads
 * take it as it is.
 *
 *   block:  | lead, the owner's | gap | total bytes u32 | elements u16 | element | element | … | 0xff |
 *   element: encoding and data, then its length backwards (1 to 5 bytes), so that it can be read from both ends
 *
 * Stateless over an arena: a list is the handle of its block. Places (`at`) are byte offsets from the start of the list (behind
 * the lead); 0 is no place. What changes a list returns its handle, which may be another.
 *
 * Invariant 1: total bytes counts from its own word to the 0xff inclusive; the block may be longer.
 * Invariant 2: a string that is the canonical text of a 64-bit integer is kept as integer.
 * Invariant 3: elements = 65535 means: at least so many, count them.
 * Invariant 4: there is no gap but in lists of a class that says so (`hasGap`): its bytes stand in the last word of the lead.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { moveWithin } from '../../native-free-shm/bytes.ts';
import { parseInt64, parseInteger, writeInteger } from '../resp/numbers.ts';
import {
  backBytes,
  EMPTY_COMPACT_BYTES,
  elementBytes,
  isShortText,
  isSoundCompactList,
  sameBytes,
  writeShortText,
} from './compact-element.ts';

const OFFSET_MASK = 0x3ffffff;
const HEADER_BYTES = 6;
const END = 0xff;
const MANY = 65535;

const STRING_6 = 0x80;
const STRING_12 = 0xe0;
const STRING_32 = 0xf0;
const INT_13 = 0xc0;
const INT_16 = 0xf1;
const INT_24 = 0xf2;
const INT_32 = 0xf3;
const INT_64 = 0xf4;
/** The longest text of a 64-bit integer. */
const MAX_INTEGER_TEXT = 20;
/** Integers are formatted into this much; so many elements may be read before the first text is overwritten. */
const TEXT_SLOTS = 8;
const TEXT_SLOT_BYTES = 24;

export class CompactList {
  readonly arena: Arena;
  /** Bytes before the list in its block. */
  readonly lead: number;
  protected readonly hasGap: boolean;

  // ---- registers of `read`
  /** The element as text: vBuf[vStart, vEnd), valid until the list changes and for the next 7 integers read. */
  vBuf: Buffer;
  vStart = 0;
  vEnd = 0;
  /** The element is kept as an integer. */
  isInteger = false;
  /** Its value; only near it beyond ±2^53 (then `bigValue` is exact). */
  value = 0;
  bigValue = 0n;
  /** Register of `insert`, `append` and `replace`: the place of the written element. */
  placed = 0;

  // ---- registers of `measure`: what is to be written
  private encoding = 0;
  private dataBytes = 0;
  private integer = 0;
  private bigInteger = 0n;

  private readonly texts = Buffer.alloc(TEXT_SLOTS * TEXT_SLOT_BYTES);
  private readonly textView = new DataView(this.texts.buffer, this.texts.byteOffset, this.texts.length);
  private textAt = 0;

  constructor(arena: Arena, lead = 0, hasGap = false) {
    this.arena = arena;
    this.lead = lead;
    this.hasGap = hasGap;
    this.vBuf = this.texts;
  }

  /** A new, empty list in a block with room for `bytes` of list. Lead bytes are undefined. */
  create(bytes: number = EMPTY_COMPACT_BYTES): number {
    const h = this.arena.allocate(this.lead + Math.max(bytes, EMPTY_COMPACT_BYTES));
    const view = this.arena.view[h >>> 26];
    const base = this.firstBase(h);
    view.setUint32(base, EMPTY_COMPACT_BYTES, true);
    view.setUint16(base + 4, 0, true);
    view.setUint8(base + HEADER_BYTES, END);
    return h;
  }

  /** A new list that holds these bytes, which must be a sound list (see `isSound`). */
  createFrom(bytes: Buffer, start: number, end: number): number {
    const h = this.arena.allocate(this.lead + end - start);
    bytes.copy(this.arena.buf[h >>> 26], this.firstBase(h), start, end);
    return h;
  }

  /** Byte position of the list in its segment's buffer. */
  base(h: number): number {
    const base = ((h & OFFSET_MASK) << 4) + this.lead;
    return this.hasGap ? base + this.arena.i32[h >>> 26][(base >> 2) - 1] : base;
  }

  /** As base, for a list that is about to be written into a new block: without a gap. */
  private firstBase(h: number): number {
    const base = ((h & OFFSET_MASK) << 4) + this.lead;
    if (this.hasGap) this.arena.i32[h >>> 26][(base >> 2) - 1] = 0;
    return base;
  }

  /** Bytes of the block behind the start of the list at `base`. */
  protected roomFrom(h: number, base: number): number {
    return this.arena.blockBytes(h) - (base - ((h & OFFSET_MASK) << 4));
  }

  /** Bytes of the list, lead not counted. */
  bytes(h: number): number {
    return this.arena.view[h >>> 26].getUint32(this.base(h), true);
  }

  /** Elements. */
  count(h: number): number {
    const count = this.arena.view[h >>> 26].getUint16(this.base(h) + 4, true);
    if (count !== MANY) return count;
    let elements = 0;
    for (let at = this.first(h); at !== 0; at = this.next(h, at)) elements++;
    return elements;
  }

  /** Place of the first element, 0 where the list is empty. */
  first(h: number): number {
    return this.arena.u8[h >>> 26][this.base(h) + HEADER_BYTES] === END ? 0 : HEADER_BYTES;
  }

  last(h: number): number {
    return this.before(h, this.bytes(h) - 1);
  }

  /** The place behind the element at `at`, 0 at the end. */
  next(h: number, at: number): number {
    const u8 = this.arena.u8[h >>> 26];
    const base = this.base(h);
    const after = at + elementBytes(u8, base + at);
    return u8[base + after] === END ? 0 : after;
  }

  prev(h: number, at: number): number {
    return this.before(h, at);
  }

  /** The element that ends where `at` begins; 0 where there is none. */
  private before(h: number, at: number): number {
    if (at === HEADER_BYTES) return 0;
    const u8 = this.arena.u8[h >>> 26];
    const end = this.base(h) + at - 1;
    let length = 0;
    for (let i = 0; ; i++) {
      const byte = u8[end - i];
      length += (byte & 127) * 2 ** (7 * i);
      if ((byte & 128) === 0) break;
    }
    return at - length - backBytes(length);
  }

  /** Place of element `index`; negative counts from the end; 0 where there is none. */
  seek(h: number, index: number): number {
    const count = this.arena.view[h >>> 26].getUint16(this.base(h) + 4, true);
    if (count !== MANY) {
      if (index >= count || index < -count) return 0;
      if (index >= 0 && index > count >> 1) index -= count;
      else if (index < 0 && -index > (count >> 1) + 1) index += count;
    }
    let at: number;
    if (index >= 0) {
      at = this.first(h);
      while (index-- > 0 && at !== 0) at = this.next(h, at);
    } else {
      at = this.last(h);
      while (++index < 0 && at !== 0) at = this.prev(h, at);
    }
    return at;
  }

  /** Fills the registers with the element at `at`. */
  read(h: number, at: number): void {
    const segment = h >>> 26;
    const u8 = this.arena.u8[segment];
    const p = this.base(h) + at;
    const first = u8[p];
    if (first < 0x80) return this.readInteger(first);
    if (first < 0xc0) return this.readString(segment, p + 1, first & 63);
    if (first < 0xe0) return this.readInteger(((((first & 31) << 8) | u8[p + 1] | 0) << 19) >> 19);
    if (first < 0xf0) return this.readString(segment, p + 2, ((first & 15) << 8) | u8[p + 1]);
    const view = this.arena.view[segment];
    switch (first) {
      case STRING_32:
        return this.readString(segment, p + 5, view.getUint32(p + 1, true));
      case INT_16:
        return this.readInteger(view.getInt16(p + 1, true));
      case INT_24:
        return this.readInteger(view.getUint16(p + 1, true) | (view.getInt8(p + 3) << 16) | 0);
      case INT_32:
        return this.readInteger(view.getInt32(p + 1, true));
      case INT_64:
        return this.readBig(view.getBigInt64(p + 1, true));
    }
    throw new Error(`compact list: byte ${first} begins no element`);
  }

  private readString(segment: number, start: number, length: number): void {
    this.isInteger = false;
    this.vBuf = this.arena.buf[segment];
    this.vStart = start;
    this.vEnd = start + length;
  }

  private readInteger(value: number): void {
    this.isInteger = true;
    this.value = value;
    const start = this.textSlot();
    this.vEnd = writeInteger(this.texts, start, value);
  }

  private readBig(big: bigint): void {
    const value = Number(big);
    if (Number.isSafeInteger(value)) return this.readInteger(value);
    this.isInteger = true;
    this.value = value;
    this.bigValue = big;
    const start = this.textSlot();
    this.vEnd = start + this.texts.write(big.toString(), start, 'latin1');
  }

  private textSlot(): number {
    this.textAt = this.textAt === (TEXT_SLOTS - 1) * TEXT_SLOT_BYTES ? 0 : this.textAt + TEXT_SLOT_BYTES;
    this.vBuf = this.texts;
    this.vStart = this.textAt;
    return this.textAt;
  }

  /** The DataView of the last element read (vBuf), for replies. */
  get vView(): DataView {
    return this.isInteger ? this.textView : this.viewOf();
  }

  private viewOf(): DataView {
    for (let i = 0; i < this.arena.buf.length; i++) if (this.arena.buf[i] === this.vBuf) return this.arena.view[i];
    return this.textView;
  }

  /** The exact value of the integer that was read last. */
  exactValue(): bigint {
    return Number.isSafeInteger(this.value) ? BigInt(this.value) : this.bigValue;
  }

  /** Is the element at `at` these bytes? */
  equals(h: number, at: number, bytes: Buffer, start: number, end: number): boolean {
    this.read(h, at);
    const length = end - start;
    if (this.vEnd - this.vStart !== length) return false;
    return sameBytes(this.vBuf, this.vStart, bytes, start, length);
  }

  /**
   * The first element that is bytes[start, end), from place `at` on, looking at every (skip + 1)th element; 0 where there is
   * none. For pairs: skip 1.
   */
  find(h: number, at: number, bytes: Buffer, start: number, end: number, skip: number): number {
    if (at === 0) return 0;
    const u8 = this.arena.u8[h >>> 26];
    const base = this.base(h);
    this.measure(bytes, start, end);
    const encoding = this.encoding;
    const length = end - start;
    // equal strings have equal encodings, integers too: the first byte tells nearly all of them apart
    const firstByte = this.firstByte();
    let p = base + at;
    for (;;) {
      if (u8[p] === END) return 0;
      if (u8[p] === firstByte && this.sameElement(h, u8, p, encoding, bytes, start, length)) return p - base;
      p += elementBytes(u8, p);
      for (let i = skip; i > 0 && u8[p] !== END; i--) p += elementBytes(u8, p);
    }
  }

  /** As find over pairs from the first on, but looks at place `near` before: who sets fields in their order finds each at once. */
  findNear(h: number, near: number, bytes: Buffer, start: number, end: number): number {
    if (near !== 0) {
      this.measure(bytes, start, end);
      const u8 = this.arena.u8[h >>> 26];
      const p = this.base(h) + near;
      if (u8[p] === this.firstByte() && this.sameElement(h, u8, p, this.encoding, bytes, start, end - start))
        return near;
    }
    return this.find(h, this.first(h), bytes, start, end, 1);
  }

  private firstByte(): number {
    switch (this.encoding) {
      case 0:
        return this.integer;
      case STRING_6:
        return STRING_6 | this.dataBytes;
      case INT_13:
        return INT_13 | ((this.integer & 0x1fff) >> 8);
      case STRING_12:
        return STRING_12 | (this.dataBytes >> 8);
    }
    return this.encoding;
  }

  private sameElement(
    h: number,
    u8: Uint8Array,
    p: number,
    encoding: number,
    bytes: Buffer,
    start: number,
    length: number,
  ): boolean {
    switch (encoding) {
      case 0:
        return true;
      case STRING_6:
        return sameBytes(this.arena.buf[h >>> 26], p + 1, bytes, start, length);
      case STRING_12:
        return u8[p + 1] === (length & 255) && sameBytes(this.arena.buf[h >>> 26], p + 2, bytes, start, length);
      case STRING_32:
        return (
          this.arena.view[h >>> 26].getUint32(p + 1, true) === length &&
          sameBytes(this.arena.buf[h >>> 26], p + 5, bytes, start, length)
        );
      case INT_13:
        return u8[p + 1] === (this.integer & 255);
      case INT_64:
        return this.arena.view[h >>> 26].getBigInt64(p + 1, true) === this.bigInteger;
    }
    // 16, 24 or 32 bits
    const view = this.arena.view[h >>> 26];
    if (encoding === INT_16) return view.getInt16(p + 1, true) === this.integer;
    if (encoding === INT_32) return view.getInt32(p + 1, true) === this.integer;
    return (view.getUint16(p + 1, true) | (view.getInt8(p + 3) << 16) | 0) === this.integer;
  }

  /** Bytes that an element of these bytes takes in a list. */
  elementBytes(bytes: Buffer, start: number, end: number): number {
    return this.measure(bytes, start, end);
  }

  /** Inserts bytes[start, end), which must not lie in this list, before place `at`; 0: at the end. Returns the list. */
  insert(h: number, at: number, bytes: Buffer, start: number, end: number): number {
    if (this.insertShort(h, at, bytes, start, end)) return h;
    const size = this.measure(bytes, start, end);
    h = this.open(h, at, size);
    this.writeElement(h, bytes, start, end);
    this.changeCount(h, 1);
    return h;
  }

  /**
   * As insert, for most of what comes: a short text that begins no number, into a block that has room for it. False: it is something
   * else, and nothing was done.
   */
  private insertShort(h: number, at: number, bytes: Buffer, start: number, end: number): boolean {
    if (!isShortText(bytes, start, end)) return false;
    const length = end - start;
    const arena = this.arena;
    const view = arena.view[h >>> 26];
    const base = this.base(h);
    const total = view.getUint32(base, true);
    if (total + length + 2 > this.roomFrom(h, base)) return false;
    if (at === 0) at = total - 1;
    this.placed = at;
    const p = base + at;
    const behind = p + length + 2;
    arena.willChange(h);
    if (at === total - 1) view.setUint8(behind, END);
    else moveWithin(arena.buf[h >>> 26], behind, p, base + total);
    view.setUint32(base, total + length + 2, true);
    writeShortText(view, p, bytes, start, end);
    const count = view.getUint16(base + 4, true);
    if (count !== MANY) view.setUint16(base + 4, count + 1, true);
    return true;
  }

  append(h: number, bytes: Buffer, start: number, end: number): number {
    return this.insert(h, 0, bytes, start, end);
  }

  prepend(h: number, bytes: Buffer, start: number, end: number): number {
    return this.insert(h, HEADER_BYTES, bytes, start, end);
  }

  /** Inserts an integer (within ±2^53) before place `at`; 0: at the end. Returns the list. */
  insertInteger(h: number, at: number, value: number): number {
    const size = this.measureInteger(value);
    h = this.open(h, at, size);
    this.writeElement(h, this.texts, 0, 0);
    this.changeCount(h, 1);
    return h;
  }

  /** Puts bytes[start, end), which must not lie in this list, in the place of the element at `at`. Returns the list. */
  replace(h: number, at: number, bytes: Buffer, start: number, end: number): number {
    const size = this.measure(bytes, start, end);
    return this.exchange(h, at, size, bytes, start, end);
  }

  /** As replace, with an integer within ±2^53. */
  replaceInteger(h: number, at: number, value: number): number {
    const size = this.measureInteger(value);
    return this.exchange(h, at, size, this.texts, 0, 0);
  }

  private exchange(h: number, at: number, size: number, bytes: Buffer, start: number, end: number): number {
    const old = elementBytes(this.arena.u8[h >>> 26], this.base(h) + at);
    if (size > old) {
      h = this.open(h, at, size - old);
    } else {
      this.arena.willChange(h);
      if (size < old) this.close(h, at, old - size);
      this.placed = at;
    }
    this.writeElement(h, bytes, start, end);
    return h;
  }

  /**
   * Removes `count` elements from place `at` on; fewer where the list ends before. Returns the list; `at` is then the place of
   * what stood behind them, unless `atEnd`.
   */
  remove(h: number, at: number, count = 1): number {
    const u8 = this.arena.u8[h >>> 26];
    const base = this.base(h);
    let p = base + at;
    let removed = 0;
    while (removed < count && u8[p] !== END) {
      p += elementBytes(u8, p);
      removed++;
    }
    if (removed === 0) return h;
    const many = this.arena.view[h >>> 26].getUint16(base + 4, true) === MANY;
    this.arena.willChange(h);
    this.close(h, at, p - base - at);
    if (many) this.recount(h);
    else this.changeCount(h, -removed);
    return this.shrunk(h);
  }

  /** Is place `at` behind the last element? */
  atEnd(h: number, at: number): boolean {
    return this.arena.u8[h >>> 26][this.base(h) + at] === END;
  }

  /** Makes room for `size` bytes at `at` (0: at the end), with a new block where this one is too short. Returns the list. */
  protected open(h: number, at: number, size: number): number {
    const arena = this.arena;
    const base = this.base(h);
    const total = arena.view[h >>> 26].getUint32(base, true);
    if (at === 0) at = total - 1;
    this.placed = at;
    if (total + size <= this.roomFrom(h, base)) {
      arena.willChange(h);
      moveWithin(arena.buf[h >>> 26], base + at + size, base + at, base + total);
      arena.view[h >>> 26].setUint32(base, total + size, true);
      return h;
    }
    const next = arena.allocate(this.lead + total + size);
    this.copyLead(h, next);
    const nextBase = this.firstBase(next);
    const from = arena.buf[h >>> 26];
    const to = arena.buf[next >>> 26];
    from.copy(to, nextBase, base, base + at);
    from.copy(to, nextBase + at + size, base + at, base + total);
    arena.view[next >>> 26].setUint32(nextBase, total + size, true);
    arena.release(h);
    return next;
  }

  private copyLead(from: number, to: number): void {
    const source = this.arena.i32[from >>> 26];
    const target = this.arena.i32[to >>> 26];
    for (let i = 0; i < this.lead >> 2; i++)
      target[((to & OFFSET_MASK) << 2) + i] = source[((from & OFFSET_MASK) << 2) + i];
  }

  /** Closes a gap: takes `size` bytes out at `at`. The change is announced. */
  private close(h: number, at: number, size: number): void {
    const base = this.base(h);
    const view = this.arena.view[h >>> 26];
    const total = view.getUint32(base, true);
    moveWithin(this.arena.buf[h >>> 26], base + at, base + at + size, base + total);
    view.setUint32(base, total - size, true);
  }

  /** Gives a list whose block is much too long a shorter one. */
  protected shrunk(h: number): number {
    return (this.lead + this.bytes(h)) * 2 + 64 > this.arena.blockBytes(h) ? h : this.cut(h);
  }

  /** Gives a list a block that is no longer than it needs, if there is room. Returns the list. */
  cut(h: number): number {
    const arena = this.arena;
    const bytes = this.lead + this.bytes(h);
    if (!arena.reserve(bytes)) return h;
    const next = arena.allocate(bytes);
    const start = this.base(h);
    this.copyLead(h, next);
    arena.buf[h >>> 26].copy(arena.buf[next >>> 26], this.firstBase(next), start, start + bytes - this.lead);
    arena.release(h);
    return next;
  }

  protected changeCount(h: number, change: number): void {
    const view = this.arena.view[h >>> 26];
    const at = this.base(h) + 4;
    const count = view.getUint16(at, true);
    if (count !== MANY) view.setUint16(at, Math.min(count + change, MANY), true);
  }

  protected recount(h: number): void {
    const u8 = this.arena.u8[h >>> 26];
    const base = this.base(h);
    let count = 0;
    for (let p = base + HEADER_BYTES; u8[p] !== END && count < MANY; p += elementBytes(u8, p)) count++;
    this.arena.view[h >>> 26].setUint16(base + 4, count, true);
  }

  /** Finds encoding and size of what is to be written; bytes of the whole element. */
  protected measure(bytes: Buffer, start: number, end: number): number {
    const length = end - start;
    if (length > 0 && length <= MAX_INTEGER_TEXT) {
      const value = parseInteger(bytes, start, end);
      if (!Number.isNaN(value)) return this.measureInteger(value);
      if (length > 15) {
        const big = parseInt64(bytes, start, end);
        if (big !== null) {
          this.encoding = INT_64;
          this.bigInteger = big;
          return 10;
        }
      }
    }
    this.dataBytes = length;
    this.encoding = length < 64 ? STRING_6 : length < 4096 ? STRING_12 : STRING_32;
    const size = length + (length < 64 ? 1 : length < 4096 ? 2 : 5);
    return size + backBytes(size);
  }

  protected measureInteger(value: number): number {
    this.integer = value;
    if (value >= 0 && value < 128) {
      this.encoding = 0;
      return 2;
    }
    if (value >= -4096 && value < 4096) {
      this.encoding = INT_13;
      return 3;
    }
    if (value >= -32768 && value < 32768) {
      this.encoding = INT_16;
      return 4;
    }
    if (value >= -8388608 && value < 8388608) {
      this.encoding = INT_24;
      return 5;
    }
    if (value >= -2147483648 && value < 2147483648) {
      this.encoding = INT_32;
      return 6;
    }
    this.encoding = INT_64;
    this.bigInteger = BigInt(value);
    return 10;
  }

  /** Writes the measured element at `placed`. */
  protected writeElement(h: number, bytes: Buffer, start: number, end: number): void {
    const segment = h >>> 26;
    const view = this.arena.view[segment];
    const p = this.base(h) + this.placed;
    const value = this.integer;
    switch (this.encoding) {
      case 0:
        view.setUint16(p, value | 0x100, true);
        return;
      case INT_13:
        view.setUint8(p, INT_13 | ((value & 0x1fff) >> 8));
        view.setUint8(p + 1, value & 255);
        view.setUint8(p + 2, 2);
        return;
      case INT_16:
        view.setUint8(p, INT_16);
        view.setInt16(p + 1, value, true);
        view.setUint8(p + 3, 3);
        return;
      case INT_24:
        view.setUint8(p, INT_24);
        view.setInt16(p + 1, value, true);
        view.setUint8(p + 3, (value >> 16) & 255);
        view.setUint8(p + 4, 4);
        return;
      case INT_32:
        view.setUint8(p, INT_32);
        view.setInt32(p + 1, value, true);
        view.setUint8(p + 5, 5);
        return;
      case INT_64:
        view.setUint8(p, INT_64);
        view.setBigInt64(p + 1, this.bigInteger, true);
        view.setUint8(p + 9, 9);
        return;
    }
    this.writeString(segment, p, bytes, start, end);
  }

  private writeString(segment: number, p: number, bytes: Buffer, start: number, end: number): void {
    const buf = this.arena.buf[segment];
    const length = end - start;
    let data = p + 1;
    if (this.encoding === STRING_6) {
      buf[p] = STRING_6 | length;
    } else if (this.encoding === STRING_12) {
      buf[p] = STRING_12 | (length >> 8);
      buf[p + 1] = length & 255;
      data = p + 2;
    } else {
      buf[p] = STRING_32;
      buf.writeUInt32LE(length, p + 1);
      data = p + 5;
    }
    if (length > 24) bytes.copy(buf, data, start, end);
    else for (let i = 0; i < length; i++) buf[data + i] = bytes[start + i];
    const size = data + length - p;
    const back = backBytes(size);
    let at = data + length + back - 1;
    let rest = size;
    buf[data + length] = 0;
    for (let i = 0; i < back; i++) {
      buf[at--] = (rest & 127) | (i === back - 1 ? 0 : 128);
      rest = Math.floor(rest / 128);
    }
  }

  /** Bytes of the element at `at`. */
  sizeAt(h: number, at: number): number {
    return elementBytes(this.arena.u8[h >>> 26], this.base(h) + at);
  }

  /**
   * Divides a list: what stands from place `at` on goes into a new list, which is returned in `placed`; the old one (perhaps
   * under a new handle) is the result. Lead bytes of the new one are undefined. `at` must be neither 0 nor the first place.
   */
  split(h: number, at: number): number {
    const arena = this.arena;
    const total = this.bytes(h);
    const tail = this.create(HEADER_BYTES + total - at);
    const base = this.base(h);
    arena.buf[h >>> 26].copy(arena.buf[tail >>> 26], this.base(tail) + HEADER_BYTES, base + at, base + total);
    arena.view[tail >>> 26].setUint32(this.base(tail), HEADER_BYTES + total - at, true);
    this.recount(tail);
    arena.willChange(h);
    arena.u8[h >>> 26][base + at] = END;
    arena.view[h >>> 26].setUint32(base, at + 1, true);
    this.recount(h);
    const head = this.shrunk(h);
    this.placed = tail;
    return head;
  }

  /** Appends all elements of `other` to `h`; `other` stays. Returns the list. */
  concatenate(h: number, other: number): number {
    const arena = this.arena;
    const body = this.bytes(other) - EMPTY_COMPACT_BYTES;
    h = this.open(h, 0, body);
    const from = this.base(other) + HEADER_BYTES;
    arena.buf[other >>> 26].copy(arena.buf[h >>> 26], this.base(h) + this.placed, from, from + body);
    this.recount(h);
    return h;
  }

  /** Throws on a broken invariant. For tests and DEBUG. */
  check(h: number): void {
    const bytes = this.bytes(h);
    if (bytes > this.roomFrom(h, this.base(h))) throw new Error('compact list: longer than its block');
    const base = this.base(h);
    if (!isSoundCompactList(this.arena.buf[h >>> 26], base, base + bytes)) throw new Error('compact list: damaged');
  }
}
