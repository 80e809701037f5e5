import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countBits, findBit } from '../../../src/datatypes/bit-ranges.ts';

/** One character per bit. */
function bitText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
}

/** Bytes with long rows of equal ones, at an odd place inside a buffer. */
const value = fc
  .array(
    fc.tuple(fc.oneof(fc.constantFrom(0, 255), fc.integer({ min: 0, max: 255 })), fc.constantFrom(1, 2, 7, 50, 300)),
    { minLength: 1, maxLength: 8 },
  )
  .map((rows) => Buffer.concat(rows.map(([byte, count]) => Buffer.alloc(count, byte))));
const placed = fc.record({
  value,
  before: fc.integer({ min: 0, max: 20 }),
  first: fc.nat(),
  last: fc.nat(),
});

describe('bits in byte ranges', () => {
  it('are counted and found as in a text of zeros and ones', () => {
    fc.assert(
      fc.property(placed, fc.constantFrom(0, 1), ({ value, before, first, last }, bit) => {
        const buf = Buffer.concat([Buffer.alloc(before, 0x5a), value, Buffer.alloc(9, 0xa5)]);
        const bits = value.length * 8;
        const [from, to] = [first % bits, last % bits].sort((a, b) => a - b);
        const text = bitText(value).slice(from, to + 1);
        expect(countBits(buf, before, from, to)).toBe(text.replaceAll('0', '').length);
        const at = text.indexOf(String(bit));
        expect(findBit(buf, before, from, to, bit)).toBe(at < 0 ? -1 : at + from);
      }),
      { numRuns: 600 },
    );
  });

  it('hold over pieces of any number', () => {
    for (const bytes of [16384, 16385, 16384 + 48, 65536, 100_003]) {
      const ones = Buffer.alloc(bytes, 0xff);
      const zeros = Buffer.alloc(bytes);
      const last = bytes * 8 - 1;
      expect(countBits(ones, 0, 0, last)).toBe(bytes * 8);
      expect(countBits(ones, 0, 3, last - 5)).toBe(bytes * 8 - 8);
      expect(countBits(zeros, 0, 0, last)).toBe(0);
      expect(findBit(ones, 0, 0, last, 0)).toBe(-1);
      expect(findBit(zeros, 0, 0, last, 1)).toBe(-1);
      for (const at of [0, bytes >> 1, bytes - 1]) {
        zeros[at] = 0x10;
        ones[at] = 0xef;
        expect(findBit(zeros, 0, 0, last, 1)).toBe(at * 8 + 3);
        expect(findBit(ones, 0, 0, last, 0)).toBe(at * 8 + 3);
        expect(findBit(zeros, 0, 0, at * 8 + 2, 1)).toBe(-1);
        zeros[at] = 0;
        ones[at] = 0xff;
      }
    }
  });

  it('an empty range has none', () => {
    const buf = Buffer.from([0xff]);
    expect(countBits(buf, 0, 3, 2)).toBe(0);
    expect(findBit(buf, 0, 3, 2, 1)).toBe(-1);
  });
});
