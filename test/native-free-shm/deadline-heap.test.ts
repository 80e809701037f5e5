import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import { BACK_WORD, newEntry, seeded } from './entry-fixture.ts';

const MIB = 2 ** 20;
const KEY = Buffer.from('key');

function positionOf(arena: Arena, entry: number): number {
  return arena.i32[entry >>> 26][((entry & 0x3ffffff) << 2) + BACK_WORD];
}

describe('deadline heap', () => {
  it('does what a sorted list does', () => {
    const deadline = fc.oneof(
      fc.integer({ min: 0, max: 50 }),
      fc.constantFrom(0, 2 ** 32, 2 ** 53 - 1),
      fc.integer({ min: 0, max: 2 ** 45 }),
    );
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.record({ push: deadline, times: fc.integer({ min: 1, max: 30 }) }) },
      { weight: 2, arbitrary: fc.record({ update: fc.nat(), to: deadline }) },
      { weight: 3, arbitrary: fc.record({ remove: fc.nat(), times: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 1, arbitrary: fc.record({ move: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ pop: fc.integer({ min: 1, max: 10 }) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 50 }), (actions) => {
        const memory = createArenaMemory(8 * MIB);
        const arena = new Arena(memory);
        const heap = new DeadlineHeap(arena, BACK_WORD);
        const root = heap.create();
        const model = new Map<number, number>();
        const entryAt = (n: number): number => [...model.keys()][n % model.size];
        for (const a of actions) {
          if ('push' in a) {
            for (let i = 0; i < a.times; i++) {
              const entry = newEntry(arena, 0, KEY, true);
              heap.push(root, a.push + i, entry);
              model.set(entry, a.push + i);
            }
          } else if (model.size === 0) {
          } else if ('update' in a) {
            heap.update(root, positionOf(arena, entryAt(a.update)), a.to);
            model.set(entryAt(a.update), a.to);
          } else if ('remove' in a) {
            for (let i = 0; i < a.times && model.size > 0; i++) {
              const entry = entryAt(a.remove);
              heap.remove(root, positionOf(arena, entry));
              model.delete(entry);
              arena.release(entry);
            }
          } else if ('move' in a) {
            const entry = entryAt(a.move);
            const next = newEntry(arena, 0, KEY, true);
            heap.moved(root, positionOf(arena, entry), next);
            model.set(next, model.get(entry)!);
            model.delete(entry);
            arena.release(entry);
          } else {
            for (let i = 0; i < a.pop && model.size > 0; i++) {
              const first = heap.firstEntry(root);
              expect(heap.firstDeadline(root)).toBe(Math.min(...model.values()));
              expect(model.get(first)).toBe(heap.firstDeadline(root));
              heap.remove(root, 0);
              model.delete(first);
              arena.release(first);
            }
          }
        }
        heap.check(root);
        expect(heap.count(root)).toBe(model.size);
        for (const [entry, value] of model) {
          expect(heap.deadlineAtPosition(root, positionOf(arena, entry))).toBe(value);
          expect(heap.entryAtPosition(root, positionOf(arena, entry))).toBe(entry);
        }
        heap.releaseAll(root);
        for (const entry of model.keys()) arena.release(entry);
        expect(checkMemory(memory)).toMatchObject({ liveBlocks: 0, freeRuns: 1 });
      }),
      { numRuns: 60 },
    );
  });

  it('sorts over many pages and gives them back on the way down', () => {
    const memory = createArenaMemory(32 * MIB);
    const arena = new Arena(memory);
    const heap = new DeadlineHeap(arena, BACK_WORD);
    const root = heap.create();
    const random = seeded(99);
    const count = 30_000;
    for (let i = 0; i < count; i++) heap.push(root, random(), newEntry(arena, 0, KEY, true));
    heap.check(root);
    expect(heap.bytes(root)).toBeLessThan(count * 12 + 3 * 49_152);
    let before = -1;
    for (let i = 0; i < count; i++) {
      const first = heap.firstDeadline(root);
      if (first < before) throw new Error(`deadline ${first} after ${before}`);
      before = first;
      const entry = heap.firstEntry(root);
      heap.remove(root, 0);
      arena.release(entry);
      if (i % 5000 === 0) heap.check(root);
    }
    expect(heap.firstDeadline(root)).toBe(Number.POSITIVE_INFINITY);
    expect(heap.firstEntry(root)).toBe(0);
    expect(heap.bytes(root)).toBe(32);
    expect(checkMemory(memory).liveBlocks).toBe(1);
    expect(() => heap.remove(root, 0)).toThrow(/no position/);
  });

  it('allocates no more per push than growthBytes says', () => {
    const arena = new Arena(createArenaMemory(16 * MIB));
    const heap = new DeadlineHeap(arena, BACK_WORD);
    const root = heap.create();
    for (let i = 0; i < 20_000; i++) {
      const entry = newEntry(arena, 0, KEY, true);
      const before = arena.liveBytes();
      const bound = heap.growthBytes(root, 1);
      heap.push(root, i, entry);
      if (arena.liveBytes() - before > bound) throw new Error(`push ${i} took ${arena.liveBytes() - before}`);
    }
  });
});
