/** Latches and the turn under real threads: mutual exclusion, no lost wake-up, no starvation. */
import { expect, test } from 'vitest';
import { DOORBELL_WORDS } from '../../native-free-shm/doorbell.ts';
import { LATCH_WORDS } from '../../native-free-shm/latch.ts';
import { TURN_WORDS } from '../../native-free-shm/turn.ts';
import type { LatchJob, LatchReport } from './latch-stress-thread.ts';
import { LOST_MS, runThreads, STRESS_MS, stressTimeout } from './thread-fleet.ts';

const DATA_WORDS = 16;

type Thread = Partial<Pick<LatchJob, 'style' | 'pick' | 'failuresBeforeTurn' | 'spinMicros' | 'holdSpins'>>;

async function run(latchCount: number, threads: Thread[]): Promise<LatchReport[]> {
  const words = (n: number) => new SharedArrayBuffer(n * 4);
  const latchMemory = words(latchCount * LATCH_WORDS);
  const turnMemory = words(TURN_WORDS);
  const dataMemory = words(latchCount * DATA_WORDS);
  const shared = {
    threads: threads.length,
    latchCount,
    latchMemory,
    doorbellMemory: words((threads.length + 1) * DOORBELL_WORDS),
    turnMemory,
    dataMemory,
    startMemory: words(1),
    runMs: STRESS_MS,
    lostMs: LOST_MS,
  };
  const jobs = threads.map(
    (thread, i): LatchJob => ({
      style: 'blocking',
      pick: 'one',
      failuresBeforeTurn: Number.POSITIVE_INFINITY,
      spinMicros: 0,
      holdSpins: 0,
      ...thread,
      ...shared,
      me: i + 1,
    }),
  );
  const reports = await runThreads<LatchJob, LatchReport>('./latch-stress-thread.ts', jobs);
  const data = new Int32Array(dataMemory);
  for (let i = 0; i < latchCount; i++) {
    const sum = reports.reduce((total, report) => total + report.perLatch[i], 0);
    for (let w = 0; w < DATA_WORDS; w++) expect(data[i * DATA_WORDS + w]).toBe(sum);
    const latch = new Int32Array(latchMemory, i * LATCH_WORDS * 4, LATCH_WORDS);
    expect([latch[0], latch[3]], 'latch free, not wanted').toEqual([0, 0]);
  }
  const turn = new Int32Array(turnMemory);
  expect(turn[0], 'every ticket was served').toBe(turn[1]);
  if (process.env.SKEIN_STRESS_SECONDS) console.log(reports);
  for (const report of reports) {
    expect(report.rounds).toBeGreaterThan(0);
    expect(report.longestWaitMs).toBeLessThan(LOST_MS);
  }
  return reports;
}

test('blocking threads on one latch add up, and every wait ends', { timeout: stressTimeout(1) }, async () => {
  const reports = await run(1, [{}, {}, {}, {}]);
  expect(reports.some((report) => report.sleeps > 0)).toBe(true);
});

test('event loops on one latch add up, and every wait ends', { timeout: stressTimeout(1) }, async () => {
  await run(1, [{ style: 'events', spinMicros: 5 }, { style: 'events' }, { style: 'events', holdSpins: 50 }]);
});

test('units over random sets of latches, with turns, are exclusive and none starves', {
  timeout: stressTimeout(1),
}, async () => {
  const reports = await run(5, [
    { pick: 'some', failuresBeforeTurn: 2 },
    { pick: 'some', failuresBeforeTurn: 0, style: 'events' },
    { pick: 'all', failuresBeforeTurn: 1 },
    { pick: 'one', failuresBeforeTurn: 3, style: 'events', spinMicros: 10 },
  ]);
  expect(reports.some((report) => report.turns > 0)).toBe(true);
});

test('a unit that needs every latch gets through among threads that keep them busy', {
  timeout: stressTimeout(1),
}, async () => {
  const busy: Thread = { pick: 'one', holdSpins: 100 };
  const reports = await run(4, [busy, busy, busy, { pick: 'all', failuresBeforeTurn: 3, holdSpins: 1 }]);
  // failuresBeforeTurn, a wait for the turn at most per other thread that has one (none here), then one per overtaker and latch
  expect(reports[3].mostFailures).toBeLessThan(100);
});
