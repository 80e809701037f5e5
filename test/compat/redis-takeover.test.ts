/** A server that is started where stock Redis has run goes on with its data, and leaves its files as they are. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { describeWith } from '../server/describe-with.ts';
import type { Command } from '../server/resp-client.ts';
import { SKEIN, STOCK } from '../server/server-command.ts';
import { type Options, ServerGroup, ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { digestOf, fill } from './sample-values.ts';

/** Records that concern several keys, and so several shards. */
const CROSSING: Command[] = [
  ['SELECT', 0],
  ['RENAME', 'text', 'renamed'],
  ['MSET', 'm1', 1, 'm2', 2, 'm3', 3, 'm4', 4],
  ['SUNIONSTORE', 'union', 'set', 'integers'],
  ['LMOVE', 'list', 'moved', 'LEFT', 'RIGHT'],
  ['MULTI'],
  ['INCR', 'm1'],
  ['INCR', 'm4'],
  ['EXEC'],
  ['SORT', 'list', 'ALPHA', 'STORE', 'sorted list'],
  ['PEXPIRE', 'm2', 10_000_000],
  ['SET', 'dead', 'x', 'PX', 1],
  ['SPOP', 'long set', 20],
  ['MOVE', 'm3', 7],
  ['SWAPDB', 7, 8],
];

