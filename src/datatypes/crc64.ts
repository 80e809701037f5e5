/**
 * CRC-64 with Jones's polynomial, bits reflected, start 0: the checksum at the end of RDB files and DUMP payloads.
 * Two halves of 32 bits, eight bytes at a time over eight tables.
 */
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

/** A running checksum: `low` and `high` are its halves. */
export class Crc64 {
  low = 0;
  high = 0;

  reset(): void {
    this.low = 0;
    this.high = 0;
  }

  update(bytes: Buffer, start: number, end: number): void {
    let low = this.low;
    let high = this.high;
    let i = start;
    for (; i + 8 <= end; i += 8) {
      const a = low ^ (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
      const b = high ^ (bytes[i + 4] | (bytes[i + 5] << 8) | (bytes[i + 6] << 16) | (bytes[i + 7] << 24));
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
