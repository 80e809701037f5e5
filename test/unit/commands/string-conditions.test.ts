import { beforeEach, describe, expect, test } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard } from './seed-keys.ts';

let server: InProcess;
beforeEach(() => {
  server = new InProcess();
});
const run = (...words: (string | number)[]) => server.run(...words);

test('DELIFEQ deletes a key that holds the value', () => {
  run('SET', 'k', 'v');
  run('SADD', 's', 'v');
  expect(run('DELIFEQ', 'k', 'x')).toBe(':0\r\n');
  expect(run('DELIFEQ', 'none', 'x')).toBe(':0\r\n');
  expect(run('DELIFEQ', 's', 'v')).toContain('-WRONGTYPE');
  server.effects();
  expect(run('DELIFEQ', 'k', 'v')).toBe(':1\r\n');
  expect(server.effects()).toEqual(['0 0 DEL k']);
  expect(run('EXISTS', 'k')).toBe(':0\r\n');
});

test('DELEX with and without conditions', () => {
  run('MSET', 'a', 'v', 'b', 'v');
  run('SADD', 's', 'v');
  expect(run('DELEX', 'a', 'IFEQ', 'x')).toBe(':0\r\n');
  expect(run('DELEX', 'a', 'ifne', 'v')).toBe(':0\r\n');
  expect(run('DELEX', 'none', 'IFNE', 'v')).toBe(':0\r\n');
  expect(run('DELEX', 'a', 'IFEQ', 'v')).toBe(':1\r\n');
  expect(run('DELEX', 'b', 'IFNE', 'x')).toBe(':1\r\n');
  expect(run('DELEX', 's', 'IFEQ', 'v')).toBe('-ERR Key should be of string type if conditions are specified\r\n');
  expect(run('DELEX', 's')).toBe(':1\r\n');
  run('SET', 'a', 'v');
  expect(run('DELEX', 'a', 'IFXX', 'v')).toContain('-ERR Invalid condition.');
  expect(run('DELEX', 'a', 'IFEQ')).toBe("-ERR wrong number of arguments for 'delex' command\r\n");
  expect(run('DBSIZE')).toBe(':1\r\n');
});

describe('MSETEX', () => {
  test('sets all or none, with a deadline for all', () => {
    expect(run('MSETEX', 2, 'a', '1', 'b', '2', 'EX', 100)).toBe(':1\r\n');
    expect([run('MGET', 'a', 'b'), run('TTL', 'a'), run('TTL', 'b')]).toEqual([
      '*2\r\n$1\r\n1\r\n$1\r\n2\r\n',
      ':100\r\n',
      ':100\r\n',
    ]);
    const deadline = server.nowMs + 100_000;
    expect(server.effects()).toEqual([`0 0 SET a 1 PXAT ${deadline}`, `0 0 SET b 2 PXAT ${deadline}`]);
    expect(run('MSETEX', 2, 'c', '1', 'b', '3', 'NX')).toBe(':0\r\n');
    expect(run('MSETEX', 2, 'c', '1', 'b', '3', 'XX')).toBe(':0\r\n');
    expect(run('EXISTS', 'c')).toBe(':0\r\n');
    expect(run('MSETEX', 2, 'a', '4', 'b', '5', 'XX', 'KEEPTTL')).toBe(':1\r\n');
    expect(run('TTL', 'a')).toBe(':100\r\n');
    expect(server.effects()).toEqual(['0 0 SET a 4 KEEPTTL', '0 0 SET b 5 KEEPTTL']);
    expect(run('MSETEX', 1, 'a', '6')).toBe(':1\r\n');
    expect(run('TTL', 'a')).toBe(':-1\r\n');
    expect(run('MSETEX', 1, 'a', '7', 'PXAT', 5)).toBe(':1\r\n');
    expect(run('EXISTS', 'a')).toBe(':0\r\n');
  });

  test('refuses what does not fit together', () => {
    expect(run('MSETEX', 'x', 'a', '1')).toBe('-ERR invalid numkeys value\r\n');
    expect(run('MSETEX', 0, 'a', '1')).toBe('-ERR invalid numkeys value\r\n');
    expect(run('MSETEX', '2147483648', 'a', '1')).toBe('-ERR invalid numkeys value\r\n');
    expect(run('MSETEX', 2, 'a', '1', 'b')).toBe('-ERR wrong number of key-value pairs\r\n');
    expect(run('MSETEX', 1, 'a', '1', 'NX', 'XX')).toBe('-ERR syntax error\r\n');
    expect(run('MSETEX', 1, 'a', '1', 'EX', 1, 'PX', 1)).toBe('-ERR syntax error\r\n');
    expect(run('MSETEX', 1, 'a', '1', 'GET')).toBe('-ERR syntax error\r\n');
    expect(run('MSETEX', 1, 'a', '1', 'EX', 0)).toBe("-ERR invalid expire time in 'msetex' command\r\n");
    expect(run('DBSIZE')).toBe(':0\r\n');
  });

  test('over two shards each journals its own', () => {
    server = new InProcess({ shards: 2 });
    const [a, b] = [keyInShard(server, 0, 'a'), keyInShard(server, 1, 'b')];
    expect(run('MSETEX', 2, a, '1', b, '2')).toBe(':1\r\n');
    expect(server.effects().sort()).toEqual([`0 0 SET ${a} 1`, `1 0 SET ${b} 2`]);
  });
});
