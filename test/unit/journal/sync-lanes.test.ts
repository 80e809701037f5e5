/** Lanes are asked for where files could be synced at the same time, and not before; until they are there nobody waits for them. */
import { expect, test } from 'vitest';
import { OPEN } from '../../../src/env/files.ts';
import { createJournalMemory } from '../../../src/journal/journal-memory.ts';
import { SyncLanes, takeLaneWish } from '../../../src/journal/sync-lanes.ts';
import { MemoryFiles } from './memory-files.ts';

test('lanes are wanted once, by two files at a time', () => {
  const files = new MemoryFiles();
  files.makeFolder('/');
  const fds = ['/a', '/b', '/c'].map((path) => files.open(path, OPEN.create));
  const memory = createJournalMemory(3, { lanes: 2 });
  const lanes = new SyncLanes(memory, files);
  expect(lanes.sync([fds[0]])).toBe(-1);
  expect(takeLaneWish(memory)).toBe(false);
  expect(lanes.sync(fds)).toBe(-1);
  expect(lanes.sync(fds)).toBe(-1);
  expect(takeLaneWish(memory)).toBe(true);
  expect(takeLaneWish(memory)).toBe(false);
});

test('a sync that fails is told, and none behind it is begun', () => {
  const files = new MemoryFiles();
  files.makeFolder('/');
  const fds = ['/a', '/b', '/c'].map((path) => files.open(path, OPEN.create));
  const lanes = new SyncLanes(createJournalMemory(3, { lanes: 2 }), files);
  files.failSyncs = 1;
  expect(lanes.sync(fds)).toBe(0);
  expect(lanes.errno).toBeLessThan(0);
  expect(lanes.sync(fds)).toBe(-1);
});
