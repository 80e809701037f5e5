/** Writing decimal digits of whole numbers into bytes, without strings. */

const GROUP = 1e9;

/** Writes `value` (0..2^53-1) at `at`; returns the index behind the last digit. */
export function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  if (value < GROUP) return writeSmall(bytes, at, value | 0);
  const high = Math.floor(value / GROUP);
  return writePadded(bytes, writeSmall(bytes, at, high), (value - high * GROUP) | 0, 9);
}

/** 0..2^31-1 */
function writeSmall(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = 48 + value;
    return at + 1;
  }
  let digits = 2;
  for (let limit = 100; digits < 10 && value >= limit; limit *= 10) digits++;
  return writePadded(bytes, at, value, digits);
}

function writePadded(bytes: Uint8Array, at: number, value: number, digits: number): number {
  for (let i = at + digits - 1; i >= at; i--) {
    const rest = (value / 10) | 0;
    bytes[i] = 48 + value - rest * 10;
    value = rest;
  }
  return at + digits;
}

/** Writes 8 lower-case hexadecimal digits of a 32-bit number; returns the index behind them. */
export function writeHex32(bytes: Uint8Array, at: number, value: number): number {
  for (let i = 0; i < 8; i++) {
    const digit = (value >>> (28 - 4 * i)) & 15;
    bytes[at + i] = digit + (digit < 10 ? 48 : 87);
  }
  return at + 8;
}
