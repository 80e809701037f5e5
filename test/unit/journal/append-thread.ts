/** A thread of journal-threads.test.ts: appends units under latches, drains at the end of each batch, and waits until they are safe. */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell } from '../../../native-free-shm/doorbell.ts';
import { LATCH_WORDS, Latch } from '../../../native-free-shm/latch.ts';
import { systemFiles } from '../../../src/env/files.ts';
import { Journal, publishTransaction } from '../../../src/journal/journal.ts';
import { JournalControl } from '../../../src/journal/journal-control.ts';
import type { JournalMemory } from '../../../src/journal/journal-memory.ts';

export interface AppendThreadData {
  journal: JournalMemory;
  doorbells: SharedArrayBuffer;
  latches: SharedArrayBuffer;
  thread: number;
  batches: number;
  /** Wait for safe positions after every so many batches. */
  waitEvery: number;
}

const { journal: memory, doorbells, latches, thread, batches, waitEvery } = workerData as AppendThreadData;
const bellWords = new Int32Array(doorbells);
const bells = Array.from({ length: 4 }, (_, i) => new Doorbell(bellWords, i * 16));
const latchWords = new Int32Array(latches);
const shardLatches = Array.from(
  { length: memory.shards },
  (_, i) => new Latch(latchWords, i * LATCH_WORDS, thread, bells),
);
const journals = shardLatches.map((_, shard) => new Journal(memory, shard, systemFiles));
const control = new JournalControl(memory);

let seed = thread * 7919;
function random(below: number): number {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return (seed >>> 8) % below;
}

function acquire(shard: number): void {
  const latch = shardLatches[shard];
  while (!latch.acquireSpin(20)) {
    if (latch.enqueue()) return;
    bells[thread].waitSync(1000);
  }
}

const values = ['', 'x', 'y'.repeat(50), 'z'.repeat(700)].map((text) => Buffer.from(text));

/** The unit number `sequence` of this thread, in these shards. */
function unit(shards: number[], sequence: number): void {
  for (const shard of shards) acquire(shard);
  const parts = shards.map((shard) => journals[shard]);
  for (const journal of parts) {
    journal.begin(sequence + 1);
    if (parts.length > 1) journal.transactionOpen();
    journal.command(0, 4);
    journal.argText(shards.length > 1 ? 'TX' : 'ONE');
    journal.argNumber(thread);
    journal.argNumber(sequence);
    const value = values[random(4)];
    journal.arg(value, 0, value.length);
  }
  publishTransaction(parts);
  for (const shard of shards) shardLatches[shard].release();
}

const ends = new Float64Array(memory.shards);
let sequence = 0;
let rings = 0;
for (let batch = 1; batch <= batches; batch++) {
  for (let i = random(12); i >= 0; i--) {
    const first = random(memory.shards);
    unit(random(4) === 0 ? [0, 1] : [first], sequence++);
  }
  for (const journal of journals) {
    ends[journal.shard] = journal.head();
    while (journal.written() < ends[journal.shard]) journal.drain();
  }
  if (batch % waitEvery !== 0) continue;
  const behind = (): boolean => journals.some((journal) => journal.safe() < ends[journal.shard]);
  while (behind()) {
    control.awaitSafe(thread);
    if (!behind()) break;
    rings++;
    if (!bells[thread].waitSync(20_000)) throw new Error('a ring was lost');
  }
}
parentPort!.postMessage({ units: sequence, rings });
