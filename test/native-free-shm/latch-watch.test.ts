/** Heartbeats, and how a latch that is held too long is found by them. */
import { expect, test } from 'vitest';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { asleep, HEARTBEAT_WORDS, Heartbeats, showProgress } from '../../native-free-shm/heartbeats.ts';
import { LATCH_WORDS, Latch } from '../../native-free-shm/latch.ts';
import { LatchWatch } from '../../native-free-shm/latch-watch.ts';

const words = (n: number): Int32Array => new Int32Array(new SharedArrayBuffer(n * 4));

const HOLDER = 4;
const WATCHER = 1;

function setUp() {
  const heartbeats = new Heartbeats(words(64 * HEARTBEAT_WORDS));
  const bells = words(64 * DOORBELL_WORDS);
  const doorbells = Array.from({ length: 64 }, (_, t) => new Doorbell(bells, t * DOORBELL_WORDS));
  const latchWords = words(2 * LATCH_WORDS);
  const of = (me: number) => [0, 1].map((l) => new Latch(latchWords, l * LATCH_WORDS, me, doorbells, heartbeats));
  return { heartbeats, held: of(HOLDER), watched: of(WATCHER), watch: new LatchWatch(of(WATCHER), heartbeats) };
}

test('beats count, and ages are those of the clock, also where 31 bits of it wrap', () => {
  const { heartbeats } = setUp();
  expect(heartbeats.ageMs(HOLDER, 1e12)).toBe(0);
  for (const startMs of [1, 1_700_000_000_000, 0x80000000 * 800 - 50, 0x80000000 * 800, 1234567.75]) {
    const before = heartbeats.beats(HOLDER);
    heartbeats.beat(HOLDER, startMs);
    expect(heartbeats.beats(HOLDER)).toBe(before + 1);
    // The lowest bit is lent to "has beaten"
    for (const age of [0, 1, 2, 10, 100, 100_000]) {
      expect(Math.abs(heartbeats.ageMs(HOLDER, startMs + age) - age)).toBeLessThanOrEqual(1);
    }
    expect(heartbeats.ageMs(HOLDER, startMs - 100)).toBe(0);
  }
});

test('nobody spins for a holder whose loop stands still', () => {
  const { heartbeats, held, watched } = setUp();
  const longMicros = 5_000_000;
  expect(held[0].tryAcquire()).toBe(true);
  heartbeats.beat(HOLDER, 1_000_000);
  heartbeats.beat(WATCHER, 1_000_001);
  expect(heartbeats.fresh(HOLDER, WATCHER)).toBe(true);
  heartbeats.beat(WATCHER, 1_000_100);
  expect(heartbeats.fresh(HOLDER, WATCHER)).toBe(false);
  expect(heartbeats.fresh(WATCHER, HOLDER)).toBe(true);
  expect(heartbeats.fresh(9, WATCHER), 'a thread without beats').toBe(true);
  const startMs = performance.now();
  expect(watched[0].acquireSpin(longMicros)).toBe(false);
  expect(performance.now() - startMs).toBeLessThan(longMicros / 1000);
});

test('a latch held by one batch is found after the bound, others are not', () => {
  const { heartbeats, held, watch } = setUp();
  const boundMs = 1000;
  let nowMs = 5000;
  const look = () => watch.look((nowMs += 100), boundMs);
  heartbeats.beat(HOLDER, nowMs);
  expect(held[1].tryAcquire()).toBe(true);
  for (let n = 0; n < 10; n++) expect(look()).toBe(-1);
  expect(look()).toBe(1);
  expect([watch.heldForMs(0), watch.heldForMs(1), watch.holderOf(1)]).toEqual([0, 1000, HOLDER]);
  // Another batch: it may have let go meanwhile
  heartbeats.beat(HOLDER, nowMs);
  for (let n = 0; n < 9; n++) expect(look()).toBe(-1);
  held[1].release();
  for (let n = 0; n < 30; n++) expect(look()).toBe(-1);
});

test('a process that was stopped raises no alarm', () => {
  const { held, watch } = setUp();
  expect(held[0].tryAcquire()).toBe(true);
  expect(watch.look(1000, 1000)).toBe(-1);
  expect(watch.look(3_600_000, 1000)).toBe(-1);
  expect(watch.look(3_600_100, 1000)).toBe(-1);
  expect(watch.look(3_600_600, 1000)).toBe(0);
  // A clock that goes back adds nothing
  expect(watch.look(10, 1200)).toBe(-1);
});

test('long work that shows progress, or waits for the system, is no hang; without it it is', () => {
  const { heartbeats, held, watch } = setUp();
  heartbeats.attachProgress(HOLDER);
  let nowMs = 5000;
  const look = () => watch.look((nowMs += 100), 1000);
  expect(held[0].tryAcquire()).toBe(true);
  for (let n = 0; n < 100; n++) {
    showProgress();
    expect(look()).toBe(-1);
  }
  asleep(() => {
    for (let n = 0; n < 100; n++) expect(look()).toBe(-1);
  });
  expect(() => asleep(() => expect.fail('a call that throws'))).toThrow();
  for (let n = 0; n < 10; n++) expect(look()).toBe(-1);
  expect(look()).toBe(0);
});
