import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BIT_OPERATION, type BitOperation, ByteRanges, combineBits } from '../../../src/datatypes/bit-operations.ts';

type Name = keyof typeof BIT_OPERATION;

/** Byte by byte: the first source and the others. */
const MODEL: Record<Name, (x: number, ys: readonly number[]) => number> = {
  and: (x, ys) => ys.reduce((a, b) => a & b, x),
  or: (x, ys) => ys.reduce((a, b) => a | b, x),
  xor: (x, ys) => ys.reduce((a, b) => a ^ b, x),
  not: (x) => ~x & 255,
  diff: (x, ys) => x & ~union(ys),
  diff1: (x, ys) => ~x & union(ys),
  andor: (x, ys) => x & union(ys),
  one: (x, ys) => {
    let result = 0;
    for (let bit = 1; bit < 256; bit <<= 1) {
      if ([x, ...ys].filter((byte) => (byte & bit) !== 0).length === 1) result |= bit;
    }
    return result;
  },
};

function union(bytes: readonly number[]): number {
  return bytes.reduce((a, b) => a | b, 0);
}

/** The result by the model, and by the code under test with each source at its own place in a buffer. */
function check(name: Name, values: readonly Uint8Array[], before: number): void {
  const length = Math.max(...values.map((value) => value.length));
  const expected = Buffer.alloc(length);
  for (let i = 0; i < length; i++) {
    const [x, ...ys] = values.map((value) => value[i] ?? 0);
    expected[i] = MODEL[name](x, ys);
  }
  const sources = new ByteRanges();
  for (const [i, value] of values.entries()) {
    const buf = Buffer.concat([Buffer.alloc(before + i, 0xee), value, Buffer.alloc(5, 0xee)]);
    sources.add(buf, before + i, before + i + value.length);
  }
  expect(sources.longest()).toBe(length);
  const result = Buffer.alloc(length + 3, 0x77);
  combineBits(BIT_OPERATION[name] as BitOperation, sources, result, length);
  expect(result.subarray(0, length).equals(expected)).toBe(true);
  expect([...result.subarray(length)]).toEqual([0x77, 0x77, 0x77]);
}

const NAMES = Object.keys(BIT_OPERATION) as Name[];

describe('bit operations over byte ranges', () => {
  it('agree with a loop over bytes', () => {
    const values = fc.array(fc.uint8Array({ maxLength: 70 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), values, fc.nat(16), (name, all, before) => {
        check(name, name === 'not' ? all.slice(0, 1) : all, before);
      }),
      { numRuns: 800 },
    );
  });

  it('also where the ranges have several pieces of different number', () => {
    const made = (bytes: number, factor: number) => Uint8Array.from({ length: bytes }, (_, i) => (i * factor) >> 3);
    const values = [made(8192 * 2 + 5, 7), made(8191, 31), made(20_001, 3), made(0, 1)];
    for (const name of NAMES) check(name, name === 'not' ? values.slice(0, 1) : values, 3);
  });

  it('forget cleared ranges', () => {
    const sources = new ByteRanges();
    sources.add(Buffer.from('long one'), 0, 8);
    sources.clear();
    expect(sources.longest()).toBe(0);
    sources.add(Buffer.from('abc'), 1, 2);
    expect([sources.count, sources.longest()]).toEqual([1, 1]);
  });
});
