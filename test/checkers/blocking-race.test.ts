/** Each element to exactly one of many waiting clients, over several workers; and the same state after a restart. */
import { afterEach, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { blockingRace, stealingRace } from './blocking-race.ts';

const servers = new ServerGroup();
afterEach(() => servers.removeAll());

test.each([
  [2, 'auto'],
  [4, 'auto'],
  [2, 'ring'],
])('%i workers, %s: nothing is lost, nothing comes twice, and the journal says the same', async (workers, mode) => {
  const server = await servers.start({
    command: serverUnderTest(),
    options: { appendonly: 'yes', 'enable-debug-command': 'yes' },
    skeinOptions: { workers, shards: 4, 'cross-shard': mode },
  });
  const race = { keys: 6, producers: 6, consumers: 8, elements: 150, prefix: 'list' };
  expect(await blockingRace(server, race)).toEqual({ lost: [], doubled: [] });
  const client = await server.connect();
  await client.call('RPUSH', 'rest', 'a', 'b');
  await client.call('BLMOVE', 'rest', 'elsewhere', 'LEFT', 'RIGHT', 0);
  const before = await client.call('DEBUG', 'DIGEST');
  // who was served on one shard has its name taken from the lists of others when their latches are free
  const nobody = /blocked_clients:0\r\ntotal_blocking_keys:0/;
  await waitUntil('nobody waits for any key', async () => nobody.test(String(await client.call('INFO', 'clients'))));
  expect(await client.call('DEBUG', 'RELOAD')).toBe('OK');
  expect(await client.call('DEBUG', 'DIGEST')).toBe(before);
});

test('who waits is served before anybody else can take the element', async () => {
  const server = await servers.start({ command: serverUnderTest(), skeinOptions: { workers: 2, shards: 2 } });
  expect(await stealingRace(server, 'list', 200)).toBe(0);
});
