/** The turn under real threads: one at a time, none is forgotten in the line. */
import { expect, test } from 'vitest';
import { DOORBELL_WORDS } from '../../native-free-shm/doorbell.ts';
import { TURN_WORDS } from '../../native-free-shm/turn.ts';
import { LOST_MS, runThreads, STRESS_MS, stressTimeout } from './thread-fleet.ts';
import type { TurnJob } from './turn-stress-thread.ts';

for (const threads of [2, 5]) {
  test(`${threads} threads pass the turn among them, none waits for ever`, { timeout: stressTimeout(1) }, async () => {
    const shared = {
      threads,
      turnMemory: new SharedArrayBuffer(TURN_WORDS * 4),
      doorbellMemory: new SharedArrayBuffer((threads + 1) * DOORBELL_WORDS * 4),
      dataMemory: new SharedArrayBuffer(8),
      runMs: STRESS_MS,
      lostMs: LOST_MS,
    };
    const jobs = Array.from({ length: threads }, (_, i): TurnJob => ({ ...shared, me: i + 1 }));
    const turns = await runThreads<TurnJob, number>('./turn-stress-thread.ts', jobs);
    if (process.env.SKEIN_STRESS_SECONDS) console.log(turns);
    for (const count of turns) expect(count).toBeGreaterThan(0);
    const sum = turns.reduce((total, count) => total + count, 0);
    expect([...new Int32Array(shared.dataMemory)]).toEqual([sum, sum]);
    const words = new Int32Array(shared.turnMemory);
    expect([words[0], words[1]]).toEqual([sum, sum]);
  });
}
