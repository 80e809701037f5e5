/** Input as it really arrives: cut anywhere, too long, malformed, and from clients that never read. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeReply, ReplyError } from '../server/reply-reader.ts';
import { type Command, frame, type RespClient } from '../server/resp-client.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const MIB = 1 << 20;
const servers = new ServerGroup();
afterAll(() => servers.removeAll());

const text = async (reply: Promise<Buffer>) => {
  const value = decodeReply(await reply);
  return value instanceof ReplyError ? `-${value.message}` : value;
};

describe.each(SHAPES)('reader $reader', (shape) => {
  let server: ServerProcess;
  let other: RespClient;
  beforeAll(async () => {
    server = await startShape(servers, shape);
    other = await server.connect();
  });

  /** Waits until the server has taken what was sent so far: another client's command runs on every worker's loop later. */
  async function taken(client: RespClient, bytes: Buffer): Promise<void> {
    client.send(bytes);
    await other.must('PING');
  }

  test('a pipeline cut in two at every byte', async () => {
    const commands: Command[] = [
      ['SET', 'cut', 'a\r\nb'],
      ['GET', 'cut'],
      ['MSET', 'x', '1', 'y', '2'],
      ['INCR', 'none:$3'],
      ['DEL', 'none:$3'],
    ];
    const bytes = Buffer.concat([...commands.map(frame), Buffer.from('PING inline\r\n'), frame(['MGET', 'x', 'y'])]);
    const client = await server.connect();
    for (let cut = 1; cut < bytes.length; cut++) {
      await taken(client, bytes.subarray(0, cut));
      client.send(bytes.subarray(cut));
      const replies: unknown[] = [];
      for (let i = 0; i < 7; i++) replies.push(await text(client.nextReply()));
      expect(replies).toEqual(['OK', 'a\r\nb', 'OK', 1, 1, 'inline', ['1', '2']]);
    }
    client.close();
  });

  test('byte by byte', async () => {
    const client = await server.connect();
    const bytes = Buffer.concat([frame(['SET', 'slow', 'value']), Buffer.from('GET slow\r\n')]);
    for (const byte of bytes) await taken(client, Buffer.from([byte]));
    expect(await text(client.nextReply())).toBe('OK');
    expect(await text(client.nextReply())).toBe('value');
    client.close();
  });

  test('values of megabytes, in pieces, between small commands', async () => {
    const client = await server.connect();
    const value = Buffer.alloc(5 * MIB, 'abcdefg');
    const bytes = Buffer.concat([
      frame(['SET', 'before', '1']),
      frame(['SET', 'big', value]),
      frame(['GET', 'before']),
    ]);
    for (let at = 0; at < bytes.length; at += 700_001) await taken(client, bytes.subarray(at, at + 700_001));
    for (const expected of ['OK', 'OK', '1']) expect(await text(client.nextReply())).toBe(expected);
    const back = await client.callRaw(['GET', 'big']);
    expect(back.subarray(back.indexOf('\n') + 1, -2).equals(value)).toBe(true);
    await client.must('DEL', 'big');
    client.close();
  });

  test('inline commands with quotes and escapes', async () => {
    const client = await server.connect();
    client.send('set "quoted key" "a\\x00\\n\\"b"\r\n\r\nGET \'quoted key\'\n  \r\nECHO \'it\\\'s\'\r\n');
    for (const expected of ['OK', 'a\0\n"b', "it's"]) expect(await text(client.nextReply())).toBe(expected);
    client.send('GET "open\r\n');
    expect(await text(client.nextReply())).toBe('-ERR Protocol error: unbalanced quotes in request');
    await client.closed;
  });

  const MALFORMED: [string, string][] = [
    ['*abc\r\n', 'Protocol error: invalid multibulk length'],
    ['*2147483648\r\n', 'Protocol error: invalid multibulk length'],
    ['*2\r\n$3\r\nGET\r\nkey\r\n', "Protocol error: expected '$', got 'k'"],
    ['*1\r\n$-5\r\n', 'Protocol error: invalid bulk length'],
    ['*1\r\n$99999999999\r\n', 'Protocol error: invalid bulk length'],
    [`${'x'.repeat(70_000)}`, 'Protocol error: too big inline request'],
    [`*1${'1'.repeat(70_000)}`, 'Protocol error: too big mbulk count string'],
    [`*1\r\n$1${'1'.repeat(70_000)}`, 'Protocol error: too big bulk count string'],
  ];
  const malformed = MALFORMED.map(([bytes, message]) => ({
    bytes,
    start: JSON.stringify(bytes.slice(0, 16)),
    message,
  }));
  test.each(malformed)('$start…: its error comes last, only this connection ends', async ({ bytes, message }) => {
    const client = await server.connect();
    client.send(Buffer.concat([frame(['SET', 'ok', '1']), Buffer.from(bytes)]));
    expect(await text(client.nextReply())).toBe('OK');
    expect(await text(client.nextReply())).toBe(`-ERR ${message}`);
    await client.closed;
    expect(await other.must('PING')).toBe('PONG');
  });

  test('a client that leaves amid a frame, or amid its replies, disturbs nobody', async () => {
    for (let i = 0; i < 20; i++) {
      const client = await server.connect();
      client.send(frame(['SET', `left:${i}`, 'x'.repeat(1000)]).subarray(0, 40 * i + 1));
      client.send(frame(['GET', 'big']));
      client.close();
    }
    expect(await other.must('PING')).toBe('PONG');
    await waitUntil('their end', async () => String(await other.must('CLIENT', 'LIST')).split('\n').length <= 3);
  });

  test('a half-closed client still gets its replies', async () => {
    const client = await server.connect();
    client.send(Buffer.concat(Array.from({ length: 1000 }, (_, i) => frame(['ECHO', String(i)]))));
    client.end();
    for (let i = 0; i < 1000; i++) expect(await text(client.nextReply())).toBe(String(i));
    await client.closed;
  });
});

