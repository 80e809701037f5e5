import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { IntSet, isSoundIntSet } from '../../../src/datatypes/int-set.ts';

const number = fc.oneof(
  fc.bigInt({ min: -40n, max: 40n }),
  fc.bigInt({ min: -(2n ** 16n), max: 2n ** 16n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 32767n, 32768n, -32769n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n + 1n),
);
const step = fc.record({ isRemoval: fc.boolean(), number });

const probe = (set: IntSet, text: string) => {
  const bytes = Buffer.from(text, 'latin1');
  return set.probeText(bytes, 0, bytes.length);
};

function contents(set: IntSet, h: number): string[] {
  return Array.from({ length: set.count(h) }, (_, i) => {
    set.read(h, i);
    return set.tBuf.toString('latin1', set.tStart, set.tEnd);
  });
}

const sortedTexts = (model: ReadonlySet<bigint>) => [...model].sort((a, b) => (a < b ? -1 : 1)).map(String);

describe('a set of integers', () => {
  test('is a sorted set of bigints, whatever is added and removed', () => {
    const memory = createArenaMemory(1 << 24);
    const arena = new Arena(memory);
    const set = new IntSet(arena);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const before = arena.liveBytes();
        let h = set.create();
        const model = new Set<bigint>();
        for (const { isRemoval, number: wanted } of steps) {
          expect(probe(set, String(wanted))).toBe(true);
          expect(set.find(h)).toBe(model.has(wanted));
          if (isRemoval && model.delete(wanted)) h = set.remove(h);
          if (!isRemoval && !model.has(wanted)) {
            h = set.add(h);
            model.add(wanted);
          }
          set.check(h);
          expect(contents(set, h)).toEqual(sortedTexts(model));
        }
        arena.release(h);
        expect(arena.liveBytes()).toBe(before);
        checkMemory(memory);
      }),
      { numRuns: 80 },
    );
  });

  test("widens with the first integer that needs it, to Redis's bytes", () => {
    const arena = new Arena(createArenaMemory(1 << 22));
    const set = new IntSet(arena);
    const bytesOf = (...texts: string[]) => {
      let h = set.create();
      for (const text of texts) {
        probe(set, text);
        if (!set.find(h)) h = set.add(h);
      }
      const start = (h & 0x3ffffff) << 4;
      return arena.buf[h >>> 26].toString('hex', start, start + set.bytes(h));
    };
    expect(bytesOf('3', '1', '2', '2')).toBe('0200000003000000010002000300');
    expect(bytesOf('1', '-70000')).toBe('040000000200000090eefeff01000000');
    expect(bytesOf('-1', '9223372036854775807')).toBe('0800000002000000ffffffffffffffffffffffffffffff7f');
  });

  test('knows which texts are integers', () => {
    const set = new IntSet(new Arena(createArenaMemory(1 << 22)));
    const texts = ['0', '-1', '9223372036854775807', '-9223372036854775808'];
    expect(texts.map((text) => probe(set, text))).toEqual([true, true, true, true]);
    for (const text of ['', '-', '01', '+1', '1.0', ' 1', '-0', '9223372036854775808', '123456789012345678901'])
      expect(probe(set, text), text).toBe(false);
  });
});

test('bytes from outside are looked at', () => {
  const sound = (hex: string) => isSoundIntSet(Buffer.from(hex, 'hex'), 0, hex.length / 2);
  expect(sound('020000000200000001000200')).toBe(true);
  expect(sound('020000000200000002000100')).toBe(false);
  expect(sound('020000000200000002000200')).toBe(false);
  expect(sound('0200000002000000010002')).toBe(false);
  expect(sound('0200000000000000')).toBe(false);
  expect(sound('030000000100000001000200')).toBe(false);
  expect(sound('0800000002000000ffffffffffffffffffffffffffffff7f')).toBe(true);
  expect(sound('0800000002000000ffffffffffffff7fffffffffffffffff')).toBe(false);
});
