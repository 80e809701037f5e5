import { beforeEach, describe, expect, test } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard } from './seed-keys.ts';

const WRONGTYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n';
let server: InProcess;
beforeEach(() => {
  server = new InProcess();
});
const run = (...words: (string | number)[]) => server.run(...words);
const words = (reply: string) => reply.split('\r\n').filter((line) => line !== '' && !/^[*$~:+]/.test(line));
const members = (key: string) => words(run('SMEMBERS', key)).sort();
const encoding = (key: string) => words(run('OBJECT', 'ENCODING', key))[0];

describe('members', () => {
  test('are added, looked up, counted and removed', () => {
    expect(run('SADD', 's', 'b', 'a', 'b')).toBe(':2\r\n');
    expect(run('SADD', 's', 'a')).toBe(':0\r\n');
    expect(run('SCARD', 's')).toBe(':2\r\n');
    expect(run('SISMEMBER', 's', 'a')).toBe(':1\r\n');
    expect(run('SMISMEMBER', 's', 'a', 'x', 'b')).toBe('*3\r\n:1\r\n:0\r\n:1\r\n');
    expect(run('SMISMEMBER', 'none', 'a', 'x')).toBe('*2\r\n:0\r\n:0\r\n');
    expect(run('SREM', 's', 'a', 'x')).toBe(':1\r\n');
    expect(run('SREM', 's', 'b', 'b')).toBe(':1\r\n');
    expect(run('EXISTS', 's')).toBe(':0\r\n');
    expect(server.effects()).toEqual(['0 0 SADD s b a b', '0 0 SREM s a x', '0 0 SREM s b b']);
  });

  test('a key of another type is refused', () => {
    run('SET', 'k', 'v');
    for (const command of [
      ['SADD', 'k', 'a'],
      ['SREM', 'k', 'a'],
      ['SPOP', 'k'],
      ['SRANDMEMBER', 'k'],
      ['SMEMBERS', 'k'],
      ['SINTER', 'no', 'k'],
      ['SUNIONSTORE', 'd', 'no', 'k'],
      ['SSCAN', 'k', '0'],
    ])
      expect(run(...command), command[0]).toBe(WRONGTYPE);
  });

  test('RESP3 answers sets', () => {
    run('SADD', 's', '1');
    run('HELLO', 3);
    expect(run('SMEMBERS', 's')).toBe('~1\r\n$1\r\n1\r\n');
    expect(run('SINTER', 's', 's')).toBe('~1\r\n$1\r\n1\r\n');
    expect(run('SRANDMEMBER', 's', 2)).toBe('*1\r\n$1\r\n1\r\n');
    expect(run('SPOP', 's', 2)).toBe('~1\r\n$1\r\n1\r\n');
  });
});

describe('forms', () => {
  test('as Redis 7.2 chooses them', () => {
    run('SADD', 'i', '1', '2');
    expect(encoding('i')).toBe('intset');
    run('SADD', 'i', 'x');
    expect(encoding('i')).toBe('listpack');
    run('SADD', 'i', 'y'.repeat(65));
    expect(encoding('i')).toBe('hashtable');
    run('SADD', 'many', ...Array.from({ length: 513 }, (_, i) => i));
    expect(encoding('many')).toBe('hashtable');
    run('SADD', 'l', 'x', ...Array.from({ length: 127 }, (_, i) => i));
    expect(encoding('l')).toBe('listpack');
    run('SADD', 'l', '-1');
    expect(encoding('l')).toBe('hashtable');
    run('SADD', '200', ...Array.from({ length: 200 }, (_, i) => i));
    run('SADD', '200', 'x');
    expect(encoding('200')).toBe('hashtable');
  });

  test('of stored results', () => {
    run('SADD', 'a', '1', '2', 'x');
    run('SADD', 'b', '1', '2', 'y');
    run('SINTERSTORE', 'i', 'a', 'b');
    expect([encoding('i'), members('i')]).toEqual(['intset', ['1', '2']]);
    run('SUNIONSTORE', 'u', 'a', 'b');
    expect([encoding('u'), members('u')]).toEqual(['listpack', ['1', '2', 'x', 'y']]);
    run('SDIFFSTORE', 'd', 'a', 'b');
    expect([encoding('d'), members('d')]).toEqual(['listpack', ['x']]);
  });
});

