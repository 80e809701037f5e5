/** Files go round: what stock Redis saves is loaded here to the same digest, and the other way, for values of every type and form. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import type { Command } from '../server/resp-client.ts';
import { type ServerCommand, SKEIN, STOCK } from '../server/server-command.ts';
import { type Options, ServerGroup } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { digestOf, fill } from './sample-values.ts';

describeWith(['redis-server'], 'RDB files', () => {
  const servers = new ServerGroup();
  afterEach(() => servers.removeAll());

  const start = (command: ServerCommand, folder?: string, more: Options = {}) =>
    servers.start({
      command,
      ...(folder === undefined ? {} : { folder }),
      options: { appendonly: 'no', save: '', 'enable-debug-command': 'yes', ...more },
      ...(command === SKEIN ? { skeinOptions: { workers: 2, shards: 3 } } : {}),
    });

  // the other way round, and twice: files-go-round.test.ts
  test('that Skein saves are loaded by stock Redis to the same digest', async () => {
    const first = await start(SKEIN);
    await fill(first);
    const expected = await digestOf(first);
    const client = await first.connect();
    expect(await client.must('SAVE')).toBe('OK');
    first.signal('SIGKILL');
    await first.exit();
    const second = await start(STOCK, first.folder);
    expect(await digestOf(second)).toBe(expected);
  });

  test('show one moment, whatever is written while they are made', async () => {
    const server = await start(SKEIN);
    await fill(server);
    const client = await server.connect();
    const expected = await digestOf(server);
    // a transaction over many shards right before: the file must hold all of it
    expect(await client.must('BGSAVE')).toBe('Background saving started');
    for (let round = 0; round < 20; round++) {
      await client.pipeline(
        Array.from({ length: 200 }, (_, i): Command => ['SET', `later ${round} ${i}`, 'x'.repeat(i)]),
      );
      await client.pipeline([
        ['LPOP', 'long list', 20],
        ['SPOP', 'long set', 20],
        ['ZPOPMIN', 'long sorted', 20],
        ['HDEL', 'long hash', `field ${round}`],
        ['APPEND', 'long', 'more'],
        ['XTRIM', 'stream', 'MAXLEN', 290 - round * 10],
      ]);
    }
    await client.must('FLUSHALL');
    await waitUntil('the snapshot is done', async () => {
      const info = String(await client.must('INFO', 'persistence'));
      return info.includes('rdb_bgsave_in_progress:0');
    });
    server.signal('SIGKILL');
    await server.exit();
    const second = await start(STOCK, server.folder);
    expect(await digestOf(second)).toBe(expected);
  });

  test('are made at the end where save points ask for it, and not with NOSAVE', async () => {
    const first = await start(SKEIN, undefined, { save: [3600, 1000] });
    await fill(first);
    const expected = await digestOf(first);
    first.signal('SIGTERM');
    expect(await first.exit()).toEqual({ code: 0, signal: null });
    const second = await start(SKEIN, first.folder, { save: [3600, 1000] });
    expect(await digestOf(second)).toBe(expected);
    const client = await second.connect();
    await client.must('FLUSHALL');
    client.send('SHUTDOWN NOSAVE\r\n');
    expect(await second.exit()).toEqual({ code: 0, signal: null });
    const third = await start(SKEIN, first.folder);
    expect(await digestOf(third)).toBe(expected);
  });

  test('take as long as is wished, and end with the server; BGREWRITEAOF waits for them', async () => {
    const server = await start(SKEIN, undefined, { 'rdb-key-save-delay': 10_000_000 });
    const client = await server.connect();
    await client.must('MSET', 'a', 1, 'b', 2);
    const info = async (): Promise<string> => String(await client.call('INFO', 'persistence'));
    await client.must('BGSAVE');
    expect(await info()).toMatch(/current_save_keys_total:2\r\n[\s\S]*rdb_bgsave_in_progress:1/);
    expect(await client.must('BGREWRITEAOF')).toMatch(/scheduled/);
    expect(await info()).toMatch(/aof_rewrite_scheduled:1/);
    await client.must('CONFIG', 'SET', 'rdb-key-save-delay', 0);
    await waitUntil('both are done', async () => /aof_rewrites:1\r\n/.test(await info()));
    expect(await info()).toMatch(/rdb_saves:1/);
    // the journal is off: what was written is there for a start with it
    await client.must('CONFIG', 'SET', 'rdb-key-save-delay', 10_000_000);
    await client.must('BGSAVE');
    const working = join(server.folder, `temp-${server.pid}.rdb`);
    await waitUntil('the file that is written', () => existsSync(working));
    server.signal('SIGTERM');
    expect((await server.exit()).code).toBe(0);
    expect(existsSync(working)).toBe(false);
    const again = await start(SKEIN, server.folder, { appendonly: 'yes', 'rdb-key-save-delay': 0 });
    expect(await (await again.connect()).must('DBSIZE')).toBe(2);
  });

  test('of other servers that are damaged stop the start with file and offset', async () => {
    const server = await start(SKEIN);
    await fill(server);
    const client = await server.connect();
    await client.must('SAVE');
    server.signal('SIGKILL');
    await server.exit();
    const path = join(server.folder, 'dump.rdb');
    writeFileSync(path, 'REDIS0010 this is no database at all');
    const second = await start(SKEIN, server.folder).catch((error: unknown) => String(error));
    expect(String(second)).toContain('dump.rdb is damaged at byte');
  });
});
