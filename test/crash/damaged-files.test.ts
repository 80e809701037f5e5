/** Files that a crash or a disk left damaged: a torn tail is cut with a warning, damage in the middle is refused by file and offset. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, ServerProcess } from '../server/server-process.ts';
import { checkRecovered, NOTHING } from './crash-check.ts';
import { type ClientHistory, readBack, runLoad } from './crash-load.ts';
import { cutFile, describeSkein, fileBytes, flipBit, lastIncrement } from './data-files.ts';
import { noteFaults } from './fault-tally.ts';

const CUTS = Number(process.env['CRASH_CUTS'] ?? 2);
const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const CLIENTS = 3;
const SHARDS = 2;
const FIRST_LINE = 60;

describeSkein(`damaged files (seed ${SEED})`, () => {
  const servers = new ServerGroup();
  const roll = dice(SEED);
  let loaded: ServerProcess;
  let histories: ClientHistory[];

  /** A data set that was written and killed; policy `no`, so that nothing in it was promised. */
  beforeAll(async () => {
    const options = { appendonly: 'yes', appendfsync: 'no' };
    const skeinOptions = { workers: 2, shards: SHARDS };
    loaded = await servers.start({ command: serverUnderTest(), options, skeinOptions });
    histories = await runLoad(loaded, { clients: CLIENTS, seed: SEED, pipelines: 12, maxDepth: 20 });
    await loaded.kill();
  });
  afterAll(() => servers.removeAll());

  /** A server on a copy of that data set, not started yet when `damage` gets its folder. */
  async function withDamage(name: string, damage: (folder: string) => void, options = {}): Promise<ServerProcess> {
    const folder = join(loaded.folder, name);
    cpSync(join(loaded.folder, 'appendonlydir'), join(folder, 'appendonlydir'), { recursive: true });
    damage(folder);
    const skeinOptions = { workers: 2 };
    const start = { command: serverUnderTest(), folder, skeinOptions, options: { appendonly: 'yes', ...options } };
    return servers.add(await ServerProcess.spawn(start));
  }

  test('a torn tail is cut with a warning; each shard comes back as it was at some moment, transactions as a whole', async () => {
    for (let i = 0; i < CUTS; i++) {
      let cut = 0;
      const server = await withDamage(`torn-${i}`, (folder) => {
        const path = lastIncrement(folder, i % SHARDS);
        cut = FIRST_LINE + 60 + roll(fileBytes(path) - FIRST_LINE - 61);
        cutFile(path, cut);
        noteFaults('torn tails');
      });
      expect(await server.ready(), server.log()).toBe(true);
      const contents = await readBack(server, CLIENTS);
      for (const history of histories) {
        checkRecovered(history, contents[history.client], { shards: SHARDS, durable: NOTHING });
      }
      expect(server.log()).toMatch(new RegExp(`shard-${i % SHARDS}/.*: cut from ${cut} to \\d+ bytes`));
      // and it is whole again: a second start has nothing to warn of
      await server.stop();
      const again = servers.add(await server.restart());
      expect(again.log()).not.toMatch(/cut from/);
      expect(await readBack(again, CLIENTS)).toEqual(contents);
      await again.remove();
    }
  });

  test('aof-load-truncated no: a torn tail is refused', async () => {
    const tear = (folder: string) => cutFile(lastIncrement(folder, 0), fileBytes(lastIncrement(folder, 0)) - 3);
    const server = await withDamage('refused', tear, { 'aof-load-truncated': 'no' });
    expect((await server.exit(30_000)).code).toBe(1);
    expect(server.log()).toMatch(/shard-0\/.*aof-load-truncated/);
  });

  test('a flipped bit in the middle is refused by file and offset, and nothing is changed', async () => {
    for (let i = 0; i < CUTS; i++) {
      let flipped = 0;
      let path = '';
      const server = await withDamage(`flipped-${i}`, (folder) => {
        path = lastIncrement(folder, i % SHARDS);
        flipped = FIRST_LINE + roll(Math.floor(fileBytes(path) / 2));
        flipBit(path, flipped);
        noteFaults('flipped bits');
      });
      const damaged = readFileSync(path);
      expect((await server.exit(30_000)).code).toBe(1);
      const [, offset] = /damaged at byte (\d+)/.exec(server.log()) ?? [];
      expect(server.log()).toContain(path);
      // named is the batch that does not check, or the first line
      expect(Number(offset)).toBeLessThanOrEqual(flipped);
      expect(readFileSync(path).equals(damaged)).toBe(true);
    }
  });

  test('a file that is missing or empty is refused', async () => {
    const missing = await withDamage('missing', (folder) => rmSync(lastIncrement(folder, 1)));
    expect((await missing.exit(30_000)).code).toBe(1);
    expect(missing.log()).toMatch(/shard-1\/.*missing/);
    const empty = await withDamage('empty', (folder) => cutFile(lastIncrement(folder, 1), 0));
    expect((await empty.exit(30_000)).code).toBe(1);
    expect(empty.log()).toMatch(/shard-1\/.* is damaged at byte 0/);
  });
});
