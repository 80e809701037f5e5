import { beforeEach, describe, expect, test } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard, peek } from './seed-keys.ts';

const NOT_ONE = '-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n';
const DAMAGED = '-INVALIDOBJ Corrupted HLL object detected\r\n';
let server: InProcess;
beforeEach(() => {
  server = new InProcess();
});
const run = (...words: (string | number | Buffer)[]) => server.run(...words);
const bytesOf = (key: string) => Buffer.from(peek(server, key)![0], 'latin1');

describe('PFADD and PFCOUNT', () => {
  test('tell whether something was new, and how much there is', () => {
    expect(run('PFADD', 'h')).toBe(':1\r\n');
    expect(run('PFADD', 'h')).toBe(':0\r\n');
    expect(run('PFADD', 'h', 'a', 'b', 'c')).toBe(':1\r\n');
    expect(run('PFADD', 'h', 'b', 'a')).toBe(':0\r\n');
    expect(run('PFCOUNT', 'h')).toBe(':3\r\n');
    expect(run('PFCOUNT', 'none')).toBe(':0\r\n');
    run('PFADD', 'other', 'c', 'd');
    expect(run('PFCOUNT', 'h', 'none', 'other')).toBe(':4\r\n');
  });

  test('the count is remembered in the value, and journalled once for that', () => {
    run('PFADD', 'h', 'a', 'b');
    expect(bytesOf('h')[15] & 0x80).toBe(0x80);
    server.effects();
    expect(run('PFCOUNT', 'h')).toBe(':2\r\n');
    expect(bytesOf('h').readBigUInt64LE(8)).toBe(2n);
    expect(server.effects()).toEqual(['0 0 PFCOUNT h']);
    expect(run('PFCOUNT', 'h')).toBe(':2\r\n');
    expect(server.effects()).toEqual([]);
    run('PFADD', 'h', 'a');
    expect(server.effects()).toEqual([]);
    expect(bytesOf('h')[15] & 0x80).toBe(0);
  });

  test('turns dense where the sparse form would be too long; a deadline stays', () => {
    run('CONFIG', 'SET', 'hll-sparse-max-bytes', 100);
    run('PFADD', 'h', 'a');
    run('EXPIRE', 'h', 100);
    expect(run('PFDEBUG', 'ENCODING', 'h')).toBe('+sparse\r\n');
    for (let i = 0; i < 100; i++) run('PFADD', 'h', `e${i}`);
    expect(run('PFDEBUG', 'ENCODING', 'h')).toBe('+dense\r\n');
    expect(run('STRLEN', 'h')).toBe(':12304\r\n');
    expect(run('TTL', 'h')).toBe(':100\r\n');
    expect(run('PFCOUNT', 'h')).toBe(':101\r\n');
    expect(run('PFADD', 'h', 'e5')).toBe(':0\r\n');
    expect(run('PFADD', 'h', 'new one')).toBe(':1\r\n');
    expect(run('OBJECT', 'ENCODING', 'h')).toBe('$3\r\nraw\r\n');
  });

  test('other values are refused; a damaged one stays as it is', () => {
    run('SADD', 's', 'a');
    expect(run('PFADD', 's', 'a')).toContain('WRONGTYPE Operation against');
    run('SET', 'k', 'v');
    expect(run('PFADD', 'k', 'a')).toBe(NOT_ONE);
    expect(run('PFCOUNT', 'k')).toBe(NOT_ONE);
    expect(run('PFMERGE', 'k', 'h')).toBe(NOT_ONE);
    const damaged = Buffer.concat([Buffer.from('HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80', 'latin1'), Buffer.from([0x40, 1])]);
    run('SET', 'd', damaged);
    expect(run('PFCOUNT', 'd')).toBe(DAMAGED);
    expect(run('PFADD', 'd', 'a', 'b', 'c', 'd')).toBe(DAMAGED);
    expect(run('PFMERGE', 'd')).toBe(DAMAGED);
    expect(run('PFCOUNT', 'd', 'h')).toBe(DAMAGED);
    expect(bytesOf('d')).toEqual(damaged);
  });
});

describe('PFMERGE', () => {
  test('is the union, dense if one of them is', () => {
    run('PFADD', 'a', 'x', 'y');
    run('PFADD', 'b', 'y', 'z');
    expect(run('PFMERGE', 'c', 'a', 'b', 'none')).toBe('+OK\r\n');
    expect(run('PFCOUNT', 'c')).toBe(':3\r\n');
    expect(run('PFDEBUG', 'ENCODING', 'c')).toBe('+sparse\r\n');
    expect(run('PFDEBUG', 'TODENSE', 'b')).toBe(':1\r\n');
    expect(run('PFDEBUG', 'TODENSE', 'b')).toBe(':0\r\n');
    run('PFMERGE', 'c', 'b');
    expect(run('PFDEBUG', 'ENCODING', 'c')).toBe('+dense\r\n');
    expect(run('PFCOUNT', 'c')).toBe(':3\r\n');
    expect(run('PFMERGE', 'empty')).toBe('+OK\r\n');
    expect(run('PFCOUNT', 'empty')).toBe(':0\r\n');
  });

  test('looks its target up as one more source: a miss that is counted', () => {
    run('PFMERGE', 'target', 'source');
    expect(run('INFO', 'stats')).toContain('\r\nkeyspace_misses:2\r\n');
    run('PFMERGE', 'target');
    expect(run('INFO', 'stats')).toContain('\r\nkeyspace_hits:1\r\n');
  });

  test('over two shards is journalled as the result', () => {
    server = new InProcess({ shards: 2 });
    const [a, b] = [keyInShard(server, 0, 'a'), keyInShard(server, 1, 'b')];
    run('PFADD', a, 'x');
    server.effects();
    run('PFMERGE', b, a);
    const log = server.effects();
    expect(log.length).toBe(1);
    expect(log[0].startsWith(`1 0 SET ${b} HYLL`)).toBe(true);
  });
});

test('PFDEBUG and PFSELFTEST', () => {
  run('PFADD', 'h', 'a');
  expect(run('PFDEBUG', 'DECODE', 'h')).toMatch(/^\$\d+\r\n[zZ]:\d+ v:\d,1 [zZ]:\d+\r\n$/);
  expect(
    run('PFDEBUG', 'GETREG', 'h')
      .split('\r\n')
      .filter((line) => /^:[1-9]/.test(line)).length,
  ).toBe(1);
  expect(run('PFDEBUG', 'DECODE', 'h')).toBe('-ERR HLL encoding is not sparse\r\n');
  expect(run('PFDEBUG', 'GETREG', 'none')).toBe('-ERR The specified key does not exist\r\n');
  expect(run('PFDEBUG', 'NOPE', 'h')).toBe("-ERR Unknown PFDEBUG subcommand 'NOPE'\r\n");
  expect(run('PFSELFTEST')).toBe('+OK\r\n');
});
