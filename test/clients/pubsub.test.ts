/** Publish and subscribe, key events and MONITOR as applications use them, over several workers. */
import { Redis } from 'ioredis';
import { createClient, type RespVersions } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const servers = new ServerGroup();
let server: ServerProcess;
const closers: (() => void)[] = [];
beforeAll(async () => {
  server = await startShape(servers, SHAPES[0], { skeinOptions: { workers: 3, shards: 4 } });
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});
afterAll(() => servers.removeAll());

function io(): Redis {
  const client = new Redis({ port: server.port, host: '127.0.0.1' });
  client.on('error', () => {}); // the commands' own promises say what went wrong
  closers.push(() => client.disconnect());
  return client;
}

describe('ioredis', () => {
  test('each message reaches every subscriber, in the publisher’s order', async () => {
    const subscribers = Array.from({ length: 6 }, io);
    const seen: string[][] = subscribers.map(() => []);
    await Promise.all(
      subscribers.map(async (subscriber, i) => {
        subscriber.on('message', (channel, message) => seen[i].push(`${channel} ${message}`));
        await subscriber.subscribe('a', 'b');
      }),
    );
    const publisher = io();
    const expected: string[] = [];
    const replies: Promise<number>[] = [];
    for (let i = 0; i < 500; i++) {
      const channel = i % 3 === 0 ? 'b' : 'a';
      expected.push(`${channel} ${i}`);
      replies.push(publisher.publish(channel, String(i)));
    }
    expect(new Set(await Promise.all(replies))).toEqual(new Set([6]));
    await waitUntil('all messages', () => seen.every((one) => one.length === 500));
    for (const one of seen) expect(one).toEqual(expected);
    expect(await publisher.pubsub('NUMSUB', 'a', 'none')).toEqual(['a', 6, 'none', 0]);
    await Promise.all(subscribers.map((subscriber) => subscriber.unsubscribe('a')));
    expect(await publisher.publish('a', 'x')).toBe(0);
    expect(await publisher.pubsub('CHANNELS')).toEqual(['b']);
    for (const subscriber of subscribers) subscriber.disconnect();
    await waitUntil('the ends of the connections', async () => (await publisher.publish('b', 'x')) === 0);
    expect(await publisher.pubsub('CHANNELS')).toEqual([]);
  });

  test('two publishers on several workers are seen in one order by all', async () => {
    const subscribers = Array.from({ length: 4 }, io);
    const seen: string[][] = subscribers.map(() => []);
    await Promise.all(
      subscribers.map(async (subscriber, i) => {
        subscriber.on('pmessage', (_pattern, channel, message) => seen[i].push(`${channel} ${message}`));
        await subscriber.psubscribe('p:*');
      }),
    );
    const publishers = Array.from({ length: 4 }, io);
    await Promise.all(
      publishers.flatMap((publisher, p) =>
        Array.from({ length: 200 }, (_, i) => publisher.publish(`p:${p}`, String(i))),
      ),
    );
    await waitUntil('all messages', () => seen.every((one) => one.length === 800));
    for (const one of seen) expect(one).toEqual(seen[0]);
  });

  test('key events, of commands and of time', async () => {
    const [subscriber, redis] = [io(), io()];
    await redis.config('SET', 'notify-keyspace-events', 'KEA');
    const seen: string[] = [];
    subscriber.on('pmessage', (_pattern, channel, message) => seen.push(`${channel} ${message}`));
    await subscriber.psubscribe('__key*__:*');
    await redis.set('k', 'v', 'PX', 20);
    await waitUntil('the expiry', () => seen.length === 6);
    expect(seen).toEqual([
      '__keyspace@0__:k set',
      '__keyevent@0__:set k',
      '__keyspace@0__:k expire',
      '__keyevent@0__:expire k',
      '__keyspace@0__:k expired',
      '__keyevent@0__:expired k',
    ]);
    seen.length = 0;
    await redis.multi().mset('x', 1, 'y', 2).incr('x').rename('x', 'z').del('z', 'y').exec();
    await waitUntil('the transaction', () => seen.length === 14);
    expect(seen.filter((_, i) => i % 2 === 1).map((one) => one.replace('__keyevent@0__:', ''))).toEqual([
      'set x',
      'set y',
      'incrby x',
      'rename_from x',
      'rename_to z',
      'del z',
      'del y',
    ]);
    await redis.config('SET', 'notify-keyspace-events', '');
  });

  test('key events of keys that are new, also where another one gives way; deadlines tell of themselves', async () => {
    const [subscriber, redis] = [io(), io()];
    await redis.config('SET', 'notify-keyspace-events', 'EAn');
    const seen: string[] = [];
    subscriber.on('pmessage', (_pattern, channel, message) => seen.push(`${channel} ${message}`));
    await subscriber.psubscribe('__keyevent@*');
    await redis.call('MSETEX', 2, 'a', 1, 'b', 2, 'EX', 100);
    await redis.rpush('list', 'x');
    await redis.copy('a', 'b', 'REPLACE');
    await redis.copy('list', 'b', 'REPLACE');
    await redis.rename('a', 'b');
    await redis.set('b', 3);
    await redis.sadd('s', 'x');
    await redis.smove('s', 't', 'x');
    await redis.pfadd('h', 'x');
    await redis.call('PFDEBUG', 'TODENSE', 'h');
    await redis.del('b', 'list');
    const expected = [
      ['new a', 'set a', 'expire a', 'new b', 'set b', 'expire b', 'new list', 'rpush list'],
      ['new b', 'copy_to b', 'new b', 'copy_to b', 'new b', 'rename_from a', 'rename_to b', 'set b'],
      ['new s', 'sadd s', 'srem s', 'del s', 'new t', 'sadd t', 'new h', 'pfadd h', 'del b', 'del list'],
    ].flat();
    await waitUntil('the last event', () => seen.at(-1) === '__keyevent@0__:del list');
    expect(seen.map((one) => one.replace('__keyevent@0__:', ''))).toEqual(expected);
    await redis.config('SET', 'notify-keyspace-events', '');
  });

  test('MONITOR shows what all connections do, without secrets', async () => {
    const [one, two] = [io(), io()];
    // ioredis takes a line for a reply that comes in one piece with the answer to MONITOR: nobody else is at it at that moment
    await Promise.all([one.ping(), two.ping()]);
    const monitor = await one.monitor();
    closers.push(() => monitor.disconnect());
    const seen: string[] = [];
    monitor.on('monitor', (_time: string, args: string[]) => seen.push(args.join(' ')));
    await two.set('k', 'v');
    await one.config('SET', 'maxclients', 10000);
    await one.get('k');
    await waitUntil('both commands', () => seen.includes('get k'));
    expect(seen.filter((line) => /^(set|get|config)/.test(line))).toEqual(['set k v', 'get k']);
  });
});

