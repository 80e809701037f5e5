/** node-redis as an application uses it, in both protocol versions. */
import { createClient, type RespVersions } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const servers = new ServerGroup();
afterAll(() => servers.removeAll());
const shapes = SHAPES.flatMap((shape) => ([2, 3] as const).map((resp) => ({ ...shape, resp })));

describe.each(shapes)('node-redis, RESP$resp, reader $reader', ({ resp, ...shape }) => {
  let server: ServerProcess;
  const clients: { destroy(): void }[] = [];
  beforeAll(async () => {
    server = await startShape(servers, shape, { options: { requirepass: 'sésame' } });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
  });

  async function connect(database = 0) {
    const client = createClient({
      RESP: resp as RespVersions,
      password: 'sésame',
      name: 'tester',
      database,
      socket: { host: '127.0.0.1', port: server.port, reconnectStrategy: () => 10 },
    });
    client.on('error', () => {}); // the commands' own promises say what went wrong
    await client.connect();
    clients.push(client);
    return client;
  }

  test('transactions', async () => {
    const redis = await connect();
    const other = await connect();
    expect(await redis.multi().set('m:1', '1').incr('m:1').get('m:1').exec()).toEqual(['OK', 2, '2']);
    await redis.watch(['m:1', 'm:2']);
    await other.set('m:2', 'x');
    await expect(redis.multi().set('m:1', '9').exec()).rejects.toThrow(/watched/i);
    expect(await other.get('m:1')).toBe('2');
    await redis.watch('m:1');
    await redis.unwatch();
    await other.set('m:1', '3');
    expect(await redis.multi().get('m:1').select(1).get('m:1').exec()).toEqual(['3', 'OK', null]);
  });

  test('strings, counters, options, expiry', async () => {
    const redis = await connect();
    expect(await redis.set('k', 'välue', { expiration: { type: 'EX', value: 100 } })).toBe('OK');
    expect(await redis.get('k')).toBe('välue');
    expect(await redis.set('k', 'x', { condition: 'NX' })).toBe(null);
    expect(await redis.set('k', 'y', { GET: true })).toBe('välue');
    expect(await redis.getDel('k')).toBe('y');
    expect(await redis.incrBy('n', 2 ** 40)).toBe(2 ** 40);
    expect(await redis.incrByFloat('f', 0.5)).toBe('0.5');
    expect(await redis.mSet({ a: '1', b: '2' })).toBe('OK');
    expect(await redis.mGet(['a', 'none', 'b'])).toEqual(['1', null, '2']);
    expect(await redis.exists(['a', 'b', 'none'])).toBe(2);
    expect(await redis.pExpire('a', 100_000)).toBe(1);
    expect(await redis.pTTL('a')).toBeGreaterThan(90_000);
    expect(await redis.setRange('b', 3, 'end')).toBe(6);
    expect(await redis.bitCount('b')).toBeGreaterThan(0);
    expect(await redis.type('b')).toBe('string');
  });

  test('typed replies: maps, errors, names', async () => {
    const redis = await connect(1);
    expect(await redis.configGet('maxmemory')).toMatchObject({ maxmemory: '0' });
    expect(await redis.clientGetName()).toBe('tester');
    expect((await redis.clientInfo()).db).toBe(1);
    await redis.set('text', 'x');
    await expect(redis.incr('text')).rejects.toThrow('ERR value is not an integer or out of range');
    expect(await redis.hello(resp as RespVersions)).toMatchObject({ proto: resp, role: 'master' });
  });

  test('many commands at once are answered in order', async () => {
    const redis = await connect();
    const names = Array.from({ length: 3000 }, (_, i) => `many:${i}`);
    await Promise.all(names.map((name) => redis.set(name, name)));
    expect(await Promise.all(names.map((name) => redis.get(name)))).toEqual(names);
  });

  test('scanIterator', async () => {
    const redis = await connect(2);
    for (let i = 0; i < 200; i++) void redis.set(`scan:${i}`, '');
    const seen = new Set<string>();
    for await (const keys of redis.scanIterator({ MATCH: 'scan:*', COUNT: 20 })) for (const key of keys) seen.add(key);
    expect(seen.size).toBe(200);
  });

  test('reconnects by itself, with password and database', async () => {
    const redis = await connect(3);
    await redis.set('here', 'three');
    const id = await redis.clientId();
    const killer = await connect();
    expect(await killer.sendCommand(['CLIENT', 'KILL', 'ID', String(id)])).toBe(1);
    await waitUntil('the new connection', async () => (await redis.clientId().catch(() => id)) !== id);
    expect(await redis.get('here')).toBe('three');
  });

  test('a wrong password is refused', async () => {
    const client = createClient({
      RESP: resp as RespVersions,
      password: 'wrong',
      socket: { host: '127.0.0.1', port: server.port, reconnectStrategy: false },
    });
    client.on('error', () => {});
    await expect(client.connect()).rejects.toThrow(/WRONGPASS/);
  });
});
