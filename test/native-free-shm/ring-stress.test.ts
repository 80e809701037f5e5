/** The ring between two real threads: nothing lost, torn, repeated or out of order, no lost wake-up, and what was written before is visible. */
import { expect, test } from 'vitest';
import { DOORBELL_WORDS } from '../../native-free-shm/doorbell.ts';
import { createRingMemory } from '../../native-free-shm/ring.ts';
import type { RingJob, RingReport } from './ring-stress-thread.ts';
import { LOST_MS, runThreads, STRESS_MS, stressTimeout } from './thread-fleet.ts';

const BLOCK_WORDS = 16;

async function run(
  capacityBytes: number,
  maxBytes: number,
  longEvery: number,
  blockCount: number,
): Promise<RingReport[]> {
  const there = createRingMemory(capacityBytes);
  // Positions close to where int32 wraps, so that a run of moderate length crosses it
  new Int32Array(there)[0] = new Int32Array(there)[32] = 0x7fffffff & ~(capacityBytes - 1);
  const shared = {
    there,
    back: createRingMemory(Math.max(1024, 2 ** Math.ceil(Math.log2(blockCount * 16 * 2)))),
    blocks: new SharedArrayBuffer(blockCount * BLOCK_WORDS * 4),
    doorbells: new SharedArrayBuffer(2 * DOORBELL_WORDS * 4),
    maxBytes,
    longEvery,
    runMs: STRESS_MS,
    lostMs: LOST_MS,
  };
  const jobs: RingJob[] = [
    { ...shared, role: 'producer' },
    { ...shared, role: 'consumer' },
  ];
  const reports = await runThreads<RingJob, RingReport>('./ring-stress-thread.ts', jobs);
  if (process.env.SKEIN_STRESS_SECONDS) console.log(reports);
  expect(reports[1].messages).toBe(reports[0].messages);
  expect(reports[1].bytes).toBe(reports[0].bytes);
  expect(reports[0].messages).toBeGreaterThan(0);
  return reports;
}

test('many short messages through a roomy ring', { timeout: stressTimeout(1) }, async () => {
  await run(1 << 18, 112, 1, 4096);
});

test('a small ring that is full most of the time, with fragments', { timeout: stressTimeout(1) }, async () => {
  const reports = await run(1 << 12, 9000, 20, 1000);
  expect(reports[0].full).toBeGreaterThan(0);
});

test('one message under way at a time: both ends sleep after each', { timeout: stressTimeout(1) }, async () => {
  const reports = await run(1 << 10, 200, 1, 1);
  expect(reports[0].sleeps).toBeGreaterThan(0);
});
