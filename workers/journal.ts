/**
 * The journal thread: sleeps on its doorbell, runs the committer's turns, ends when asked. It blocks in syncs, so it has no event
 * loop to speak of; what it has to say goes to the acceptor as messages (JournalReport).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../native-free-shm/doorbell.ts';
import { LatencyEvents } from '../src/admin/latency-events.ts';
import { systemClock } from '../src/env/clock.ts';
import { systemFiles } from '../src/env/files.ts';
import { Committer } from '../src/journal/committer.ts';
import { GLOBAL, type JournalMemory } from '../src/journal/journal-memory.ts';

export interface JournalThreadData {
  journal: JournalMemory;
  /** Where the doorbells of the threads lie: by thread number, `stride` Int32 words apart, the first at word `first`. */
  doorbells: { memory: SharedArrayBuffer; first: number; stride: number; threads: number };
  /** Where slow syncs are noted, and the threshold: the numbers of the settings and its place among them. Absent: nowhere. */
  latency?: { events: SharedArrayBuffer; numbers: SharedArrayBuffer; threshold: number };
}

const { journal, doorbells, latency } = workerData as JournalThreadData;

/** Notes slow syncs for LATENCY. */
function latencyNoter(to: NonNullable<JournalThreadData['latency']>): (ms: number) => void {
  const numbers = new Float64Array(to.numbers);
  const events = new LatencyEvents(to.events);
  return (ms) => {
    const thresholdMs = numbers[to.threshold];
    if (thresholdMs > 0 && ms >= thresholdMs) events.add('aof-fsync-always', ms, systemClock.wallMs());
  };
}

function runCommitter(): void {
  const words = new Int32Array(journal.control);
  const bell = new Doorbell(words, GLOBAL.bell);
  const bellWords = new Int32Array(doorbells.memory);
  const threads = Array.from(
    { length: doorbells.threads },
    (_, thread) => new Doorbell(bellWords, doorbells.first + thread * doorbells.stride),
  );
  const committer = new Committer({
    memory: journal,
    files: systemFiles,
    clock: systemClock,
    ring: (thread) => threads[thread].ring(),
    report: (report) => parentPort!.postMessage(report),
    syncedForAlways: latency && latencyNoter(latency),
  });
  while (Atomics.load(words, GLOBAL.stop) === 0) bell.waitSync(committer.turn());
  committer.finish();
}

runCommitter();
