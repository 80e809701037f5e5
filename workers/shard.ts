/** A worker: an event loop with connections, the shards it owns, and a way to all others. Wiring only. */
import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadStart } from '../src/messages/thread-messages.ts';

if (process.env['NODE_DISABLE_COMPILE_CACHE'] === undefined) enableCompileCache();
const { startWorker } = await import('../src/net/worker-thread.ts');
startWorker(workerData as ThreadStart, parentPort!);
