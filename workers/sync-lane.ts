/** A sync lane: one fsync at a time, for whoever is in a round of the journal. Wiring only. */
import { workerData } from 'node:worker_threads';
import { systemFiles } from '../src/env/files.ts';
import type { JournalMemory } from '../src/journal/journal-memory.ts';
import { runLane } from '../src/journal/sync-lanes.ts';

export interface SyncLaneData {
  journal: JournalMemory;
  /** 0..journal.lanes-1 */
  lane: number;
}

const { journal, lane } = workerData as SyncLaneData;
runLane(journal, lane, systemFiles);