describe.each([2, 3] as const)('node-redis, RESP%i', (resp) => {
  async function connect() {
    const client = createClient({
      RESP: resp as RespVersions,
      socket: { host: '127.0.0.1', port: server.port },
    });
    client.on('error', () => {}); // the commands' own promises say what went wrong
    await client.connect();
    closers.push(() => client.destroy());
    return client;
  }

  test('channels, patterns, shard channels, binary messages', async () => {
    const [subscriber, publisher] = [await connect(), await connect()];
    const seen: string[] = [];
    const note = (message: string | Buffer, channel: string | Buffer): void => {
      seen.push(`${channel} ${typeof message === 'string' ? message : message.toString('hex')}`);
    };
    await subscriber.subscribe('c', note);
    await subscriber.subscribe('bin', note, true);
    await subscriber.pSubscribe('p.*', note);
    await subscriber.sSubscribe('s', note);
    expect(await publisher.publish('c', 'one')).toBe(1);
    expect(await publisher.publish('bin', Buffer.from([0, 13, 10, 255]) as unknown as string)).toBe(1);
    expect(await publisher.publish('p.x', 'two')).toBe(1);
    expect(await publisher.sPublish('s', 'three')).toBe(1);
    await waitUntil('four messages', () => seen.length === 4);
    expect(seen).toEqual(['c one', 'bin 000d0aff', 'p.x two', 's three']);
    expect(await publisher.pubSubNumPat()).toBe(1);
    await subscriber.unsubscribe(['c', 'bin']);
    await subscriber.pUnsubscribe('p.*');
    await subscriber.sUnsubscribe('s');
    expect(await publisher.publish('c', 'late')).toBe(0);
    expect(String(await subscriber.ping())).toBe('PONG');
  });
});
