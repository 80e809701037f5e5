import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { HalfSipHash } from '../../../native-free-shm/half-siphash.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { SetCursor, Sets } from '../../../src/datatypes/set-value.ts';
import { SizeLimits } from '../../../src/datatypes/size-limits.ts';

const member = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 60 }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 60 }).map((n) => `m${n}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', 'x'.repeat(10), 'x'.repeat(11), '9223372036854775807', 'y'.repeat(5000)),
  },
);
const step = fc.record({ op: fc.constantFrom('add', 'add', 'add', 'remove', 'pop'), member });

function fixture() {
  const memory = createArenaMemory(1 << 26);
  const arena = new Arena(memory);
  const limits = Object.assign(new SizeLimits(), {
    setMaxIntsetEntries: 12,
    setMaxListpackEntries: 8,
    setMaxListpackValue: 10,
  });
  let seed = 7;
  const random32 = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) >>> 0;
  };
  return { memory, arena, limits, random32, sets: new Sets(arena, new HalfSipHash(1, 2), limits) };
}

function contents(sets: Sets, root: number, encoding: number): string[] {
  const cursor = new SetCursor();
  const all: string[] = [];
  for (let more = cursor.open(sets, root, encoding); more; more = cursor.next())
    all.push(cursor.mBuf.toString('latin1', cursor.mStart, cursor.mEnd));
  return all.sort();
}

function addAll(sets: Sets, texts: readonly string[]): void {
  const first = Buffer.from(texts[0], 'latin1');
  sets.create(first, 0, first.length, 1);
  for (const text of texts) {
    const bytes = Buffer.from(text, 'latin1');
    sets.add(sets.root, sets.encoding, bytes, 0, bytes.length);
  }
}

function free(sets: Sets, root: number, encoding: number): void {
  while (sets.releaseStep(root, encoding, 10));
}

const isInteger = (text: string) => /^(0|-?[1-9]\d*)$/.test(text);

describe('sets', () => {
  test('are sets of strings in every form, and turn only forwards', () => {
    const { memory, arena, sets, random32 } = fixture();
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }), (steps) => {
        const before = arena.liveBytes();
        const first = Buffer.from(steps[0].member, 'latin1');
        sets.create(first, 0, first.length, 1);
        const model = new Set<string>();
        for (const { op, member: text } of steps) {
          const bytes = Buffer.from(text, 'latin1');
          const form = sets.encoding;
          if (op === 'add') {
            const isNew = !model.has(text);
            model.add(text);
            expect(sets.add(sets.root, sets.encoding, bytes, 0, bytes.length)).toBe(isNew);
          } else if (op === 'remove') {
            expect(sets.remove(sets.root, sets.encoding, bytes, 0, bytes.length)).toBe(model.delete(text));
          } else if (model.size > 0) {
            sets.pick(sets.root, sets.encoding, random32);
            const picked = sets.mBuf.toString('latin1', sets.mStart, sets.mEnd);
            expect(model.delete(picked)).toBe(true);
            sets.removePicked(sets.root, sets.encoding);
          }
          const { root, encoding } = sets;
          expect(encoding).toBeGreaterThanOrEqual(form);
          expect(sets.count(root, encoding)).toBe(model.size);
          expect(sets.has(root, encoding, bytes, 0, bytes.length)).toBe(model.has(text));
          sets.check(root, encoding);
          expect(contents(sets, root, encoding)).toEqual([...model].sort());
          if (encoding === 0) expect(model.size <= 12 && [...model].every(isInteger)).toBe(true);
          if (encoding === 1) expect(model.size <= 8 && [...model].every((one) => one.length <= 20)).toBe(true);
          sets.root = root;
          sets.encoding = encoding;
        }
        free(sets, sets.root, sets.encoding);
        expect(arena.liveBytes()).toBe(before);
        checkMemory(memory);
      }),
      { numRuns: 60 },
    );
  });

  test('a change of form takes what growthBytes says at most', () => {
    const { arena, sets } = fixture();
    const texts = Array.from({ length: 12 }, (_, i) => String(1000 + i));
    addAll(sets, texts);
    const { root, encoding } = sets;
    const more = Array.from({ length: 500 }, (_, i) => Buffer.from(`member ${i}`));
    const told = sets.growthBytes(root, encoding, more.length, more.length * 10);
    const before = arena.liveBytes();
    for (const bytes of more) sets.add(sets.root, sets.encoding, bytes, 0, bytes.length);
    expect(sets.encodingName(sets.encoding)).toBe('hashtable');
    expect(arena.liveBytes() - before).toBeLessThanOrEqual(told);
    expect(sets.memoryBytes(sets.root, sets.encoding, 0)).toBe(arena.liveBytes());
  });

  test('a cursor may ask other sets for its member, whatever their form', () => {
    const { sets } = fixture();
    const cursor = new SetCursor();
    const forms = [
      ['1', '2', '3'],
      ['1', '2', '3', 'x'],
      ['1', '2', '3', 'x'.repeat(30)],
    ].map((texts) => {
      addAll(sets, texts);
      return { root: sets.root, encoding: sets.encoding };
    });
    expect(forms.map((form) => form.encoding)).toEqual([0, 1, 2]);
    for (const from of forms) {
      const met = forms.map(() => 0);
      for (let more = cursor.open(sets, from.root, from.encoding); more; more = cursor.next())
        forms.forEach((to, i) => {
          if (sets.hasMember(to.root, to.encoding, cursor)) met[i]++;
        });
      expect(met.map((n) => n === 3 || n === 4)).toEqual([true, true, true]);
    }
  });

  test('a stored set of integers prefers their form where they are few', () => {
    const { sets } = fixture();
    addAll(sets, ['a', '1', '2']);
    const a = Buffer.from('a');
    sets.remove(sets.root, sets.encoding, a, 0, 1);
    sets.preferIntegers();
    expect(sets.encoding).toBe(0);
    expect(contents(sets, sets.root, 0)).toEqual(['1', '2']);
    sets.createIn(2);
    for (let i = 0; i < 13; i++) sets.add(sets.root, 2, Buffer.from(`${i + 10}`), 0, 2);
    sets.preferIntegers();
    expect(sets.encoding).toBe(2);
  });
});
