/**
 * The 80-bit long double of x86, in which Redis computes INCRBYFLOAT: 64 bits of mantissa, exponents to 2^16383.
 * Whole results must agree with Redis digit by digit, and a double has 11 bits too few, so it is emulated over BigInt.
 *
 *   value = (negative ? -1 : 1) * mantissa * 2^exponent
 *
 * Invariant 1: a finite mantissa is 0, or has exactly 64 bits, or fewer at exponent = MIN_EXPONENT (subnormal).
 */
import { bitLength, dropBits } from './binary-rounding.ts';

const MANTISSA_BITS = 64;
/** Of the mantissa's last bit. */
const MIN_EXPONENT = -16445;
const MAX_EXPONENT = 16383 - 63;
/** Redis refuses longer texts. */
const MAX_TEXT_BYTES = 5 * 1024 - 1;
/** Digits behind the point of the human form. */
const DECIMALS = 17;
const TEN_TO_DECIMALS = 10n ** BigInt(DECIMALS);
/** Decimal exponents beyond ±this overflow or vanish, whatever digits a text can hold. */
const EXPONENT_BOUND = 20_000;

/** The smaller powers of ten, which nearly all numbers get by with. */
const POWERS_OF_TEN = Array.from({ length: 40 }, (_, exponent) => 10n ** BigInt(exponent));

function powerOfTen(exponent: number): bigint {
  return exponent < POWERS_OF_TEN.length ? POWERS_OF_TEN[exponent] : 10n ** BigInt(exponent);
}

export interface LongDouble {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
  /** 'finite', or what `mantissa` and `exponent` cannot say. */
  readonly range: 'finite' | 'infinite' | 'nan';
}

const NOT_A_NUMBER: LongDouble = { negative: false, mantissa: 0n, exponent: 0, range: 'nan' };
export const LONG_DOUBLE_ZERO: LongDouble = { negative: false, mantissa: 0n, exponent: 0, range: 'finite' };

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?(?:[pP]([+-]?\d+))?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/**
 * The number that fills buf[start, end), as strtold reads it. Null if there is none: blanks, rest, "nan", a finite number
 * too big for a long double or one that rounds to zero, more than 5119 bytes.
 */
export function parseLongDouble(buf: Buffer, start: number, end: number): LongDouble | null {
  if (end - start > MAX_TEXT_BYTES) return null;
  const text = buf.toString('latin1', start, end);
  const decimal = DECIMAL.exec(text);
  if (decimal !== null) return parseDecimal(decimal[1], decimal[2], decimal[3] ?? '', decimal[4] ?? '0');
  const hex = HEXADECIMAL.exec(text);
  if (hex !== null) return parseHexadecimal(hex[1], hex[2], hex[3] ?? '', hex[4] ?? '0');
  const infinite = INFINITE.exec(text);
  return infinite === null ? null : infinity(infinite[1] === '-');
}

function infinity(negative: boolean): LongDouble {
  return { negative, mantissa: 0n, exponent: 0, range: 'infinite' };
}

function parseDecimal(sign: string, whole: string, fraction: string, exponentText: string): LongDouble | null {
  if (whole.length + fraction.length === 0) return null;
  const negative = sign === '-';
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return { ...LONG_DOUBLE_ZERO, negative };
  const exponent = bounded(exponentText) - fraction.length;
  if (exponent >= 0) return inRange(rounded(negative, digits * powerOfTen(exponent), 0, false));
  // enough bits for the quotient to hold all of the mantissa and one to round by
  const divisor = powerOfTen(-exponent);
  const shift = Math.max(0, MANTISSA_BITS + 2 - (bitLength(digits) - bitLength(divisor)));
  const dividend = digits << BigInt(shift);
  const quotient = dividend / divisor;
  return inRange(rounded(negative, quotient, -shift, quotient * divisor !== dividend));
}

