/** The doorbell under real threads: no ring is lost, whatever the owner does meanwhile. */
import { expect, test } from 'vitest';
import { DOORBELL_WORDS } from '../../native-free-shm/doorbell.ts';
import type { DoorbellJob, DoorbellReport } from './doorbell-stress-thread.ts';
import { LOST_MS, runThreads, STRESS_MS, stressTimeout } from './thread-fleet.ts';

const LINE = 16;
const RINGERS = 2;

for (const style of ['blocking', 'events', 'batches'] as const) {
  test(`no ring is lost by an owner that waits in style "${style}"`, { timeout: stressTimeout(1) }, async () => {
    const shared = {
      ringers: RINGERS,
      bell: new SharedArrayBuffer(DOORBELL_WORDS * 4),
      numbers: new SharedArrayBuffer((2 * RINGERS + 1) * LINE * 4),
      style,
      runMs: STRESS_MS,
      lostMs: LOST_MS,
    };
    const jobs: DoorbellJob[] = [];
    for (let ringer = -1; ringer < RINGERS; ringer++) jobs.push({ ...shared, ringer });
    const [owner, ...ringers] = await runThreads<DoorbellJob, DoorbellReport>('./doorbell-stress-thread.ts', jobs);
    if (process.env.SKEIN_STRESS_SECONDS) console.log(owner, ringers);
    expect(owner.polls).toBeGreaterThan(0);
    for (const ringer of ringers) expect(ringer.rings).toBeGreaterThan(0);
  });
}
