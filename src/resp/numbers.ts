/**
 * Numbers as Redis reads them from arguments and writes them into replies, as strict and as generous as Redis is.
 */
import { bitLength, dropBits } from './binary-rounding.ts';

const ZERO = 48;
const MINUS = 45;
const PLUS = 43;
const POINT = 46;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * The whole number in buf[start, end): no '+', no blanks, no leading zeros, no "-0".
 * NaN if there is none, or if it lies outside ±(2^53 - 1) (then see `parseInt64`).
 */
export function parseInteger(buf: Uint8Array, start: number, end: number): number {
  if (start >= end) return Number.NaN;
  let i = start;
  const negative = buf[i] === MINUS;
  if (negative && ++i === end) return Number.NaN;
  let value = buf[i] - ZERO;
  if (value <= 0 || value > 9) return value === 0 && end - start === 1 ? 0 : Number.NaN;
  if (end - i > 16) return Number.NaN;
  while (++i < end) {
    const digit = buf[i] - ZERO;
    if (digit >>> 0 > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  // 16 digits may round, but never from outside the range to its inside
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return negative ? -value : value;
}

/** The same for all of int64; null if there is no such number. Allocates: for what `parseInteger` refuses. */
export function parseInt64(buf: Uint8Array, start: number, end: number): bigint | null {
  const negative = start < end && buf[start] === MINUS;
  const first = negative ? start + 1 : start;
  const digits = end - first;
  if (digits < 1 || digits > 19) return null;
  if (buf[first] === ZERO) return digits === 1 && !negative ? 0n : null;
  // two halves that a double holds exactly
  const middle = Math.max(first, end - 10);
  let high = 0;
  let low = 0;
  for (let i = first; i < end; i++) {
    const digit = buf[i] - ZERO;
    if (digit >>> 0 > 9) return null;
    if (i < middle) high = high * 10 + digit;
    else low = low * 10 + digit;
  }
  const magnitude = BigInt(high) * 10_000_000_000n + BigInt(low);
  const value = negative ? -magnitude : magnitude;
  return value < MIN_INT64 || value > MAX_INT64 ? null : value;
}

/** Whether a bigint fits into int64. */
export function isInt64(value: bigint): boolean {
  return value >= MIN_INT64 && value <= MAX_INT64;
}

/** Exact powers of ten. */
const POWERS_OF_TEN = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
];

/**
 * The floating point number that fills buf[start, end), by the rules of C's strtod as Redis applies them: sign, decimal
 * or hexadecimal digits, exponent, "inf" and "infinity" in any case. NaN if there is none: blanks before it, bytes
 * behind it, "nan", a finite number too big for a double or one that rounds to zero.
 */
export function parseFloatStrict(buf: Buffer, start: number, end: number): number {
  let i = start;
  if (i >= end) return Number.NaN;
  const first = buf[i];
  if (first === MINUS || first === PLUS) i++;
  const negative = first === MINUS;
  // digits with at most one point, few enough to be exact: one division rounds once
  let mantissa = 0;
  let digits = 0;
  let point = -1;
  const bodyStart = i;
  for (; i < end; i++) {
    const digit = buf[i] - ZERO;
    if (digit >>> 0 <= 9) {
      mantissa = mantissa * 10 + digit;
      digits++;
    } else if (digit === POINT - ZERO && point < 0) {
      point = i;
    } else {
      break;
    }
  }
  if (i === end && digits > 0 && digits <= 15) {
    const decimals = point < 0 ? 0 : end - 1 - point;
    const value = mantissa / POWERS_OF_TEN[decimals];
    return negative ? -value : value;
  }
  const value = isInf(buf, bodyStart, end) ? Infinity : parseFloatBody(buf.toString('latin1', bodyStart, end));
  return negative ? -value : value;
}

/** The word that ranges of scores end with. */
function isInf(buf: Buffer, start: number, end: number): boolean {
  return (
    end - start === 3 && (buf[start] | 32) === 105 && (buf[start + 1] | 32) === 110 && (buf[start + 2] | 32) === 102
  );
}

const DECIMAL = /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const HEXADECIMAL = /^0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?(?:[pP]([+-]?\d+))?$/;
const INFINITE = /^inf(?:inity)?$/i;

/** A number without sign; NaN as above. */
function parseFloatBody(text: string): number {
  if (DECIMAL.test(text)) {
    const value = Number(text);
    if (value === Number.POSITIVE_INFINITY) return Number.NaN;
    return value === 0 && /^[^eE]*[1-9]/.test(text) ? Number.NaN : value;
  }
  if (INFINITE.test(text)) return Number.POSITIVE_INFINITY;
  const hex = HEXADECIMAL.exec(text);
  if (hex === null) return Number.NaN;
  return hexFloat(hex[1], hex[2] ?? '', hex[3] ?? '0');
}

function hexFloat(whole: string, fraction: string, exponentText: string): number {
  if (whole.length + fraction.length === 0) return Number.NaN;
  const mantissa = BigInt('0x' + whole + fraction);
  if (mantissa === 0n) return 0;
  // beyond ±2^40 any exponent overflows or vanishes, whatever digits an argument can hold
  const exponent = Math.max(-(2 ** 40), Math.min(2 ** 40, Number(exponentText))) - 4 * fraction.length;
  const value = scaleToDouble(mantissa, exponent);
  return value === Number.POSITIVE_INFINITY || value === 0 ? Number.NaN : value;
}

/** mantissa * 2^exponent, rounded to the nearest double, ties to even. mantissa > 0. */
function scaleToDouble(mantissa: bigint, exponent: number): number {
  const bits = bitLength(mantissa);
  const top = bits + exponent;
  if (top > 1024) return Number.POSITIVE_INFINITY;
  if (top < -1074) return 0;
  // bits that a double has room for at this height (fewer among subnormal numbers)
  const drop = Math.max(0, bits - Math.min(53, top + 1074));
  const rounded = dropBits(mantissa, drop, false);
  exponent += drop;
  // two steps, for 2^exponent alone may be outside the range; both are exact
  const step = Math.trunc(exponent / 2);
  return Number(rounded) * 2 ** step * 2 ** (exponent - step);
}

/**
 * Writes a whole number (|n| < 2^53) in decimal at buf[pos]; returns the position behind it.
 * The caller provides room: at most 17 bytes.
 */
export function writeInteger(buf: Uint8Array, pos: number, n: number): number {
  if (n < 0) {
    buf[pos++] = MINUS;
    n = -n;
  }
  if (n < 10) {
    buf[pos] = ZERO + n;
    return pos + 1;
  }
  if (n < 1e9) return writeDigits(buf, pos, n | 0, digitsOf(n | 0));
  const high = Math.floor(n / 1e9);
  pos = writeDigits(buf, pos, high, digitsOf(high));
  return writeDigits(buf, pos, (n - high * 1e9) | 0, 9);
}

/** Decimal digits of 0..2^31-1. */
function digitsOf(n: number): number {
  if (n < 10000) return n < 100 ? (n < 10 ? 1 : 2) : n < 1000 ? 3 : 4;
  if (n < 1_000_000) return n < 100_000 ? 5 : 6;
  if (n < 100_000_000) return n < 10_000_000 ? 7 : 8;
  return n < 1_000_000_000 ? 9 : 10;
}

/** Bytes that `writeInteger` writes for n. */
export function integerBytes(n: number): number {
  const sign = n < 0 ? 1 : 0;
  if (n < 0) n = -n;
  if (n < 1e9) return sign + digitsOf(n);
  return sign + 9 + digitsOf(Math.floor(n / 1e9));
}

/** The two ASCII digits of 0..99, one pair after the other. */
const DIGIT_PAIRS = Uint8Array.from(
  { length: 200 },
  (_, i) => ZERO + ((i & 1) === 0 ? Math.trunc(i / 20) : (i >> 1) % 10),
);

function writeDigits(buf: Uint8Array, pos: number, n: number, digits: number): number {
  let i = pos + digits;
  while (i - pos >= 2) {
    const rest = (n / 100) | 0;
    const pair = (n - rest * 100) << 1;
    i -= 2;
    buf[i] = DIGIT_PAIRS[pair];
    buf[i + 1] = DIGIT_PAIRS[pair + 1];
    n = rest;
  }
  if (i > pos) buf[pos] = ZERO + n;
  return pos + digits;
}

// ---- text forms of doubles

/** Whole numbers up to here (2^62) are written with all their digits. */
const WHOLE_LIMIT = 2 ** 62;

/** A double as Redis 7.2 replies it in RESP3, and as text in RESP2: "inf", "-inf", "nan", "-0", else its shortest digits. */
export function formatDouble(x: number): string {
  if (Number.isNaN(x)) return 'nan';
  if (x === Number.POSITIVE_INFINITY) return 'inf';
  if (x === Number.NEGATIVE_INFINITY) return '-inf';
  if (x === 0) return 1 / x < 0 ? '-0' : '0';
  if (x === Math.floor(x) && x >= -WHOLE_LIMIT && x <= WHOLE_LIMIT) {
    return Number.isSafeInteger(x) ? String(x) : BigInt(x).toString();
  }
  const size = Math.abs(x);
  // here JavaScript's own layout is the same
  if (size >= 1e-3 && size < 1e4) return String(x);
  const sign = x < 0 ? '-' : '';
  const [mantissa, exponentText] = size.toExponential().split('e');
  const digits = mantissa.replace('.', '');
  return sign + layOut(digits, Number(exponentText), sign.length);
}

/** `digits` with a point behind the first one, times 10^exponent. */
function layOut(digits: string, exponent: number, signLength: number): string {
  const count = digits.length;
  // the last digit counts 10^last
  const last = exponent - count + 1;
  const height = Math.abs(exponent);
  if (last >= 0 && height < count + 7) return digits + '0'.repeat(last);
  if (last < 0 && (last > -7 || height < 4)) {
    const whole = count + last;
    if (whole <= 0) return '0.' + '0'.repeat(-whole) + digits;
    return digits.slice(0, whole) + '.' + digits.slice(whole);
  }
  const shown = digits.slice(0, 18 - signLength);
  const fraction = shown.length > 1 ? '.' + shown.slice(1) : '';
  return shown[0] + fraction + 'e' + (exponent < 0 ? '-' : '+') + height;
}

/** A double as C's printf("%.17g") writes it: always enough digits to read it back, rarely the fewest. */
export function formatG17(x: number): string {
  if (Number.isNaN(x)) return 'nan';
  if (x === Number.POSITIVE_INFINITY) return 'inf';
  if (x === Number.NEGATIVE_INFINITY) return '-inf';
  if (x === 0) return 1 / x < 0 ? '-0' : '0';
  const sign = x < 0 ? '-' : '';
  const [digits, exponent] = seventeenDigits(Math.abs(x));
  const trimmed = digits.replace(/0+$/, '');
  if (exponent < -4 || exponent >= 17) {
    const fraction = trimmed.length > 1 ? '.' + trimmed.slice(1) : '';
    return (
      sign + trimmed[0] + fraction + 'e' + (exponent < 0 ? '-' : '+') + String(Math.abs(exponent)).padStart(2, '0')
    );
  }
  if (exponent < 0) return sign + '0.' + '0'.repeat(-exponent - 1) + trimmed;
  const whole = digits.slice(0, exponent + 1);
  const fraction = trimmed.slice(exponent + 1);
  return sign + whole + (fraction === '' ? '' : '.' + fraction);
}

/** 17 significant digits and the decimal exponent of the first; exact ties go to the even digit, as in C. */
function seventeenDigits(x: number): [digits: string, exponent: number] {
  const [mantissa, exponentText] = x.toExponential(16).split('e');
  let digits = mantissa.replace('.', '');
  if (Number(digits[16]) % 2 === 1) {
    // JavaScript rounds ties up. A double has a tie at this place only if it ends there, with a 5
    const exact = x.toExponential(100).split('e')[0].replace('.', '');
    if (exact[17] === '5' && /^0*$/.test(exact.slice(18))) digits = exact.slice(0, 17);
  }
  return [digits, Number(exponentText)];
}
