/** The doorbell in one thread: what its owner sees, step by step. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { runThreads } from './thread-fleet.ts';

const AWAKE = 0;
const ASLEEP = 1;
const RUNG = 2;

/** A bell whose owner counts polls and says "more" as often as asked. */
class Owner {
  readonly words = new Int32Array(new SharedArrayBuffer(2 * DOORBELL_WORDS * 4));
  readonly bell = new Doorbell(this.words, DOORBELL_WORDS);
  readonly ringer = new Doorbell(this.words, DOORBELL_WORDS);
  polls = 0;
  more = 0;
  onPoll: () => void = () => {};
  readonly poll = (): boolean => {
    this.polls++;
    this.onPoll();
    return this.more > 0 && this.more-- > 0;
  };

  get state(): number {
    return Atomics.load(this.words, DOORBELL_WORDS);
  }

  /** Turns of the event loop until `done`; a bounded number, no clock. */
  async until(done: () => boolean): Promise<void> {
    for (let n = 0; n < 100_000 && !done(); n++) await turn();
    expect(done()).toBe(true);
  }
}

async function sleeping(emptyTurns = 0): Promise<Owner> {
  const owner = new Owner();
  owner.bell.listen(owner.poll, emptyTurns);
  await owner.until(() => owner.state === ASLEEP);
  return owner;
}

test('polls once on its own, then once per ring while it sleeps', async () => {
  const owner = await sleeping();
  expect(owner.polls).toBe(1);
  for (let n = 2; n < 50; n++) {
    owner.ringer.ring();
    await owner.until(() => owner.polls === n && owner.state === ASLEEP);
  }
  for (let n = 0; n < 10; n++) await turn();
  expect(owner.polls).toBe(49);
  owner.bell.close();
});

test('polls again, without a ring, as long as poll says that there is more', async () => {
  const owner = await sleeping();
  owner.more = 5;
  owner.ringer.ring();
  await owner.until(() => owner.state === ASLEEP);
  expect(owner.polls).toBe(7);
  owner.bell.close();
});

test('a ring during a poll leads to another poll', async () => {
  const owner = await sleeping();
  owner.onPoll = () => {
    if (owner.polls < 4) owner.ringer.ring();
  };
  owner.ringer.ring();
  await owner.until(() => owner.state === ASLEEP);
  expect(owner.polls).toBe(4);
  owner.bell.close();
});

test('polls the configured number of empty turns before it sleeps', async () => {
  const owner = await sleeping(3);
  expect(owner.polls).toBe(4);
  owner.more = 1;
  owner.ringer.ring();
  await owner.until(() => owner.state === ASLEEP);
  expect(owner.polls).toBe(9);
  owner.bell.close();
});

test('a ring inside a batch is only remembered, and endBatch polls', async () => {
  const owner = await sleeping();
  owner.bell.beginBatch();
  expect(owner.state).toBe(AWAKE);
  owner.ringer.ring();
  for (let n = 0; n < 5; n++) await turn();
  expect([owner.polls, owner.state]).toEqual([1, RUNG]);
  owner.bell.endBatch();
  expect([owner.polls, owner.state]).toEqual([2, ASLEEP]);
  // The waitAsync of before the batch still works
  owner.ringer.ring();
  await owner.until(() => owner.polls === 3 && owner.state === ASLEEP);
  // Batches without a ring poll nothing
  for (let n = 0; n < 5; n++) {
    owner.bell.beginBatch();
    owner.bell.endBatch();
  }
  expect([owner.polls, owner.state]).toEqual([3, ASLEEP]);
  owner.bell.close();
});

test('a batch that begins after the ring that ends the sleep loses nothing', async () => {
  const owner = await sleeping();
  owner.ringer.ring();
  owner.bell.beginBatch();
  owner.bell.endBatch();
  // Asleep again, while the wake-up by the first ring is still under way: it must serve the second ring too
  expect([owner.polls, owner.state]).toEqual([2, ASLEEP]);
  owner.ringer.ring();
  await owner.until(() => owner.polls === 3 && owner.state === ASLEEP);
  owner.ringer.ring();
  await owner.until(() => owner.polls === 4 && owner.state === ASLEEP);
  owner.bell.close();
});

test('a notify that comes late wakes it for nothing and does no harm', async () => {
  const owner = await sleeping();
  Atomics.notify(owner.words, DOORBELL_WORDS);
  await owner.until(() => owner.polls === 2 && owner.state === ASLEEP);
  owner.ringer.ring();
  await owner.until(() => owner.polls === 3);
  owner.bell.close();
});

test('close ends the listening, asleep or awake, and leaves no waiter in the engine', async () => {
  const owner = await sleeping();
  owner.bell.close();
  owner.ringer.ring();
  for (let n = 0; n < 10; n++) await turn();
  expect(owner.polls).toBe(1);
  expect(Atomics.notify(owner.words, DOORBELL_WORDS)).toBe(0);

  const awake = new Owner();
  awake.bell.listen(awake.poll);
  awake.bell.close();
  for (let n = 0; n < 10; n++) await turn();
  expect(awake.polls).toBe(0);

  const within = await sleeping();
  within.onPoll = () => within.bell.close();
  within.more = 5;
  within.ringer.ring();
  await within.until(() => within.polls === 2);
  for (let n = 0; n < 10; n++) await turn();
  expect(within.polls).toBe(2);
});

test('a closed doorbell can be listened to again', async () => {
  const owner = await sleeping();
  owner.bell.close();
  owner.bell.listen(owner.poll);
  expect(() => owner.bell.listen(owner.poll)).toThrow(/listener/);
  await owner.until(() => owner.state === ASLEEP);
  const before = owner.polls;
  owner.ringer.ring();
  await owner.until(() => owner.polls > before);
  owner.bell.close();
});

test('waitSync returns at once when rung before, and false when nobody rings', () => {
  const owner = new Owner();
  expect(owner.bell.waitSync(0)).toBe(false);
  owner.ringer.ring();
  owner.ringer.ring();
  expect(owner.bell.waitSync(60_000)).toBe(true);
  expect(owner.bell.waitSync(1)).toBe(false);
  expect(owner.state).toBe(AWAKE);
});

test('a listening doorbell does not keep its thread alive', async () => {
  const memory = new SharedArrayBuffer(DOORBELL_WORDS * 4);
  expect(await runThreads('./doorbell-idle-thread.ts', [memory])).toEqual([1]);
});
