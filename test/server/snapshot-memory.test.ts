/** R8: what a snapshot keeps for itself is bounded. At the bound writes wait, reads do not, and the snapshot ends. */
import { afterEach, expect, test } from 'vitest';
import { describeSkein } from '../crash/data-files.ts';
import type { RespClient } from './resp-client.ts';
import { serverUnderTest } from './server-command.ts';
import { ServerGroup, type ServerProcess } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const KEYS = 6_000;
const BOUND_BYTES = 1.5 * 2 ** 20;
/** Units that had begun, notes, the tables that find them. */
const OVERRUN_BYTES = 2 ** 20;
const WRITERS = 6;
const value = (key: number, round: number) => `${round}:${key}:`.padEnd(600, 'x');

async function infoNumber(client: RespClient, field: string): Promise<number> {
  const text = String(await client.call('INFO', 'persistence'));
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(text)?.[1]);
}

async function fill(client: RespClient): Promise<void> {
  for (let first = 0; first < KEYS; first += 1000)
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) => client.call('SET', `k:${first + i}`, value(first + i, 0))),
    );
}

/** Writes every key of its share again and again until `stop` says so. */
async function writeStorm(server: ServerProcess, share: number, stop: () => boolean): Promise<void> {
  const client = await server.connect();
  for (let round = 1; !stop(); round++)
    for (let key = share; key < KEYS && !stop(); key += WRITERS)
      expect(await client.call('SET', `k:${key}`, value(key, round))).toBe('OK');
  client.close();
}

describeSkein('the memory of a snapshot', () => {
  test('a storm of writes meets the bound: it waits, reads are served, the file shows one moment', async () => {
    const start = {
      command: serverUnderTest(),
      options: { save: '' },
      skeinOptions: { workers: 2, shards: 2, 'snapshot-memory': BOUND_BYTES },
    };
    const server = await servers.start(start);
    const client = await server.connect();
    await fill(client);
    await client.must('CONFIG', 'SET', 'rdb-key-save-delay', 200);
    await client.must('BGSAVE');
    let over = false;
    const storm = Array.from({ length: WRITERS }, (_, share) => writeStorm(server, share, () => over));
    let most = 0;
    let waited = 0;
    while ((await infoNumber(client, 'rdb_bgsave_in_progress')) === 1) {
      most = Math.max(most, await infoNumber(client, 'current_cow_size'));
      waited = Math.max(waited, await infoNumber(client, 'snapshot_waiting_writes'));
      expect(String(await client.call('GET', 'k:7')).length).toBe(600);
    }
    const throttledWrites = await infoNumber(client, 'snapshot_throttled_writes');
    await client.must('SET', 'after', 'it goes on');
    over = true;
    await Promise.all(storm);
    expect(waited).toBeGreaterThan(0);
    expect(most).toBeGreaterThan(BOUND_BYTES / 2);
    expect(most).toBeLessThan(BOUND_BYTES + OVERRUN_BYTES);
    expect(await infoNumber(client, 'snapshot_throttled')).toBeGreaterThan(0);
    expect(throttledWrites).toBeGreaterThan(0);
    await waitUntil('no write waits', async () => (await infoNumber(client, 'snapshot_waiting_writes')) === 0);
    await server.kill();
    const again = await servers.start({ ...start, folder: server.folder });
    const reader = await again.connect();
    expect(await reader.call('DBSIZE')).toBe(KEYS);
    for (let key = 0; key < KEYS; key += 7) expect(await reader.call('GET', `k:${key}`)).toBe(value(key, 0));
  });

  test('a snapshot that is ended lets the writes go on', async () => {
    const start = {
      command: serverUnderTest(),
      options: { save: '', appendonly: 'yes' },
      skeinOptions: { workers: 2, 'snapshot-memory': 100_000 },
    };
    const server = await servers.start(start);
    const client = await server.connect();
    await fill(client);
    await client.must('CONFIG', 'SET', 'rdb-key-save-delay', 10_000_000);
    await client.must('BGREWRITEAOF');
    let over = false;
    const storm = Array.from({ length: WRITERS }, (_, share) => writeStorm(server, share, () => over));
    await waitUntil('writes wait', async () => (await infoNumber(client, 'snapshot_waiting_writes')) === WRITERS);
    await client.must('CONFIG', 'SET', 'appendonly', 'no');
    await client.must('SET', 'after', 'it goes on');
    over = true;
    await Promise.all(storm);
  });
});
