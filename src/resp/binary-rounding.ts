/** Rounding of whole numbers to fewer bits, as IEEE 754 does by default: to the nearest, ties to even. */

/** Bits of a number >= 0 up to its highest 1; 0 for 0. */
export function bitLength(n: bigint): number {
  if (n < 4_294_967_296n) return 32 - Math.clz32(Number(n));
  const high = n >> 32n;
  if (high < 4_294_967_296n) return 64 - Math.clz32(Number(high));
  const hex = n.toString(16);
  return 4 * hex.length - (Math.clz32(Number.parseInt(hex[0], 16)) - 28);
}

/**
 * n / 2^drop, rounded. `inexact`: the exact number lies a little (less than one unit) above n.
 * The result may need one bit more than what is kept of n.
 */
export function dropBits(n: bigint, drop: number, inexact: boolean): bigint {
  if (drop <= 0) return n << BigInt(-drop);
  const shift = BigInt(drop);
  const kept = n >> shift;
  const rest = n - (kept << shift);
  const half = 1n << (shift - 1n);
  const up = rest > half || (rest === half && (inexact || (kept & 1n) === 1n));
  return up ? kept + 1n : kept;
}
