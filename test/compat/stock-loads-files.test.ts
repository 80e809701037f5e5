/** The promise of FORMATS.md: a shard's folder is an append-only folder that stock Redis loads and its tools accept. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { runLoad } from '../crash/crash-load.ts';
import { lastIncrement } from '../crash/data-files.ts';
import { describeWith } from '../server/describe-with.ts';
import { ReplyError } from '../server/reply-reader.ts';
import { SKEIN, STOCK } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';

const CLIENTS = 3;
const SHARDS = 3;

describeWith(['redis-server', 'redis-check-aof'], 'stock Redis and the files of a data set', () => {
  const servers = new ServerGroup();
  afterEach(() => servers.removeAll());

  test('each shard loads, and together they hold everything', async () => {
    const options = { appendonly: 'yes', appendfsync: 'always' };
    const server = await servers.start({ command: SKEIN, options, skeinOptions: { workers: 2, shards: SHARDS } });
    await runLoad(server, { clients: CLIENTS, seed: 1, pipelines: 30, maxDepth: 20 });
    const client = await server.connect();
    const replies = await client.pipeline([
      ['SELECT', 3],
      ['SET', 'other', 'database'],
      ['SETBIT', 'bits', 77, 1],
      ['BITOP', 'NOT', 'inverted', 'bits'],
      ['BITFIELD', 'fields', 'SET', 'i16', 3, -5],
      ['SET', 'mortal', 'x', 'EX', 1000],
      ['GETEX', 'mortal', 'PX', 2_000_000],
      ['SET', 'dead', 'x', 'PX', 1],
      ['SWAPDB', 3, 4],
      ['GET', 'dead'],
    ]);
    expect(replies.filter((reply) => reply instanceof ReplyError)).toEqual([]);
    const expected = await contentsOf(server);
    server.signal('SIGTERM');
    expect(await server.exit()).toEqual({ code: 0, signal: null });

    const loaded = new Map<string, string>();
    for (let shard = 0; shard < SHARDS; shard++) {
      const tool = spawnSync('redis-check-aof', [lastIncrement(server.folder, shard)], { encoding: 'utf8' });
      expect(tool.stdout, tool.stdout).toMatch(/is valid/);
      const stock = await servers.start({
        command: STOCK,
        folder: join(server.folder, 'appendonlydir'),
        options: { appendonly: 'yes', appenddirname: `shard-${shard}` },
      });
      for (const [key, value] of await contentsOf(stock)) loaded.set(key, value);
    }
    expect(loaded).toEqual(expected);
  });
});

/** Every key of every database with its value and the time it dies. */
async function contentsOf(server: ServerProcess): Promise<Map<string, string>> {
  const client = await server.connect();
  const contents = new Map<string, string>();
  for (let db = 0; db < 16; db++) {
    await client.must('SELECT', db);
    for (const key of (await client.must('KEYS', '*')) as string[]) {
      contents.set(`${db}/${key}`, `${await client.must('GET', key)} until ${await client.must('PEXPIRETIME', key)}`);
    }
  }
  client.close();
  return contents;
}
