/** CLIENT TRACKING and CACHING inside transactions, where the client's wishes change between the commands of one unit. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RespClient } from '../server/resp-client.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';

const servers = new ServerGroup();
let server: ServerProcess;
beforeAll(async () => {
  server = await servers.start({ command: serverUnderTest(), skeinOptions: { workers: 2, shards: 2 } });
});
afterAll(() => servers.removeAll());

/** A client that speaks RESP3, and says which keys it is told to forget. */
async function cachingClient(): Promise<{ client: RespClient; told: () => Promise<string[]> }> {
  const client = await server.connect();
  await client.must('HELLO', 3);
  const told = async (): Promise<string[]> => {
    // invalidations of writes that have been answered leave before the next reply
    await client.must('PING');
    return client.pushes.splice(0).flatMap(({ items }) => items[1] as string[]);
  };
  return { client, told };
}

async function writeBoth(): Promise<void> {
  const writer = await server.connect();
  await writer.must('SET', 'before', '1');
  await writer.must('SET', 'behind', '1');
}

test.each([
  ['OPTIN', ['CLIENT', 'CACHING', 'YES'], ['behind']],
  ['OPTOUT', ['CLIENT', 'CACHING', 'NO'], ['before']],
])(
  'CLIENT CACHING in a transaction of a client with %s holds for what comes behind it',
  async (mode, caching, keys) => {
    const { client, told } = await cachingClient();
    await client.must('CLIENT', 'TRACKING', 'ON', mode);
    await client.pipeline([['MULTI'], ['GET', 'before'], caching, ['GET', 'behind'], ['EXEC']]);
    await writeBoth();
    expect(await told()).toEqual(keys);
    // it was said for that transaction alone
    await client.must('GET', 'before');
    await writeBoth();
    expect(await told()).toEqual(mode === 'OPTIN' ? [] : ['before']);
  },
);

test('CLIENT TRACKING begins and ends in the midst of a transaction', async () => {
  const { client, told } = await cachingClient();
  await client.pipeline([['MULTI'], ['GET', 'before'], ['CLIENT', 'TRACKING', 'ON'], ['GET', 'behind'], ['EXEC']]);
  await writeBoth();
  expect(await told()).toEqual(['behind']);
});
