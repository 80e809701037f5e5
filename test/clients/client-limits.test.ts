/** What a client may cost the server, and what the server shows of it, over real sockets. */
import { afterAll, describe, expect, test } from 'vitest';
import { decodeReply, ReplyError } from '../server/reply-reader.ts';
import { frame, type RespClient } from '../server/resp-client.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const MIB = 1 << 20;
const BIG = 300_000;
const servers = new ServerGroup();
afterAll(() => servers.removeAll());

const isStock = serverUnderTest().kind === 'stock';

/** Fields of a client's line of CLIENT LIST, by the client's name; null where it is not there. */
async function shown(asked: RespClient, name: string): Promise<Map<string, string> | null> {
  const lines = String(await asked.must('CLIENT', 'LIST')).split('\n');
  const line = lines.find((text) => text.includes(` name=${name} `));
  if (line === undefined) return null;
  return new Map(line.split(' ').map((field) => field.split('=') as [string, string]));
}

async function named(server: ServerProcess, name: string): Promise<RespClient> {
  const client = await server.connect();
  await client.must('CLIENT', 'SETNAME', name);
  return client;
}

const disconnections = async (asked: RespClient) =>
  Number(
    /client_output_buffer_limit_disconnections:(\d+)/.exec(String(await asked.must('INFO', 'stats')))?.[1] ??
      Number.NaN,
  );

const PERSISTENCE = [
  { appendonly: 'no', appendfsync: 'no' },
  { appendonly: 'yes', appendfsync: 'everysec' },
  { appendonly: 'yes', appendfsync: 'always' },
];

describe.skipIf(isStock).each(SHAPES)('a pipeline of big replies, reader $reader', (shape) => {
  test.each(PERSISTENCE)('appendonly $appendonly, appendfsync $appendfsync', async (options) => {
    const server = await startShape(servers, shape, { options });
    const other = await server.connect();
    const client = await named(server, 'slow');
    client.pause();
    const commands = Array.from({ length: 200 }, (_, i) =>
      i % 100 === 0 ? frame(['SET', 'big', String(i % 7).repeat(BIG)]) : frame(['GET', 'big']),
    );
    client.send(Buffer.concat(commands));
    let most = 0;
    let ran = -1;
    await waitUntil(
      'it stands still with output owed',
      async () => {
        const had = ran;
        ran = Number(/total_commands_processed:(\d+)/.exec(String(await other.must('INFO', 'stats')))?.[1]);
        const owed = Number((await shown(other, 'slow'))?.get('omem'));
        most = Math.max(most, owed);
        return owed > MIB / 2 && ran - had <= 2;
      },
      10_000,
      100,
    );
    expect(most).toBeLessThan(4 * MIB);
    client.resume();
    for (let i = 0; i < 200; i++) {
      const reply = decodeReply(await client.nextReply());
      if (i % 100 === 0) expect(reply).toBe('OK');
      else expect(reply === String((i - (i % 100)) % 7).repeat(BIG), `reply ${i}`).toBe(true);
    }
    expect(await client.must('PING')).toBe('PONG');
    await waitUntil('nothing is owed', async () => (await shown(other, 'slow'))?.get('omem') === '0');
  });
});

