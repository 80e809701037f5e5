import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyInto, equalBytes } from '../../native-free-shm/bytes.ts';

const place = fc.integer({ min: 0, max: 20 });

describe('bytes', () => {
  it('copies exactly the asked bytes between shared and private buffers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), place, place, fc.boolean(), (bytes, from, to, shared) => {
        const room = bytes.length + 40;
        const src = shared ? Buffer.from(new SharedArrayBuffer(room)) : Buffer.alloc(room);
        const dst = shared ? Buffer.alloc(room, 0xaa) : Buffer.from(new SharedArrayBuffer(room)).fill(0xaa);
        src.set(bytes, from);
        copyInto(dst, to, src, from, bytes.length);
        const expected = Buffer.alloc(room, 0xaa);
        expected.set(bytes, to);
        expect(dst.equals(expected)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('sees every single differing byte, and nothing outside of the range', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        place,
        place,
        fc.nat(),
        (bytes, aStart, bStart, flip) => {
          const a = Buffer.alloc(bytes.length + 40, 1);
          const b = Buffer.alloc(bytes.length + 40, 2);
          a.set(bytes, aStart);
          b.set(bytes, bStart);
          expect(equalBytes(a, aStart, b, bStart, bytes.length)).toBe(true);
          b[bStart + (flip % bytes.length)] ^= 1 << (flip & 7);
          expect(equalBytes(a, aStart, b, bStart, bytes.length)).toBe(false);
          expect(equalBytes(a, aStart, b, bStart, 0)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
