/**
 * Durability by key (R21): after a kill keys with `none` are gone and all others are as they were, whatever commands mixed them; after
 * a loss of power what was acknowledged under `always` is there though its shard is `everysec`; rules may change at any time.
 *
 *   CRASH_ROUNDS=20 npx vitest run test/crash/durability-by-key     longer
 *   CRASH_SEED=7 npx vitest run test/crash/durability-by-key
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { dice } from '../checkers/concurrent-clients.ts';
import { planted } from '../faults/planted-server.ts';
import type { Command, RespClient } from '../server/resp-client.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, ServerProcess, type StartOptions } from '../server/server-process.ts';
import { describeSkein } from './data-files.ts';
import { noteChecked, noteFaults } from './fault-tally.ts';
import { losePower, withNotedSyncs } from './power-loss.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? Date.now() % 100_000);
const COMMANDS = 250;
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 1);
const SHARDS = 2;
const NONE = ['n:1', 'n:2'];
const KEPT = ['k:1', 'k:2', 'a:1'];
const KEYS = [...NONE, ...KEPT];

const servers = new ServerGroup();
const folders: string[] = [];
afterEach(async () => {
  await servers.removeAll();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skein-rules-'));
  folders.push(folder);
  return folder;
}

/** A command of any sort over keys of any rule; wrong types are part of it. */
function anyCommand(roll: (limit: number) => number): Command {
  const key = () => KEYS[roll(KEYS.length)];
  const value = () => `v${roll(1000)}`;
  const shapes: (() => Command)[] = [
    () => ['SET', key(), value()],
    () => ['MSET', key(), value(), key(), value(), key(), value()],
    () => ['DEL', key(), key()],
    () => ['UNLINK', key()],
    () => ['APPEND', key(), value()],
    () => ['RENAME', key(), key()],
    () => ['COPY', key(), key(), 'REPLACE'],
    () => ['COPY', key(), key(), 'DB', 3, 'REPLACE'],
    () => ['MOVE', key(), 3],
    () => ['RPUSH', key(), value(), value()],
    () => ['LMOVE', key(), key(), 'LEFT', 'RIGHT'],
    () => ['RPOPLPUSH', key(), key()],
    () => ['LMPOP', 2, key(), key(), 'LEFT', 'COUNT', 1],
    () => ['SADD', key(), value(), value()],
    () => ['SMOVE', key(), key(), value()],
    () => ['SPOP', key()],
    () => ['SUNIONSTORE', key(), key(), key()],
    () => ['ZADD', key(), roll(100), value()],
    () => ['ZRANGESTORE', key(), key(), 0, 3],
    () => ['ZMPOP', 2, key(), key(), 'MIN'],
    () => ['PFADD', key(), value()],
    () => ['PFMERGE', key(), key(), key()],
    () => ['BITOP', 'OR', key(), key(), key()],
    () => ['SORT', key(), 'ALPHA', 'STORE', key()],
    () => ['HSET', key(), value(), value()],
    () => ['EXPIRE', key(), 1000],
    () => ['GETDEL', key()],
  ];
  return shapes[roll(shapes.length)]();
}

async function randomLoad(client: RespClient, roll: (limit: number) => number): Promise<void> {
  for (let i = 0; i < COMMANDS; i++) {
    if (roll(6) > 0) {
      await client.call(...anyCommand(roll));
      continue;
    }
    await client.call('MULTI');
    for (let k = 0; k <= roll(3); k++) await client.call(...anyCommand(roll));
    await client.call('EXEC');
  }
}

async function digests(client: RespClient, keys: readonly string[]): Promise<unknown> {
  return client.call('DEBUG', 'DIGEST-VALUE', ...keys);
}

async function config(client: RespClient, rules: string): Promise<void> {
  expect(await client.call('CONFIG', 'SET', 'durability-rule', rules)).toBe('OK');
}

/** Loads, kills, starts again; keys with `none` must be gone, all others as they were. */
async function killAndCompare(shards: number, command: Pick<StartOptions, 'command' | 'nodeOptions'>): Promise<void> {
  const roll = dice(SEED);
  const skeinOptions = { workers: 2, shards, 'durability-rule': ['db:3', 'none', 'n:*', 'none', 'a:*', 'always'] };
  const options = { appendonly: 'yes', 'enable-debug-command': 'yes' };
  const start = { ...command, folder: newFolder(), options, skeinOptions };
  let server = servers.add(await ServerProcess.start(start));
  for (let round = 0; round < ROUNDS; round++) {
    const client = await server.connect();
    await randomLoad(client, roll);
    if (roll(2) === 0) await client.must('BGREWRITEAOF');
    await randomLoad(client, roll);
    const before = await digests(client, KEPT);
    await server.kill();
    noteFaults('kills at a random moment');
    server = servers.add(await ServerProcess.start(start));
    const reader = await server.connect();
    expect(await digests(reader, KEPT)).toEqual(before);
    expect(await reader.call('EXISTS', ...NONE)).toBe(0);
    await reader.must('SELECT', 3);
    expect(await reader.call('DBSIZE')).toBe(0);
    reader.close();
  }
}

