import { describe, expect, test } from 'vitest';
import { ClientPause } from '../../../src/net/pause-switch.ts';
import { PAUSE_BITS, STATE } from '../../../src/shard/world.ts';
import { waitUntil } from '../../server/wait-until.ts';
import { WorkerRig } from '../dispatch/worker-rig.ts';

function setUp() {
  const rig = new WorkerRig({ shards: 2 });
  const access = rig.outside;
  let rung = 0;
  const pause = new ClientPause(
    access,
    () => rung++,
    () => rig.nowMs,
  );
  return { rig, access, pause, rung: () => rung };
}

describe('CLIENT PAUSE on the acceptor', () => {
  test('the strictest kind and the longest end win', async () => {
    const { rig, access, pause, rung } = setUp();
    await pause.request(rig.nowMs + 50_000, true);
    await pause.request(rig.nowMs + 10_000, false);
    expect(access.pauseState()).toEqual({ endMs: rig.nowMs + 50_000, all: true });
    await pause.request(0, false);
    expect(access.stateBits() & PAUSE_BITS).toBe(0);
    expect(rung()).toBe(1);
    await pause.request(rig.nowMs + 1000, false);
    expect(access.pauseState()).toEqual({ endMs: rig.nowMs + 1000, all: false });
    expect(access.stateBits()).toBe(STATE.pausedWrites);
    await pause.request(0, false);
  });

  test('holds only when no command runs any more', async () => {
    const { rig, access, pause } = setUp();
    const [latch] = rig.workers[0].access.latches.slice(1);
    expect(latch.tryAcquire()).toBe(true);
    let held = false;
    const done = pause.request(rig.nowMs + 50_000, false).then(() => {
      held = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([held, access.stateBits()]).toEqual([false, 0]);
    latch.release();
    await done;
    expect(access.stateBits()).toBe(STATE.pausedWrites);
    await pause.request(0, false);
  });

  test('ends by time', async () => {
    const { rig, access, pause, rung } = setUp();
    const done = pause.request(rig.nowMs + 5, false);
    rig.nowMs += 6;
    await done;
    await waitUntil('the pause ends', () => rung() === 1);
    expect(access.stateBits()).toBe(0);
  });
});