describe('combinations', () => {
  test('answer members of several sets', () => {
    run('SADD', 'a', '1', '2', '3', 'x');
    run('SADD', 'b', '3', 'x', 'y');
    run('SADD', 'c', 'x', '3', ...Array.from({ length: 300 }, (_, i) => `c${i}`));
    expect(words(run('SINTER', 'a', 'b', 'c')).sort()).toEqual(['3', 'x']);
    expect(words(run('SUNION', 'a', 'b', 'none')).sort()).toEqual(['1', '2', '3', 'x', 'y']);
    expect(words(run('SDIFF', 'a', 'b', 'none')).sort()).toEqual(['1', '2']);
    expect(run('SINTERCARD', 3, 'a', 'b', 'c')).toBe(':2\r\n');
    expect(run('SINTERCARD', 3, 'a', 'b', 'c', 'LIMIT', 1)).toBe(':1\r\n');
    expect(run('SINTERCARD', 1, 'c', 'LIMIT', 0)).toBe(':302\r\n');
    expect(run('SINTER', 'a', 'none')).toBe('*0\r\n');
    expect(words(run('SUNION', 'none', 'a')).length).toBe(4);
  });

  test('a stored result replaces whatever was there, an empty one removes it', () => {
    run('SADD', 'a', '1', '2');
    run('SET', 'd', 'v', 'EX', 100);
    expect(run('SINTERSTORE', 'd', 'a', 'a')).toBe(':2\r\n');
    expect(run('TTL', 'd')).toBe(':-1\r\n');
    expect(run('SDIFFSTORE', 'a', 'a', 'd')).toBe(':0\r\n');
    expect(run('EXISTS', 'a')).toBe(':0\r\n');
    expect(run('SUNIONSTORE', 'none', 'a')).toBe(':0\r\n');
    const log = server.effects();
    expect(log.slice(2)).toEqual(['0 0 SINTERSTORE d a a', '0 0 SDIFFSTORE a a d']);
  });

  test('over two shards the result is journalled as a value', () => {
    server = new InProcess({ shards: 2 });
    const [a, b] = [keyInShard(server, 0, 'a'), keyInShard(server, 1, 'b')];
    run('SADD', a, '1', '2');
    server.effects();
    expect(run('SUNIONSTORE', b, a)).toBe(':2\r\n');
    const log = server.effects();
    expect(log.length).toBe(1);
    expect(log[0].startsWith(`1 0 RESTORE ${b} 0 `)).toBe(true);
    run('DEL', a);
    expect(run('SINTERSTORE', b, a)).toBe(':0\r\n');
    expect(server.effects()).toEqual([`0 0 DEL ${a}`, `1 0 DEL ${b}`]);
  });
});

describe('SMOVE', () => {
  test('moves, creates, removes', () => {
    run('SADD', 'a', 'x', '1');
    expect(run('SMOVE', 'a', 'b', 'x')).toBe(':1\r\n');
    expect(run('SMOVE', 'a', 'b', 'x')).toBe(':0\r\n');
    expect(run('SMOVE', 'a', 'a', '1')).toBe(':1\r\n');
    expect(run('SMOVE', 'a', 'b', '1')).toBe(':1\r\n');
    expect(run('EXISTS', 'a')).toBe(':0\r\n');
    expect(members('b')).toEqual(['1', 'x']);
    run('SET', 'k', 'v');
    expect(run('SMOVE', 'none', 'k', 'x')).toBe(':0\r\n');
    expect(run('SMOVE', 'b', 'k', 'x')).toBe(WRONGTYPE);
  });

  test('over two shards is a removal and an addition', () => {
    server = new InProcess({ shards: 2 });
    const [a, b] = [keyInShard(server, 0, 'a'), keyInShard(server, 1, 'b')];
    run('SADD', a, 'x', 'y');
    run('SADD', b, 'y');
    server.effects();
    run('SMOVE', a, b, 'x');
    expect(server.effects().sort()).toEqual([`0 0 SREM ${a} x`, `1 0 SADD ${b} x`]);
    run('SMOVE', a, b, 'y');
    expect(server.effects()).toEqual([`0 0 SREM ${a} y`]);
    expect(run('EXISTS', a)).toBe(':0\r\n');
  });
});

