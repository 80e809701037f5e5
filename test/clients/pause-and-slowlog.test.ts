/** CLIENT PAUSE, SLOWLOG and LATENCY over several workers, as clients of theirs see them. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup, type ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import { SHAPES, startShape } from './client-shapes.ts';

const CLIENTS = 6;
const servers = new ServerGroup();
afterAll(() => servers.removeAll());

const isStock = serverUnderTest().kind === 'stock';

describe.each(SHAPES)('pauses and slow commands, reader $reader', (shape) => {
  let server: ServerProcess;
  let admin: Redis;
  const clients: Redis[] = [];
  beforeAll(async () => {
    server = await startShape(servers, shape, { options: { 'enable-debug-command': 'yes' } });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect();
  });

  function connect(): Redis {
    const client = new Redis({ port: server.port, host: '127.0.0.1', retryStrategy: null });
    client.on('error', () => {}); // the commands' own promises say what went wrong
    clients.push(client);
    return client;
  }

  const infoField = async (name: string) =>
    new RegExp(`^${name}:(.*)\r$`, 'm').exec(await admin.info('everything'))?.[1];
  const blocked = (count: number) =>
    waitUntil(`${count} clients wait`, async () => (await infoField('blocked_clients')) === String(count));

  test('writes of all workers wait for UNPAUSE, reads do not, a killed one never runs', async () => {
    admin = connect();
    await admin.flushall();
    expect(await admin.call('CLIENT', 'PAUSE', '100000', 'WRITE')).toBe('OK');
    const writers = Array.from({ length: CLIENTS }, connect);
    let done = 0;
    const writes = writers.map((writer, i) => writer.set(`k${i}`, 'v').then(() => done++));
    const doomed = connect();
    const id = await doomed.client('ID');
    const lost = expect(doomed.set('doomed', 'v')).rejects.toThrow();
    await blocked(CLIENTS + 1);
    expect(await Promise.all(writers.map((_, i) => admin.get(`k${i}`)))).toEqual(writers.map(() => null));
    // stock 7.0.15 dies of that
    if (!isStock) expect(await admin.call('CLIENT', 'UNBLOCK', id).catch(() => 0)).toBe(0);
    expect(await admin.call('CLIENT', 'KILL', 'ID', id)).toBe(1);
    await lost;
    await blocked(CLIENTS);
    expect(done).toBe(0);
    expect(await admin.call('CLIENT', 'UNPAUSE')).toBe('OK');
    await Promise.all(writes);
    expect(await admin.exists(...writers.map((_, i) => `k${i}`))).toBe(CLIENTS);
    expect(await admin.get('doomed')).toBeNull();
  });

  test('a pause of everything ends by itself', async () => {
    admin = connect();
    const others = Array.from({ length: CLIENTS }, connect);
    await Promise.all(others.map((other) => other.ping()));
    const began = performance.now();
    await admin.call('CLIENT', 'PAUSE', '200');
    await Promise.all(others.map((other) => other.ping()));
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  test('keys do not expire away during a pause', async () => {
    admin = connect();
    await admin.flushall();
    const before = Number(await infoField('expired_keys'));
    await Promise.all(Array.from({ length: 20 }, (_, i) => admin.set(`e${i}`, 'v', 'PX', 300)));
    await admin.call('CLIENT', 'PAUSE', '100000', 'WRITE');
    await waitUntil('they are gone', async () => (await admin.exists('e0', 'e1', 'e19')) === 0);
    expect(await admin.get('e5')).toBeNull();
    expect(await admin.dbsize()).toBe(20);
    expect(Number(await infoField('expired_keys'))).toBe(before);
    await admin.call('CLIENT', 'UNPAUSE');
    await waitUntil('they expire', async () => (await admin.dbsize()) === 0);
    expect(Number(await infoField('expired_keys'))).toBe(before + 20);
  });

  test('SLOWLOG has the slow commands of all workers in one order', async () => {
    admin = connect();
    const others = Array.from({ length: CLIENTS }, connect);
    await Promise.all(others.map((other, i) => other.client('SETNAME', `slow${i}`)));
    await admin.call('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    await admin.call('SLOWLOG', 'RESET');
    for (const other of others) await Promise.all([other.get('a'), other.get('b')]);
    await admin.call('CONFIG', 'SET', 'slowlog-log-slower-than', '-1');
    const entries = (await admin.call('SLOWLOG', 'GET', '-1')) as [number, number, number, string[], string, string][];
    const ids = entries.map(([entryId]) => entryId);
    expect(ids).toEqual(ids.map((_, i) => ids[0] - i));
    const gets = entries.filter((entry) => entry[3][0] === 'get').reverse();
    const wanted = others.flatMap((_, i) => [
      [['get', 'a'], `slow${i}`],
      [['get', 'b'], `slow${i}`],
    ]);
    expect(gets.map((entry) => [entry[3], entry[5]])).toEqual(wanted);
    for (const entry of gets) expect(entry[4]).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test.skipIf(isStock)('LATENCY notes slow commands and shows how long each takes', async () => {
    admin = connect();
    await admin.call('CONFIG', 'SET', 'latency-monitor-threshold', '20');
    await admin.call('DEBUG', 'SLEEP', '0.03');
    const latest = (await admin.call('LATENCY', 'LATEST')) as [string, number, number, number][];
    expect(latest.map(([event]) => event)).toEqual(['command']);
    expect(latest[0][2]).toBeGreaterThanOrEqual(30);
    expect(await admin.call('LATENCY', 'RESET')).toBe(1);
    expect(await admin.info('commandstats')).toMatch(/cmdstat_get:calls=\d+,usec=\d+,usec_per_call=\d+\.\d\d/);
    expect(await admin.info('latencystats')).toMatch(
      /latency_percentiles_usec_get:p50=[\d.]+,p99=[\d.]+,p99\.9=[\d.]+/,
    );
  });
});
