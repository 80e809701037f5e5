import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EXACT_BITS,
  fitBigField,
  fitField,
  OVERFLOW,
  type Overflow,
  readBigField,
  readField,
  writeBigField,
  writeField,
} from '../../../src/datatypes/bit-fields.ts';

const BYTES = 24;
const START = 5;

const field = fc
  .record({ bits: fc.integer({ min: 1, max: 64 }), signed: fc.boolean(), bitOffset: fc.nat((BYTES - 8) * 8 - 1) })
  .filter(({ bits, signed }) => bits < 64 || signed);
const content = fc.uint8Array({ minLength: BYTES, maxLength: BYTES });
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -600n, max: 600n }),
  fc.integer({ min: 0, max: 62 }).map((power) => 2n ** BigInt(power)),
  fc.integer({ min: 0, max: 63 }).map((power) => -(2n ** BigInt(power))),
);
const overflow = fc.constantFrom<Overflow>(...Object.values(OVERFLOW));

function bitText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
}

function placed(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.alloc(START, 0xaa), bytes, Buffer.alloc(9, 0xaa)]);
}

/** The field by the text of its bits; what lies behind the text is zeros. */
function modelRead(bytes: Uint8Array, bitOffset: number, bits: number, signed: boolean): bigint {
  const text = bitText(bytes)
    .slice(bitOffset, bitOffset + bits)
    .padEnd(bits, '0');
  const value = BigInt(`0b${text}`);
  return signed ? BigInt.asIntN(bits, value) : value;
}

function rangeOf(bits: number, signed: boolean): [min: bigint, max: bigint] {
  return signed ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n] : [0n, 2n ** BigInt(bits) - 1n];
}

describe('bit fields', () => {
  it('are read as their bits say, zeros behind the end', () => {
    fc.assert(
      fc.property(content, field, fc.nat(BYTES), (bytes, { bits, signed, bitOffset }, shown) => {
        const value = bytes.subarray(0, shown);
        const expected = modelRead(value, bitOffset, bits, signed);
        const buf = placed(value);
        expect(readBigField(buf, START, START + shown, bitOffset, bits, signed)).toBe(expected);
        if (bits > EXACT_BITS) return;
        expect(readField(buf, START, START + shown, bitOffset, bits, signed)).toBe(Number(expected));
      }),
      { numRuns: 500 },
    );
  });

  it('are written without touching their neighbours', () => {
    fc.assert(
      fc.property(content, field, int64, (bytes, { bits, signed, bitOffset }, value) => {
        const stored = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
        const text = BigInt.asUintN(bits, value).toString(2).padStart(bits, '0');
        const before = bitText(bytes);
        const expected = before.slice(0, bitOffset) + text + before.slice(bitOffset + bits);
        const buf = placed(bytes);
        writeBigField(buf, START, bitOffset, bits, stored);
        expect(bitText(buf)).toBe(
          bitText(placed(new Uint8Array(0)).subarray(0, START)) + expected + '10101010'.repeat(9),
        );
        if (bits > EXACT_BITS) return;
        const other = placed(bytes);
        writeField(other, START, bitOffset, bits, Number(stored));
        expect(other.equals(buf)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('bend a value that does not fit as asked', () => {
    fc.assert(
      fc.property(field, int64, int64, overflow, ({ bits, signed }, a, b, how) => {
        const sum = a + b;
        const [min, max] = rangeOf(bits, signed);
        const size = max - min + 1n;
        let expected: bigint | null = sum;
        if (sum < min || sum > max) {
          if (how === OVERFLOW.fail) expected = null;
          else if (how === OVERFLOW.saturate) expected = sum < min ? min : max;
          else expected = min + ((((sum - min) % size) + size) % size);
        }
        expect(fitBigField(sum, bits, signed, how)).toBe(expected);
        if (bits > EXACT_BITS || sum < -(2n ** 53n) || sum > 2n ** 53n) return;
        expect(fitField(Number(sum), bits, signed, how)).toBe(expected === null ? Number.NaN : Number(expected));
      }),
      { numRuns: 1500 },
    );
  });
});
