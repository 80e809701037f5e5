import { beforeEach, describe, expect, test } from 'vitest';
import { OPEN } from '../../../src/env/files.ts';
import { Committer, type JournalReport } from '../../../src/journal/committer.ts';
import { Journal, MAX_UNSYNCED_MS, publishTransaction } from '../../../src/journal/journal.ts';
import { JournalControl } from '../../../src/journal/journal-control.ts';
import {
  createJournalMemory,
  JOURNAL_STATE,
  type JournalMemory,
  openJournal,
  POLICY,
  type Policy,
} from '../../../src/journal/journal-memory.ts';
import { MemoryFiles } from './memory-files.ts';

const SET = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n');

let files: MemoryFiles;
let journals: Journal[];
let control: JournalControl;
let committer: Committer;
let synced: string[];
let rung: number[];
let reports: JournalReport[];
let nowMs: number;
let memory: JournalMemory;

function start(...policies: Policy[]): void {
  files = new MemoryFiles();
  synced = [];
  rung = [];
  reports = [];
  nowMs = 5000;
  files.onSync = (path) => synced.push(path);
  memory = createJournalMemory(policies.length, { blockBytes: 256, chainBytes: 64 * 1024 });
  policies.forEach((policy, shard) => {
    const fd = files.open(`${shard}`, OPEN.create);
    openJournal(memory, shard, { position: 0, fd, fileBytes: 0, salt: 1, policy });
  });
  journals = policies.map((_, shard) => new Journal(memory, shard, files));
  control = new JournalControl(memory);
  committer = new Committer({
    memory,
    files,
    clock: { wallMs: () => nowMs, steadyMs: () => nowMs },
    ring: (thread) => rung.push(thread),
    report: (report) => reports.push(report),
  });
}

function append(...shards: number[]): void {
  for (const shard of shards) {
    journals[shard].begin(nowMs);
    journals[shard].verbatim(0, SET, 0, SET.length);
  }
  publishTransaction(shards.map((shard) => journals[shard]));
}

function syncsOf(run: () => void): string[] {
  synced = [];
  run();
  return synced.sort();
}

const later = (ms: number): void => {
  nowMs += ms;
  committer.turn();
};

describe('which files a round syncs', () => {
  beforeEach(() => start(POLICY.always, POLICY.everysec, POLICY.no, POLICY.everysec));

  test('always when asked, everysec when the second is over, no never', () => {
    append(0);
    append(1);
    append(2);
    expect(syncsOf(() => later(1))).toEqual([]);
    control.requestSync();
    expect(syncsOf(() => later(1))).toEqual(['0']);
    expect(journals[0].safe()).toBe(journals[0].head());
    expect(journals[1].safe()).toBe(0);
    expect(syncsOf(() => later(1000))).toEqual(['1']);
    expect(journals[1].safe()).toBe(journals[1].head());
    expect(syncsOf(() => later(1000))).toEqual([]);
    expect(journals[2].written()).toBe(journals[2].head());
    expect(journals[2].safe()).toBe(0);
  });

  test('a multi-shard transaction takes every shard that it touched into the next round', () => {
    append(1, 2);
    append(0);
    control.requestSync();
    expect(syncsOf(() => later(1))).toEqual(['0', '1', '2']);
    append(0);
    append(2);
    control.requestSync();
    expect(syncsOf(() => later(1))).toEqual(['0']);
  });

  test('nothing is synced while nothing is promised', () => {
    start(POLICY.no, POLICY.no);
    append(0, 1);
    expect(syncsOf(() => later(1000))).toEqual([]);
    control.setPolicy(0, POLICY.everysec);
    expect(syncsOf(() => later(1000))).toEqual(['0', '1']);
  });

  test('the end syncs everything', () => {
    append(2);
    expect(syncsOf(() => expect(committer.finish()).toBe(true))).toEqual(['2', '2']);
    expect(journals[2].safe()).toBe(journals[2].head());
  });
});

test('who waits is rung once, after the position has moved', () => {
  start(POLICY.always);
  append(0);
  for (const thread of [3, 40, 63]) control.awaitSafe(thread);
  expect(journals[0].safe()).toBe(0);
  later(0);
  expect(journals[0].safe()).toBe(journals[0].head());
  expect(rung.sort((a, b) => a - b)).toEqual([3, 40, 63]);
  later(1000);
  expect(rung.length).toBe(3);
});

test('a turn tells how long to sleep: to the next tick, however long the last round took', () => {
  start(POLICY.everysec);
  nowMs += 400;
  expect(committer.turn()).toBe(600);
  files.onSync = () => {
    nowMs += 300;
  };
  append(0);
  nowMs += 600;
  expect(committer.turn()).toBe(700);
  files.onSync = () => {
    nowMs += 2500;
  };
  append(0);
  nowMs += 700;
  expect(committer.turn()).toBe(0);
  expect(control.statistic('delayedSyncs')).toBe(1);
  expect(control.statistic('longestSyncMs')).toBe(2500);
  expect(committer.turn()).toBe(1000);
});

