import { beforeEach, expect, test } from 'vitest';
import { decodeReply, type Reply } from '../../server/reply-reader.ts';
import { InProcess } from './in-process.ts';

let server: InProcess;
beforeEach(() => {
  server = new InProcess({ shards: 2 });
});
const call = (...words: (string | number)[]): Reply => decodeReply(Buffer.from(server.run(...words), 'latin1'));
const stats = () => call('MEMORY', 'STATS') as Map<string, Reply>;
const fill = (keys: number) => {
  for (let i = 0; i < keys; i++) server.run('SET', `key ${i}`, 'x'.repeat(100), ...(i % 2 === 0 ? ['EX', 1000] : []));
};

test('MEMORY STATS tells what the memory is used for', () => {
  server.run('HELLO', 3);
  expect(stats().get('keys.count')).toBe(0);
  expect(stats().get('keys.bytes-per-key')).toBe(0);
  fill(1000);
  server.run('SELECT', 3);
  server.run('SET', 'other', 'database');
  const found = stats();
  const number = (name: string) => Number(found.get(name));
  expect(number('keys.count')).toBe(1001);
  expect(number('total.allocated')).toBe(server.access.spaces.reduce((sum, ks) => sum + ks.arena.liveBytes(), 0));
  expect(number('peak.allocated')).toBeGreaterThanOrEqual(number('total.allocated'));
  expect(number('keys.bytes-per-key')).toBeGreaterThan(100);
  expect(number('overhead.total') + number('dataset.bytes')).toBe(number('total.allocated'));
  expect(number('dataset.bytes')).toBeGreaterThan(100_000);
  expect(number('allocator.active')).toBeGreaterThanOrEqual(number('total.allocated'));
  expect(number('allocator.resident')).toBeGreaterThanOrEqual(number('allocator.active'));
  const main = found.get('db.0') as Map<string, number>;
  expect(main.get('overhead.hashtable.main')).toBeGreaterThan(8000);
  expect(main.get('overhead.hashtable.expires')).toBeGreaterThan(500 * 8);
  expect((found.get('db.3') as Map<string, number>).get('overhead.hashtable.expires')).toBeLessThan(1000);
  expect(found.has('db.1')).toBe(false);
});

test('MEMORY STATS in RESP2 is a flat list', () => {
  fill(1);
  const flat = call('MEMORY', 'STATS') as Reply[];
  expect(flat.length % 2).toBe(0);
  expect(flat[flat.indexOf('keys.count') + 1]).toBe(1);
  expect(flat[flat.indexOf('db.0') + 1]).toEqual([
    'overhead.hashtable.main',
    expect.any(Number),
    'overhead.hashtable.expires',
    expect.any(Number),
  ]);
});

test('MEMORY USAGE counts the blocks of a key, whatever its type', () => {
  expect(call('MEMORY', 'USAGE', 'none')).toBe(null);
  const used = () => server.access.spaces.reduce((sum, ks) => sum + ks.arena.liveBytes(), 0);
  server.run('SET', 'first', 'key');
  const elements = Array.from({ length: 3000 }, (_, i) => `element ${i}`);
  const writes: [string, ...string[]][] = [
    ['SET', 'string', 'v'.repeat(100_000)],
    ['RPUSH', 'list', ...elements],
    ['SADD', 'set', ...elements],
    ['HSET', 'hash', ...elements],
    ['ZADD', 'sorted', ...elements.flatMap((element, i) => [String(i), element])],
  ];
  for (const write of writes) {
    const before = used();
    server.run(...write);
    const taken = used() - before;
    const told = Number(call('MEMORY', 'USAGE', write[1], 'SAMPLES', 0));
    // the index of the keyspace may have grown
    expect(Math.abs(taken - told), write[1]).toBeLessThan(5000);
    expect(Number(call('MEMORY', 'USAGE', write[1])) / told).toBeCloseTo(1, 0);
  }
  expect(server.run('MEMORY', 'USAGE', 'list', 'SAMPLES')).toBe('-ERR syntax error\r\n');
  expect(server.run('MEMORY', 'USAGE', 'list', 'SAMPLES', -1)).toBe('-ERR syntax error\r\n');
  expect(server.run('MEMORY', 'USAGE', 'list', 'SAMPLES', 'x')).toBe(
    '-ERR value is not an integer or out of range\r\n',
  );
});

test('MEMORY DOCTOR has something to say about a high peak', () => {
  expect(String(call('MEMORY', 'DOCTOR'))).toContain('so little data');
  server.run('SET', 'large', 'x'.repeat(20_000_000));
  expect(String(call('MEMORY', 'DOCTOR'))).toContain('Nothing');
  server.server.samples.sample(server.nowMs, server.server.counters, 100_000_000);
  expect(String(call('MEMORY', 'DOCTOR'))).toContain('Peak');
});

test('MEMORY MALLOC-STATS, PURGE, HELP', () => {
  expect(String(call('MEMORY', 'MALLOC-STATS'))).toMatch(/shard 1: \d+ blocks/);
  expect(call('MEMORY', 'PURGE')).toBe('OK');
  expect(String(call('MEMORY', 'HELP'))).toContain('USAGE');
});
