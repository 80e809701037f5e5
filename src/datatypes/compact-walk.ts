/** Walks the elements of a compact list that lies anywhere: in a file, a payload, or a block as it was. The bytes must be sound. */
import { writeInteger } from '../resp/numbers.ts';
import { elementBytes } from './compact-element.ts';

const HEADER_BYTES = 6;
const END = 0xff;
const NUMBER_BYTES = 24;

export class CompactWalk {
  /** Registers of `next`: the element's bytes; integers as text, until the next one. */
  vBuf: Buffer = Buffer.alloc(0);
  vStart = 0;
  vEnd = 0;
  /** It is kept as an integer; its value, only near it beyond ±2^53. */
  isInteger = false;
  value = 0;
  private buf: Buffer = Buffer.alloc(0);
  private at = 0;
  private readonly number = Buffer.alloc(NUMBER_BYTES);

  /** Begins at the front of the list whose first byte is buf[start]; how many elements its header tells (65535: or more). */
  begin(buf: Buffer, start: number): number {
    this.buf = buf;
    this.at = start + HEADER_BYTES;
    return buf.readUInt16LE(start + 4);
  }

  /** Has the list an element? */
  beginsWithOne(buf: Buffer, start: number): boolean {
    this.begin(buf, start);
    return this.next();
  }

  /** The next element; false at the end. */
  next(): boolean {
    const { buf, at } = this;
    const first = buf[at];
    if (first === END) return false;
    this.at = at + elementBytes(buf, at);
    if (first < 0x80) this.setInteger(first);
    else if (first < 0xc0) this.setString(at + 1, first & 63);
    else if (first < 0xe0) this.setInteger(((((first & 31) << 8) | buf[at + 1]) << 19) >> 19);
    else if (first < 0xf0) this.setString(at + 2, ((first & 15) << 8) | buf[at + 1]);
    else this.long(first, at + 1);
    return true;
  }

  private long(first: number, at: number): void {
    const { buf } = this;
    if (first === 0xf0) return this.setString(at + 4, buf.readUInt32LE(at));
    if (first === 0xf1) return this.setInteger(buf.readInt16LE(at));
    if (first === 0xf2) return this.setInteger(buf.readIntLE(at, 3));
    if (first === 0xf3) return this.setInteger(buf.readInt32LE(at));
    const big = buf.readBigInt64LE(at);
    this.isInteger = true;
    this.value = Number(big);
    this.vBuf = this.number;
    this.vStart = 0;
    this.vEnd = this.number.write(big.toString(), 0, 'latin1');
  }

  private setString(start: number, length: number): void {
    this.isInteger = false;
    this.vBuf = this.buf;
    this.vStart = start;
    this.vEnd = start + length;
  }

  private setInteger(value: number): void {
    this.isInteger = true;
    this.value = value;
    this.vBuf = this.number;
    this.vStart = 0;
    this.vEnd = writeInteger(this.number, 0, value);
  }
}
