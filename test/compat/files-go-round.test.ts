/**
 * Files go round: stock → Skein → stock, as an RDB file and as append-only files, with values of every type and form, deadlines, several
 * databases and functions: the same digest at each stop.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import { ReplyError } from '../server/reply-reader.ts';
import type { Command } from '../server/resp-client.ts';
import { SKEIN, STOCK } from '../server/server-command.ts';
import { type Options, ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { digestOf, fill } from './sample-values.ts';

const LIBRARY = `#!lua name=goround
redis.register_function('nine', function() return 9 end)`;

/** Forms that a server makes only with other limits than the usual ones. */
const ODD_FORMS: Command[] = [
  ['CONFIG', 'SET', 'list-max-listpack-size', '3'],
  ['RPUSH', 'many nodes', ...Array.from({ length: 50 }, (_, i) => (i % 3 === 0 ? i : `element ${i}`))],
  ['CONFIG', 'SET', 'list-max-listpack-size', '-2'],
  ['CONFIG', 'SET', 'hash-max-listpack-entries', '2', 'set-max-intset-entries', '2', 'zset-max-listpack-entries', '2'],
  ['HSET', 'small table', 'a', 1, 'b', 2, 'c', 3],
  ['SADD', 'small integers in a table', 1, 2, 3],
  ['ZADD', 'small skiplist', 1, 'a', 2, 'b', '+inf', 'c'],
  ['CONFIG', 'SET', 'hash-max-listpack-entries', '128', 'set-max-intset-entries', '512'],
  ['CONFIG', 'SET', 'zset-max-listpack-entries', '128'],
  ['SET', 'smallest', '-9223372036854775808'],
  ['SET', 'almost a number', '007'],
  ['SET', 'empty', ''],
  ['PFADD', 'dense log', ...Array.from({ length: 9000 }, (_, i) => i)],
  ['XADD', 'no group', '5-5', 'f', 'v'],
  ['XADD', 'emptied stream', '5-5', 'f', 'v'],
  ['XDEL', 'emptied stream', '5-5'],
  ['XGROUP', 'CREATE', 'emptied stream', 'g', '$'],
  ['XGROUP', 'CREATECONSUMER', 'emptied stream', 'g', 'idle'],
  ['EXPIRE', 'hash', 90_000],
  ['EXPIRE', 'stream', 90_000],
  ['SELECT', 15],
  ['RPUSH', 'list elsewhere', 'x'],
  ['PEXPIRE', 'list elsewhere', 90_000_000],
  ['SELECT', 0],
  ['FUNCTION', 'LOAD', LIBRARY],
];

