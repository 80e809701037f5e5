/** What a client may queue, and what happens to a transaction when its client or the server's state changes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil, within } from '../server/wait-until.ts';

const servers = new ServerGroup();
let server: ServerProcess;
beforeAll(async () => {
  server = await servers.start({ command: serverUnderTest(), skeinOptions: { workers: 2, shards: 4 } });
});
afterAll(() => servers.removeAll());

test('what is queued counts as input: beyond client-query-buffer-limit the connection is closed', async () => {
  const [client, other] = [await server.connect(), await server.connect()];
  await other.must('CONFIG', 'SET', 'client-query-buffer-limit', '1mb');
  await client.must('MULTI');
  const value = 'x'.repeat(100_000);
  for (let i = 0; i < 20 && !client.isLost; i++) await client.call('SET', `k${i}`, value).catch(() => {});
  await within('the connection is closed', client.closed, 5000);
  expect(await other.must('EXISTS', 'k0')).toBe(0);
  await other.must('CONFIG', 'SET', 'client-query-buffer-limit', '1gb');
  other.close();
});

test('OOM while commands are queued, and at EXEC', async () => {
  const [client, other] = [await server.connect(), await server.connect()];
  await client.must('MULTI');
  await client.must('SET', 'k', 'v');
  await other.must('SET', 'filler', 'x');
  await other.must('CONFIG', 'SET', 'maxmemory', '1');
  const abort = "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.";
  expect(await client.call('EXEC')).toMatchObject({ message: expect.stringContaining(abort) });
  await client.must('MULTI');
  expect(await client.call('GET', 'k')).toMatchObject({ message: expect.stringContaining('OOM command not allowed') });
  expect(await client.call('EXEC')).toMatchObject({
    message: expect.stringContaining('EXECABORT Transaction discarded because of previous errors.'),
  });
  await other.must('CONFIG', 'SET', 'maxmemory', '0');
  client.close();
  other.close();
});

test('a client that goes while it watches and queues leaves nothing', async () => {
  const [client, other] = [await server.connect(), await server.connect()];
  await client.must('WATCH', 'a', 'b', 'c', 'd');
  await client.must('MULTI');
  await client.must('SET', 'gone', '1');
  expect(await other.must('CLIENT', 'LIST')).toMatch(/ flags=x .* multi=1 .* watch=4/);
  client.close();
  await waitUntil('it is in no list', async () => !/ flags=x /.test(String(await other.must('CLIENT', 'LIST'))));
  expect(await other.must('EXISTS', 'gone')).toBe(0);
  other.close();
});

test('EXEC waits for the end of CLIENT PAUSE WRITE if it writes', async () => {
  const [client, reader, other] = [await server.connect(), await server.connect(), await server.connect()];
  await client.must('MULTI');
  await client.must('SET', 'paused', '1');
  await reader.must('MULTI');
  await reader.must('GET', 'paused');
  await other.must('CLIENT', 'PAUSE', 60_000, 'WRITE');
  const answer = client.call('EXEC');
  expect(await reader.must('EXEC')).toEqual([null]);
  expect(await other.must('GET', 'paused')).toBe(null);
  await other.must('CLIENT', 'UNPAUSE');
  expect(await answer).toEqual(['OK']);
  for (const one of [client, reader, other]) one.close();
});

test('long values inside a transaction', async () => {
  const client = await server.connect();
  const value = 'x'.repeat(300_000);
  await client.must('MULTI');
  for (const key of ['l1', 'l2']) await client.must('SET', key, value);
  await client.must('GET', 'l1');
  await client.must('SET', 'l1', 'short');
  await client.must('MGET', 'l1', 'l2');
  expect(await client.must('EXEC')).toEqual(['OK', 'OK', value, 'OK', ['short', value]]);
  client.close();
});
