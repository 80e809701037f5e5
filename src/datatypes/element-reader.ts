/**
 * Reads the elements of a compact list one after the other, forwards or backwards, at absolute byte positions: for structures
 * that are records inside such a list and are read often (streams). compact-element.ts has the picture of an element.
 *
 * Registers are valid until the list changes.
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import { backBytes, elementBytes } from './compact-element.ts';

const TWO_32 = 4294967296;
const ALL_BITS = 0xffffffff;
const END = 0xff;
const STRING_32 = 0xf0;
const INT_16 = 0xf1;
const INT_24 = 0xf2;
const INT_32 = 0xf3;
const INT_64 = 0xf4;

export class ElementReader {
  buf: Buffer;
  view: DataView;
  /** Position in `buf` of the next element to be read. */
  p = 0;

  // ---- registers
  /** The element is an integer: `integer` (near it beyond ±2^53), exactly `high` and `low`, two's complement. */
  isInteger = false;
  integer = 0;
  high = 0;
  low = 0;
  /** Else it is buf[vStart, vEnd). */
  vStart = 0;
  vEnd = 0;

  private u8: Uint8Array;
  private readonly arena: Arena;

  constructor(arena: Arena) {
    this.arena = arena;
    this.buf = arena.buf[0];
    this.view = arena.view[0];
    this.u8 = arena.u8[0];
  }

  open(segment: number, p: number): void {
    this.buf = this.arena.buf[segment];
    this.view = this.arena.view[segment];
    this.u8 = this.arena.u8[segment];
    this.p = p;
  }

  atEnd(): boolean {
    return this.u8[this.p] === END;
  }

  /** Reads an element that must be an integer, and goes on behind it. */
  nextInteger(): number {
    const first = this.u8[this.p];
    if (first < 0x80) {
      this.p += 2;
      this.high = 0;
      this.low = first;
      return first;
    }
    return this.wideInteger(first);
  }

  private wideInteger(first: number): number {
    const { view, p } = this;
    let value: number;
    if ((first & 0xe0) === 0xc0) {
      value = ((((first & 31) << 8) | this.u8[p + 1]) << 19) >> 19;
      this.p = p + 3;
    } else if (first === INT_16) {
      value = view.getInt16(p + 1, true);
      this.p = p + 4;
    } else if (first === INT_24) {
      value = view.getUint16(p + 1, true) | (view.getInt8(p + 3) << 16);
      this.p = p + 5;
    } else if (first === INT_32) {
      value = view.getInt32(p + 1, true);
      this.p = p + 6;
    } else if (first === INT_64) {
      this.p = p + 10;
      this.low = view.getUint32(p + 1, true);
      this.high = view.getUint32(p + 5, true);
      return (this.high | 0) * TWO_32 + this.low;
    } else {
      throw new Error(`compact list: byte ${first} begins no integer`);
    }
    this.low = value >>> 0;
    this.high = value < 0 ? ALL_BITS : 0;
    return value;
  }

  /** Reads an element, and goes on behind it. */
  next(): void {
    const { u8, p } = this;
    const first = u8[p];
    if (first >= 0x80 && first < 0xc0) this.string(p + 1, first & 63);
    else if (first >= 0xe0 && first < 0xf0) this.string(p + 2, ((first & 15) << 8) | u8[p + 1]);
    else if (first === STRING_32) this.string(p + 5, this.view.getUint32(p + 1, true));
    else {
      this.integer = this.nextInteger();
      this.isInteger = true;
    }
  }

  private string(start: number, length: number): void {
    this.isInteger = false;
    this.vStart = start;
    this.vEnd = start + length;
    this.p = this.vEnd + backBytes(this.vEnd - this.p);
  }

  /** The integer that was read last as text. */
  integerText(): string {
    if (Number.isSafeInteger(this.integer)) return String(this.integer);
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) + BigInt(this.low)).toString();
  }

  skip(elements: number): void {
    const { u8 } = this;
    let p = this.p;
    for (; elements > 0; elements--) p += elementBytes(u8, p);
    this.p = p;
  }

  /** Goes back over so many elements, to the beginning of the last of them. */
  back(elements: number): void {
    const { u8 } = this;
    let p = this.p;
    for (; elements > 0; elements--) {
      let length = u8[p - 1];
      let bytes = 1;
      if (length >= 128) {
        length &= 127;
        for (let scale = 128; ; scale *= 128) {
          const byte = u8[p - 1 - bytes];
          bytes++;
          length += (byte & 127) * scale;
          if (byte < 128) break;
        }
      }
      p -= length + bytes;
    }
    this.p = p;
  }
}
