/** rate-limiter-flexible over ioredis and node-redis: limits hold exactly, however many ask at once. */
import { Redis } from 'ioredis';
import { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { describe, expect, test } from 'vitest';
import { waitUntil } from '../server/wait-until.ts';
import { oneServer } from './one-server.ts';

const server = oneServer();
const { closers } = server;

/** What the limiter is built on: the client and how it has to be told of it. */
type Store = { storeClient: unknown; useRedisPackage: boolean };

async function overIoredis(): Promise<Store> {
  const client = new Redis({ port: server.port, host: '127.0.0.1', enableOfflineQueue: true });
  client.on('error', () => {});
  closers.push(() => client.disconnect());
  return { storeClient: client, useRedisPackage: false };
}

async function overNodeRedis(): Promise<Store> {
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
  client.on('error', () => {});
  await client.connect();
  closers.push(() => client.destroy());
  return { storeClient: client, useRedisPackage: true };
}

/** How many were let through, and what the others were told. */
async function outcome(tries: readonly Promise<RateLimiterRes>[]) {
  const ends = await Promise.allSettled(tries);
  const refused = ends.filter((end) => end.status === 'rejected').map((end) => end.reason);
  for (const reason of refused) expect(reason).toBeInstanceOf(RateLimiterRes);
  return { allowed: ends.length - refused.length, refused: refused as RateLimiterRes[] };
}

const CLIENTS = [
  { name: 'ioredis', open: overIoredis },
  { name: 'node-redis', open: overNodeRedis },
];

describe.each(CLIENTS)('over $name', ({ name, open }) => {
  test('points of many clients at once: not one too many, not one too few', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, open));
    const limiters = stores.map(
      (store) => new RateLimiterRedis({ ...store, keyPrefix: `${name}:many`, points: 40, duration: 100 }),
    );
    const tries = Array.from({ length: 300 }, (_, i) => limiters[i % 5].consume(`user ${i % 3}`));
    const { allowed, refused } = await outcome(tries);
    expect(allowed).toBe(3 * 40);
    for (const one of refused) {
      expect(one.remainingPoints).toBe(0);
      expect(one.msBeforeNext).toBeGreaterThan(90_000);
      expect(one.msBeforeNext).toBeLessThanOrEqual(100_000);
    }
    expect((await limiters[0].get('user 0'))?.consumedPoints).toBe(100);
    expect(await limiters[1].get('nobody')).toBe(null);
  });

  test('a window that ends gives all points back', async () => {
    const limiter = new RateLimiterRedis({ ...(await open()), keyPrefix: `${name}:window`, points: 2, duration: 1 });
    const began = Date.now();
    const first = await limiter.consume('k');
    expect([first.consumedPoints, first.remainingPoints, first.isFirstInDuration]).toEqual([1, 1, true]);
    expect((await limiter.consume('k')).isFirstInDuration).toBe(false);
    expect((await outcome([limiter.consume('k')])).allowed).toBe(0);
    await waitUntil('the end of the window', async () => (await limiter.get('k')) === null);
    expect(Date.now() - began).toBeGreaterThanOrEqual(999);
    expect((await limiter.consume('k')).remainingPoints).toBe(1);
  });

  test('penalty, reward, several points, set, block and delete', async () => {
    const limiter = new RateLimiterRedis({
      ...(await open()),
      keyPrefix: `${name}:points`,
      points: 10,
      duration: 60,
      blockDuration: 600,
    });
    expect((await limiter.consume('k', 4)).remainingPoints).toBe(6);
    expect((await limiter.penalty('k', 3)).consumedPoints).toBe(7);
    expect((await limiter.reward('k', 5)).consumedPoints).toBe(2);
    const { refused } = await outcome([limiter.consume('k', 9)]);
    expect(refused[0].msBeforeNext).toBeGreaterThan(599_000); // blocked, and for longer than the window
    expect(await limiter.delete('k')).toBe(true);
    expect(await limiter.get('k')).toBe(null);
    await limiter.set('k', 9, 30);
    expect((await limiter.consume('k')).remainingPoints).toBe(0);
    await limiter.block('k2', 50);
    expect((await outcome([limiter.consume('k2')])).refused[0].msBeforeNext).toBeGreaterThan(49_000);
    expect(await limiter.delete('none')).toBe(false);
  });

  test('bursts and queues', async () => {
    const store = await open();
    const steady = new RateLimiterRedis({ ...store, keyPrefix: `${name}:steady`, points: 3, duration: 100 });
    const burst = new RateLimiterRedis({ ...store, keyPrefix: `${name}:burst`, points: 5, duration: 100 });
    const bursty = new BurstyRateLimiter(steady, burst);
    const tries = Array.from({ length: 12 }, () => bursty.consume('k') as Promise<RateLimiterRes>);
    expect((await Promise.allSettled(tries)).filter((end) => end.status === 'fulfilled').length).toBe(8);

    const short = new RateLimiterRedis({ ...store, keyPrefix: `${name}:queue`, points: 2, duration: 1 });
    const queue = new RateLimiterQueue(short, { maxQueueSize: 3 });
    const began = performance.now();
    const ends = await Promise.allSettled(Array.from({ length: 6 }, () => queue.removeTokens(1)));
    // two at once, three that wait for their turn, one that the queue has no room for
    expect(ends.map((end) => end.status).filter((status) => status === 'rejected').length).toBe(1);
    expect(performance.now() - began).toBeGreaterThan(900);
  });
});