test('writes wait while the oldest unsynced record is too old, and go on after the sync', () => {
  start(POLICY.everysec);
  append(0);
  expect(journals[0].syncLate(nowMs + MAX_UNSYNCED_MS)).toBe(false);
  expect(journals[0].syncLate(nowMs + MAX_UNSYNCED_MS + 1)).toBe(true);
  files.onSync = () => {
    // The disk takes its time. What comes meanwhile does not make the oldest record younger.
    nowMs += 1500;
    append(0);
    expect(journals[0].syncLate(nowMs)).toBe(true);
  };
  later(1000);
  expect(journals[0].syncLate(nowMs)).toBe(false);
  expect(journals[0].syncLate(nowMs + MAX_UNSYNCED_MS + 1)).toBe(true);
  files.onSync = () => {};
  later(1000);
  expect(journals[0].syncLate(nowMs + 1e6)).toBe(false);
  control.setPolicy(0, POLICY.no);
  append(0);
  expect(journals[0].syncLate(nowMs + 1e6)).toBe(false);
});

test('a failed sync is never tried again, and nothing becomes safe any more', () => {
  start(POLICY.everysec, POLICY.everysec);
  append(0);
  append(1);
  files.failSyncs = 1;
  expect(syncsOf(() => later(1000))).toEqual(['0']);
  expect(control.state).toBe(JOURNAL_STATE.syncFailed);
  expect(control.diskErrorText()).toMatch(/i\/o error/i);
  expect(reports).toEqual([{ state: JOURNAL_STATE.syncFailed, errno: -5, shard: 0 }]);
  append(0);
  expect(syncsOf(() => later(5000))).toEqual([]);
  expect(committer.finish()).toBe(false);
  expect(synced).toEqual([]);
  expect(journals[0].safe()).toBe(0);
  expect(journals[1].safe()).toBe(0);
});

test('a full disk: writes are refused, tried again, and accepted when there is room', () => {
  start(POLICY.everysec, POLICY.always);
  files.room = 20;
  append(0);
  append(1);
  expect(journals[0].drain()).toBe(false);
  expect(control.state).toBe(JOURNAL_STATE.writeFailed);
  expect(control.diskErrorText()).toMatch(/no space/i);
  expect(committer.turn()).toBeLessThanOrEqual(100);
  expect(reports.length).toBe(1);
  later(1000);
  expect(control.state).toBe(JOURNAL_STATE.writeFailed);
  expect(journals[1].safe()).toBe(0);
  files.room = 1e6;
  control.awaitSafe(7);
  later(1000);
  expect(control.state).toBe(0);
  expect(reports.map(({ state }) => state)).toEqual([JOURNAL_STATE.writeFailed, 0]);
  expect(journals[0].safe()).toBe(journals[0].head());
  expect(journals[1].safe()).toBe(journals[1].head());
  expect(rung).toEqual([7]);
});

test('closed: all is in the files and safe; opened again at later positions, with all threads following', () => {
  start(POLICY.always, POLICY.no);
  append(0);
  append(0, 1);
  control.awaitSafe(5);
  const ends = journals.map((journal) => journal.head());
  expect(control.closeJournals(journals, files)).toBe(true);
  expect(journals.map((journal) => journal.enabled)).toEqual([false, false]);
  expect(journals.map((journal) => journal.safe())).toEqual(ends);
  expect(control.closeJournals(journals, files)).toBe(true);
  expect(syncsOf(() => later(1000))).toEqual([]);
  expect(rung).toEqual([5]);
  expect(control.state).toBe(0);
  for (const shard of [0, 1]) {
    const fd = files.open(`again ${shard}`, OPEN.create);
    openJournal(memory, shard, { position: ends[shard], fd, fileBytes: 0, salt: 2, policy: POLICY.everysec });
  }
  append(0);
  expect(syncsOf(() => later(1000))).toEqual(['again 0']);
  expect(journals[0].safe()).toBe(journals[0].head());
  expect(files.content('again 0').toString()).toContain('SELECT');
});

test('closing fails, and changes nothing, while the disk refuses', () => {
  start(POLICY.everysec);
  files.room = 10;
  append(0);
  expect(control.closeJournals(journals, files)).toBe(false);
  expect(journals[0].enabled).toBe(true);
  start(POLICY.everysec);
  append(0);
  files.failSyncs = 1;
  expect(control.closeJournals(journals, files)).toBe(false);
  expect(control.state).toBe(JOURNAL_STATE.syncFailed);
});

describe('what durability rules ask for', () => {
  test('a shard that somebody asks for is synced once, and what its transactions reach with it', () => {
    start(POLICY.no, POLICY.no, POLICY.no);
    append(0);
    append(1, 2);
    control.requestSync();
    expect(syncsOf(() => committer.turn())).toEqual([]);
    control.askFor(0);
    control.awaitSafe(3);
    expect(syncsOf(() => committer.turn()).sort()).toEqual(['0', '1', '2']);
    expect(journals[0].safe()).toBe(journals[0].head());
    expect(rung).toEqual([3]);
    append(0);
    control.requestSync();
    expect(syncsOf(() => committer.turn())).toEqual([]);
  });

  test('while they promise something every shard is synced once a second', () => {
    start(POLICY.no, POLICY.always);
    append(0);
    nowMs += 1000;
    expect(syncsOf(() => committer.turn())).toEqual([]);
    control.setRulesPromise(true);
    nowMs += 1000;
    expect(syncsOf(() => committer.turn())).toEqual(['0']);
  });
});
