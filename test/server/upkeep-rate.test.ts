/** `hz` says how often expired keys are looked for, and a change of it counts at once. */
import { afterAll, expect, test } from 'vitest';
import type { RespClient } from './resp-client.ts';
import { SKEIN } from './server-command.ts';
import { ServerGroup } from './server-process.ts';
import { waitUntil } from './wait-until.ts';

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

async function expiredKeys(client: RespClient): Promise<number> {
  return Number(/expired_keys:(\d+)/.exec(String(await client.must('INFO', 'stats')))?.[1]);
}

/** Milliseconds until so many keys that nobody touches have expired, one after the other. */
async function expiries(client: RespClient, count: number): Promise<number> {
  const begun = performance.now();
  for (let i = 0; i < count; i++) {
    const before = await expiredKeys(client);
    await client.must('SET', 'key', 'v', 'PX', '1');
    await waitUntil('the key has expired', async () => (await expiredKeys(client)) > before);
  }
  return performance.now() - begun;
}

test('expiry comes round hz times a second', async () => {
  const server = await servers.start({ command: SKEIN, skeinOptions: { workers: 1, shards: 1, hz: 1 } });
  const client = await server.connect();
  // the first comes somewhere between two rounds, each further one a round later
  expect(await expiries(client, 3)).toBeGreaterThan(1500);
  await client.must('CONFIG', 'SET', 'hz', '500');
  expect(await expiries(client, 10)).toBeLessThan(5000);
});
