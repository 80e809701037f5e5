/**
 * Integers of 1 to 64 bits at any bit of a byte range, most significant bit first, and what happens when a value does not
 * fit its field. Numbers serve up to EXACT_BITS, where sums of two are exact; bigints serve the rest.
 */

/** A field of so many bits and an increment below 2^EXACT_BITS: their sum is exact as a number. */
export const EXACT_BITS = 52;

/** What to do with a value outside the field's range. */
export const OVERFLOW = {
  /** Keep the low bits. */
  wrap: 0,
  /** Take the nearest value in range. */
  saturate: 1,
  /** Give up. */
  fail: 2,
} as const;
export type Overflow = (typeof OVERFLOW)[keyof typeof OVERFLOW];

/** The unsigned field of `bits` (1 … 53) bits at `bitOffset` from buf[start]; bytes from `end` on read as zero. */
function readUnsigned(buf: Buffer, start: number, end: number, bitOffset: number, bits: number): number {
  let at = start + Math.floor(bitOffset / 8);
  let skip = bitOffset & 7;
  let value = 0;
  for (let left = bits; left > 0; at++) {
    const byte = at < end ? buf[at] : 0;
    const taken = Math.min(8 - skip, left);
    value = value * (1 << taken) + ((byte >> (8 - skip - taken)) & ((1 << taken) - 1));
    skip = 0;
    left -= taken;
  }
  return value;
}

/** Writes the low `bits` (1 … 53) bits of `value` (0 … 2^53-1); the bytes must be there. */
function writeUnsigned(buf: Buffer, start: number, bitOffset: number, bits: number, value: number): void {
  let last = bitOffset + bits - 1;
  for (let left = bits; left > 0; ) {
    const at = start + Math.floor(last / 8);
    const used = (last & 7) + 1;
    const taken = Math.min(used, left);
    const size = 1 << taken;
    const shift = 8 - used;
    const rest = Math.floor(value / size);
    buf[at] = (buf[at] & ~((size - 1) << shift)) | ((value - rest * size) << shift);
    value = rest;
    left -= taken;
    last -= taken;
  }
}

/** The field as a number; bits <= EXACT_BITS. */
export function readField(
  buf: Buffer,
  start: number,
  end: number,
  bitOffset: number,
  bits: number,
  signed: boolean,
): number {
  const value = readUnsigned(buf, start, end, bitOffset, bits);
  return signed && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
}

/** Writes a value that fits the field; bits <= EXACT_BITS. */
export function writeField(buf: Buffer, start: number, bitOffset: number, bits: number, value: number): void {
  writeUnsigned(buf, start, bitOffset, bits, value < 0 ? value + 2 ** bits : value);
}

/** The field as a bigint, of any width. */
export function readBigField(
  buf: Buffer,
  start: number,
  end: number,
  bitOffset: number,
  bits: number,
  signed: boolean,
): bigint {
  const lowBits = Math.min(bits, 32);
  const low = BigInt(readUnsigned(buf, start, end, bitOffset + bits - lowBits, lowBits));
  if (bits === lowBits) return signed ? BigInt.asIntN(bits, low) : low;
  const value = (BigInt(readUnsigned(buf, start, end, bitOffset, bits - lowBits)) << 32n) | low;
  return signed ? BigInt.asIntN(bits, value) : value;
}

/** Writes the low bits of `value`. */
export function writeBigField(buf: Buffer, start: number, bitOffset: number, bits: number, value: bigint): void {
  const unsigned = BigInt.asUintN(bits, value);
  const lowBits = Math.min(bits, 32);
  writeUnsigned(buf, start, bitOffset + bits - lowBits, lowBits, Number(unsigned & 0xffffffffn));
  if (bits > lowBits) writeUnsigned(buf, start, bitOffset, bits - lowBits, Number(unsigned >> 32n));
}

/** `value` (exact) as it is stored in the field, or NaN where it does not fit and may not be bent; bits <= EXACT_BITS. */
export function fitField(value: number, bits: number, signed: boolean, overflow: Overflow): number {
  const size = 2 ** bits;
  const min = signed ? -size / 2 : 0;
  const max = min + size - 1;
  if (value >= min && value <= max) return value;
  if (overflow === OVERFLOW.fail) return Number.NaN;
  if (overflow === OVERFLOW.saturate) return value < min ? min : max;
  const low = value - Math.floor(value / size) * size;
  return low > max ? low - size : low;
}

/** The same for any width; null where it does not fit and may not be bent. */
export function fitBigField(value: bigint, bits: number, signed: boolean, overflow: Overflow): bigint | null {
  const wrapped = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  if (wrapped === value) return value;
  if (overflow === OVERFLOW.fail) return null;
  if (overflow === OVERFLOW.wrap) return wrapped;
  const size = 1n << BigInt(bits);
  const min = signed ? -size / 2n : 0n;
  return value < min ? min : min + size - 1n;
}
