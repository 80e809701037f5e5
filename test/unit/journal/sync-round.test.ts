/** A round on a worker's own thread: when it is run at all, and who is rung. */
import { beforeEach, expect, test } from 'vitest';
import { OPEN } from '../../../src/env/files.ts';
import { Journal } from '../../../src/journal/journal.ts';
import { JournalControl } from '../../../src/journal/journal-control.ts';
import {
  createJournalMemory,
  GLOBAL,
  giveBack,
  JOURNAL_STATE,
  openJournal,
  POLICY,
} from '../../../src/journal/journal-memory.ts';
import { SyncRound } from '../../../src/journal/sync-round.ts';
import { MemoryFiles } from './memory-files.ts';

const SET = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n');
const SHARDS = 2;

let files: MemoryFiles;
let journals: Journal[];
let control: JournalControl;
let words: Int32Array;
/** What rang, and whether the round word was free then. */
let rung: [number, boolean][];
let nowMs: number;
let syncMs: number;
let syncs: number;

/** A thread's rounds over the same journals. */
let round: SyncRound;

beforeEach(() => {
  files = new MemoryFiles();
  nowMs = 5000;
  syncMs = 0.25;
  syncs = 0;
  rung = [];
  files.onSync = () => {
    syncs++;
    nowMs += syncMs / SHARDS;
  };
  const memory = createJournalMemory(SHARDS, { blockBytes: 256, chainBytes: 64 * 1024 });
  words = new Int32Array(memory.control);
  for (let shard = 0; shard < SHARDS; shard++) {
    const fd = files.open(`${shard}`, OPEN.create);
    openJournal(memory, shard, { position: 0, fd, fileBytes: 0, salt: 1, policy: POLICY.always });
  }
  journals = Array.from({ length: SHARDS }, (_, shard) => new Journal(memory, shard, files));
  control = new JournalControl(memory);
  round = new SyncRound({
    memory,
    files,
    clock: { wallMs: () => nowMs, steadyMs: () => nowMs },
    ring: (thread) => rung.push([thread, !round.underWay()]),
  });
});

function append(): void {
  for (const journal of journals) {
    journal.begin(nowMs);
    journal.verbatim(0, SET, 0, SET.length);
    journal.publish();
  }
}

const areSafe = (): boolean => journals.every((journal) => journal.safe() === journal.head());

/** A round that says how long syncs take. */
function measured(): void {
  append();
  expect(round.run(false, false)).toBe(true);
  append();
  syncs = 0;
}

test('as long as nobody knows how long a sync takes, none is run here', () => {
  append();
  round.tryHere();
  expect(syncs).toBe(0);
  expect(areSafe()).toBe(false);
});

test('fast syncs are run here: everything published is safe', () => {
  measured();
  round.tryHere();
  expect(syncs).toBe(SHARDS);
  expect(areSafe()).toBe(true);
});

test('slow ones are not, until another thread has found them fast again', () => {
  syncMs = 5;
  measured();
  round.tryHere();
  expect(syncs).toBe(0);
  syncMs = 0.25;
  expect(round.run(false, false)).toBe(true);
  append();
  syncs = 0;
  round.tryHere();
  expect(syncs).toBe(SHARDS);
});

test('nobody is waited for: while another thread is in a round this one goes on', () => {
  measured();
  Atomics.store(words, GLOBAL.round, 1);
  round.tryHere();
  expect(syncs).toBe(0);
  expect(round.underWay()).toBe(true);
  giveBack(words, GLOBAL.round);
  round.tryHere();
  expect(areSafe()).toBe(true);
});

test('who waits is rung when the next round may begin', () => {
  measured();
  control.register(3);
  control.register(40);
  round.tryHere();
  expect(rung.sort(([a], [b]) => a - b)).toEqual([
    [3, true],
    [40, true],
  ]);
});

test('a sync that fails here is the end of syncs, as on the journal thread; that one is told', () => {
  measured();
  files.failSyncs = 1;
  Atomics.store(words, GLOBAL.bell, 0);
  round.tryHere();
  expect(control.state).toBe(JOURNAL_STATE.syncFailed);
  expect(Atomics.load(words, GLOBAL.bell)).not.toBe(0);
  syncs = 0;
  round.tryHere();
  expect(syncs).toBe(0);
  expect(areSafe()).toBe(false);
  expect(round.underWay()).toBe(false);
});
