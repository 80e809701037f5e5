import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';

const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

/** HalfSipHash-c-d as its description says it, step by step. */
function plainHalfSipHash(c: number, d: number, k0: number, k1: number, bytes: Uint8Array): number {
  const v = [k0, k1, 0x6c796765 ^ k0, 0x74656462 ^ k1];
  const round = (): void => {
    v[0] = (v[0] + v[1]) | 0;
    v[1] = rotate(v[1], 5) ^ v[0];
    v[0] = rotate(v[0], 16);
    v[2] = (v[2] + v[3]) | 0;
    v[3] = rotate(v[3], 8) ^ v[2];
    v[0] = (v[0] + v[3]) | 0;
    v[3] = rotate(v[3], 7) ^ v[0];
    v[2] = (v[2] + v[1]) | 0;
    v[1] = rotate(v[1], 13) ^ v[2];
    v[2] = rotate(v[2], 16);
  };
  const padded = Buffer.alloc((bytes.length >> 2) * 4 + 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 255;
  for (let at = 0; at < padded.length; at += 4) {
    const m = padded.readInt32LE(at);
    v[3] ^= m;
    for (let i = 0; i < c; i++) round();
    v[0] ^= m;
  }
  v[2] ^= 0xff;
  for (let i = 0; i < d; i++) round();
  return v[1] ^ v[3];
}

describe('HalfSipHash', () => {
  it('is checked against a plain form that gives the published values of HalfSipHash-2-4', () => {
    // key 00 01 … 07, messages '', 00, 00 01
    const published = [0x5b9f35a9, 0xb85a4727, 0x03a662fa];
    published.forEach((value, length) => {
      const message = Uint8Array.from({ length }, (_, i) => i);
      expect(plainHalfSipHash(2, 4, 0x03020100, 0x07060504, message) >>> 0).toBe(value);
    });
  });

  it('gives HalfSipHash-1-3 of any range of a buffer, for any key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(9), fc.integer(), fc.integer(), (message, shift, k0, k1) => {
        const buffer = Buffer.concat([Buffer.alloc(shift, 0xee), message, Buffer.alloc(3, 0xee)]);
        const hash = new HalfSipHash(k0, k1).hash(buffer, shift, shift + message.length);
        expect(hash).toBe(plainHalfSipHash(1, 3, k0 | 0, k1 | 0, message));
        expect(hash | 0).toBe(hash);
      }),
      { numRuns: 300 },
    );
  });

  it('spreads numbered keys evenly over low bits and over the top byte', () => {
    const hash = new HalfSipHash(1, 2);
    const low = new Int32Array(256);
    const top = new Int32Array(256);
    const keys = 51_200;
    for (let i = 0; i < keys; i++) {
      const key = Buffer.from(`key:${i}`);
      const value = hash.hash(key, 0, key.length);
      low[value & 255]++;
      top[value >>> 24]++;
    }
    for (const counts of [low, top]) {
      const chiSquare = counts.reduce((sum, n) => sum + (n - keys / 256) ** 2 / (keys / 256), 0);
      // 255 degrees of freedom: 99.99 % stay below 348
      expect(chiSquare).toBeLessThan(360);
    }
  });
});
