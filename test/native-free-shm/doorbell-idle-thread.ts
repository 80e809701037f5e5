/** Listens to a doorbell and has nothing else that keeps it alive. */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../../native-free-shm/doorbell.ts';

let polls = 0;
new Doorbell(new Int32Array(workerData as SharedArrayBuffer), 0).listen(() => {
  polls++;
  if (polls === 1) parentPort!.postMessage(polls);
  return false;
});
