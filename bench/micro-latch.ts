/**
 * What a latch costs: `node bench/micro-latch.ts [seconds]`. First one thread alone, then several threads that each do some private work
 * and a short piece under a latch, over one latch or more: throughput, and the share of acquisitions that found the latch taken.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { DOORBELL_WORDS, Doorbell } from '../native-free-shm/doorbell.ts';
import { LATCH_WORDS, Latch } from '../native-free-shm/latch.ts';

interface Job {
  me: number;
  latchCount: number;
  latches: SharedArrayBuffer;
  bells: SharedArrayBuffer;
  go: SharedArrayBuffer;
  runMs: number;
}

interface Report {
  rounds: number;
  collisions: number;
  sleeps: number;
}

const SPIN_MICROS = 20;
const THREADS = [2, 4];
const LATCH_COUNTS = [1, 2, 16];
const PRIVATE_WORK = 60;
const LATCHED_WORK = 20;

function attach(job: Job): { latches: Latch[]; bell: Doorbell } {
  const bells = new Int32Array(job.bells);
  const doorbells = Array.from({ length: 64 }, (_, t) => new Doorbell(bells, t * DOORBELL_WORDS));
  const words = new Int32Array(job.latches);
  const latches = Array.from(
    { length: job.latchCount },
    (_, i) => new Latch(words, i * LATCH_WORDS, job.me, doorbells),
  );
  return { latches, bell: doorbells[job.me] };
}

function newJob(me: number, latchCount: number, runMs: number): Job {
  return {
    me,
    latchCount,
    latches: new SharedArrayBuffer(latchCount * LATCH_WORDS * 4),
    bells: new SharedArrayBuffer(64 * DOORBELL_WORDS * 4),
    go: new SharedArrayBuffer(4),
    runMs,
  };
}

let sink = 0;
function work(n: number): void {
  for (let i = 0; i < n; i++) sink = (Math.imul(sink, 1664525) + 1013904223) | 0;
}

function contend(job: Job): void {
  const { latches, bell } = attach(job);
  const report: Report = { rounds: 0, collisions: 0, sleeps: 0 };
  parentPort!.postMessage('ready');
  Atomics.wait(new Int32Array(job.go), 0, 0);
  const endMs = performance.now() + job.runMs;
  let random = job.me * 7919;
  while ((report.rounds & 255) !== 0 || performance.now() < endMs) {
    work(PRIVATE_WORK);
    random = (Math.imul(random, 1664525) + 1013904223) | 0;
    const latch = latches[(random >>> 8) % latches.length];
    if (!latch.acquireSpin(SPIN_MICROS)) {
      while (!latch.enqueue()) {
        report.sleeps++;
        bell.waitSync(60_000);
      }
    }
    work(LATCHED_WORK);
    latch.release();
    report.rounds++;
  }
  for (const latch of latches) report.collisions += latch.collisions;
  parentPort!.postMessage(report);
}

function alone(): void {
  const rounds = 20_000_000;
  const [latch] = attach(newJob(1, 1, 0)).latches;
  for (let pass = 0; pass < 3; pass++) {
    const startMs = performance.now();
    for (let n = 0; n < rounds; n++) {
      if (!latch.tryAcquire()) throw new Error('taken');
      latch.release();
    }
    const nanos = ((performance.now() - startMs) * 1e6) / rounds;
    if (pass === 2) console.log(`alone: acquire and release ${nanos.toFixed(1)} ns`);
  }
}

async function together(threads: number, latchCount: number, runMs: number): Promise<void> {
  const shared = newJob(0, latchCount, runMs);
  const reports: Report[] = [];
  const workers = Array.from(
    { length: threads },
    (_, i) => new Worker(new URL(import.meta.url), { workerData: { ...shared, me: i + 1 } }),
  );
  const messages = (onMessage: (message: unknown) => void) =>
    Promise.all(
      workers.map((worker) => new Promise<void>((resolve) => worker.once('message', (m) => resolve(onMessage(m))))),
    );
  await messages(() => {});
  const results = messages((report) => reports.push(report as Report));
  const go = new Int32Array(shared.go);
  Atomics.store(go, 0, 1);
  Atomics.notify(go, 0);
  await results;
  const sum = (of: (report: Report) => number) => reports.reduce((total, report) => total + of(report), 0);
  const rounds = sum((report) => report.rounds);
  const millions = (rounds / runMs / 1000).toFixed(2);
  const taken = ((100 * sum((report) => report.collisions)) / rounds).toFixed(2);
  const share = (Math.min(...reports.map((report) => report.rounds)) / (rounds / threads)).toFixed(2);
  const sleeps = sum((report) => report.sleeps);
  console.log(
    `${threads} threads, ${latchCount} latches: ${millions} M/s, found taken ${taken} %, ${sleeps} sleeps, least share ${share} of a fair one`,
  );
}

if (isMainThread) {
  const runMs = Number(process.argv[2] ?? 1) * 1000;
  alone();
  for (const threads of THREADS) for (const latchCount of LATCH_COUNTS) await together(threads, latchCount, runMs);
} else {
  contend(workerData as Job);
}
