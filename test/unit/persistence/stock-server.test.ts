/** What Skein writes, a stock redis-server loads: each shard's folder, from a copy. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemFiles } from '../../../src/env/files.ts';
import { Journal, publishTransaction } from '../../../src/journal/journal.ts';
import { createJournalMemory, openJournal, POLICY } from '../../../src/journal/journal-memory.ts';
import { createDataSet, type DataSet, type Place } from '../../../src/persistence/data-set.ts';
import { recoverShards, startOf } from '../../../src/persistence/recovery.ts';

const installed = spawnSync('redis-server', ['--version']).status === 0;
if (!installed && process.env.CI === 'true') throw new Error('redis-server is not installed');
const withStock = test.skipIf(!installed);

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'skein-stock-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const SHARDS = 60;

/** Opens the journals of the data set, appends with `write`, closes: one life of a server. */
function session(place: Place, dataSet: DataSet, write: (journals: Journal[]) => void): void {
  const memory = createJournalMemory(dataSet.shards, { blockBytes: 4096, chainBytes: 4 * 1024 * 1024 });
  const recovered = recoverShards(place, dataSet, { loadTruncated: false, warn: () => {} });
  for (const shard of recovered) openJournal(memory, shard.shard, startOf(shard, POLICY.no));
  const journals = recovered.map((_, shard) => new Journal(memory, shard, systemFiles));
  write(journals);
  for (const journal of journals) {
    journal.drain();
    journal.seal();
  }
  for (const { fd } of recovered) systemFiles.close(fd);
}

function set(journals: Journal[], db: number, key: string, value: string): void {
  for (const journal of journals) {
    journal.begin(1);
    if (journals.length > 1) journal.transactionOpen();
    journal.command(db, 3);
    for (const text of ['SET', key, value]) journal.argText(text);
  }
  publishTransaction(journals);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Starts a stock server on a copy of the folder, sends commands, returns the raw replies. */
async function askStock(folder: string, shard: number, commands: string[]): Promise<string> {
  const copy = mkdtempSync(join(parent, 'copy-'));
  cpSync(folder, copy, { recursive: true });
  const port = await freePort();
  const options = ['--port', `${port}`, '--save', '', '--appendonly', 'yes', '--dir', copy];
  const server = spawn('redis-server', [...options, '--appenddirname', `shard-${shard}`]);
  try {
    await new Promise<void>((resolve, reject) => {
      let log = '';
      server.stdout.on('data', (text) => {
        log += text;
        if (log.includes('Ready to accept')) resolve();
      });
      server.once('exit', () => reject(new Error(log)));
    });
    return await new Promise<string>((resolve, reject) => {
      let replies = '';
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(commands.map((line) => `${line}\r\n`).join('') + 'QUIT\r\n'),
      );
      socket.on('data', (bytes) => (replies += bytes.toString('latin1')));
      socket.once('end', () => resolve(replies));
      socket.once('error', reject);
    });
  } finally {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }
}

withStock(
  'bases, batches of all sizes, transactions over many shards, several lives: loaded and passed by redis-check-aof',
  async () => {
    const place: Place = { files: systemFiles, parent, folder: join(parent, 'aof'), prefix: 'appendonly.aof' };
    const dataSet = createDataSet(place, SHARDS, (shard, { journal }) => {
      journal.command(9, 3);
      for (const text of ['SET', 'base', `${shard}`]) journal.argText(text);
      journal.publish();
    });
    session(place, dataSet, (journals) => {
      set([journals[1]], 0, 'small', '\x00\xff');
      journals[1].drain();
      set([journals[1]], 0, 'large', 'x'.repeat(50_000));
      set(journals, 2, 'everywhere', 'y');
      set([journals[1]], 2, 'after', 'z');
    });
    session(place, dataSet, (journals) => set([journals[0], journals[1]], 0, 'both', 'w'));
    for (const file of ['appendonly.aof.manifest', 'appendonly.aof.1.incr.aof', 'appendonly.aof.1.base.aof']) {
      const check = spawnSync('redis-check-aof', [join(place.folder, 'shard-1', file)]);
      expect(`${check.error ?? ''}${check.stdout}`).toMatch(/is valid|are valid/);
      expect(check.status).toBe(0);
    }
    const replies = await askStock(place.folder, 1, [
      'GET small',
      'STRLEN large',
      'GET both',
      'DBSIZE',
      'SELECT 2',
      'GET everywhere',
      'GET after',
      'SELECT 9',
      'GET base',
    ]);
    const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
    const expected = [
      bulk('\x00\xff'),
      ':50000\r\n',
      bulk('w'),
      ':3\r\n',
      '+OK\r\n',
      bulk('y'),
      bulk('z'),
      '+OK\r\n',
      bulk('1'),
      '+OK\r\n',
    ];
    expect(replies).toBe(expected.join(''));
  },
);
