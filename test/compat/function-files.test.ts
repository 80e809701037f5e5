/** Libraries of functions belong to the data: they go through files and dumps, here and to stock Redis and back. */
import { afterEach, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import type { RespClient } from '../server/resp-client.ts';
import { type ServerCommand, SKEIN, STOCK } from '../server/server-command.ts';
import { type Options, ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

const CODE = `#!lua name=lib
local bytes = 'a\xff\xc8'
redis.register_function('bytes', function() return bytes end)
redis.register_function{function_name='adds', callback=function(keys, args) return redis.call('incrby', keys[1], args[1]) end, description='adds'}
redis.register_function{function_name='reads', callback=function(keys) return redis.call('get', keys[1]) end, flags={'no-writes'}}`;
const OTHER = "#!lua name=other\nredis.register_function('one', function() return 1 end)";

describeWith(['redis-server'], 'libraries of functions', () => {
  const servers = new ServerGroup();
  afterEach(() => servers.removeAll());

  const start = (command: ServerCommand, folder?: string, more: Options = {}) =>
    servers.start({
      command,
      ...(folder === undefined ? {} : { folder }),
      options: { appendonly: 'no', save: '', 'enable-debug-command': 'yes', ...more },
      ...(command === SKEIN ? { skeinOptions: { workers: 2, shards: 3 } } : {}),
    });

  async function load(server: ServerProcess): Promise<RespClient> {
    const client = await server.connect();
    await client.must('FUNCTION', 'LOAD', CODE);
    await client.must('FUNCTION', 'LOAD', OTHER);
    await client.must('SET', 'gone', 'x');
    await client.must('FLUSHALL');
    await client.must('FUNCTION', 'DELETE', 'other');
    await client.must('SET', 'n', '5');
    return client;
  }

  async function expectLibrary(server: ServerProcess): Promise<void> {
    const client = await server.connect();
    const list = JSON.stringify(await client.must('FUNCTION', 'LIST', 'WITHCODE'));
    expect(list).toContain('"lib"');
    expect(list).not.toContain('"other"');
    expect(await client.must('FCALL', 'bytes', 0)).toBe('a\xff\xc8');
    expect(await client.must('FCALL', 'adds', 1, 'n', 2)).toBe(7);
    expect(await client.must('FCALL_RO', 'reads', 1, 'n')).toBe('7');
    await client.must('SET', 'n', '5');
  }

  test.each([
    ['stock Redis', 'Skein', STOCK, SKEIN],
    ['Skein', 'stock Redis', SKEIN, STOCK],
    ['Skein', 'Skein', SKEIN, SKEIN],
  ])('that %s saves in an RDB file are loaded by %s', async (_from, _to, from, to) => {
    const first = await start(from);
    const client = await load(first);
    expect(await client.must('SAVE')).toBe('OK');
    first.signal('SIGKILL');
    await first.exit();
    await expectLibrary(await start(to, first.folder));
  });

  test('outlive a kill and a rewrite of the journal', async () => {
    const first = await start(SKEIN, undefined, { appendonly: 'yes' });
    await load(first);
    await expectLibrary(first);
    first.signal('SIGKILL');
    await first.exit();
    const second = await start(SKEIN, first.folder, { appendonly: 'yes' });
    await expectLibrary(second);
    const client = await second.connect();
    await client.must('BGREWRITEAOF');
    await waitUntil('the journal is rewritten', async () => {
      const info = String(await client.must('INFO', 'persistence'));
      return info.includes('aof_rewrite_in_progress:0') && info.includes('aof_last_bgrewrite_status:ok');
    });
    second.signal('SIGKILL');
    await second.exit();
    await expectLibrary(await start(SKEIN, first.folder, { appendonly: 'yes' }));
  });

  test.each([false, true])(
    'in the append-only file of stock Redis are taken over (rewritten: %s)',
    async (rewritten) => {
      const first = await start(STOCK, undefined, { appendonly: 'yes' });
      const client = await load(first);
      if (rewritten) {
        await client.must('BGREWRITEAOF');
        await waitUntil('the file is rewritten', async () => {
          const info = String(await client.must('INFO', 'persistence'));
          return info.includes('aof_rewrite_in_progress:0') && info.includes('aof_rewrite_scheduled:0');
        });
      }
      first.signal('SIGTERM');
      await first.exit();
      await expectLibrary(await start(SKEIN, first.folder, { appendonly: 'yes' }));
    },
  );

  test.each([
    ['stock Redis', 'Skein', STOCK, SKEIN],
    ['Skein', 'stock Redis', SKEIN, STOCK],
  ])('that %s dumps are restored by %s', async (_from, _to, from, to) => {
    const source = await load(await start(from));
    const server = await start(to);
    const target = await server.connect();
    await target.must('SET', 'n', '5');
    await target.must('FUNCTION', 'LOAD', OTHER);
    const payload = Buffer.from(String(await source.must('FUNCTION', 'DUMP')), 'latin1');
    expect(await target.must('FUNCTION', 'RESTORE', payload, 'FLUSH')).toBe('OK');
    await expectLibrary(server);
    expect(await target.call('FUNCTION', 'RESTORE', payload)).toMatchObject({
      message: expect.stringMatching(/already exists/),
    });
    expect(await target.must('FUNCTION', 'RESTORE', payload, 'REPLACE')).toBe('OK');
  });
});
