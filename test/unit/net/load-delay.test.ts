import { expect, test } from 'vitest';
import { LoadDelay } from '../../../src/net/load-delay.ts';

/** Pays all that is owed, by a clock that jumps; how long that took, and the longest single wait. */
function pay(delay: LoadDelay, nowMs: number): { tookMs: number; longestMs: number } {
  let now = nowMs;
  let longestMs = 0;
  while (delay.isDue) {
    const waitMs = delay.beginWait(now);
    longestMs = Math.max(longestMs, waitMs);
    now += waitMs;
    delay.look(now);
  }
  return { tookMs: now - nowMs, longestMs };
}

test.each([
  [50, 100_000, 5000],
  [1, 3000, 3],
  [-50, 1_000_000, 20],
  [0, 1_000_000, 0],
  [1_000_000, 2, 2000],
])('%i microseconds for %i keys are %i ms, in small waits', (setting, keys, totalMs) => {
  const delay = new LoadDelay(() => setting);
  delay.look(0);
  for (let key = 0; key < keys; key += 4) delay.loaded(Math.min(4, keys - key));
  const { tookMs, longestMs } = pay(delay, 0);
  expect(tookMs).toBeCloseTo(totalMs, 3);
  expect(longestMs).toBeLessThanOrEqual(20);
});

test('what a timer waits too long is credit for the keys that follow', () => {
  const delay = new LoadDelay(() => 1000);
  delay.look(0);
  delay.loaded(10);
  expect(delay.beginWait(100)).toBe(10);
  delay.look(113);
  delay.loaded(3);
  expect(delay.isDue).toBe(false);
  delay.loaded(2);
  expect(delay.beginWait(113)).toBe(2);
});

test('a setting that is taken back forgives what is owed', () => {
  let setting = 1_000_000;
  const delay = new LoadDelay(() => setting);
  delay.look(0);
  delay.loaded(64);
  expect(delay.isOn).toBe(true);
  setting = 500_000;
  delay.look(0);
  expect(pay(delay, 0).tookMs).toBeCloseTo(32_000, 3);
  delay.loaded(64);
  setting = 0;
  delay.look(0);
  expect(delay.isDue).toBe(false);
  expect(delay.isOn).toBe(false);
});