describe('client-output-buffer-limit', () => {
  test('hard: a client over it is closed, others are not, and it follows CONFIG SET', async () => {
    const server = await startShape(servers, SHAPES[0]);
    const other = await server.connect();
    const client = await named(server, 'greedy');
    await other.must('SET', 'big', 'x'.repeat(BIG));
    expect(String(await client.must('GET', 'big'))).toHaveLength(BIG);
    await other.must('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 100000 0 0');
    client.send(frame(['GET', 'big']));
    await client.closed;
    expect(await shown(other, 'greedy')).toBeNull();
    if (!isStock) {
      expect(await disconnections(other)).toBe(1);
      const told = /Client id=\d+ .*name=greedy .* closed for overcoming of output buffer limits\./;
      await waitUntil('another thread has written the log', () => told.test(server.log()));
    }
  });

  test('hard, for subscribers: who does not take what is published is closed', async () => {
    const options = { 'client-output-buffer-limit': ['pubsub', 100_000, 0, 0] };
    const server = await startShape(servers, SHAPES[0], { options });
    const other = await server.connect();
    const reader = await named(server, 'greedy');
    await reader.must('SUBSCRIBE', 'news');
    reader.pause();
    await waitUntil('it is closed', async () => {
      await other.must('PUBLISH', 'news', 'x'.repeat(90_000));
      return (await shown(other, 'greedy')) === null;
    });
    expect(await other.must('PUBLISH', 'news', 'x')).toBe(0);
  });

  test('soft: a client that stays over it is closed', async () => {
    const options = { 'client-output-buffer-limit': ['normal', 0, 100_000, 1] };
    const server = await startShape(servers, SHAPES[0], { options });
    const other = await server.connect();
    const client = await named(server, 'greedy');
    await other.must('SET', 'big', 'x'.repeat(BIG));
    client.pause();
    for (let i = 0; i < 100; i++) client.send(frame(['GET', 'big']));
    await waitUntil('it has output pending', async () => Number((await shown(other, 'greedy'))?.get('omem')) > 100_000);
    await waitUntil('it is closed', async () => (await shown(other, 'greedy')) === null, 10_000, 50);
    expect(await other.must('PING')).toBe('PONG');
  });
});

describe('identity and state', () => {
  test('CLIENT LIST shows the descriptor and the bytes of the running command', async () => {
    const server = await startShape(servers, SHAPES[0]);
    const clients = [await named(server, 'one'), await named(server, 'two')];
    const fds = await Promise.all(
      ['one', 'two'].map(async (name) => Number((await shown(clients[0], name))?.get('fd'))),
    );
    expect(Math.min(...fds)).toBeGreaterThan(2);
    expect(fds[0]).not.toBe(fds[1]);
    expect((await shown(clients[0], 'one'))?.get('qbuf')).toBe(String(frame(['CLIENT', 'LIST']).length));
    expect(Number((await shown(clients[0], 'one'))?.get('argv-mem'))).toBeGreaterThanOrEqual('CLIENTLIST'.length);
    expect((await shown(clients[0], 'two'))?.get('qbuf')).toBe('0');
  });

  test('without a password nobody needs one, also who connected while there was one', async () => {
    const server = await startShape(servers, SHAPES[0], { options: { requirepass: 'secret' } });
    const admin = await server.connect();
    await admin.must('AUTH', 'secret');
    const client = await server.connect();
    const refused = new ReplyError('NOAUTH Authentication required.');
    expect(await client.call('GET', 'k')).toEqual(refused);
    await admin.must('CONFIG', 'SET', 'requirepass', '');
    expect(await client.call('SET', 'k', 'x'.repeat(20_000))).toBe('OK');
    const late = await server.connect();
    expect(await late.call('GET', 'none')).toBeNull();
    await admin.must('CONFIG', 'SET', 'requirepass', 'other');
    expect(await client.call('GET', 'k')).toEqual(refused);
    expect(await late.call('GET', 'none')).toBeNull();
  });

  test('timeout spares a client that sends a command slowly', async () => {
    const server = await startShape(servers, SHAPES[0], { options: { timeout: 2 } });
    const idle = await server.connect();
    const client = await server.connect();
    const bytes = frame(['ECHO', 'x'.repeat(40)]);
    let at = 0;
    const gone = idle.closed.then(() => true);
    // longer than the timeout, a byte at a time; the idle client shows that it passes
    await waitUntil(
      'the idle client is closed',
      async () => {
        if (at < bytes.length - 1) client.send(bytes.subarray(at, ++at));
        return await Promise.race([gone, Promise.resolve(false)]);
      },
      10_000,
      70,
    );
    client.send(bytes.subarray(at));
    expect(decodeReply(await client.nextReply())).toBe('x'.repeat(40));
  });
});
