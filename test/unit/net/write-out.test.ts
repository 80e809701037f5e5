/** Writing out what is published where nobody else will: another thread may be in the middle of a write. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadSettings } from '../../../src/admin/settings-parser.ts';
import { SettingsStore, type SettingValues } from '../../../src/admin/settings-store.ts';
import { OPEN, systemFiles } from '../../../src/env/files.ts';
import { Journal } from '../../../src/journal/journal.ts';
import { createJournalMemory, JournalWords, openJournal, POLICY } from '../../../src/journal/journal-memory.ts';
import { DataHome } from '../../../src/net/data-home.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-write-out-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function setUp() {
  const sources = { readFile: () => Buffer.alloc(0), readStdin: () => Buffer.alloc(0), listFiles: () => [] };
  const loaded = loadSettings(['--port', '0'], { ...sources, directory: (path) => path, cwd: folder });
  const store = SettingsStore.create(Object.fromEntries(loaded.values) as unknown as SettingValues, '');
  const home = new DataHome(new SettingsStore(store), () => {});
  const memory = createJournalMemory(2, { blockBytes: 4096, chainBytes: 65536 });
  for (let shard = 0; shard < 2; shard++) {
    const fd = systemFiles.open(join(folder, `file-${shard}-${performance.now()}`), OPEN.create);
    openJournal(memory, shard, { position: 0, fd, fileBytes: 0, salt: 1, policy: POLICY.no });
    const journal = new Journal(memory, shard, systemFiles);
    journal.begin(0);
    journal.command(0, 1);
    journal.argText('PING');
    journal.publish();
  }
  return { home, memory, words: new JournalWords(memory, 0) };
}

test('everything is written', () => {
  const { home, memory } = setUp();
  expect(home.writeOut(memory)).toBe(true);
  for (let shard = 0; shard < 2; shard++) expect(new Journal(memory, shard, systemFiles).undrained()).toBe(false);
});

test('a thread that is in a write is waited for, but not for ever; the other shards are written at once', () => {
  const { home, memory, words } = setUp();
  Atomics.store(words.i32, words.drain, 1);
  const begun = performance.now();
  expect(home.writeOut(memory)).toBe(false);
  const tookMs = performance.now() - begun;
  expect(tookMs).toBeGreaterThan(900);
  expect(tookMs).toBeLessThan(3000);
  expect(new Journal(memory, 1, systemFiles).undrained()).toBe(false);
});
