/** ioredis as an application uses it. */
import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

describe.each(SHAPES)('ioredis, reader $reader', (shape) => {
  let server: ServerProcess;
  const clients: Redis[] = [];
  beforeAll(async () => {
    server = await startShape(servers, shape);
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect();
  });

  function connect(options: RedisOptions = {}): Redis {
    const client = new Redis({ port: server.port, host: '127.0.0.1', ...options });
    client.on('error', () => {}); // the commands' own promises say what went wrong
    clients.push(client);
    return client;
  }

  test('commands, buffers, errors', async () => {
    const redis = connect({ connectionName: 'tester', db: 2 });
    expect(await redis.set('k', 'välue', 'EX', 100)).toBe('OK');
    expect(await redis.get('k')).toBe('välue');
    expect(await redis.getBuffer('k')).toEqual(Buffer.from('välue'));
    const bytes = Buffer.from([0, 13, 10, 255, 36]);
    await redis.set(bytes, bytes);
    expect(await redis.getBuffer(bytes)).toEqual(bytes);
    expect(await redis.mget('k', 'none')).toEqual(['välue', null]);
    expect(await redis.client('GETNAME')).toBe('tester');
    expect(await redis.client('INFO')).toMatch(/ db=2 /);
    await expect(redis.incr('k')).rejects.toThrow('ERR value is not an integer or out of range');
    await expect(redis.call('NOSUCH', 'x')).rejects.toThrow(/unknown command/i);
  });

  test('pipelines keep order and single errors', async () => {
    const redis = connect();
    const pipeline = redis.pipeline().set('p', 'text').incr('p').get('p');
    for (let i = 0; i < 2000; i++) pipeline.set(`p:${i}`, i);
    for (let i = 0; i < 2000; i++) pipeline.get(`p:${i}`);
    const results = (await pipeline.exec()) ?? [];
    expect(results[0]).toEqual([null, 'OK']);
    expect(results[1][0]?.message).toMatch(/not an integer/);
    expect(results[2]).toEqual([null, 'text']);
    expect(results.slice(2003).map(([, value]) => value)).toEqual(Array.from({ length: 2000 }, (_, i) => String(i)));
  });

  test('transactions: pipelined, with errors, watched', async () => {
    const redis = connect();
    const other = connect();
    const results = await redis.multi().set('m:1', 'a').incr('m:1').mget('m:1', 'm:2').exec();
    expect(results?.[0]).toEqual([null, 'OK']);
    expect(results?.[1][0]?.message).toMatch(/not an integer/);
    expect(results?.[2]).toEqual([null, ['a', null]]);
    await expect(redis.multi().set('m:1', 'b').call('NOSUCH').exec()).rejects.toThrow('EXECABORT');
    expect(await redis.get('m:1')).toBe('a');

    await redis.watch('m:1', 'm:2');
    await other.set('m:2', 'x');
    expect(await redis.multi().set('m:1', 'c').exec()).toBe(null);
    await redis.watch('m:1');
    expect(await redis.multi({ pipeline: false })).toBe('OK');
    expect(await redis.set('m:1', 'd')).toBe('QUEUED');
    expect(await redis.exec()).toEqual([[null, 'OK']]);
    expect(await other.get('m:1')).toBe('d');

    // optimistic counters by several clients lose nothing
    const counters = [redis, other, connect()];
    await Promise.all(
      counters.map(async (client) => {
        for (let done = 0; done < 20; ) {
          await client.watch('m:counter');
          const value = Number((await client.get('m:counter')) ?? 0);
          if (
            (await client
              .multi()
              .set('m:counter', value + 1)
              .exec()) !== null
          )
            done++;
        }
      }),
    );
    expect(await redis.get('m:counter')).toBe('60');
  });

  test('commands issued in one turn are sent as one pipeline', async () => {
    const redis = connect({ enableAutoPipelining: true });
    const values = await Promise.all(Array.from({ length: 300 }, (_, i) => redis.incrby('auto', i)));
    expect(values.at(-1)).toBe((299 * 300) / 2);
  });

  test('keyPrefix, and scanStream over everything', async () => {
    const redis = connect({ keyPrefix: 'app:', db: 5 });
    await redis.mset(new Map(Array.from({ length: 300 }, (_, i) => [`s:${i}`, 'x'])));
    expect(await redis.get('s:7')).toBe('x');
    const plain = connect({ db: 5 });
    expect(await plain.get('app:s:7')).toBe('x');
    const seen = new Set<string>();
    for await (const keys of plain.scanStream({ match: 'app:s:*', count: 20 })) for (const key of keys) seen.add(key);
    expect(seen.size).toBe(300);
  });

  test('reconnects by itself after CLIENT KILL and takes its database along', async () => {
    const redis = connect({ db: 1, retryStrategy: () => 10 });
    await redis.set('here', 'one');
    const id = Number(await redis.client('ID'));
    const killer = connect();
    expect(await killer.call('CLIENT', 'KILL', 'ID', id)).toBe(1);
    await waitUntil('the new connection', async () => Number(await redis.client('ID').catch(() => id)) !== id);
    expect(await redis.get('here')).toBe('one');
  });

  test('waits for a server that is started again', async () => {
    const other = await startShape(servers, shape);
    const redis = connect({ port: other.port, retryStrategy: () => 20, maxRetriesPerRequest: null });
    await redis.set('k', 'v');
    await other.kill();
    const answer = redis.ping();
    servers.add(await other.restart());
    expect(await answer).toBe('PONG');
  });
});
