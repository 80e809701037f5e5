/** What ioredis and node-redis do with subscriptions by themselves: subscribe again after a break, RESP3, caching. */
import { setImmediate as turn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createClient, type RespVersions } from 'redis';
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../server/wait-until.ts';
import { oneServer } from './one-server.ts';

const server = oneServer();
const { closers } = server;

function ioredis(): Redis {
  const client = new Redis({ port: server.port, host: '127.0.0.1', retryStrategy: () => 20 });
  client.on('error', () => {}); // the commands' own promises say what went wrong
  closers.push(() => client.disconnect());
  return client;
}

async function nodeRedis(RESP: RespVersions, clientSideCache = false) {
  const client = createClient({
    url: `redis://127.0.0.1:${server.port}`,
    RESP,
    socket: { reconnectStrategy: () => 20 },
    ...(clientSideCache ? { clientSideCache: { ttl: 0, maxEntries: 0 } } : {}),
  });
  client.on('error', () => {});
  await client.connect();
  closers.push(() => client.isOpen && client.destroy());
  return client;
}

/** Tells every subscriber on every kind of channel until each has heard it: whoever lost its connection comes back by itself. */
async function tellUntilHeard(what: string, heard: readonly string[][], expected: readonly string[]): Promise<number> {
  const teller = ioredis();
  let told = 0;
  await waitUntil(`"${what}" with everybody`, async () => {
    told++;
    await Promise.all([teller.publish('channel', what), teller.spublish('shard', what)]);
    return heard.every((mine) => expected.every((one) => mine.includes(one)));
  });
  return told;
}

describe('ioredis', () => {
  test('subscriptions of each kind come back after the connection was killed', async () => {
    const subscribers = Array.from({ length: 4 }, ioredis);
    const heard = subscribers.map((subscriber) => {
      const mine: string[] = [];
      subscriber.on('message', (channel, message) => mine.push(`${channel} ${message}`));
      subscriber.on('pmessage', (pattern, channel, message) => mine.push(`${pattern} ${channel} ${message}`));
      subscriber.on('smessage', (channel, message) => mine.push(`s ${channel} ${message}`));
      return mine;
    });
    for (const subscriber of subscribers) {
      expect(await subscriber.subscribe('channel', 'gone')).toBe(2);
      expect(await subscriber.psubscribe('chan*')).toBe(3);
      expect(await subscriber.unsubscribe('gone')).toBe(2);
      expect(await subscriber.ssubscribe('shard')).toBe(1);
    }
    const all = (what: string) => [`channel ${what}`, `chan* channel ${what}`, `s shard ${what}`];
    const told = await tellUntilHeard('before', heard, all('before'));
    await waitUntil('each word', () => heard.every((mine) => mine.length >= 3 * told));
    for (const mine of heard) expect(mine).toHaveLength(3 * told);
    const admin = ioredis();
    expect(await admin.client('KILL', 'TYPE', 'pubsub')).toBe(4);
    await tellUntilHeard('after', heard, all('after'));
    expect(await admin.pubsub('NUMSUB', 'channel', 'gone')).toEqual(['channel', 4, 'gone', 0]);
    expect(await admin.pubsub('SHARDNUMSUB', 'shard')).toEqual(['shard', 4]);
    expect(await admin.pubsub('NUMPAT')).toBe(1);
  });

  test('a subscriber may do nothing else; once it has left all channels it may again', async () => {
    const redis = ioredis();
    await redis.subscribe('a', 'b');
    await redis.psubscribe('c*');
    await expect(redis.get('k')).rejects.toThrow('subscriber mode');
    await redis.unsubscribe('a', 'b');
    await redis.punsubscribe('c*');
    expect(await redis.set('k', 'v')).toBe('OK');
    expect(await redis.get('k')).toBe('v');
  });

  test('bytes of a message are those of the publisher', async () => {
    const [subscriber, publisher] = [ioredis(), ioredis()];
    const seen: Buffer[] = [];
    subscriber.on('messageBuffer', (_channel, message) => seen.push(message));
    await subscriber.subscribe('bytes');
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const long = Buffer.alloc(3 << 20, every);
    await publisher.publish('bytes', every);
    await publisher.publish('bytes', long);
    await publisher.publish('bytes', '');
    await waitUntil('three messages', () => seen.length === 3);
    expect(seen[0].equals(every)).toBe(true);
    expect(seen[1].equals(long)).toBe(true);
    expect(seen[2].length).toBe(0);
  });
});

