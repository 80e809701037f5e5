import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LATCH_WORDS } from '../../../native-free-shm/latch.ts';
import { systemFiles } from '../../../src/env/files.ts';
import { JournalControl } from '../../../src/journal/journal-control.ts';
import { createJournalMemory, openJournal, POLICY } from '../../../src/journal/journal-memory.ts';
import { takeLaneWish } from '../../../src/journal/sync-lanes.ts';
import { createDataSet, type Place, readDataSet } from '../../../src/persistence/data-set.ts';
import { recoverShards, startOf } from '../../../src/persistence/recovery.ts';
import { replayShard } from '../../../src/persistence/replay.ts';
import type { JournalThreadData } from '../../../workers/journal.ts';
import type { SyncLaneData } from '../../../workers/sync-lane.ts';
import { waitUntil } from '../../server/wait-until.ts';
import type { AppendThreadData } from './append-thread.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'skein-journal-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function finished(worker: Worker): Promise<{ units: number; rings: number }> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

test('two threads append, drain and wait under always while the journal thread syncs: every unit once, in order, transactions whole', async () => {
  const place: Place = { files: systemFiles, parent, folder: `${parent}/aof`, prefix: 'appendonly.aof' };
  const dataSet = createDataSet(place, 2);
  const warnings: string[] = [];
  const options = { loadTruncated: true, warn: (text: string) => void warnings.push(text) };
  const memory = createJournalMemory(2, { blockBytes: 4096, chainBytes: 8 * 1024 * 1024, lanes: 1 });
  for (const shard of recoverShards(place, dataSet, options))
    openJournal(memory, shard.shard, startOf(shard, POLICY.always));
  const doorbells = new SharedArrayBuffer(4 * 64);
  const latches = new SharedArrayBuffer(2 * LATCH_WORDS * 4);
  const journalData: JournalThreadData = {
    journal: memory,
    doorbells: { memory: doorbells, first: 0, stride: 16, threads: 4 },
  };
  const journalThread = new Worker(new URL('../../../workers/journal.ts', import.meta.url), {
    workerData: journalData,
  });
  const appenders = [1, 2].map((thread) => {
    const data: AppendThreadData = { journal: memory, doorbells, latches, thread, batches: 1500, waitEvery: 10 };
    return finished(new Worker(new URL('./append-thread.ts', import.meta.url), { workerData: data }));
  });
  // as the acceptor does
  await waitUntil('two files to be synced at once', () => takeLaneWish(memory));
  const laneData: SyncLaneData = { journal: memory, lane: 0 };
  const lane = new Worker(new URL('../../../workers/sync-lane.ts', import.meta.url), { workerData: laneData });
  const laneEnded = new Promise((resolve) => lane.once('exit', resolve));
  const units = await Promise.all(appenders);
  const ended = new Promise((resolve) => journalThread.once('exit', resolve));
  const control = new JournalControl(memory);
  control.stop();
  expect(await ended).toBe(0);
  expect(await laneEnded).toBe(0);
  expect(control.stopped()).toBe(true);
  expect(control.state).toBe(0);

  const again = recoverShards(place, readDataSet(place)!, options);
  expect(warnings).toEqual([]);
  const seen: string[][] = again.map((shard) => {
    const records: string[] = [];
    replayShard(systemFiles, shard.files, {
      apply: (_db, args) => records.push(`${args.text(0)} ${args.text(1)} ${args.text(2)}`) > 0,
      progress: () => {},
    });
    systemFiles.close(shard.fd);
    return records;
  });
  for (const thread of [1, 2]) {
    const all = new Map<number, number>();
    for (const records of seen) {
      let last = -1;
      for (const record of records) {
        const [kind, of, number] = record.split(' ');
        if (Number(of) !== thread) continue;
        const sequence = Number(number);
        expect(sequence).toBeGreaterThan(last);
        last = sequence;
        all.set(sequence, (all.get(sequence) ?? 0) + (kind === 'TX' ? 1 : 2));
      }
    }
    expect(all.size).toBe(units[thread - 1].units);
    expect(new Set(all.values())).toEqual(new Set([2]));
    expect(units[thread - 1].rings).toBeGreaterThan(0);
  }
  const transactions = seen.map((records) => records.filter((record) => record.startsWith('TX')));
  expect(transactions[0]).toEqual(transactions[1]);
});
