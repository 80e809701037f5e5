/** A worker: an event loop with connections, the shards it owns, and a way to all others. Wiring only. */
import { enableCompileCache } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { findModulesByPath } from '../src/env/source-modules.ts';
import type { ThreadStart } from '../src/messages/thread-messages.ts';

if (process.env['NODE_DISABLE_COMPILE_CACHE'] === undefined) enableCompileCache();
findModulesByPath(import.meta.filename);
const { startWorker } = await import('../src/net/worker-thread.ts');
// the thread is started before there is any memory to work on; the message waits if it comes first
parentPort!.once('message', (start: ThreadStart) => startWorker(start, parentPort!));
