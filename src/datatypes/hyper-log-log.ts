/**
 * HyperLogLog over the bytes of a string, byte for byte as Redis keeps it.
 *
 *   header (16 bytes)   | HYLL | encoding: 0 dense, 1 sparse | 0 0 0 | cardinality u64, top bit set: unknown |     little endian
 *   dense body          16384 registers of 6 bits, the lowest bits of a byte first: 12288 bytes
 *   sparse body         runs of equal registers                                                              hyper-log-log-sparse.ts
 *
 * An element raises register (hash mod 2^14) to 1 + the number of zero bits that follow in its hash; how many registers stand at
 * which height tells how many different elements there were.
 *
 * Who writes: the command that holds the shard's latch, into the value or into private bytes. Pure functions of bytes otherwise.
 */
import { MurmurHash64 } from './murmur-hash.ts';

export const REGISTERS = 16384;
export const HEADER_BYTES = 16;
export const DENSE_BYTES = HEADER_BYTES + (REGISTERS * 6) / 8;
export const HLL_ENCODING = { dense: 0, sparse: 1 } as const;
/** HYLL. */
const MAGIC = 0x4c4c5948;
const ENCODING_AT = 4;
const CARDINALITY_AT = 8;
const UNKNOWN_AT = 15;
const UNKNOWN = 0x80;
const TWO_32 = 4294967296;
const SEED = 0xadc83b19;
/** Bits of the hash that count zeros: 64 less those that choose the register. */
const COUNTED_BITS = 50;
/** Places for every value of six bits. */
const HEIGHTS = 64;
/** 1 / (2 ln 2). */
const ALPHA = 0.7213475204444817;

/** Which register an element raises, and how high. */
export class ElementPlace {
  index = 0;
  /** 1 … 51. */
  height = 0;
  private readonly murmur = new MurmurHash64(SEED);

  locate(bytes: Uint8Array, start: number, end: number): void {
    const { murmur } = this;
    murmur.hash(bytes, start, end);
    this.index = murmur.low & (REGISTERS - 1);
    const low = (murmur.low >>> 14) | (murmur.high << 18);
    const high = (murmur.high >>> 14) | (1 << (COUNTED_BITS - 32));
    this.height = 1 + (low !== 0 ? trailingZeros(low) : 32 + trailingZeros(high));
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** Are bytes[start, end) a HyperLogLog, as far as the header and the length tell? */
export function isHyperLogLog(bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (length < HEADER_BYTES || bytes.readUInt32LE(start) !== MAGIC) return false;
  const encoding = bytes[start + ENCODING_AT];
  return encoding === HLL_ENCODING.sparse || (encoding === HLL_ENCODING.dense && length === DENSE_BYTES);
}

export function isDense(bytes: Buffer, start: number): boolean {
  return bytes[start + ENCODING_AT] === HLL_ENCODING.dense;
}

export function writeHeader(bytes: Buffer, start: number, encoding: number): void {
  bytes.fill(0, start, start + HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, start);
  bytes[start + ENCODING_AT] = encoding;
}

export function setEncoding(bytes: Buffer, start: number, encoding: number): void {
  bytes[start + ENCODING_AT] = encoding;
}

/** The cardinality that the header remembers, -1 where it is unknown. */
export function rememberedCardinality(bytes: Buffer, start: number): number {
  if ((bytes[start + UNKNOWN_AT] & UNKNOWN) !== 0) return -1;
  return bytes.readUInt32LE(start + CARDINALITY_AT + 4) * TWO_32 + bytes.readUInt32LE(start + CARDINALITY_AT);
}

export function forgetCardinality(bytes: Buffer, start: number): void {
  bytes[start + UNKNOWN_AT] |= UNKNOWN;
}

/** `cardinality` < 2^53. */
export function rememberCardinality(bytes: Buffer, start: number, cardinality: number): void {
  bytes.writeUInt32LE(cardinality >>> 0, start + CARDINALITY_AT);
  bytes.writeUInt32LE(Math.floor(cardinality / TWO_32), start + CARDINALITY_AT + 4);
}

// ---- dense registers; `start` is that of the whole value

export function denseRegister(bytes: Uint8Array, start: number, index: number): number {
  const bit = index * 6;
  const at = start + HEADER_BYTES + (bit >> 3);
  const shift = bit & 7;
  // the last register ends with its byte: nothing is read behind the value
  const pair = shift <= 2 ? bytes[at] : bytes[at] | (bytes[at + 1] << 8);
  return (pair >> shift) & 63;
}

export function setDenseRegister(bytes: Uint8Array, start: number, index: number, height: number): void {
  const bit = index * 6;
  const at = start + HEADER_BYTES + (bit >> 3);
  const shift = bit & 7;
  bytes[at] = (bytes[at] & ~(63 << shift)) | (height << shift);
  if (shift > 2) bytes[at + 1] = (bytes[at + 1] & ~(63 >> (8 - shift))) | (height >> (8 - shift));
}

/** Raises `heights` (one byte for each register) to those of a dense value. */
export function raiseToDense(heights: Uint8Array, bytes: Uint8Array, start: number): void {
  let at = start + HEADER_BYTES;
  for (let i = 0; i < REGISTERS; i += 4, at += 3) {
    const four = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    const a = four & 63;
    const b = (four >> 6) & 63;
    const c = (four >> 12) & 63;
    const d = four >> 18;
    if (a > heights[i]) heights[i] = a;
    if (b > heights[i + 1]) heights[i + 1] = b;
    if (c > heights[i + 2]) heights[i + 2] = c;
    if (d > heights[i + 3]) heights[i + 3] = d;
  }
}

// ---- the estimate

/** How many registers stand at which height, and what that says. */
export class HeightHistogram {
  readonly registers = new Int32Array(HEIGHTS);

  clear(): void {
    this.registers.fill(0);
  }

  addDense(bytes: Uint8Array, start: number): void {
    const { registers } = this;
    let at = start + HEADER_BYTES;
    for (let i = 0; i < REGISTERS; i += 4, at += 3) {
      const four = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
      registers[four & 63]++;
      registers[(four >> 6) & 63]++;
      registers[(four >> 12) & 63]++;
      registers[four >> 18]++;
    }
  }

  addHeights(heights: Uint8Array): void {
    const { registers } = this;
    for (let i = 0; i < REGISTERS; i++) registers[heights[i] & 63]++;
  }

  /** Estimated number of elements, by Ertl's improved estimator ("New cardinality estimation algorithms", 2017). */
  cardinality(): number {
    const { registers } = this;
    let z = REGISTERS * tau((REGISTERS - registers[COUNTED_BITS + 1]) / REGISTERS);
    for (let height = COUNTED_BITS; height >= 1; height--) z = (z + registers[height]) * 0.5;
    z += REGISTERS * sigma(registers[0] / REGISTERS);
    return Math.round((ALPHA * REGISTERS * REGISTERS) / z);
  }
}

/** x + sum of x^(2^k) 2^(k-1). */
function sigma(x: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY;
  let power = x;
  let weight = 1;
  let sum = x;
  for (let last = Number.NaN; last !== sum; ) {
    power *= power;
    last = sum;
    sum += power * weight;
    weight += weight;
  }
  return sum;
}

/** (1 - x - sum of (1 - x^(2^-k))^2 2^-k) / 3. */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let root = x;
  let weight = 1;
  let sum = 1 - x;
  for (let last = Number.NaN; last !== sum; ) {
    root = Math.sqrt(root);
    last = sum;
    weight *= 0.5;
    sum -= (1 - root) * (1 - root) * weight;
  }
  return sum / 3;
}
