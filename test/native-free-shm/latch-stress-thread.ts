/**
 * One contender of the latch stress tests. In every round it takes some latches, checks and changes plain numbers that they guard, and
 * releases them. A wait that no ring ends within lostMs fails the thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { acquireAllOrBusy, enqueueAll, LATCH_WORDS, Latch, releaseAll } from '../../native-free-shm/latch.ts';
import { Turn } from '../../native-free-shm/turn.ts';

export interface LatchJob {
  me: number;
  threads: number;
  latchCount: number;
  latchMemory: SharedArrayBuffer;
  doorbellMemory: SharedArrayBuffer;
  turnMemory: SharedArrayBuffer;
  /** Per latch 16 plain Int32 that must always be equal. */
  dataMemory: SharedArrayBuffer;
  /** Int32: how many threads are ready. */
  startMemory: SharedArrayBuffer;
  /** blocking: waits in waitSync. events: waits in its event loop. */
  style: 'blocking' | 'events';
  /** Latches of one round: all, one at random, or a random set. */
  pick: 'all' | 'one' | 'some';
  /** Failures before it takes the turn; Infinity = never. */
  failuresBeforeTurn: number;
  spinMicros: number;
  holdSpins: number;
  runMs: number;
  lostMs: number;
}

export interface LatchReport {
  rounds: number;
  /** Rounds × latches of the round, per latch. */
  perLatch: number[];
  sleeps: number;
  turns: number;
  longestWaitMs: number;
  mostFailures: number;
}

export const DATA_WORDS = 16;

const job = workerData as LatchJob;
const doorbells: Doorbell[] = [];
const doorbellWords = new Int32Array(job.doorbellMemory);
for (let t = 0; t <= job.threads; t++) doorbells.push(new Doorbell(doorbellWords, t * DOORBELL_WORDS));
const bell = doorbells[job.me];
const latchWords = new Int32Array(job.latchMemory);
const latches: Latch[] = [];
for (let i = 0; i < job.latchCount; i++) latches.push(new Latch(latchWords, i * LATCH_WORDS, job.me, doorbells));
const turn = new Turn(new Int32Array(job.turnMemory), 0, job.me, doorbells);
const data = new Int32Array(job.dataMemory);

const report: LatchReport = {
  rounds: 0,
  perLatch: latches.map(() => 0),
  sleeps: 0,
  turns: 0,
  longestWaitMs: 0,
  mostFailures: 0,
};
const chosen: Latch[] = [];
const chosenIndexes: number[] = [];
let failures = 0;
let waitingSinceMs = 0;

function choose(): void {
  chosen.length = 0;
  chosenIndexes.length = 0;
  const one = Math.floor(Math.random() * latches.length);
  for (let i = 0; i < latches.length; i++) {
    if (job.pick === 'all' || i === one || (job.pick === 'some' && Math.random() < 0.5)) {
      chosen.push(latches[i]);
      chosenIndexes.push(i);
    }
  }
}

/** True: all chosen latches are held. False: none is, and the bell will ring. */
function acquire(): boolean {
  if (failures === 0 && acquireAllOrBusy(chosen, chosen.length, job.spinMicros) === -1) return true;
  failures++;
  if (failures > job.failuresBeforeTurn) {
    if (!turn.request()) return false;
    turn.want(chosen, chosen.length);
  }
  if (!enqueueAll(chosen, chosen.length, bell)) return false;
  if (turn.mine()) {
    turn.end();
    report.turns++;
  }
  return true;
}

function useAndRelease(): void {
  for (const index of chosenIndexes) {
    const base = index * DATA_WORDS;
    const before = data[base];
    for (let w = 0; w < DATA_WORDS; w++) {
      if (data[base + w] !== before)
        throw new Error(`latch ${index} is held by two: word ${w} is ${data[base + w]}, not ${before}`);
      data[base + w] = before + 1;
    }
    for (let n = 0; n < job.holdSpins; n++) Atomics.pause();
    report.perLatch[index]++;
  }
  releaseAll(chosen, chosen.length);
  report.rounds++;
  report.mostFailures = Math.max(report.mostFailures, failures);
  failures = 0;
}

/** Before the first wait of a round, and after it: how long it took. */
function noteWait(): void {
  report.sleeps++;
  if (waitingSinceMs === 0) waitingSinceMs = performance.now();
}
function noteThrough(): void {
  if (waitingSinceMs === 0) return;
  report.longestWaitMs = Math.max(report.longestWaitMs, performance.now() - waitingSinceMs);
  waitingSinceMs = 0;
}

/** All threads begin together, else the first would run alone. */
function startTogether(): number {
  const start = new Int32Array(job.startMemory);
  Atomics.add(start, 0, 1);
  Atomics.notify(start, 0);
  for (let ready = Atomics.load(start, 0); ready < job.threads; ready = Atomics.load(start, 0))
    Atomics.wait(start, 0, ready, 50);
  return performance.now() + job.runMs;
}

function runBlocking(): void {
  const endMs = startTogether();
  for (;;) {
    if ((report.rounds & 63) === 0 && performance.now() >= endMs) break;
    choose();
    while (!acquire()) {
      noteWait();
      if (!bell.waitSync(job.lostMs)) throw new Error(`thread ${job.me}: lost wake-up after ${report.rounds} rounds`);
    }
    noteThrough();
    useAndRelease();
  }
  finish();
}

function runEvents(): void {
  const endMs = startTogether();
  let waiting = false;
  let roundsSeen = -1;
  const watchdog = setInterval(() => {
    if (report.rounds === roundsSeen) throw new Error(`thread ${job.me}: lost wake-up after ${report.rounds} rounds`);
    roundsSeen = report.rounds;
  }, job.lostMs);
  bell.listen(() => {
    for (let n = 0; n < 50; n++) {
      if (!waiting) choose();
      waiting = !acquire();
      if (waiting) {
        noteWait();
        return false;
      }
      noteThrough();
      useAndRelease();
    }
    if (performance.now() < endMs) return true;
    clearInterval(watchdog);
    bell.close();
    finish();
    return false;
  });
}

/** A place in the line of turns must be given up properly, or everybody behind it waits for ever. */
function finish(): void {
  parentPort!.postMessage(report);
  while (turn.requested()) {
    if (turn.request()) turn.end();
    else if (!bell.waitSync(job.lostMs)) throw new Error(`thread ${job.me}: the turn never came`);
  }
}

if (job.style === 'blocking') runBlocking();
else runEvents();
