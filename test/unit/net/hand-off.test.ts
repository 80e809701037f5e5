/** Which worker gets a fresh connection. */
import { expect, test } from 'vitest';
import { HandOff } from '../../../src/net/listener.ts';

function handOff(workers: number) {
  const finished = new Int32Array(workers);
  const stuck = new Set<number>();
  const one = new HandOff(
    workers,
    (worker) => finished[worker],
    (worker) => stuck.has(worker),
  );
  return { one, finished, stuck };
}

test('the worker with the fewest open connections', () => {
  const { one, finished } = handOff(3);
  expect([one.next(), one.next(), one.next(), one.next()]).toEqual([0, 1, 2, 0]);
  finished[1] = 1;
  expect(one.next()).toBe(1);
  expect(one.open).toBe(4);
});

test('a worker whose event loop stands still gets none, whatever it has; where all do, the one with the fewest', () => {
  const { one, stuck } = handOff(3);
  stuck.add(0);
  expect([one.next(), one.next(), one.next()]).toEqual([1, 2, 1]);
  stuck.add(1).add(2);
  expect(one.next()).toBe(0);
  stuck.delete(1);
  expect(one.next()).toBe(1);
});