describe('chance', () => {
  test.each([
    ['integers', (i: number) => String(i), 40],
    ['list', (i: number) => `m${i}`, 40],
    ['table', (i: number) => `m${i}`, 400],
  ] as const)('SPOP of %s takes each member once and journals what it took', (_, name, count) => {
    const all = Array.from({ length: count }, (_, i) => name(i));
    run('SADD', 's', ...all);
    server.effects();
    const one = words(run('SPOP', 's'));
    const some = words(run('SPOP', 's', 17));
    expect(new Set([...one, ...some]).size).toBe(18);
    expect(server.effects()).toEqual([`0 0 SREM s ${one[0]}`, `0 0 SREM s ${some.join(' ')}`]);
    const left = new Set(all.filter((text) => ![...one, ...some].includes(text)));
    expect(new Set(members('s'))).toEqual(left);
    expect(new Set(words(run('SPOP', 's', count)))).toEqual(left);
    expect(server.effects()).toEqual(['0 0 DEL s']);
    expect(run('SPOP', 's')).toBe('$-1\r\n');
    expect(run('SPOP', 's', 1)).toBe('*0\r\n');
  });

  test('SPOP of many members journals records of bounded length', () => {
    run('SADD', 's', ...Array.from({ length: 3000 }, (_, i) => `m${i}`));
    server.effects();
    run('SPOP', 's', 2500);
    expect(server.effects().map((record) => record.split(' ').length - 4)).toEqual([1024, 1024, 452]);
  });

  test('SRANDMEMBER with a count gives different members, with a negative one any', () => {
    for (const size of [20, 1000]) {
      run('SADD', 's', ...Array.from({ length: size }, (_, i) => `m${i}`));
      for (const count of [1, 5, size - 3, size, size + 5]) {
        const some = words(run('SRANDMEMBER', 's', count));
        expect(some.length).toBe(Math.min(count, size));
        expect(new Set(some).size).toBe(some.length);
      }
      expect(words(run('SRANDMEMBER', 's', -50)).length).toBe(50);
    }
    expect(run('SRANDMEMBER', 's', '-9223372036854775808')).toContain('value is out of range, value must between');
    expect(run('SRANDMEMBER', 's', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(run('SRANDMEMBER', 's', 0)).toBe('*0\r\n');
  });

  test.each([5, 200])('every one of %i members is met about as often', (size) => {
    run('SADD', 's', ...Array.from({ length: size }, (_, i) => `m${i}`));
    const seen = new Map<string, number>();
    const rounds = 100;
    for (let i = 0; i < rounds; i++)
      for (const text of words(run('SRANDMEMBER', 's', size / 5))) seen.set(text, (seen.get(text) ?? 0) + 1);
    expect(seen.size).toBe(size);
    for (const times of seen.values()) expect(Math.abs(times - rounds / 5)).toBeLessThan(rounds / 5);
  });
});

test('SSCAN comes round', () => {
  run('SADD', 's', ...Array.from({ length: 500 }, (_, i) => `m${i}`));
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const [next, ...some] = words(run('SSCAN', 's', cursor, 'COUNT', 20));
    for (const text of some) seen.add(text);
    cursor = next;
  } while (cursor !== '0');
  expect(seen.size).toBe(500);
  run('SADD', 'i', '1', '2', '30');
  expect(run('SSCAN', 'i', '0', 'MATCH', '3*')).toBe('*2\r\n$1\r\n0\r\n*1\r\n$2\r\n30\r\n');
  expect(run('SSCAN', 'none', '0', 'WHAT')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
  expect(run('SSCAN', 'i', '0', 'COUNT', '0')).toBe('-ERR syntax error\r\n');
});