describeSkein(`durability rules (seed ${SEED})`, () => {
  test.each([1, SHARDS])('random commands over keys of all rules, kill, restart: %i shards', async (shards) => {
    await killAndCompare(shards, { command: serverUnderTest() });
  });

  test('planted, and found: a record that reads a key which is not journalled', async () => {
    const plant = {
      file: 'src/dispatch/ruled-effects.ts',
      text: 'if (kept === KEPT.all) return false;',
      replacement: 'if (kept !== KEPT.nothing) return false;',
    };
    await expect(killAndCompare(1, planted([plant]))).rejects.toThrow(/to deeply equal|to be .*0|cannot be loaded/);
  });

  test('rules that change while the server runs', async () => {
    const start = {
      command: serverUnderTest(),
      folder: newFolder(),
      options: { appendonly: 'yes' },
      skeinOptions: { workers: 2, shards: SHARDS },
    };
    const server = servers.add(await ServerProcess.start(start));
    const client = await server.connect();
    for (let i = 0; i < 500; i++) await client.must('SET', `x:${i}`, 'old');
    await client.must('RPUSH', 'list', 'a', 'b');
    await config(client, 'x:* none');
    for (let i = 0; i < 500; i++) await client.must('SET', `x:${i}`, 'new');
    await client.must('RPUSH', 'y', 'of now');
    await config(client, 'x:1* none y none');
    await client.must('RPUSH', 'y', 'lost');
    await client.must('SET', 'x:2', 'newer');
    expect(await client.call('CONFIG', 'GET', 'durability-rule')).toEqual(['durability-rule', 'x:1* none y none']);
    for (const wrong of ['x', 'x sometimes', 'x:* none y'])
      expect(await client.call('CONFIG', 'SET', 'durability-rule', wrong)).toHaveProperty('message');
    await server.kill();
    const again = servers.add(await ServerProcess.start(start));
    const reader = await again.connect();
    expect(await reader.call('GET', 'x:2')).toBe('newer');
    expect(await reader.call('GET', 'x:20')).toBe('new');
    expect(await reader.call('EXISTS', 'x:1', 'x:17', 'x:199', 'y')).toBe(0);
    expect(await reader.call('DBSIZE')).toBe(500 - 111 + 1);
    // a start with rules that the journal does not know yet: keys of no journal do not come back from an old one
    await again.kill();
    const other = { ...start, skeinOptions: { ...start.skeinOptions, 'durability-rule': ['x:*', 'none'] } };
    const third = servers.add(await ServerProcess.start(other));
    await (await third.connect()).must('DEL', 'x:2');
    await third.kill();
    const fourth = servers.add(await ServerProcess.start(start));
    expect(await (await fourth.connect()).call('DBSIZE')).toBe(1);
  });

  test('loss of power: `always` by rule in shards that sync once a second', async () => {
    const roll = dice(SEED);
    const folder = newFolder();
    const skeinOptions = { workers: 2, shards: SHARDS, 'durability-rule': ['lock:*', 'always', 'n:*', 'none'] };
    const options = { appendonly: 'yes', appendfsync: 'no' };
    const start = { folder, options, skeinOptions, ...withNotedSyncs(folder) };
    let acknowledged = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const server = servers.add(await ServerProcess.start(start));
      const client = await server.connect();
      const other = await server.connect();
      for (let i = 0; i < 300; i++) {
        const lock = ++acknowledged;
        void other.call('RPUSH', 'queue', lock).catch(() => {});
        void other.call('MSET', 'a', lock, 'b', lock, 'n:1', lock).catch(() => {});
        await client.must('SET', 'lock:1', lock);
        // what shows it must not leave before it is safe either
        if (i % 50 === 0) expect(await other.call('GET', 'lock:1')).toBe(String(lock));
      }
      const settled = client.closed;
      await server.kill();
      await settled;
      losePower(folder, SHARDS, roll);
      const again = servers.add(await ServerProcess.start(start));
      const reader = await again.connect();
      expect(await reader.call('GET', 'lock:1')).toBe(String(acknowledged));
      noteChecked(300);
      const [a, b] = (await reader.call('MGET', 'a', 'b')) as unknown[];
      expect(a).toBe(b);
      await again.kill();
    }
  });

  test('planted, and found: an output that does not wait for its rule', async () => {
    const folder = newFolder();
    const noWait = planted([
      {
        file: 'src/net/outbox.ts',
        text: 'return this.executor.waits[shard] !== 0 && (rules.hasAlways || this.isAlways(shard));',
        replacement: 'return false;',
      },
    ]);
    const skeinOptions = { workers: 1, shards: 1, 'durability-rule': ['lock:*', 'always'] };
    const options = { appendonly: 'yes', appendfsync: 'no' };
    const counts: number[] = [];
    for (const start of [withNotedSyncs(folder), noWait]) {
      const server = servers.add(await ServerProcess.start({ options, skeinOptions, ...start }));
      const client = await server.connect();
      for (let i = 0; i < 20; i++) await client.must('SET', 'lock:1', i);
      const unsafe = /aof_unsafe_bytes:(\d+)/.exec(String(await client.call('INFO', 'persistence')))?.[1];
      counts.push(Number(unsafe));
      await server.kill();
    }
    expect(counts[0]).toBe(0);
    expect(counts[1]).toBeGreaterThan(0);
  });
});