function parseHexadecimal(sign: string, whole: string, fraction: string, exponentText: string): LongDouble | null {
  if (whole.length + fraction.length === 0) return null;
  const negative = sign === '-';
  const mantissa = BigInt('0x' + whole + fraction);
  if (mantissa === 0n) return { ...LONG_DOUBLE_ZERO, negative };
  const exponent = Math.max(-1e9, Math.min(1e9, Number(exponentText))) - 4 * fraction.length;
  return inRange(rounded(negative, mantissa, exponent, false));
}

function bounded(exponentText: string): number {
  return Math.max(-EXPONENT_BOUND, Math.min(EXPONENT_BOUND, Number(exponentText)));
}

/** strtold reports a number that became infinite or zero, and Redis refuses it. */
function inRange(value: LongDouble): LongDouble | null {
  return value.range === 'finite' && value.mantissa !== 0n ? value : null;
}

/** n * 2^exponent (n > 0; `inexact`: a little more than n), rounded to a long double. */
function rounded(negative: boolean, n: bigint, exponent: number, inexact: boolean): LongDouble {
  const bits = bitLength(n);
  if (bits + exponent > MAX_EXPONENT + MANTISSA_BITS) return infinity(negative);
  if (bits + exponent < MIN_EXPONENT) return { ...LONG_DOUBLE_ZERO, negative };
  const drop = Math.max(bits - MANTISSA_BITS, MIN_EXPONENT - exponent);
  let mantissa = dropBits(n, drop, inexact);
  exponent += drop;
  if (bitLength(mantissa) > MANTISSA_BITS) {
    mantissa >>= 1n;
    exponent++;
  }
  if (exponent > MAX_EXPONENT) return infinity(negative);
  return { negative, mantissa, exponent, range: 'finite' };
}

/** a + b, rounded once. Infinities of different sign give NaN. */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble {
  if (a.range === 'nan' || b.range === 'nan') return NOT_A_NUMBER;
  if (a.range === 'infinite') return b.range === 'infinite' && a.negative !== b.negative ? NOT_A_NUMBER : a;
  if (b.range === 'infinite') return b;
  if (a.mantissa === 0n && b.mantissa === 0n) return { ...LONG_DOUBLE_ZERO, negative: a.negative && b.negative };
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a];
  const distance = high.exponent - low.exponent;
  // farther apart than this the lower one only says on which side of the higher one the sum lies: keep it near
  const near = MANTISSA_BITS * 2 + 4;
  const lowMantissa = distance > near ? 1n : low.mantissa;
  const lowExponent = distance > near ? high.exponent - near : low.exponent;
  const highScaled = high.mantissa << BigInt(Math.min(distance, near));
  const sum = (high.negative ? -highScaled : highScaled) + (low.negative ? -lowMantissa : lowMantissa);
  if (sum === 0n) return LONG_DOUBLE_ZERO;
  return rounded(sum < 0n, sum < 0n ? -sum : sum, lowExponent, false);
}

/** Redis's form for people: printf("%.17Lf") without trailing zeros; "0" for what rounds to it, "inf", "-inf", "nan". */
export function formatLongDouble(value: LongDouble): string {
  if (value.range === 'nan') return 'nan';
  if (value.range === 'infinite') return value.negative ? '-inf' : 'inf';
  const { mantissa, exponent } = value;
  if (exponent >= 0) return signed(value.negative, (mantissa << BigInt(exponent)).toString());
  const scaled = dropBits(mantissa * TEN_TO_DECIMALS, -exponent, false);
  const whole = scaled / TEN_TO_DECIMALS;
  const fraction = (scaled - whole * TEN_TO_DECIMALS).toString().padStart(DECIMALS, '0').replace(/0+$/, '');
  return signed(value.negative, fraction === '' ? whole.toString() : whole.toString() + '.' + fraction);
}

function signed(negative: boolean, text: string): string {
  return negative && text !== '0' ? '-' + text : text;
}
