/**
 * The journal thread: sleeps on its doorbell, runs the committer's turns, ends when asked. It blocks in syncs, so it has no event
 * loop to speak of; what it has to say goes to the acceptor as messages (JournalReport). With `lane` set: a lane that syncs for it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../native-free-shm/doorbell.ts';
import { LatencyEvents } from '../src/admin/latency-events.ts';
import { type SettingsMemory, SettingsStore } from '../src/admin/settings-store.ts';
import { systemClock } from '../src/env/clock.ts';
import { systemFiles } from '../src/env/files.ts';
import { Committer } from '../src/journal/committer.ts';
import { GLOBAL, type JournalMemory } from '../src/journal/journal-memory.ts';
import { runLane } from '../src/journal/sync-lanes.ts';

export interface JournalThreadData {
  journal: JournalMemory;
  /** Where the doorbells of the threads lie: by thread number, `stride` Int32 words apart, the first at word `first`. */
  doorbells: { memory: SharedArrayBuffer; first: number; stride: number; threads: number };
  /** Where slow syncs are noted, and the threshold. Absent: nowhere. */
  latency?: { events: SharedArrayBuffer; settings: SettingsMemory };
  /** Absent: the journal thread; 0..journal.lanes-1: that sync lane. */
  lane?: number;
}

const { journal, doorbells, lane, latency } = workerData as JournalThreadData;

/** Notes slow syncs for LATENCY. */
function latencyNoter(to: NonNullable<JournalThreadData['latency']>): (ms: number) => void {
  const store = new SettingsStore(to.settings);
  const events = new LatencyEvents(to.events);
  return (ms) => {
    const thresholdMs = store.number('latency-monitor-threshold');
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

if (lane === undefined) runCommitter();
else runLane(journal, lane, systemFiles);
