/** redlock over one server and over three: one holder at a time, whoever wants it. */
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SHAPES, startShape } from '../clients/client-shapes.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

interface Lock {
  readonly value: string;
  unlock(): Promise<void>;
  extend(ms: number): Promise<Lock>;
}
interface LockOptions {
  readonly retryCount: number;
  readonly retryDelay: number;
  readonly retryJitter: number;
}
interface LockMaker {
  lock(resource: string | readonly string[], ms: number): Promise<Lock>;
  on(event: 'clientError', listener: (error: Error) => void): void;
}
// the package has no types of its own
const Redlock: new (clients: readonly Redis[], options: LockOptions) => LockMaker = createRequire(import.meta.url)(
  'redlock',
);

const servers = new ServerGroup();
const group: ServerProcess[] = [];
const clients: Redis[] = [];
beforeAll(async () => {
  for (const _ of [0, 1, 2]) group.push(await startShape(servers, SHAPES[0]));
}, 60_000);
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});
afterAll(() => servers.removeAll());

const IMPATIENT: LockOptions = { retryCount: 0, retryDelay: 1, retryJitter: 1 };
const PATIENT: LockOptions = { retryCount: 3000, retryDelay: 5, retryJitter: 5 };

function redis(of: ServerProcess): Redis {
  const client = new Redis({ port: of.port, host: '127.0.0.1', retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => {}); // the locks' own promises say what went wrong
  clients.push(client);
  return client;
}

function locks(of: readonly ServerProcess[], options: LockOptions): LockMaker {
  const made = new Redlock(of.map(redis), options);
  made.on('clientError', () => {});
  return made;
}

describe.each([1, 3])('over %i servers', (count) => {
  test('one holder; given back, taken again; a resource of several names', async () => {
    const [one, other] = [locks(group.slice(0, count), IMPATIENT), locks(group.slice(0, count), IMPATIENT)];
    const lock = await one.lock('r', 30_000);
    await expect(other.lock('r', 30_000)).rejects.toThrow(/attempts to lock/);
    const free = await other.lock('free', 30_000);
    await expect(one.lock(['x', 'y', 'free'], 30_000)).rejects.toThrow(/attempts to lock/);
    await free.unlock();
    const several = await one.lock(['x', 'y', 'free'], 30_000);
    await expect(other.lock('y', 30_000)).rejects.toThrow(/attempts to lock/);
    await several.unlock();
    await lock.unlock();
    await (await other.lock('r', 30_000)).unlock();
    // a majority has answered; the last server may still be at it
    for (const server of group.slice(0, count)) {
      const asker = redis(server);
      await waitUntil('all given back', async () => (await asker.dbsize()) === 0);
    }
  });

  test('extended it lasts, left alone it ends by itself, and a late holder is told so', async () => {
    const [one, other] = [locks(group.slice(0, count), IMPATIENT), locks(group.slice(0, count), PATIENT)];
    const began = performance.now();
    let lock = await one.lock('time', 200);
    lock = await lock.extend(600);
    const next = await other.lock('time', 30_000);
    expect(performance.now() - began).toBeGreaterThanOrEqual(590);
    await expect(lock.extend(100)).rejects.toThrow(/extend/);
    await expect(lock.unlock()).rejects.toThrow(/fully release/);
    await next.unlock();
  });

  test('eight that want the same: never two at once, and nothing is lost', async () => {
    const makers = Array.from({ length: 8 }, () => locks(group.slice(0, count), PATIENT));
    let inside = 0;
    let total = 0;
    const values = new Set<string>();
    await Promise.all(
      makers.map(async (maker) => {
        for (let round = 0; round < 5; round++) {
          const lock = await maker.lock('wanted', 30_000);
          expect(++inside).toBe(1);
          values.add(lock.value);
          const before = total;
          await redisTurn();
          total = before + 1;
          inside--;
          await lock.unlock();
        }
      }),
    );
    expect(total).toBe(40);
    expect(values.size).toBe(40);
  });
});

/** Something that lets the other holders-to-be run. */
async function redisTurn(): Promise<void> {
  await clients[0].ping();
}

test('a majority is enough: with one of three servers dead locks go on, with two dead they do not', async () => {
  const maker = locks(group, IMPATIENT);
  await Promise.all(clients.map((client) => client.ping()));
  await group[2].kill();
  await waitUntil('the end of its connection', () => clients[2].status === 'end');
  const lock = await maker.lock('majority', 30_000);
  await expect(locks(group.slice(0, 2), IMPATIENT).lock('majority', 30_000)).rejects.toThrow(/attempts to lock/);
  await lock.unlock();
  await group[1].kill();
  await waitUntil('the end of its connection', () => clients[1].status === 'end');
  await expect(maker.lock('majority', 30_000)).rejects.toThrow(/attempts to lock/);
});
