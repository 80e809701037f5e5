/**
 * CRC-64 with Jones's polynomial, bits reflected, start 0: the checksum at the end of RDB files and DUMP payloads.
 * Two halves of 32 bits, eight bytes at a time over eight tables.
 */
import { LastView } from '../../native-free-shm/bytes.ts';

const POLYNOMIAL = 0x95ac9329ac4bc9b5n;
const SLICES = 8;

const LOW = new Int32Array(SLICES * 256);
const HIGH = new Int32Array(SLICES * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  LOW[byte] = Number(BigInt.asIntN(32, crc));
  HIGH[byte] = Number(BigInt.asIntN(32, crc >> 32n));
}
for (let i = 256; i < SLICES * 256; i++) {
  const low = LOW[i - 256];
  const high = HIGH[i - 256];
  LOW[i] = ((low >>> 8) | (high << 24)) ^ LOW[low & 255];
  HIGH[i] = (high >>> 8) ^ HIGH[low & 255];
}

/** POWER_LOW[k], POWER_HIGH[k]: the polynomial by which 2^k zero bytes multiply a checksum. */
const POWERS = 50;
const POWER_LOW = new Int32Array(POWERS);
const POWER_HIGH = new Int32Array(POWERS);
POWER_HIGH[0] = 1 << 23;

const POLYNOMIAL_LOW = Number(BigInt.asIntN(32, POLYNOMIAL));
const POLYNOMIAL_HIGH = Number(BigInt.asIntN(32, POLYNOMIAL >> 32n));

/** A running checksum: `low` and `high` are its halves. */
export class Crc64 {
  low = 0;
  high = 0;
  private readonly views = new LastView();

  reset(): void {
    this.low = 0;
    this.high = 0;
  }

  update(bytes: Buffer, start: number, end: number): void {
    let low = this.low;
    let high = this.high;
    let i = start;
    const view = this.views.of(bytes);
    for (; i + 8 <= end; i += 8) {
      const a = low ^ view.getInt32(i, true);
      const b = high ^ view.getInt32(i + 4, true);
      const a0 = 1792 + (a & 255);
      const a1 = 1536 + ((a >>> 8) & 255);
      const a2 = 1280 + ((a >>> 16) & 255);
      const a3 = 1024 + (a >>> 24);
      const b0 = 768 + (b & 255);
      const b1 = 512 + ((b >>> 8) & 255);
      const b2 = 256 + ((b >>> 16) & 255);
      const b3 = b >>> 24;
      low = LOW[a0] ^ LOW[a1] ^ LOW[a2] ^ LOW[a3] ^ LOW[b0] ^ LOW[b1] ^ LOW[b2] ^ LOW[b3];
      high = HIGH[a0] ^ HIGH[a1] ^ HIGH[a2] ^ HIGH[a3] ^ HIGH[b0] ^ HIGH[b1] ^ HIGH[b2] ^ HIGH[b3];
    }
    for (; i < end; i++) {
      const at = (low ^ bytes[i]) & 255;
      low = ((low >>> 8) | (high << 24)) ^ LOW[at];
      high = (high >>> 8) ^ HIGH[at];
    }
    this.low = low;
    this.high = high;
  }

  /**
   * As an update with so many zero bytes, in no time. The checksum is linear: sums of parts of the same bytes, each with zeros where
   * the others are not, make the whole's by exclusive or.
   */
  skip(zeros: number): void {
    for (let k = 0; zeros > 0; k++, zeros = Math.floor(zeros / 2)) {
      if (zeros % 2 === 1) this.multiply(POWER_LOW[k], POWER_HIGH[k]);
    }
  }

  /** Multiplies by a polynomial; its highest bit is the power 0. */
  multiply(low: number, high: number): void {
    let productLow = 0;
    let productHigh = 0;
    for (let bit = 63; bit >= 0; bit--) {
      const chosen = bit > 31 ? this.high & (1 << (bit - 32)) : this.low & (1 << bit);
      if (chosen !== 0) {
        productLow ^= low;
        productHigh ^= high;
      }
      const odd = -(low & 1);
      low = ((low >>> 1) | (high << 31)) ^ (odd & POLYNOMIAL_LOW);
      high = (high >>> 1) ^ (odd & POLYNOMIAL_HIGH);
    }
    this.low = productLow;
    this.high = productHigh;
  }

  /** Writes the 8 bytes, lowest first. */
  writeTo(bytes: Buffer, at: number): void {
    bytes.writeInt32LE(this.low, at);
    bytes.writeInt32LE(this.high, at + 4);
  }

  /** Are these 8 bytes the checksum? */
  equals(bytes: Buffer, at: number): boolean {
    return bytes.readInt32LE(at) === this.low && bytes.readInt32LE(at + 4) === this.high;
  }
}

const square = new Crc64();
for (let k = 1; k < POWERS; k++) {
  square.low = POWER_LOW[k - 1];
  square.high = POWER_HIGH[k - 1];
  square.multiply(square.low, square.high);
  POWER_LOW[k] = square.low;
  POWER_HIGH[k] = square.high;
}
