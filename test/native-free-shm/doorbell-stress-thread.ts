/**
 * A ringer or the owner of the doorbell stress test. A ringer raises its own number, rings, and blocks until the owner has answered that
 * very number: one lost wake-up stops it for ever.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../../native-free-shm/doorbell.ts';

export interface DoorbellJob {
  /** Ringer 0, 1, …, or -1 for the owner. */
  ringer: number;
  ringers: number;
  bell: SharedArrayBuffer;
  /** Int32 per ringer (LINE words apart): its number; then as many: the owner's answers; then one: ringers that are through. */
  numbers: SharedArrayBuffer;
  style: 'blocking' | 'events' | 'batches';
  runMs: number;
  lostMs: number;
}

export interface DoorbellReport {
  rings: number;
  polls: number;
}

export const LINE = 16;

const job = workerData as DoorbellJob;
const bell = new Doorbell(new Int32Array(job.bell), 0);
const numbers = new Int32Array(job.numbers);
const answersAt = job.ringers * LINE;
const throughAt = 2 * job.ringers * LINE;
const report: DoorbellReport = { rings: 0, polls: 0 };

function ringAndWait(): void {
  const at = job.ringer * LINE;
  const endMs = performance.now() + job.runMs;
  while (performance.now() < endMs) {
    report.rings++;
    Atomics.store(numbers, at, report.rings);
    bell.ring();
    for (;;) {
      const answer = Atomics.load(numbers, answersAt + at);
      if (answer === report.rings) break;
      if (Atomics.wait(numbers, answersAt + at, answer, job.lostMs) === 'timed-out') {
        throw new Error(`ringer ${job.ringer}: ring ${report.rings} was lost`);
      }
    }
    // Hits the owner in every phase of falling asleep
    for (let n = Math.floor(Math.random() * 400); n > 0; n--) Atomics.pause();
  }
  Atomics.add(numbers, throughAt, 1);
  bell.ring();
  parentPort!.postMessage(report);
}

/** True when all ringers are through. */
function answer(): boolean {
  report.polls++;
  for (let r = 0; r < job.ringers; r++) {
    const number = Atomics.load(numbers, r * LINE);
    if (numbers[answersAt + r * LINE] === number) continue;
    Atomics.store(numbers, answersAt + r * LINE, number);
    Atomics.notify(numbers, answersAt + r * LINE);
  }
  return Atomics.load(numbers, throughAt) === job.ringers;
}

function own(): void {
  if (job.style === 'blocking') {
    while (!answer()) bell.waitSync(job.lostMs);
    parentPort!.postMessage(report);
    return;
  }
  // Something other than the doorbell keeps the loop alive and busy, as sockets do in a server
  const other = setInterval(() => {
    if (job.style !== 'batches') return;
    bell.beginBatch();
    for (let n = Math.floor(Math.random() * 2000); n > 0; n--) Atomics.pause();
    bell.endBatch();
  }, 1);
  bell.listen(
    () => {
      if (!answer()) return false;
      clearInterval(other);
      bell.close();
      parentPort!.postMessage(report);
      return false;
    },
    job.style === 'batches' ? 3 : 0,
  );
}

if (job.ringer >= 0) ringAndWait();
else own();