describe('limits', () => {
  test('before AUTH: 10 arguments of 16 384 bytes, and no more', async () => {
    const server = await startShape(servers, SHAPES[0], { options: { requirepass: 'secret' } });
    const refused = async (bytes: string, message: string) => {
      const client = await server.connect();
      client.send(bytes);
      expect(await text(client.nextReply())).toBe(`-ERR Protocol error: ${message}`);
      await client.closed;
    };
    await refused('*11\r\n', 'unauthenticated multibulk length');
    await refused('*2\r\n$4\r\nECHO\r\n$16385\r\n', 'unauthenticated bulk length');
    const client = await server.connect();
    expect(await client.call('SET', 'k', 'x'.repeat(16_000))).toEqual(
      new ReplyError('NOAUTH Authentication required.'),
    );
    expect(await client.call('PING', ...'123456789')).toEqual(new ReplyError('NOAUTH Authentication required.'));
    expect(await client.call('AUTH', 'wrong')).toEqual(
      new ReplyError('WRONGPASS invalid username-password pair or user is disabled.'),
    );
    expect(await client.call('AUTH', 'default', 'secret')).toBe('OK');
    expect(await client.call('SET', 'k', 'x'.repeat(20_000))).toBe('OK');
    expect(await client.call('DEL', ...Array.from({ length: 20 }, String))).toBe(0);
  });

  test('client-query-buffer-limit ends the connection that exceeds it, and no other', async () => {
    const server = await startShape(servers, SHAPES[0], { options: { 'client-query-buffer-limit': 2 * MIB } });
    const other = await server.connect();
    const client = await server.connect();
    client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${8 * MIB}\r\n`);
    client.send(Buffer.alloc(4 * MIB, 'x'));
    await client.closed;
    expect(await other.call('EXISTS', 'k')).toBe(0);
    expect(await other.call('SET', 'k', 'x'.repeat(MIB))).toBe('OK');
  });

  test('proto-max-bulk-len', async () => {
    const server = await startShape(servers, SHAPES[0], { options: { 'proto-max-bulk-len': MIB } });
    const client = await server.connect();
    expect(await client.call('SET', 'k', 'x'.repeat(MIB))).toBe('OK');
    client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${MIB + 1}\r\n`);
    expect(await text(client.nextReply())).toBe('-ERR Protocol error: invalid bulk length');
  });
});

const residentBytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

describe.skipIf(serverUnderTest().kind === 'stock')('back-pressure', () => {
  test('a client that sends and never reads is not served without bound', async () => {
    const server = await startShape(servers, SHAPES[0]);
    const other = await server.connect();
    await other.must('SET', 'big', 'x'.repeat(MIB));
    const before = residentBytes(server.pid);
    const client = await server.connect();
    client.pause();
    // 150 MiB of replies if all were made
    client.send(Buffer.concat(Array.from({ length: 150 }, () => frame(['GET', 'big']))));
    let latest = -1;
    await waitUntil(
      'the server serves it no further',
      async () => {
        const had = latest;
        latest = Number(/total_net_output_bytes:(\d+)/.exec(String(await other.must('INFO', 'stats')))?.[1]);
        return latest - had < 10_000;
      },
      10_000,
      50,
    );
    expect(residentBytes(server.pid) - before).toBeLessThan(50 * MIB);
    client.resume();
    for (let i = 0; i < 150; i++) expect((await client.nextReply()).length).toBeGreaterThan(MIB);
    expect(await other.must('PING')).toBe('PONG');
  });
});
