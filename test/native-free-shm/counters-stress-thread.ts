/** Counts for itself as fast as it can, and reports its counts. */
import { parentPort, workerData } from 'node:worker_threads';
import { Counters } from '../../native-free-shm/counters.ts';

export interface CountersJob {
  memory: SharedArrayBuffer;
  names: string[];
  threads: number;
  me: number;
  increments: number;
}

const job = workerData as CountersJob;
const row = new Counters(job.memory, job.names, job.threads).own(job.me);
for (let n = 0; n < job.increments; n++) {
  row[n % job.names.length]++;
  row[0] += 0.5;
}
parentPort!.postMessage(job.me);
