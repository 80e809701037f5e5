/**
 * Bytes in the form of RDB files, written into one growing buffer: lengths, strings, numbers. What they mean together is the
 * business of whoever writes values (rdb-value-writer.ts) and files.
 *
 *   length   00LLLLLL | 01LLLLLL LLLLLLLL | 0x80 and 4 bytes, high first | 0x81 and 8 bytes, high first
 *   string   length and bytes | 0xc0 i8 | 0xc1 i16 | 0xc2 i32 (low first) | 0xc3 packed length, length, LZF bytes
 */
import { parseInteger } from '../resp/numbers.ts';
import { Crc64 } from './crc64.ts';
import { lzfCompress } from './lzf.ts';

const FIRST_BYTES = 4096;
/** Shorter strings are not worth packing. */
const MIN_PACKED_BYTES = 20;
const MAX_INT32_TEXT = 11;
const INT_8 = 0xc0;
const INT_16 = 0xc1;
const INT_32 = 0xc2;
const PACKED = 0xc3;
const KEPT_BYTES = 1 << 20;

export class RdbWriter {
  buf: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  pos = 0;
  /** Strings over 20 bytes are packed where that makes them shorter (rdbcompression). */
  packs = true;
  private packed: Buffer = Buffer.alloc(0);
  private readonly crc = new Crc64();

  /** Starts again with an empty buffer. */
  clear(): void {
    this.pos = 0;
    if (this.buf.length > KEPT_BYTES) this.buf = Buffer.allocUnsafeSlow(FIRST_BYTES);
    if (this.packed.length > KEPT_BYTES) this.packed = Buffer.alloc(0);
  }

  /** Makes room for so many more bytes. */
  room(bytes: number): void {
    if (this.pos + bytes <= this.buf.length) return;
    const next = Buffer.allocUnsafeSlow(Math.max(this.buf.length * 2, this.pos + bytes));
    this.buf.copy(next, 0, 0, this.pos);
    this.buf = next;
  }

  byte(value: number): void {
    this.room(1);
    this.buf[this.pos++] = value;
  }

  raw(bytes: Buffer, start: number, end: number): void {
    this.room(end - start);
    bytes.copy(this.buf, this.pos, start, end);
    this.pos += end - start;
  }

  text(latin1: string): void {
    this.room(latin1.length);
    this.buf.write(latin1, this.pos, 'latin1');
    this.pos += latin1.length;
  }

  /** A length or number, 0 … 2^53. */
  length(n: number): void {
    this.room(9);
    const { buf, pos } = this;
    if (n < 64) {
      buf[pos] = n;
      this.pos = pos + 1;
    } else if (n < 16384) {
      buf[pos] = 0x40 | (n >> 8);
      buf[pos + 1] = n & 255;
      this.pos = pos + 2;
    } else if (n <= 0xffffffff) {
      buf[pos] = 0x80;
      buf.writeUInt32BE(n, pos + 1);
      this.pos = pos + 5;
    } else {
      buf[pos] = 0x81;
      buf.writeBigUInt64BE(BigInt(n), pos + 1);
      this.pos = pos + 9;
    }
  }

  /** As length, for numbers up to 2^64 - 1. */
  bigLength(n: bigint): void {
    if (n <= 0xffffffffn) return this.length(Number(n));
    this.room(9);
    this.buf[this.pos] = 0x81;
    this.buf.writeBigUInt64BE(n, this.pos + 1);
    this.pos += 9;
  }

  /** A string; integers of 32 bits and long strings in their short forms. */
  string(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > 0 && length <= MAX_INT32_TEXT) {
      const value = parseInteger(bytes, start, end);
      if (value >= -2147483648 && value <= 2147483647) return this.integerString(value);
    }
    if (this.packs && length > MIN_PACKED_BYTES && this.packedString(bytes, start, end)) return;
    this.length(length);
    this.raw(bytes, start, end);
  }

  stringText(latin1: string): void {
    const bytes = Buffer.from(latin1, 'latin1');
    this.string(bytes, 0, bytes.length);
  }

  private integerString(value: number): void {
    this.room(5);
    const { buf, pos } = this;
    if (value >= -128 && value <= 127) {
      buf[pos] = INT_8;
      buf.writeInt8(value, pos + 1);
      this.pos = pos + 2;
    } else if (value >= -32768 && value <= 32767) {
      buf[pos] = INT_16;
      buf.writeInt16LE(value, pos + 1);
      this.pos = pos + 3;
    } else {
      buf[pos] = INT_32;
      buf.writeInt32LE(value, pos + 1);
      this.pos = pos + 5;
    }
  }

  private packedString(bytes: Buffer, start: number, end: number): boolean {
    const length = end - start;
    if (this.packed.length < length) this.packed = Buffer.allocUnsafeSlow(length + (length >> 2));
    const packedBytes = lzfCompress(bytes, start, end, this.packed.subarray(0, length - 4));
    if (packedBytes === 0) return false;
    this.byte(PACKED);
    this.length(packedBytes);
    this.length(length);
    this.raw(this.packed, 0, packedBytes);
    return true;
  }

  /** Eight bytes of a double, low first. */
  double(x: number): void {
    this.room(8);
    this.buf.writeDoubleLE(x, this.pos);
    this.pos += 8;
  }

  /** Eight bytes of unix ms, low first. */
  millis(ms: number): void {
    this.room(8);
    this.buf.writeBigInt64LE(BigInt(ms), this.pos);
    this.pos += 8;
  }

  /** The end of a DUMP payload: RDB version, and the checksum over everything since `start`. */
  sealPayload(start: number, version: number): void {
    this.room(10);
    this.buf.writeUInt16LE(version, this.pos);
    this.pos += 2;
    this.crc.reset();
    this.crc.update(this.buf, start, this.pos);
    this.crc.writeTo(this.buf, this.pos);
    this.pos += 8;
  }
}
