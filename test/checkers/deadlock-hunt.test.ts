/**
 * Under everything at once progress is always made, each request has its reply, money and tokens are kept, and the journal says the same.
 * HUNT_SECONDS=300 makes each hunt longer; HUNT_SEED repeats its commands.
 */
import { afterEach, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { ALL_MONEY, DeadlockHunt, TOKENS } from './deadlock-hunt.ts';

const LONG = process.env['HUNT_SECONDS'] !== undefined;
const SECONDS = Number(process.env['HUNT_SECONDS'] ?? 3);
const SEED = Number(process.env['HUNT_SEED'] ?? Date.now() % 1_000_000);
const STALL_MS = 10_000;

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

const shapes: [number, string][] = [
  [2, 'ring'],
  [4, 'auto'],
  ...(LONG
    ? ([
        [2, 'auto'],
        [4, 'ring'],
        [1, 'auto'],
      ] as [number, string][])
    : []),
];

test.each(shapes)(
  `%i workers, %s: nobody waits for ever, nothing is lost (seed ${SEED})`,
  async (workers, mode) => {
    const server = await servers.start({
      command: serverUnderTest(),
      options: { appendonly: 'yes', appendfsync: 'everysec', 'enable-debug-command': 'yes' },
      skeinOptions: { workers, shards: 4, 'cross-shard': mode },
    });
    const result = await new DeadlockHunt(server, { seconds: SECONDS, seed: SEED, stallMs: STALL_MS }).run();
    expect(result.replies).toBe(result.requests);
    expect(result.requests).toBeGreaterThan(SECONDS * 100);
    expect([...result.sums]).toEqual([ALL_MONEY]);
    expect(result.tokens).toEqual([...TOKENS].sort());
    expect(result.handedOver).toBeGreaterThan(SECONDS * 10);
    expect(result.snapshots).toBeGreaterThan(0);
    if (LONG) console.log(`${workers} workers, ${mode}:`, { ...result, sums: [...result.sums] });

    const client = await server.connect();
    // what has a deadline may go at any moment
    await waitUntil(
      'the end of all keys with a deadline',
      async () => !/expires=[1-9]/.test(String(await client.must('INFO', 'keyspace'))),
    );
    const before = await client.must('DEBUG', 'DIGEST');
    await client.must('DEBUG', 'RELOAD');
    expect(await client.must('DEBUG', 'DIGEST')).toBe(before);
    client.close();
  },
  SECONDS * 1000 + 60_000,
);
