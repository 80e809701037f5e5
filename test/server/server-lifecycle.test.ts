import { afterEach, expect, test } from 'vitest';
import { ReplyError } from './reply-reader.ts';
import { SKEIN, SKEIN_FROM_SOURCE, serverUnderTest } from './server-command.ts';
import { ServerGroup, ServerProcess } from './server-process.ts';

const command = serverUnderTest();
const servers = new ServerGroup();
afterEach(() => servers.removeAll());

/** The server under test, and as a user starts it. */
const ways = command === SKEIN ? [{ command }, { command: SKEIN_FROM_SOURCE, startsOver: true }] : [{ command }];

test.each(ways)('starts, answers in both protocols, stops cleanly on SIGTERM: %j', async (way) => {
  const server = await servers.start(way);
  const two = await server.connect(2);
  const three = await server.connect(3);
  expect(await two.call('SET', 'k', 'v')).toBe('OK');
  expect(await three.pipeline([['GET', 'k'], ['GET', 'none'], ['NOSUCH']])).toEqual([
    'v',
    null,
    expect.any(ReplyError),
  ]);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  await two.closed;
  expect(server.running).toBe(false);
});

test('a server that cannot start is reported with its log', async () => {
  await expect(ServerProcess.start({ command, config: 'no-such-setting yes\n' })).rejects.toThrow(/no-such-setting/);
});
