/** Counters: rows of their own, sums, resets, and real threads. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Counters } from '../../native-free-shm/counters.ts';
import type { CountersJob } from './counters-stress-thread.ts';
import { runThreads } from './thread-fleet.ts';

test('sums and per-thread counts follow a model through counts and resets', () => {
  const step = fc.record({ reset: fc.nat(9), thread: fc.nat(2), name: fc.nat(39), by: fc.integer() });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 60 }), (nameCount, steps) => {
      const names = Array.from({ length: nameCount }, (_, i) => `c${i}`);
      const memory = Counters.createMemory(names, 3);
      const writers = [0, 1, 2].map((thread) => new Counters(memory, names, 3).own(thread));
      const reader = new Counters(memory, names, 3);
      const model = [0, 1, 2].map(() => names.map(() => 0));
      for (const { reset, thread, name, by } of steps) {
        const index = name % nameCount;
        if (reset === 0) {
          reader.reset(names[index]);
          for (const row of model) row[index] = 0;
        } else {
          writers[thread][index] += by;
          model[thread][index] += by;
        }
      }
      names.forEach((name, index) => {
        const perThread = model.map((row) => row[index]);
        expect(reader.perThread(name)).toEqual(perThread);
        expect(reader.sum(name)).toBe(perThread[0] + perThread[1] + perThread[2]);
      });
    }),
  );
});

test('rows of threads lie on different cache lines', () => {
  const names = ['a', 'b', 'c'];
  const counters = new Counters(Counters.createMemory(names, 4), names, 4);
  for (let thread = 0; thread < 4; thread++) expect(counters.own(thread).byteOffset % 128).toBe(0);
  expect(new Set([0, 1, 2, 3].map((thread) => counters.own(thread).byteOffset)).size).toBe(4);
});

test('faults of the caller are thrown', () => {
  const names: ('a' | 'b')[] = ['a', 'b'];
  const memory = Counters.createMemory(names, 2);
  const counters = new Counters(memory, names, 2);
  expect(() => counters.own(2)).toThrow(RangeError);
  expect(() => counters.own(-1)).toThrow(RangeError);
  expect(() => counters.sum('c' as 'a')).toThrow(/no counter c/);
  expect(() => new Counters(memory, names, 3)).toThrow(RangeError);
  expect(() => new Counters(memory, ['a', 'a'], 2)).toThrow(/one name/);
});

test('threads that count at the same time lose nothing', async () => {
  const names = ['first', 'second', 'third'];
  const threads = 3;
  const increments = 3_000_000;
  const memory = Counters.createMemory(names, threads);
  const counters = new Counters(memory, names, threads);
  const jobs = Array.from({ length: threads }, (_, me): CountersJob => ({ memory, names, threads, me, increments }));
  let done = false;
  const run = runThreads('./counters-stress-thread.ts', jobs).finally(() => (done = true));
  // Read while they count: sums only grow, in the steps that are counted
  for (let last = 0; !done; ) {
    const sum = counters.sum('second');
    expect(Number.isInteger(sum) && sum >= last).toBe(true);
    last = sum;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await run;
  expect(counters.sum('second')).toBe(threads * (increments / 3));
  expect(counters.sum('first')).toBe(threads * (increments / 3 + increments / 2));
});