describe.each([2, 3] as const)('node-redis, RESP%i', (resp) => {
  test('subscriptions of each kind come back after the connection was killed', async () => {
    const subscribers = await Promise.all(Array.from({ length: 4 }, () => nodeRedis(resp)));
    const heard: string[][] = [];
    for (const subscriber of subscribers) {
      const mine: string[] = [];
      heard.push(mine);
      await subscriber.subscribe('channel', (message, channel) => mine.push(`${channel} ${message}`));
      await subscriber.pSubscribe('chan*', (message, channel) => mine.push(`chan* ${channel} ${message}`));
      await subscriber.sSubscribe('shard', (message, channel) => mine.push(`s ${channel} ${message}`));
      await subscriber.subscribe('gone', () => mine.push('gone'));
      await subscriber.unsubscribe('gone');
    }
    const all = (what: string) => [`channel ${what}`, `chan* channel ${what}`, `s shard ${what}`];
    await tellUntilHeard('before', heard, all('before'));
    const admin = ioredis();
    expect(await admin.client('KILL', 'TYPE', 'pubsub')).toBe(4);
    await tellUntilHeard('after', heard, all('after'));
    expect(await admin.publish('gone', 'x')).toBe(0);
    for (const mine of heard) expect(mine).not.toContain('gone');
    await Promise.all(subscribers.map((subscriber) => subscriber.sUnsubscribe('shard')));
    await Promise.all(subscribers.map((subscriber) => subscriber.pUnsubscribe('chan*')));
    await Promise.all(subscribers.map((subscriber) => subscriber.unsubscribe('channel')));
    expect(await admin.pubsub('CHANNELS')).toEqual([]);
    expect(await admin.pubsub('SHARDCHANNELS')).toEqual([]);
    expect(String(await subscribers[0].ping())).toBe('PONG');
  });

  test('commands between messages keep their replies', async () => {
    const client = await nodeRedis(resp);
    const subscriber = resp === 3 ? client : await nodeRedis(resp); // with RESP3 one connection does both
    const seen: string[] = [];
    await subscriber.subscribe('between', (message) => seen.push(message));
    const replies = await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        await client.publish('between', String(n));
        return client.incr(`between:${resp}`);
      }),
    );
    expect(replies.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
    await waitUntil('all messages', () => seen.length === 300);
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => String(n)));
  });

  test('key events: of a command, of a script, of time, and only of what was asked for', async () => {
    const [subscriber, client] = await Promise.all([nodeRedis(resp), nodeRedis(resp)]);
    await client.configSet('notify-keyspace-events', 'Exg$l');
    const seen: string[] = [];
    await subscriber.pSubscribe('__keyevent@0__:*', (key, channel) => seen.push(`${channel.split(':')[1]} ${key}`));
    await client.set('e:1', 'v');
    await client.hSet('e:hash', 'f', 'v'); // hashes were not asked for
    await client.eval("redis.call('RPUSH', KEYS[1], 'x') return redis.call('RENAME', KEYS[1], KEYS[2])", {
      keys: ['e:list', 'e:moved'],
    });
    await client.set('e:short', 'v', { expiration: { type: 'PX', value: 30 } });
    await client.del(['e:1', 'e:none']);
    await waitUntil('the end of a key', () => seen.includes('expired e:short'));
    const [ofTime, ofCommands] = [
      seen.filter((one) => one.startsWith('expired')),
      seen.filter((one) => !one.startsWith('expired')),
    ];
    expect(ofTime).toEqual(['expired e:short']);
    expect(ofCommands).toEqual([
      'set e:1',
      'rpush e:list',
      'rename_from e:list',
      'rename_to e:moved',
      'set e:short',
      'expire e:short',
      'del e:1',
    ]);
    await client.configSet('notify-keyspace-events', '');
  });
});

describe('node-redis with its cache', () => {
  test('reads come from the cache until somebody writes, by whatever command', async () => {
    const [reader, writer] = [await nodeRedis(3, true), ioredis()];
    const stats = () => reader.clientSideCache!.stats();
    const gets = async () => Number(/cmdstat_get:calls=(\d+)/.exec(await writer.info('commandstats'))?.[1] ?? 0);
    await writer.set('c:1', 'one');
    expect(await reader.get('c:1')).toBe('one');
    const [callsBefore, hitsBefore] = [await gets(), stats().hitCount];
    for (let n = 0; n < 100; n++) expect(await reader.get('c:1')).toBe('one');
    expect(stats().hitCount - hitsBefore).toBe(100);
    expect(await gets()).toBe(callsBefore);
    const changes: [string, () => Promise<unknown>, string | null][] = [
      ['SET', () => writer.set('c:1', 'two'), 'two'],
      ['APPEND in MULTI', () => writer.multi().append('c:1', '!').exec(), 'two!'],
      ['a script', () => writer.eval("return redis.call('SET', KEYS[1], 'three')", 1, 'c:1'), 'three'],
      ['RENAME', () => writer.multi().set('c:other', 'four').rename('c:other', 'c:1').exec(), 'four'],
      ['expiry', () => writer.pexpire('c:1', 20), null],
      ['SET again', () => writer.set('c:1', 'five'), 'five'],
      ['FLUSHALL', () => writer.flushall(), null],
    ];
    for (const [how, change, value] of changes) {
      await change();
      await waitUntil(`what ${how} left`, async () => (await reader.get('c:1')) === value);
    }
  });

  test('a cache that lost its connection forgets what it had', async () => {
    const [reader, writer] = [await nodeRedis(3, true), ioredis()];
    await writer.mset('c:a', '1', 'c:b', '2');
    expect(await reader.mGet(['c:a', 'c:b'])).toEqual(['1', '2']);
    expect(await reader.get('c:a')).toBe('1');
    const id = await reader.clientId();
    await writer.multi().client('KILL', 'ID', String(id)).set('c:a', 'new').exec();
    await waitUntil('the new value', async () => {
      const value = await reader.get('c:a').catch(() => 'broken');
      return value === 'new';
    });
    expect(await reader.mGet(['c:a', 'c:b'])).toEqual(['new', '2']);
  });

  test('many readers and writers: in the end everybody reads what was written last', async () => {
    const readers = await Promise.all(Array.from({ length: 4 }, () => nodeRedis(3, true)));
    const writers = [ioredis(), ioredis()];
    const keys = Array.from({ length: 20 }, (_, k) => `c:race:${k}`);
    let writing = true;
    const reading = readers.map(async (reader) => {
      while (writing) {
        await Promise.all(keys.map((key) => reader.get(key)));
        await turn(); // answers out of the cache take no turn of the event loop
      }
    });
    for (let n = 0; n < 200; n++) {
      await Promise.all(keys.map((key, k) => writers[k % 2].set(key, `${n}`)));
    }
    writing = false;
    await Promise.all(reading);
    for (const reader of readers) {
      await waitUntil('the last values', async () => {
        const values = await Promise.all(keys.map((key) => reader.get(key)));
        return values.every((value) => value === '199');
      });
    }
  });
});
