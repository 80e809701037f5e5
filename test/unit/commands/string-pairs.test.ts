import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';

const SYNTAX = '-ERR syntax error\r\n';
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const range = (from: number, to: number): string => `*2\r\n:${from}\r\n:${to}\r\n`;

describe.each([
  [2, 1],
  [2, 4],
  [3, 1],
  [3, 4],
])('several keys in RESP%i over %i shards', (resp, shards) => {
  const NULL = resp === 2 ? '$-1\r\n' : '_\r\n';

  function started(): InProcess {
    const server = new InProcess({ shards });
    if (resp === 3) server.run('HELLO', 3);
    return server;
  }

  it('MSET and MGET', () => {
    const server = started();
    const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`);
    server.run('SET', 'key:3', 'old', 'EX', 100);
    expect(server.run('MSET', ...keys.flatMap((key) => [key, `value of ${key}`]))).toBe('+OK\r\n');
    const values = keys.map((key) => bulk(`value of ${key}`)).join('');
    expect(server.run('MGET', ...keys, 'nokey', 'key:0')).toBe(`*52\r\n${values}${NULL}${bulk('value of key:0')}`);
    expect(server.run('TTL', 'key:3')).toBe(':-1\r\n');
    expect(server.run('MSET', 'a', '1', 'b', '2', 'a', '3')).toBe('+OK\r\n');
    expect(server.run('MGET', 'a', 'b')).toBe(`*2\r\n${bulk('3')}${bulk('2')}`);
    expect(server.run('MSET', 'a', '1', 'b')).toBe("-ERR wrong number of arguments for 'mset' command\r\n");
  });

  it('MSETNX sets all or none', () => {
    const server = started();
    expect(server.run('MSETNX', 'a', '1', 'b', '2', 'c', '3', 'a', '4')).toBe(':1\r\n');
    expect(server.run('MSETNX', 'd', '1', 'e', '2', 'c', '5')).toBe(':0\r\n');
    expect(server.run('MGET', 'a', 'b', 'c', 'd', 'e')).toBe(
      `*5\r\n${bulk('4')}${bulk('2')}${bulk('3')}${NULL}${NULL}`,
    );
    expect(server.run('MSETNX', 'd', '1', 'e')).toBe("-ERR wrong number of arguments for 'msetnx' command\r\n");
  });

  it('LCS', () => {
    const server = started();
    server.run('MSET', 'a', 'ohmytext', 'b', 'mynewtext');
    expect(server.run('LCS', 'a', 'b')).toBe(bulk('mytext'));
    expect(server.run('LCS', 'a', 'b', 'len')).toBe(':6\r\n');
    const map = resp === 2 ? '*4' : '%2';
    const reply = (...matches: string[]): string =>
      `${map}\r\n${bulk('matches')}*${matches.length}\r\n${matches.join('')}${bulk('len')}:6\r\n`;
    const text = range(4, 7) + range(5, 8);
    const my = range(2, 3) + range(0, 1);
    expect(server.run('LCS', 'a', 'b', 'IDX')).toBe(reply(`*2\r\n${text}`, `*2\r\n${my}`));
    expect(server.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', 4)).toBe(reply(`*2\r\n${text}`));
    expect(server.run('LCS', 'a', 'b', 'WITHMATCHLEN', 'idx')).toBe(reply(`*3\r\n${text}:4\r\n`, `*3\r\n${my}:2\r\n`));
    expect(server.run('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', 9)).toBe(reply());
    expect(server.run('LCS', 'a', 'nokey')).toBe(bulk(''));
    expect(server.run('LCS', 'nokey', 'a', 'LEN')).toBe(':0\r\n');
    expect(server.run('LCS', 'a', 'a')).toBe(bulk('ohmytext'));
  });

  it('LCS refuses what makes no sense and what takes too long', () => {
    const server = started();
    server.run('MSET', 'a', 'x'.repeat(12_000), 'b', 'y'.repeat(12_000));
    expect(server.run('LCS', 'a', 'b', 'LEN')).toBe(
      '-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n',
    );
    expect(server.run('LCS', 'a', 'b', 'LEN', 'IDX')).toBe(
      '-ERR If you want both the length and indexes, please just use IDX.\r\n',
    );
    expect(server.run('LCS', 'a', 'b', 'FOO')).toBe(SYNTAX);
    expect(server.run('LCS', 'a', 'b', 'MINMATCHLEN')).toBe(SYNTAX);
    expect(server.run('LCS', 'a', 'b', 'MINMATCHLEN', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
  });
});

describe('memory', () => {
  it.each([1, 16, 250])(
    'an MSET with values of %i bytes finds room for all of them, or changes nothing',
    (valueBytes) => {
      const server = new InProcess({ shards: 2, arenaBytes: 14 << 20 });
      const count = 10_000;
      let reply = '';
      let last = 0;
      for (let round = 0; !reply.startsWith('-'); round++) {
        expect(server.run('DBSIZE')).toBe(`:${round * count}\r\n`);
        const pairs: string[] = [];
        for (let i = 0; i < count; i++) pairs.push(`k${round}:${i}`, String(i).padStart(valueBytes, '.'));
        reply = server.run(round % 2 === 0 ? 'MSET' : 'MSETNX', ...pairs);
        last = round;
      }
      expect(reply).toMatch(/^-OOM /);
      expect(last).toBeGreaterThan(0);
      expect(server.run('DBSIZE')).toBe(`:${last * count}\r\n`);
      expect(server.run('GET', 'k0:77')).toBe(bulk('77'.padStart(valueBytes, '.')));
    },
  );

  it('strings that grow in any way stop growing with an error when memory ends', () => {
    const server = new InProcess({ shards: 2, arenaBytes: 16 << 20 });
    const values = new Map<string, Buffer>();
    const value = (key: string): Buffer => values.get(key) ?? Buffer.alloc(0);
    const grown = (key: string, bytes: number): Buffer => {
      const old = value(key);
      return Buffer.concat([old, Buffer.alloc(Math.max(0, bytes - old.length))]);
    };
    let refused = 0;
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let step = 0; step < 400; step++) {
      const key = `k${random(6)}`;
      const bytes = random(2) === 0 ? random(9000) : random(3_000_000);
      let next = grown(key, bytes + 4);
      let reply: string;
      if (step % 4 === 0) {
        next = Buffer.concat([value(key), Buffer.alloc(bytes, step)]);
        reply = server.run('APPEND', key, Buffer.alloc(bytes, step));
      } else if (step % 4 === 1) {
        next.write('data', bytes);
        reply = server.run('SETRANGE', key, bytes, 'data');
      } else if (step % 4 === 2) {
        next = grown(key, bytes + 1);
        next[bytes] |= 1;
        reply = server.run('SETBIT', key, bytes * 8 + 7, 1);
      } else {
        next = Buffer.from(value('k1').map((byte) => ~byte));
        reply = server.run('BITOP', 'NOT', key, 'k1');
        if (next.length === 0) values.delete(key);
      }
      if (reply.startsWith('-OOM ')) refused++;
      else if (next.length > 0) values.set(key, next);
    }
    expect(refused).toBeGreaterThan(20);
    for (const [key, expected] of values) expect(server.run('GET', key)).toBe(bulk(expected.toString('latin1')));
    for (const key of values.keys()) server.run('DEL', key);
    expect(server.run('SETRANGE', 'k0', 2_000_000, 'x')).toBe(':2000001\r\n');
  });
});
