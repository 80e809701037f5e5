/** Files go round: what stock Redis saves is loaded here to the same digest, and the other way, for values of every type and form. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import { ReplyError } from '../server/reply-reader.ts';
import type { Command } from '../server/resp-client.ts';
import { type ServerCommand, SKEIN, STOCK } from '../server/server-command.ts';
import { type Options, ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

const many = (count: number, make: (i: number) => (string | number)[]): (string | number)[] =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

/** Values of every type, in every form that it has. */
const FILL: Command[] = [
  ['SET', 'text', 'value'],
  ['SET', 'number', 12345],
  ['SET', 'long', 'abc'.repeat(60_000)],
  ['SET', 'mortal', 'x', 'EX', 100_000],
  ['SETBIT', 'bits', 900, 1],
  ['RPUSH', 'list', 'a', 3, -70000, 'b'.repeat(70)],
  ['RPUSH', 'long list', ...many(3000, (i) => [`element ${i}`])],
  ['RPUSH', 'list of long', 'x'.repeat(20_000), 'y'],
  ['SADD', 'integers', 1, 2, -3],
  ['SADD', 'long integers', ...many(400, (i) => [100_000 + i]), '5000000000'],
  ['SADD', 'set', 1, 'two', '3.0'],
  ['SADD', 'long set', ...many(900, (i) => [`member ${i}`])],
  ['HSET', 'hash', 'a', 1, 'b', 'two'],
  ['HSET', 'long hash', ...many(800, (i) => [`field ${i}`, i])],
  ['HSET', 'hash of long', 'f', 'v'.repeat(9000)],
  ['ZADD', 'sorted', 1, 'a', 2.5, 'b', '-inf', 'c'],
  ['ZADD', 'long sorted', ...many(900, (i) => [i / 3, `member ${i}`])],
  ['PFADD', 'log', ...many(500, (i) => [i])],
  ...Array.from({ length: 300 }, (_, i): Command => ['XADD', 'stream', `${i + 1}-0`, 'a', i, 'b', `value ${i}`]),
  ['XDEL', 'stream', '7-0', '200-0'],
  ['XGROUP', 'CREATE', 'stream', 'group', '0'],
  ['XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', '5', 'STREAMS', 'stream', '>'],
  ['XREADGROUP', 'GROUP', 'group', 'bob', 'COUNT', '3', 'STREAMS', 'stream', '>'],
  ['XACK', 'stream', 'group', '2-0'],
];

async function fill(server: ServerProcess): Promise<void> {
  const client = await server.connect();
  const replies = await client.pipeline([...FILL, ['SELECT', 5], ['SET', 'other', 'database']]);
  expect(replies.filter((reply) => reply instanceof ReplyError)).toEqual([]);
  client.close();
}

async function digestOf(server: ServerProcess): Promise<string> {
  const client = await server.connect();
  const digest = String(await client.must('DEBUG', 'DIGEST'));
  client.close();
  return digest;
}

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

  test.each([
    ['stock Redis', 'Skein', STOCK, SKEIN],
    ['Skein', 'stock Redis', SKEIN, STOCK],
    ['Skein', 'Skein', SKEIN, SKEIN],
  ])('that %s saves are loaded by %s to the same digest', async (_from, _to, from, to) => {
    const first = await start(from);
    await fill(first);
    const expected = await digestOf(first);
    const client = await first.connect();
    expect(await client.must('SAVE')).toBe('OK');
    first.signal('SIGKILL');
    await first.exit();
    const second = await start(to, first.folder);
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
