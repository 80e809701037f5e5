/**
 * Walks the two compact forms that Redis wrote before the listpack; only ever read.
 *
 *   ziplist  | bytes u32 | offset of the last u32 | elements u16 | element … | 0xff |
 *            element: length of the one before (1 byte, or 0xfe and 4), then 00LLLLLL | 01LLLLLL L | 0x80 LLLL (high first)
 *            and the string, or 0xc0 i16, 0xd0 i32, 0xe0 i64, 0xf0 i24, 0xfe i8, 0xf1 … 0xfd = 0 … 12
 *   zipmap   | pairs u8 | length, field, length, spare u8, value, spare bytes | … | 0xff |   length: 1 byte, or 0xfe and 4
 */
import { writeInteger } from '../resp/numbers.ts';
import { DamagedRdbError } from './rdb-reader.ts';

const END = 0xff;
const LONG = 0xfe;
const ZIPLIST_HEADER = 10;
const MANY = 0xffff;

/** One walk over a ziplist or zipmap. `next` fills vBuf, vStart and vEnd. */
export class ZipWalk {
  vBuf: Buffer;
  vStart = 0;
  vEnd = 0;
  private readonly buf: Buffer;
  private pos: number;
  private readonly end: number;
  private readonly isMap: boolean;
  private isValue = false;
  /** Of a ziplist: elements so far, and the bytes of the last one, which the one behind it repeats. */
  private taken = 0;
  private lastBytes = 0;
  private readonly start: number;
  private readonly number = Buffer.alloc(24);

  /** Over buf[start, end); throws DamagedRdbError where that cannot be one. */
  constructor(buf: Buffer, start: number, end: number, isMap: boolean) {
    this.buf = buf;
    this.vBuf = buf;
    this.start = start;
    this.end = end;
    this.isMap = isMap;
    this.pos = start + (isMap ? 1 : ZIPLIST_HEADER);
    const shortest = isMap ? 2 : ZIPLIST_HEADER + 1;
    if (end - start < shortest || buf[end - 1] !== END) throw new DamagedRdbError('damaged ziplist');
    if (!isMap && buf.readUInt32LE(start) !== end - start) throw new DamagedRdbError('damaged ziplist');
  }

  /** The next element; false at the end. */
  next(): boolean {
    if (this.pos >= this.end) throw new DamagedRdbError('damaged ziplist');
    if (this.buf[this.pos] === END) {
      if (this.pos !== this.end - 1 || this.isValue) throw new DamagedRdbError('damaged ziplist');
      if (!this.isMap) this.checkHeader();
      return false;
    }
    if (this.isMap) this.mapElement();
    else this.listElement();
    return true;
  }

  private take(bytes: number): number {
    const at = this.pos;
    if (bytes > this.end - 1 - at) throw new DamagedRdbError('damaged ziplist');
    this.pos = at + bytes;
    return at;
  }

  private setString(start: number, length: number): void {
    this.vBuf = this.buf;
    this.vStart = start;
    this.vEnd = start + length;
  }

  private setInteger(value: number): void {
    this.vBuf = this.number;
    this.vStart = 0;
    this.vEnd = writeInteger(this.number, 0, value);
  }

  private mapElement(): void {
    let length = this.buf[this.take(1)];
    if (length === LONG) length = this.buf.readUInt32LE(this.take(4));
    const spare = this.isValue ? this.buf[this.take(1)] : 0;
    this.setString(this.take(length), length);
    this.take(spare);
    this.isValue = !this.isValue;
  }

  /** What the header says about the end and the number of elements; 0xffff stands for any number. */
  private checkHeader(): void {
    const { buf, start } = this;
    const last = buf.readUInt32LE(start + 4);
    const count = buf.readUInt16LE(start + 8);
    const isSound = start + last === this.pos - this.lastBytes && (count === MANY || count === this.taken);
    if (!isSound) throw new DamagedRdbError('damaged ziplist');
  }

  private listElement(): void {
    const at = this.pos;
    let before = this.buf[this.take(1)];
    if (before === LONG) before = this.buf.readUInt32LE(this.take(4));
    if (before !== this.lastBytes) throw new DamagedRdbError('damaged ziplist');
    this.listValue();
    this.lastBytes = this.pos - at;
    this.taken++;
  }

  private listValue(): void {
    const first = this.buf[this.take(1)];
    switch (first >> 6) {
      case 0:
        return this.setString(this.take(first & 63), first & 63);
      case 1: {
        const length = ((first & 63) << 8) | this.buf[this.take(1)];
        return this.setString(this.take(length), length);
      }
      case 2: {
        const length = this.buf.readUInt32BE(this.take(4));
        return this.setString(this.take(length), length);
      }
    }
    this.integerElement(first);
  }

  private integerElement(first: number): void {
    const buf = this.buf;
    if (first === 0xc0) return this.setInteger(buf.readInt16LE(this.take(2)));
    if (first === 0xd0) return this.setInteger(buf.readInt32LE(this.take(4)));
    if (first === 0xf0) return this.setInteger(buf.readIntLE(this.take(3), 3));
    if (first === 0xfe) return this.setInteger(buf.readInt8(this.take(1)));
    if (first > 0xf0 && first < 0xfe) return this.setInteger(first - 0xf1);
    if (first !== 0xe0) throw new DamagedRdbError('damaged ziplist');
    this.vBuf = this.number;
    this.vStart = 0;
    this.vEnd = this.number.write(buf.readBigInt64LE(this.take(8)).toString(), 0, 'latin1');
  }
}
