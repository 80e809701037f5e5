/** Takes the turn and passes it on, as fast as it can. While it has the turn it changes plain numbers that nobody else may change. */
import { parentPort, workerData } from 'node:worker_threads';
import { DOORBELL_WORDS, Doorbell } from '../../native-free-shm/doorbell.ts';
import { Turn } from '../../native-free-shm/turn.ts';

export interface TurnJob {
  me: number;
  threads: number;
  turnMemory: SharedArrayBuffer;
  doorbellMemory: SharedArrayBuffer;
  /** Two plain Int32: turns had by all, and the same again. */
  dataMemory: SharedArrayBuffer;
  runMs: number;
  lostMs: number;
}

const job = workerData as TurnJob;
const bells = new Int32Array(job.doorbellMemory);
const doorbells = Array.from({ length: job.threads + 1 }, (_, t) => new Doorbell(bells, t * DOORBELL_WORDS));
const bell = doorbells[job.me];
const turn = new Turn(new Int32Array(job.turnMemory), 0, job.me, doorbells);
const data = new Int32Array(job.dataMemory);

let turns = 0;
const endMs = performance.now() + job.runMs;
while (performance.now() < endMs) {
  while (!turn.request()) {
    if (!bell.waitSync(job.lostMs)) throw new Error(`thread ${job.me}: the turn never came, after ${turns} turns`);
  }
  if (data[0] !== data[1]) throw new Error(`two threads have the turn: ${data[0]} and ${data[1]}`);
  data[0]++;
  data[1]++;
  turns++;
  turn.end();
  // Meets the others in every phase of queueing
  for (let n = Math.floor(Math.random() * 40); n > 0; n--) Atomics.pause();
}
parentPort!.postMessage(turns);
