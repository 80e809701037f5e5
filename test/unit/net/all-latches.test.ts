/** Taking all latches for a change of the whole server, against another thread's objects over the same memory. */
import { expect, test } from 'vitest';
import { DOORBELL_WORDS, Doorbell } from '../../../native-free-shm/doorbell.ts';
import { LATCH_WORDS, Latch, MAX_THREAD } from '../../../native-free-shm/latch.ts';
import { TURN_WORDS, Turn } from '../../../native-free-shm/turn.ts';
import { type LatchSet, underAllLatches, underAllLatchesSoon } from '../../../src/net/all-latches.ts';
import { waitUntil } from '../../server/wait-until.ts';

const words = (n: number): Int32Array => new Int32Array(new SharedArrayBuffer(n * 4));

/** Two threads' views of the same latches and turn. */
function twoThreads(latchCount: number): { ours: LatchSet; theirs: LatchSet } {
  const bells = words((MAX_THREAD + 1) * DOORBELL_WORDS);
  const doorbells = Array.from({ length: MAX_THREAD + 1 }, (_, t) => new Doorbell(bells, t * DOORBELL_WORDS));
  const latchWords = words(latchCount * LATCH_WORDS);
  const turnWords = words(TURN_WORDS);
  const of = (me: number): LatchSet => ({
    latches: Array.from({ length: latchCount }, (_, l) => new Latch(latchWords, l * LATCH_WORDS, me, doorbells)),
    turn: new Turn(turnWords, 0, me, doorbells),
  });
  return { ours: of(1), theirs: of(2) };
}

const holders = ({ latches }: LatchSet) => latches.map((latch) => latch.holder());

test('all are held during the change, none afterwards, and the turn is free', () => {
  const { ours, theirs } = twoThreads(3);
  let during: number[] = [];
  underAllLatches(ours, () => {
    during = holders(theirs);
  });
  expect(during).toEqual([1, 1, 1]);
  expect(holders(theirs)).toEqual([0, 0, 0]);
  expect(theirs.turn.request()).toBe(true);
});

test('who waits for the last latch holds none, and the event loop goes on', async () => {
  const { ours, theirs } = twoThreads(3);
  expect(theirs.latches[2].tryAcquire()).toBe(true);
  let changed = false;
  const done = underAllLatchesSoon(ours, () => {
    changed = true;
  });
  await waitUntil('the turn is asked for', () => ours.turn.mine());
  expect(holders(theirs)).toEqual([0, 0, 2]);
  expect(changed).toBe(false);
  theirs.latches[2].release();
  await done;
  expect(changed).toBe(true);
  expect(holders(theirs)).toEqual([0, 0, 0]);
  expect(theirs.turn.request()).toBe(true);
});

test('a stream of units that always hold one of the latches cannot keep it out', async () => {
  const { ours, theirs } = twoThreads(2);
  let held = 0;
  let refused = false;
  expect(theirs.latches[0].tryAcquire()).toBe(true);
  const done = underAllLatchesSoon(ours, () => {});
  // hand over hand: the next one is taken before the last one is released
  await waitUntil('newcomers give way', () => {
    const next = 1 - held;
    refused = !theirs.latches[next].tryAcquire();
    theirs.latches[held].release();
    held = next;
    return refused;
  });
  await done;
  expect(refused).toBe(true);
});

test('the turn of somebody else is waited for holding nothing', async () => {
  const { ours, theirs } = twoThreads(2);
  expect(theirs.turn.request()).toBe(true);
  theirs.turn.want(theirs.latches, 2);
  const done = underAllLatchesSoon(ours, () => {});
  await waitUntil('a place in the line', () => ours.turn.requested());
  expect(theirs.latches[0].tryAcquire() && theirs.latches[1].tryAcquire()).toBe(true);
  theirs.turn.end();
  for (const latch of theirs.latches) latch.release();
  await done;
});