describeWith(['redis-server'], 'the files of a Redis server', () => {
  const servers = new ServerGroup();
  afterEach(() => servers.removeAll());

  const startStock = (options: Options, folder?: string): Promise<ServerProcess> =>
    servers.start({
      command: STOCK,
      ...(folder === undefined ? {} : { folder }),
      options: { save: '', 'enable-debug-command': 'yes', ...options },
    });

  const skein = (folder: string, options: Options = {}) => ({
    command: SKEIN,
    folder,
    options: { appendonly: 'yes', 'enable-debug-command': 'yes', ...options },
    skeinOptions: { workers: 2, shards: 3 },
  });

  /** A Redis server with data in base and increments, stopped. Its folder, and the digest of what it held. */
  async function redisData(options: Options = {}): Promise<{ server: ServerProcess; digest: string }> {
    const server = await startStock({ appendonly: 'yes', ...options });
    await fill(server);
    const client = await server.connect();
    await client.must('BGREWRITEAOF');
    await waitUntil('the rewrite', async () =>
      /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(String(await client.call('INFO', 'persistence'))),
    );
    await client.pipeline(CROSSING);
    await waitUntil('an expired key', async () => (await client.call('EXISTS', 'dead')) === 0);
    const digest = await digestOf(server);
    await client.must('CONFIG', 'SET', 'appendfsync', 'always');
    server.signal('SIGKILL');
    await server.exit();
    return { server, digest };
  }

  /** Contents of the files that Redis wrote. */
  function redisFiles(folder: string): Map<string, string> {
    const files = new Map<string, string>();
    for (const place of [folder, join(folder, 'appendonlydir')])
      for (const name of existsSync(place) ? readdirSync(place) : [])
        if (/^(appendonly|dump)/.test(name) && statSync(join(place, name)).isFile())
          files.set(join(place, name), readFileSync(join(place, name), 'latin1'));
    return files;
  }

  /** Starts Skein there twice: both hold what Redis held, and Redis's files are what they were. */
  async function expectTakenOver(folder: string, digest: string): Promise<void> {
    const before = redisFiles(folder);
    const server = await servers.start(skein(folder));
    expect(server.log()).toMatch(/Data taken over: \d+ keys in 3 shards/);
    expect(await digestOf(server)).toBe(digest);
    const client = await server.connect();
    await client.must('SET', 'after', '1');
    const after = await digestOf(server);
    await server.kill();
    expect(redisFiles(folder)).toEqual(before);
    const again = await servers.start(skein(folder));
    expect(again.log()).not.toMatch(/taken over/);
    expect(await digestOf(again)).toBe(after);
    await again.kill();
  }

  test.each([
    ['a base in RDB form and an increment', {}],
    ['a base of records and an increment', { 'aof-use-rdb-preamble': 'no' }],
  ])('%s', async (_, options) => {
    const { server, digest } = await redisData(options);
    await expectTakenOver(server.folder, digest);
  });

  test('the single file of servers before Redis 7: records behind an RDB preamble', async () => {
    const { server, digest } = await redisData();
    const part = (end: string): Buffer => {
      const name = readdirSync(join(server.folder, 'appendonlydir')).find((file) => file.endsWith(end));
      return readFileSync(join(server.folder, 'appendonlydir', String(name)));
    };
    writeFileSync(join(server.folder, 'appendonly.aof'), Buffer.concat([part('.base.rdb'), part('.incr.aof')]));
    rmSync(join(server.folder, 'appendonlydir'), { recursive: true });
    await expectTakenOver(server.folder, digest);
  });

  test('a snapshot, where there is no append-only file', async () => {
    const server = await startStock({ appendonly: 'no' });
    await fill(server);
    const digest = await digestOf(server);
    await (await server.connect()).must('SAVE');
    await server.kill();
    await expectTakenOver(server.folder, digest);
  });

  test('a torn end is left out with a warning, or refused; damage is refused; nothing is changed', async () => {
    const { server, digest } = await redisData();
    const folder = join(server.folder, 'appendonlydir');
    const increment = join(folder, String(readdirSync(folder).find((name) => name.endsWith('.incr.aof'))));
    const { size } = statSync(increment);
    writeFileSync(increment, '*3\r\n$3\r\nSET\r\n$1', { flag: 'a' });
    const before = redisFiles(server.folder);

    const refused = servers.add(await ServerProcess.spawn(skein(server.folder, { 'aof-load-truncated': 'no' })));
    expect((await refused.exit()).code).toBe(1);
    expect(refused.log()).toContain(`Unexpected end of file reading the append only file ${increment}: 15 bytes`);

    const copy = join(server.folder, 'copy');
    cpSync(folder, join(copy, 'appendonlydir'), { recursive: true });
    const inCopy = increment.replace(folder, join(copy, 'appendonlydir'));
    truncateSync(inCopy, size);
    writeFileSync(inCopy, '!!!\r\n', { flag: 'a' });
    const damaged = servers.add(await ServerProcess.spawn(skein(copy)));
    expect((await damaged.exit()).code).toBe(1);
    expect(damaged.log()).toContain(`${inCopy} is damaged at byte ${size}: Bad file format`);
    expect(existsSync(join(copy, 'appendonlydir', 'skein.manifest'))).toBe(false);

    const loaded = await servers.start(skein(server.folder));
    expect(await digestOf(loaded)).toBe(digest);
    expect(loaded.log()).toContain(`${increment}: 15 bytes from byte ${size} on are a torn write`);
    expect(redisFiles(server.folder)).toEqual(before);
  });

  test('that have changed since they were taken over stop the start, or are loaded anew where that is wished', async () => {
    const { server, digest } = await redisData();
    const first = await servers.start(skein(server.folder));
    await (await first.connect()).must('SET', 'of skein', '1');
    await first.kill();
    const back = await startStock({ appendonly: 'yes' }, server.folder);
    expect(await digestOf(back)).toBe(digest);
    await (await back.connect()).must('SET', 'of redis', '1');
    const changed = await digestOf(back);
    await back.kill();
    const refused = servers.add(await ServerProcess.spawn(skein(server.folder)));
    expect((await refused.exit()).code).toBe(1);
    expect(refused.log()).toMatch(/are not those that were taken over/);
    const anew = await servers.start(skein(server.folder, { 'changed-redis-files': 'load' }));
    expect(await digestOf(anew)).toBe(changed);
    expect(readdirSync(join(server.folder, 'appendonlydir')).filter((name) => /^skein-old-/.test(name)).length).toBe(1);
  });

  test('stay where the journal is switched on beside them', async () => {
    const { server } = await redisData();
    const before = redisFiles(server.folder);
    const without = await servers.start(skein(server.folder, { appendonly: 'no' }));
    const client = await without.connect();
    await client.must('SET', 'only', '1');
    await client.must('CONFIG', 'SET', 'appendonly', 'yes');
    await client.must('SET', 'second', '2');
    await without.kill();
    expect(redisFiles(server.folder)).toEqual(before);
    const again = await servers.start(skein(server.folder));
    expect(await (await again.connect()).must('DBSIZE')).toBe(2);
  });
});
