import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard, shardOf } from './seed-keys.ts';

/** What a command journals in shard 0, database 0, without these two numbers. */
function effectsOf(server: InProcess, ...words: (string | number)[]): string[] {
  server.effects();
  server.run(...words);
  return server.effects().map((line) => line.slice(4));
}

describe('what string commands journal', () => {
  it('SET and its forms: a plain SET with the absolute deadline', () => {
    const server = new InProcess();
    const now = server.nowMs;
    const cases: [words: (string | number)[], effects: string[]][] = [
      [['SET', 'k', 'v'], ['SET k v']],
      [['set', 'k', 'v', 'nx'], []],
      [['set', 'k', 'v', 'xx'], ['SET k v']],
      [['SET', 'k', 'w', 'GET'], ['SET k w']],
      [['SET', 'k', 'x', 'IFEQ', 'v'], []],
      [['SET', 'k', 'x', 'IFEQ', 'w', 'GET'], ['SET k x']],
      [['SET', 'k', 'x', 'IFNE', 'w', 'EX', 5], [`SET k x PXAT ${now + 5000}`]],
      [['SET', 'k', 'y', 'KEEPTTL', 'GET'], ['SET k y KEEPTTL']],
      [['SET', 'k', 'v', 'PX', 5], [`SET k v PXAT ${now + 5}`]],
      [['SET', 'k', 'v', 'EXAT', now / 1000 + 1], [`SET k v PXAT ${now + 1000}`]],
      [['SET', 'k', 'v', 'PXAT', now + 1], [`SET k v PXAT ${now + 1}`]],
      [['SET', 'k', 'v', 'PXAT', now], ['DEL k']],
      [['SET', 'k', 'v', 'PXAT', 1], []],
      [['SETNX', 'k', 'v'], ['SETNX k v']],
      [['SETNX', 'k', 'v'], []],
      [['SETEX', 'k', 7, 'v'], [`SET k v PXAT ${now + 7000}`]],
      [['PSETEX', 'k', 7, 'v'], [`SET k v PXAT ${now + 7}`]],
      [['GETSET', 'k', 'w'], ['GETSET k w']],
      [['SET', 'k'], []],
      [['SET', 'k', 'v', 'EX', 0], []],
    ];
    for (const [words, effects] of cases) expect(effectsOf(server, ...words), words.join(' ')).toEqual(effects);
  });

  it('reads that change a life: the change', () => {
    const server = new InProcess();
    const now = server.nowMs;
    server.run('SET', 'k', 'v');
    expect(effectsOf(server, 'GETEX', 'k')).toEqual([]);
    expect(effectsOf(server, 'GETEX', 'k', 'PERSIST')).toEqual([]);
    expect(effectsOf(server, 'GETEX', 'k', 'EX', 3)).toEqual([`PEXPIREAT k ${now + 3000}`]);
    expect(effectsOf(server, 'GETEX', 'k', 'PERSIST')).toEqual(['PERSIST k']);
    expect(effectsOf(server, 'GETEX', 'k', 'PXAT', now)).toEqual(['DEL k']);
    expect(effectsOf(server, 'GETEX', 'k', 'EX', 3)).toEqual([]);
    expect(effectsOf(server, 'GETDEL', 'k')).toEqual([]);
    server.run('SET', 'k', 'v');
    expect(effectsOf(server, 'GETDEL', 'k')).toEqual(['DEL k']);
  });

  it('deterministic commands: themselves, if they changed anything', () => {
    const server = new InProcess();
    for (const words of [
      ['APPEND', 'k', 'ab'],
      ['SETRANGE', 'k', '1', 'x'],
      ['SETBIT', 'k', '3', '1'],
      ['BITFIELD', 'k', 'SET', 'u8', '0', '7', 'GET', 'u8', '0'],
      ['BITFIELD', 'k', 'OVERFLOW', 'FAIL', 'SET', 'u8', '80', '300'],
      ['INCR', 'c'],
      ['DECR', 'c'],
      ['INCRBY', 'c', '9223372036854775807'],
      ['DECRBY', 'c', '5'],
      ['MSET', 'a', '1', 'b', '2'],
      ['MSETNX', 'd', '1', 'e', '2'],
    ]) {
      expect(effectsOf(server, ...words), words.join(' ')).toEqual([words.join(' ')]);
    }
    for (const words of [
      ['SETRANGE', 'k', '1', ''],
      ['SETBIT', 'k', '5', '1'],
      ['BITFIELD', 'k', 'SET', 'u8', '0', '7'],
      ['BITFIELD', 'k', 'OVERFLOW', 'FAIL', 'INCRBY', 'u8', '0', '300'],
      ['BITFIELD', 'k', 'GET', 'u8', '0'],
      ['INCR', 'k'],
      ['MSETNX', 'd', '1', 'f', '2'],
      ['GET', 'k'],
      ['MGET', 'k', 'c'],
      ['LCS', 'k', 'c'],
      ['BITCOUNT', 'k'],
    ]) {
      if (words[1] === 'k' && words[0] === 'SETBIT') server.run('SETBIT', 'k', '5', '1');
      expect(effectsOf(server, ...words), words.join(' ')).toEqual([]);
    }
  });

  it('INCRBYFLOAT: its result', () => {
    const server = new InProcess();
    expect(effectsOf(server, 'INCRBYFLOAT', 'k', '1.50')).toEqual(['SET k 1.5 KEEPTTL']);
    expect(effectsOf(server, 'INCRBYFLOAT', 'k', 'x')).toEqual([]);
  });

  it('BITOP: its result, in the shard of its destination', () => {
    const server = new InProcess({ shards: 4 });
    const [a, b, to] = [keyInShard(server, 0, 'a'), keyInShard(server, 1, 'b'), keyInShard(server, 2, 'to')];
    server.run('SET', a, 'abc');
    server.run('SET', b, 'a');
    server.effects();
    server.run('BITOP', 'OR', to, a, b);
    server.run('BITOP', 'AND', a, a, a);
    server.run('BITOP', 'AND', to, 'nokey');
    server.run('BITOP', 'AND', to, 'nokey');
    expect(server.effects()).toEqual([`2 0 SET ${to} abc`, `0 0 SET ${a} abc`, `2 0 DEL ${to}`]);
  });

  it.each(['MSET', 'MSETNX'])('%s over shards: in each one its own pairs', (command) => {
    const server = new InProcess({ shards: 3 });
    const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
    server.run(command, ...keys.flatMap((key, i) => [key, i]), 'k0', 'again');
    const shards = new Map<number, string>();
    for (const [i, key] of [...keys, 'k0'].entries()) {
      const shard = shardOf(server, key);
      shards.set(shard, `${shards.get(shard) ?? `${shard} 0 MSET`} ${key} ${i === 12 ? 'again' : i}`);
    }
    expect(server.effects().sort()).toEqual([...shards.values()].sort());
    expect(shards.size).toBe(3);
  });
});
