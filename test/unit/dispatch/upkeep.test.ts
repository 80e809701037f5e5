/** Upkeep: who does it, in which order, and what it leaves alone. */
import { expect, test } from 'vitest';
import { Upkeep } from '../../../src/dispatch/upkeep.ts';
import { Args } from '../../../src/resp/args.ts';
import { type RigWorker, WorkerRig } from './worker-rig.ts';

const SHARDS = 3;
const KEYS = 200;

interface Setup {
  rig: WorkerRig;
  worker: RigWorker;
  upkeep: Upkeep;
}

/** A worker with expired keys in every shard, and upkeep whose clock goes on by `stepMs` whenever it is read. */
function setup(stepMs: number, owns: (shard: number) => boolean, isAbandoned: (shard: number) => boolean): Setup {
  const rig = new WorkerRig({ shards: SHARDS });
  const [worker] = rig.workers;
  const client = worker.connect();
  for (let shard = 0; shard < SHARDS; shard++)
    for (let n = 0; n < KEYS; n++) worker.send(client, 'SET', rig.keyOf(shard, n), 'v', 'PX', '10');
  rig.nowMs += 20;
  let steadyMs = 0;
  const upkeep = new Upkeep({
    unit: worker.executor.unit,
    latches: worker.access.latches,
    headers: worker.access.headers,
    owns,
    isAbandoned,
    process: worker.access.process,
    args: new Args(),
    reply: worker.reply,
    steadyMs: () => (steadyMs += stepMs),
  });
  return { rig, worker, upkeep };
}

function counts({ worker }: Setup): number[] {
  return worker.access.spaces.map((ks) => ks.count(0));
}

test('ticks that end early come round to every shard', () => {
  // the clock lets a tick do one slice
  const it = setup(
    0.4,
    () => true,
    () => false,
  );
  for (let tick = 0; tick < SHARDS; tick++) expect(it.upkeep.tick(it.rig.nowMs)).toBe(true);
  for (const count of counts(it)) expect(count).toBeLessThan(KEYS);
});

test('with time enough everything goes at once', () => {
  const it = setup(
    0,
    () => true,
    () => false,
  );
  expect(it.upkeep.tick(it.rig.nowMs)).toBe(false);
  expect(counts(it)).toEqual([0, 0, 0]);
});

test('shards of others are left alone, unless their owner does not come round', () => {
  const it = setup(
    0,
    (shard) => shard === 0,
    (shard) => shard === 2,
  );
  it.upkeep.tick(it.rig.nowMs);
  expect(counts(it)).toEqual([0, KEYS, 0]);
});

test('a journal that cannot follow gets no removals, and no tick at once', () => {
  const it = setup(
    0,
    () => true,
    () => false,
  );
  it.rig.journals[1].full = true;
  expect(it.upkeep.tick(it.rig.nowMs)).toBe(false);
  expect(counts(it)).toEqual([0, KEYS, 0]);
  it.rig.journals[1].full = false;
  it.upkeep.tick(it.rig.nowMs);
  expect(counts(it)).toEqual([0, 0, 0]);
});

test('blocks that nobody needs any more are freed', () => {
  const it = setup(
    0,
    () => true,
    () => false,
  );
  const { arena } = it.worker.access.spaces[0];
  const handle = arena.allocatePrivate(100_000);
  const live = arena.liveBlocks();
  it.upkeep.tick(it.rig.nowMs - 1000);
  expect(arena.liveBlocks()).toBe(live);
  arena.unpin(handle);
  it.upkeep.tick(it.rig.nowMs - 1000);
  expect(arena.liveBlocks()).toBe(live - 1);
});
