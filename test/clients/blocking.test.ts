/** Blocking commands as applications use them, over several workers. */
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { frame, type RespClient } from '../server/resp-client.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const servers = new ServerGroup();
const isStock = serverUnderTest().kind === 'stock';
const closers: (() => void)[] = [];
let server: ServerProcess;
let admin: RespClient;

describe.each(SHAPES)('$reader reader', (shape) => {
  beforeAll(async () => {
    server = await startShape(servers, shape, { skeinOptions: { workers: 3, shards: 4 } });
    admin = await server.connect();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) close();
    await waitUntil('nobody waits', async () => (await blockedClients()) === 0);
    await admin.must('FLUSHALL');
  });
  afterAll(() => servers.removeAll());

  test('ioredis: first come first served over connections of all workers', async () => {
    const clients = Array.from({ length: 9 }, io);
    const replies: Promise<[string, string] | null>[] = [];
    for (const client of clients) {
      replies.push(client.blpop('queue', 0));
      await blocked(replies.length);
    }
    const pusher = io();
    for (let i = 0; i < clients.length; i++) await pusher.rpush('queue', `job ${i}`);
    expect(await Promise.all(replies)).toEqual(clients.map((_, i) => ['queue', `job ${i}`]));
  });

  test('ioredis: several keys, moves from list to list, sorted sets', async () => {
    const [popper, mover, scorer, writer] = [io(), io(), io(), io()];
    const popped = popper.blpop('a', 'b', 'c', 'd', 0);
    const moved = mover.blmove('source', 'target', 'LEFT', 'RIGHT', 0);
    const scored = scorer.bzpopmin('z1', 'z2', 0);
    await blocked(3);
    await writer.multi().rpush('c', 'x').rpush('source', 'y').zadd('z2', 1.5, 'm').exec();
    expect(await Promise.all([popped, moved, scored])).toEqual([['c', 'x'], 'y', ['z2', 'm', '1.5']]);
    expect(await writer.lrange('target', 0, -1)).toEqual(['y']);
  });

  test('node-redis: groups of a stream wait for entries, in RESP3', async () => {
    const connect = async () => {
      const client = createClient({ socket: { port: server.port, host: '127.0.0.1' }, RESP: 3 });
      client.on('error', () => {}); // the commands' own promises say what went wrong
      closers.push(() => client.destroy());
      return client.connect();
    };
    const [reader, writer] = [await connect(), await connect()];
    await writer.xGroupCreate('stream', 'group', '$', { MKSTREAM: true });
    const read = reader.xReadGroup('group', 'consumer', { key: 'stream', id: '>' }, { BLOCK: 0, COUNT: 2 });
    await blocked(1);
    await writer.xAdd('stream', '1-1', { field: 'value' });
    expect(JSON.stringify(await read)).toContain('["field","value"]');
    expect((await writer.xPending('stream', 'group')).pending).toBe(1);
    expect(await reader.blPop('none', 0.01)).toBe(null);
  });

  test('a timeout comes within 10 ms, and never early', async () => {
    const client = await connected();
    for (const seconds of [0.05, 0.12, 0.2]) {
      const late: number[] = [];
      for (let attempt = 0; attempt < 10 && !(Math.min(...late) < 10); attempt++) {
        const began = performance.now();
        expect(await client.call('BLPOP', 'none', seconds)).toBe(null);
        late.push(performance.now() - began - seconds * 1000);
        expect(late.at(-1)).toBeGreaterThan(-1);
      }
      // the machine has other work, too: not each time, but always at some time
      expect(Math.min(...late)).toBeLessThan(10);
    }
  });

  test('during a pause of writes timeouts and UNBLOCK end waitings; what was pushed serves afterwards', async () => {
    const [first, brief, freed, late] = await Promise.all([connected(), connected(), connected(), connected()]);
    const pusher = await connected();
    const freedId = Number(await freed.must('CLIENT', 'ID'));
    const waits = [first.call('BLPOP', 'key', 0), freed.call('BLMOVE', 'key', 'to', 'LEFT', 'LEFT', 0)];
    await blocked(2);
    const timedOut = brief.call('BLPOP', 'key', 2);
    await blocked(3);
    expect(await admin.call('CLIENT', 'PAUSE', 100_000, 'WRITE')).toBe('OK');
    const pushed = pusher.call('RPUSH', 'key', 'a');
    await blocked(4);
    const postponed = late.call('BLPOP', 'key', 0);
    await blocked(5);
    expect(await timedOut).toBe(null);
    await blocked(4);
    expect(await admin.call('CLIENT', 'UNBLOCK', freedId)).toBe(1);
    expect(await waits[1]).toBe(null);
    expect(await admin.call('LLEN', 'key')).toBe(0);
    expect(await admin.call('CLIENT', 'UNPAUSE')).toBe('OK');
    expect([await pushed, await waits[0]]).toEqual([1, ['key', 'a']]);
    await blocked(1);
    await admin.must('RPUSH', 'key', 'b');
    expect(await postponed).toEqual(['key', 'b']);
  });

  test.skipIf(isStock)('a call that waits counts once, and its waiting is no part of its time', async () => {
    const [waiter, other] = await Promise.all([connected(), connected()]);
    const waitedMs = 500;
    // a busy machine takes its time over a command, too
    await admin.must(
      'CONFIG',
      'SET',
      'slowlog-log-slower-than',
      waitedMs * 1000,
      'latency-monitor-threshold',
      waitedMs,
    );
    await admin.must('CONFIG', 'RESETSTAT');
    await admin.must('SLOWLOG', 'RESET');
    const served = waiter.call('BLPOP', 'key', 0);
    await blocked(1);
    expect(await other.call('BLPOP', 'none', waitedMs / 1000)).toBe(null);
    await admin.must('RPUSH', 'key', 'x');
    expect(await served).toEqual(['key', 'x']);
    const [, calls, usec] = /cmdstat_blpop:calls=(\d+),usec=(\d+)/.exec(
      String(await admin.must('INFO', 'commandstats')),
    )!;
    expect(Number(calls)).toBe(2);
    expect(Number(usec)).toBeLessThan(waitedMs * 1000);
    const slow = (await admin.must('SLOWLOG', 'GET', -1)) as [number, number, number, string[]][];
    expect(slow.filter(([, , , words]) => words[0].toUpperCase() === 'BLPOP')).toEqual([]);
    expect(await admin.must('LATENCY', 'LATEST')).toEqual([]);
    await admin.must('CONFIG', 'SET', 'latency-monitor-threshold', 0);
  });

  test('CLIENT UNBLOCK, CLIENT KILL and a connection that ends leave nobody waiting', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, connected));
    const ids = await Promise.all(clients.map(async (client) => Number(await client.must('CLIENT', 'ID'))));
    const replies = clients.map((client) => client.call('BLPOP', 'key', 'other', 0));
    for (const reply of replies) reply.catch(() => {});
    await blocked(4);
    expect(String(await admin.must('CLIENT', 'LIST', 'ID', ids[0]))).toContain('flags=b');
    expect(await admin.call('CLIENT', 'UNBLOCK', ids[0])).toBe(1);
    expect(await admin.call('CLIENT', 'UNBLOCK', ids[1], 'ERROR')).toBe(1);
    expect(await admin.call('CLIENT', 'KILL', 'ID', ids[2])).toBe(1);
    clients[3].close();
    expect(await replies[0]).toBe(null);
    await expect(replies[1]).resolves.toMatchObject({ message: expect.stringMatching(/^UNBLOCKED/) });
    await expect(replies[2]).rejects.toThrow();
    await expect(replies[3]).rejects.toThrow();
    await blocked(0);
    expect(await admin.call('RPUSH', 'key', 'x')).toBe(1);
    expect(await admin.call('LLEN', 'key')).toBe(1);
    expect(await admin.call('CLIENT', 'UNBLOCK', ids[0])).toBe(0);
  });

  test('the rest of a pipeline waits with its client', async () => {
    const client = await connected();
    const pipeline = Promise.all([
      ...[client.call('BLPOP', 'key', 0), client.call('SET', 'after', '1'), client.call('BLPOP', 'key', 0)],
      client.call('GET', 'after'),
    ]);
    await blocked(1);
    expect(await admin.call('GET', 'after')).toBe(null);
    await admin.must('RPUSH', 'key', 'a');
    await waitUntil('the second command', async () => (await admin.call('GET', 'after')) === '1');
    await blocked(1);
    await admin.must('RPUSH', 'key', 'b');
    expect(await pipeline).toEqual([['key', 'a'], 'OK', ['key', 'b'], '1']);
  });

  test('pushes reach a client that waits', async () => {
    const client = await server.connect(3);
    closers.push(() => client.close());
    await client.call('CLIENT', 'TRACKING', 'ON', 'BCAST');
    // its answer is a push
    client.send(frame(['SUBSCRIBE', 'news']));
    const reply = client.call('BLPOP', 'key', 0);
    await blocked(1);
    await admin.must('PUBLISH', 'news', 'hello');
    await admin.must('SET', 'watched', '1');
    await waitUntil('both pushes', () => JSON.stringify(client.pushes).match(/hello.*watched/) !== null);
    await admin.must('RPUSH', 'key', 'x');
    expect(await reply).toEqual(['key', 'x']);
  });

  test('who waits to push into a watched key spoils no transaction before it pushes, and does after', async () => {
    const [waiting, watching] = [await connected(), await connected()];
    const transaction = async (): Promise<unknown> => {
      await watching.must('MULTI');
      await watching.must('GET', 'some key');
      return watching.call('EXEC');
    };
    await admin.must('SET', 'some key', 'value');
    const moved = waiting.call('BRPOPLPUSH', 'source', 'target', 0);
    await blocked(1);
    await watching.must('WATCH', 'target');
    expect(await transaction()).toEqual(['value']);
    await watching.must('WATCH', 'target');
    await admin.must('RPUSH', 'source', 'x');
    expect(await moved).toBe('x');
    expect(await transaction()).toBe(null);
  });

  test('WAIT and WAITAOF without replicas and journal', async () => {
    const client = await connected();
    expect(await client.call('WAIT', 0, 0)).toBe(0);
    expect(await client.call('WAIT', 1, 20)).toBe(0);
    if (shape.reader === 'data') expect(await client.call('WAITAOF', 0, 1, 20)).toEqual([0, 0]);
  });
});

function io(): Redis {
  const client = new Redis({ port: server.port, host: '127.0.0.1' });
  client.on('error', () => {}); // the commands' own promises say what went wrong
  closers.push(() => client.disconnect());
  return client;
}

async function connected(): Promise<RespClient> {
  const client = await server.connect();
  closers.push(() => client.close());
  return client;
}

async function blockedClients(): Promise<number> {
  return Number(/blocked_clients:(\d+)/.exec(String(await admin.must('INFO', 'clients')))?.[1]);
}

async function blocked(count: number): Promise<void> {
  await waitUntil(`${count} clients that wait`, async () => (await blockedClients()) === count);
}
