import { beforeEach, describe, expect, test } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard } from './seed-keys.ts';

let server: InProcess;
beforeEach(() => {
  server = new InProcess();
});
const run = (...words: (string | number)[]) => server.run(...words);
const words = (reply: string) => reply.split('\r\n').filter((line) => line !== '' && !/^[*$~]\d/.test(line));

describe('what is sorted', () => {
  test('numbers of a list, a set, a sorted set', () => {
    run('RPUSH', 'l', '3', '10', '-1', '2.5');
    run('SADD', 's', '3', '10', '1');
    run('ZADD', 'z', 1, '10', 2, '9');
    expect(words(run('SORT', 'l'))).toEqual(['-1', '2.5', '3', '10']);
    expect(words(run('SORT', 'l', 'DESC', 'LIMIT', 1, 2))).toEqual(['3', '2.5']);
    expect(words(run('SORT_RO', 's'))).toEqual(['1', '3', '10']);
    expect(words(run('SORT', 'z'))).toEqual(['9', '10']);
    expect(words(run('SORT', 'z', 'BY', 'nosort', 'DESC'))).toEqual(['9', '10']);
    expect(words(run('SORT', 'l', 'BY', 'nosort', 'DESC', 'LIMIT', 0, 2))).toEqual(['2.5', '-1']);
    expect(run('SORT', 'none')).toBe('*0\r\n');
  });

  test('texts', () => {
    run('RPUSH', 'l', 'b', 'a', 'B', '');
    expect(run('SORT', 'l')).toBe("-ERR One or more scores can't be converted into double\r\n");
    expect(run('SORT', 'l', 'ALPHA')).toBe('*4\r\n$0\r\n\r\n$1\r\nB\r\n$1\r\na\r\n$1\r\nb\r\n');
  });

  test('other types and wrong options are refused', () => {
    run('SET', 'k', 'v');
    expect(run('SORT', 'k')).toContain('-WRONGTYPE');
    expect(run('SORT', 'l', 'LIMIT', 1)).toBe('-ERR syntax error\r\n');
    expect(run('SORT', 'l', 'LIMIT', 'x', 1)).toBe('-ERR value is not an integer or out of range\r\n');
    expect(run('SORT_RO', 'l', 'STORE', 'd')).toBe('-ERR syntax error\r\n');
  });
});

describe('other keys', () => {
  test.each([1, 4])('are reached from %i shards', (shards) => {
    server = new InProcess({ shards });
    run('RPUSH', 'l', '1', '2', '3');
    run('MSET', 'w_1', '30', 'w_2', '20', 'w_3', '10', 'n_1', 'one', 'n_3', 'three');
    run('HSET', 'h_1', 'f', '2');
    run('HSET', 'h_2', 'f', '1');
    expect(words(run('SORT', 'l', 'BY', 'w_*'))).toEqual(['3', '2', '1']);
    expect(words(run('SORT', 'l', 'BY', 'h_*->f'))).toEqual(['3', '2', '1']);
    expect(run('SORT', 'l', 'GET', '#', 'GET', 'n_*', 'LIMIT', 1, 2)).toBe(
      '*4\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n$5\r\nthree\r\n',
    );
    expect(words(run('SORT_RO', 'l', 'BY', 'w_*', 'GET', 'h_*->f', 'LIMIT', 1, 2))).toEqual(['1', '2']);
    run('PEXPIRE', 'w_1', 1);
    server.nowMs += 5;
    expect(words(run('SORT', 'l', 'BY', 'w_*'))).toEqual(['1', '3', '2']);
  });
});

describe('STORE', () => {
  test('makes a list, and journals it as a value', () => {
    run('SADD', 's', 'b', 'a', 'c');
    run('SET', 'd', 'v', 'EX', 100);
    server.effects();
    expect(run('SORT', 's', 'BY', 'nosort', 'STORE', 'd')).toBe(':3\r\n');
    expect(server.effects()[0]).toContain('0 0 RESTORE d 0 ');
    expect(words(run('LRANGE', 'd', 0, -1))).toEqual(['a', 'b', 'c']);
    expect(run('TTL', 'd')).toBe(':-1\r\n');
    expect(run('SORT', 's', 'ALPHA', 'GET', 'none_*', 'GET', '#', 'LIMIT', 0, 1, 'STORE', 'd')).toBe(':2\r\n');
    expect(run('LRANGE', 'd', 0, -1)).toBe('*2\r\n$0\r\n\r\n$1\r\na\r\n');
    server.effects();
    expect(run('SORT', 'none', 'STORE', 'd')).toBe(':0\r\n');
    expect(run('EXISTS', 'd')).toBe(':0\r\n');
    expect(server.effects()).toEqual(['0 0 DEL d']);
  });

  test('in another shard', () => {
    server = new InProcess({ shards: 2 });
    const [a, b] = [keyInShard(server, 0, 'a'), keyInShard(server, 1, 'b')];
    run('RPUSH', a, '2', '1');
    server.effects();
    expect(run('SORT', a, 'STORE', b)).toBe(':2\r\n');
    expect(server.effects()[0]).toContain(`1 0 RESTORE ${b} 0 `);
    expect(words(run('LRANGE', b, 0, -1))).toEqual(['1', '2']);
  });

  test('keys that COMMAND GETKEYS finds', () => {
    expect(words(run('COMMAND', 'GETKEYS', 'SORT', 'a', 'BY', 'w_*', 'STORE', 'd', 'STORE', 'e'))).toEqual(['a', 'e']);
    expect(words(run('COMMAND', 'GETKEYS', 'SORT', 'a', 'GET', 'store', 'STORE', 'x'))).toEqual(['a', 'x']);
    expect(words(run('COMMAND', 'GETKEYS', 'SORT_RO', 'a', 'BY', 'w_*'))).toEqual(['a']);
  });
});