describeWith(['redis-server'], 'files go round', () => {
  const servers = new ServerGroup();
  afterEach(() => servers.removeAll());

  const stock = (options: Options, folder?: string): Promise<ServerProcess> =>
    servers.start({
      command: STOCK,
      ...(folder === undefined ? {} : { folder }),
      options: { 'enable-debug-command': 'yes', ...options },
    });
  const skein = (options: Options, folder: string, shards: number): Promise<ServerProcess> =>
    servers.start({
      ...{ command: SKEIN, folder },
      options: { 'enable-debug-command': 'yes', ...options },
      skeinOptions: { workers: 2, shards },
    });

  async function run(server: ServerProcess, commands: readonly Command[]): Promise<void> {
    const client = await server.connect();
    const replies = await client.pipeline([...commands]);
    expect(replies.filter((reply) => reply instanceof ReplyError)).toEqual([]);
    client.close();
  }

  async function fillAll(server: ServerProcess): Promise<void> {
    await fill(server);
    await run(server, ODD_FORMS);
    // Redis has nodes of one element only above a limit that tests can lower
    const client = await server.connect();
    await client.must('DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '100b');
    await client.must('RPUSH', 'plain nodes', 'short', 'l'.repeat(300), 'short', 'm'.repeat(9000));
    client.close();
  }

  /** Everything that a stop can be told by: data, deadlines in each database, libraries. */
  async function stateOf(server: ServerProcess): Promise<unknown> {
    const client = await server.connect();
    const deadlines: string[] = [];
    for (const db of [0, 5, 15]) {
      await client.must('SELECT', db);
      for (const key of (await client.must('KEYS', '*')) as string[])
        deadlines.push(`${db}/${key} ${await client.must('PEXPIRETIME', key)}`);
    }
    await client.must('SELECT', 0);
    const nine = await client.call('FCALL', 'nine', 0);
    const groups = await client.must('XINFO', 'STREAM', 'stream', 'FULL');
    client.close();
    // times of last use are of the server that runs
    const timeless = JSON.stringify(groups).replace(/"(seen-time|active-time|radix-tree-\w+)",-?\d+,?/g, '');
    return { digest: await digestOf(server), deadlines: deadlines.sort(), nine, timeless };
  }

  test('as an RDB file', async () => {
    const first = await stock({});
    await fillAll(first);
    const expected = await stateOf(first);
    await run(first, [['SAVE']]);
    await first.kill();
    const second = await skein({}, first.folder, 3);
    expect(await stateOf(second)).toEqual(expected);
    await run(second, [['SAVE']]);
    await second.kill();
    const third = await skein({}, first.folder, 2);
    expect(await stateOf(third)).toEqual(expected);
    await third.kill();
    expect(await stateOf(await stock({}, first.folder))).toEqual(expected);
  });

  test.each(['yes', 'no'])('as append-only files, with an RDB preamble: %s', async (preamble) => {
    const options = { appendonly: 'yes', 'aof-use-rdb-preamble': preamble };
    const first = await stock(options);
    await fillAll(first);
    await rewrite(first);
    await run(first, LATER);
    const taken = await stateOf(first);
    await run(first, [['CONFIG', 'SET', 'appendfsync', 'always']]);
    await first.kill();

    const second = await skein(options, first.folder, 1);
    expect(await stateOf(second)).toEqual(taken);
    await run(second, LATER);
    await rewrite(second);
    await run(second, LATER);
    const expected = await stateOf(second);
    await second.kill();

    // the folder of the only shard is an append-only folder of Redis
    const folder = join(first.folder, 'appendonlydir');
    expect(readdirSync(folder)).toContain('shard-0');
    const third = await stock({ appendonly: 'yes', appenddirname: 'shard-0' }, folder);
    expect(await stateOf(third)).toEqual(expected);
  });
});

/** Records behind a base: of every type, over several keys, in another database. */
const LATER: Command[] = [
  ['APPEND', 'text', 'more'],
  ['INCRBYFLOAT', 'number', '0.5'],
  ['RPUSH', 'list', 'later', 'l'.repeat(300)],
  ['LMOVE', 'list', 'many nodes', 'LEFT', 'RIGHT'],
  ['SPOP', 'long set', 3],
  ['SADD', 'integers', 'no integer'],
  ['HDEL', 'long hash', 'field 7'],
  ['ZADD', 'sorted', 7, 'later'],
  ['ZPOPMAX', 'long sorted', 2],
  ['XADD', 'stream', '*', 'a', 'later'],
  ['XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', '2', 'STREAMS', 'stream', '>'],
  ['XACK', 'stream', 'group', '3-0'],
  ['MULTI'],
  ['SET', 'transaction', 1],
  ['SELECT', 5],
  ['RPUSH', 'list in five', 'x'],
  ['EXEC'],
  ['EXPIRE', 'list in five', 80_000],
  ['SELECT', 0],
];

async function rewrite(server: ServerProcess): Promise<void> {
  const client = await server.connect();
  await client.must('BGREWRITEAOF');
  await waitUntil('the rewrite', async () =>
    /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0[\s\S]*aof_last_bgrewrite_status:ok/.test(
      String(await client.call('INFO', 'persistence')),
    ),
  );
  client.close();
}
