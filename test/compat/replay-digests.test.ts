/**
 * Whatever random commands of all types leave behind, the journal holds: a restart after kill -9, a rewrite of the journal, and a
 * stock redis-server that loads each shard's folder come to the same digests.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { runs } from '../differential/command-arbitraries.ts';
import { describeWith } from '../server/describe-with.ts';
import type { Command, RespClient } from '../server/resp-client.ts';
import { SKEIN, STOCK } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

const SHARDS = 3;
const RUNS = 15;
const STEPS = 90;
const DATABASES = 16;
const options = { appendonly: 'yes', appendfsync: 'always', 'enable-debug-command': 'yes' };
const seeds = [Number(process.env['REPLAY_SEED'] ?? Math.floor(Math.random() * 2 ** 31))];

/** What the generators leave out because two servers would do different things: here only what is journalled counts. */
const RANDOM: Command[] = [
  ['SADD', 's:1', 'a', 'b', 'c', 1, 2, 3, 4],
  ['SPOP', 's:1'],
  ['SPOP', 's:1', 2],
  ['XADD', 'x:1', '*', 'field', 'value'],
  ['XADD', 'x:1', 'MAXLEN', '~', 3, '*', 'field', 'value'],
  ['HINCRBYFLOAT', 'h:1', 'float', '0.1'],
  ['INCRBYFLOAT', 'float', '0.1'],
  ['ZINCRBY', 'z:1', '0.1', 'float'],
  ['SET', 'mortal', 'x', 'PX', 1_000_000],
  ['EXPIRE', 'mortal', 5000],
  ['SET', 'dead', 'x', 'PX', 1],
  ['RPUSH', '{1}l', 'x', 'y', 'z'],
  ['LMOVE', '{1}l', '{2}l', 'LEFT', 'RIGHT'],
  ['LMOVE', '{1}l', '{1}l', 'LEFT', 'RIGHT'],
  ['SMOVE', 's:1', '{4}s', '4'],
  ['SUNIONSTORE', '{5}s', 's:1', '{4}s'],
  ['ZUNIONSTORE', '{6}z', 2, 'z:1', '{5}s'],
  ['RENAME', '{2}l', '{3}l'],
  ['COPY', '{3}l', '{7}l', 'REPLACE'],
  ['SORT', '{3}l', 'ALPHA', 'STORE', '{8}l'],
  ['GET', 'dead'],
];

function commandsOf(seed: number): Command[] {
  const commands = fc
    .sample(runs(STEPS, 1), { numRuns: RUNS, seed })
    .flatMap((steps) => [
      ...steps.flatMap((step): Command[] => (step.kind === 'command' ? [step.words] : [])),
      ...RANDOM,
    ]);
  // no FLUSHDB at the end: something shall be left
  return commands.filter((words, i) => !/^flush/i.test(String(words[0])) || i < commands.length / 2);
}

/** The type, digest and deadline of every key of every database. */
async function digestsOf(server: ServerProcess): Promise<Map<string, string>> {
  const client = await server.connect();
  const digests = new Map<string, string>();
  for (let db = 0; db < DATABASES; db++) {
    await client.must('SELECT', db);
    for (const key of (await client.must('KEYS', '*')) as string[]) {
      const type = await client.must('TYPE', key);
      const deadline = await client.must('PEXPIRETIME', key);
      digests.set(`${db}/${key}`, `${type} ${await client.must('DEBUG', 'DIGEST-VALUE', key)} ${deadline}`);
    }
  }
  client.close();
  return digests;
}

/** The digest of everything, after what has lapsed is gone: it counts until somebody comes by. */
async function digestOf(client: RespClient): Promise<string> {
  for (let db = 0; db < DATABASES; db++) {
    await client.must('SELECT', db);
    await waitUntil('what has lapsed is gone', async () => {
      const keys = (await client.must('KEYS', '*')) as string[];
      return (await client.must('DBSIZE')) === keys.length;
    });
  }
  return String(await client.must('DEBUG', 'DIGEST'));
}

describeWith(['redis-server'], 'what random commands leave behind', () => {
  const servers = new ServerGroup();
  afterEach(() => servers.removeAll());

  test.each(seeds)(
    'is loaded again to the same digests (seed %i)',
    async (seed) => {
      let server = await servers.start({ command: SKEIN, options, skeinOptions: { workers: 2, shards: SHARDS } });
      const commands = commandsOf(seed);
      const client = await server.connect();
      for (let i = 0; i < commands.length; i += 50) await client.pipelineRaw(commands.slice(i, i + 50));
      const expected = await digestsOf(server);
      const types = new Set([...expected.values()].map((text) => text.split(' ')[0]));
      expect([...types].sort()).toEqual(['hash', 'list', 'set', 'stream', 'string', 'zset']);
      const whole = await digestOf(client);
      expect(await client.must('DEBUG', 'LOADAOF')).toBe('OK');
      // the digests of the keys say more than that of the whole
      expect(await digestsOf(server)).toEqual(expected);
      expect(await digestOf(client)).toBe(whole);

      await server.kill();
      await expectStockLoads(server.folder, expected);

      server = servers.add(await server.restart());
      const again = await server.connect();
      expect(await digestOf(again)).toBe(whole);
      await again.must('BGREWRITEAOF');
      await waitUntil('the rewrite is done', async () => {
        const info = String(await again.must('INFO', 'persistence'));
        return info.includes('aof_rewrite_in_progress:0') && info.includes('aof_last_bgrewrite_status:ok');
      });
      await server.kill();
      await expectStockLoads(server.folder, expected);
      server = servers.add(await server.restart());
      expect(await digestsOf(server)).toEqual(expected);
    },
    60_000,
  );

  async function expectStockLoads(folder: string, expected: Map<string, string>): Promise<void> {
    const loaded = new Map<string, string>();
    for (let shard = 0; shard < SHARDS; shard++) {
      const stock = await servers.start({
        command: STOCK,
        folder: join(folder, 'appendonlydir'),
        options: { appendonly: 'yes', appenddirname: `shard-${shard}`, 'enable-debug-command': 'yes' },
      });
      for (const [key, digest] of await digestsOf(stock)) loaded.set(key, digest);
      stock.signal('SIGKILL');
      await stock.exit();
    }
    expect(loaded).toEqual(expected);
  }
});
