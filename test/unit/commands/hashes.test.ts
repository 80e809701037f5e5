import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard } from './seed-keys.ts';

type Words = (string | number)[];

/** Runs the commands one after the other and expects these replies. */
function expectReplies(server: InProcess, cases: [words: Words, reply: string][]): void {
  for (const [words, reply] of cases) expect(server.run(...words), words.join(' ').slice(0, 80)).toBe(reply);
}

/** What a command journals in shard 0, database 0, without these two numbers. */
function effectsOf(server: InProcess, ...words: Words): string[] {
  server.effects();
  server.run(...words);
  return server.effects().map((line) => line.slice(4));
}

const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n';

describe('setting and reading fields', () => {
  it('HSET, HGET, HMGET, HLEN, HSTRLEN, HEXISTS, HDEL', () => {
    expectReplies(new InProcess(), [
      [['HSET', 'h', 'a', 1, 'b', 'two', 'a', 3], ':2\r\n'],
      [['HSET', 'h', 'a', 4, 'c', ''], ':1\r\n'],
      [['HGET', 'h', 'a'], '$1\r\n4\r\n'],
      [['HGET', 'h', 'x'], '$-1\r\n'],
      [['HGET', 'none', 'x'], '$-1\r\n'],
      [['HMGET', 'h', 'c', 'x', 'b'], '*3\r\n$0\r\n\r\n$-1\r\n$3\r\ntwo\r\n'],
      [['HMGET', 'none', 'c', 'x'], '*2\r\n$-1\r\n$-1\r\n'],
      [['HLEN', 'h'], ':3\r\n'],
      [['HLEN', 'none'], ':0\r\n'],
      [['HSTRLEN', 'h', 'b'], ':3\r\n'],
      [['HSTRLEN', 'h', 'a'], ':1\r\n'],
      [['HSTRLEN', 'h', 'x'], ':0\r\n'],
      [['HEXISTS', 'h', 'b'], ':1\r\n'],
      [['HEXISTS', 'h', 'x'], ':0\r\n'],
      [['HSETNX', 'h', 'b', 'no'], ':0\r\n'],
      [['HSETNX', 'h', 'd', 'yes'], ':1\r\n'],
      [['HSETNX', 'new', 'd', 'yes'], ':1\r\n'],
      [['HMSET', 'h', 'e', 'f'], '+OK\r\n'],
      [['HDEL', 'h', 'a', 'a', 'x', 'b', 'c', 'd'], ':4\r\n'],
      [['HDEL', 'h', 'e', 'e', 'x'], ':1\r\n'],
      [['EXISTS', 'h'], ':0\r\n'],
      [['HDEL', 'h', 'e'], ':0\r\n'],
    ]);
  });

  it('all fields, in RESP2 and RESP3', () => {
    const server = new InProcess();
    server.run('HSET', 'h', 'a', '1', 'b', 'x');
    expectReplies(server, [
      [['HGETALL', 'h'], '*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n'],
      [['HKEYS', 'h'], '*2\r\n$1\r\na\r\n$1\r\nb\r\n'],
      [['HVALS', 'h'], '*2\r\n$1\r\n1\r\n$1\r\nx\r\n'],
      [['HGETALL', 'none'], '*0\r\n'],
      [['HKEYS', 'none'], '*0\r\n'],
    ]);
    server.session.resp = 3;
    expectReplies(server, [
      [['HGETALL', 'h'], '%2\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\nx\r\n'],
      [['HGETALL', 'none'], '%0\r\n'],
      [['HKEYS', 'none'], '*0\r\n'],
      [['HGET', 'none', 'a'], '_\r\n'],
    ]);
  });

  it('errors', () => {
    const server = new InProcess();
    server.run('SET', 's', 'v');
    const commands: Words[] = [
      ...[
        ['HSET', 's', 'a', 1],
        ['HMSET', 's', 'a', 1],
        ['HSETNX', 's', 'a', 1],
        ['HGET', 's', 'a'],
        ['HMGET', 's', 'a'],
      ],
      ...[
        ['HDEL', 's', 'a'],
        ['HLEN', 's'],
        ['HSTRLEN', 's', 'a'],
        ['HEXISTS', 's', 'a'],
        ['HKEYS', 's'],
        ['HVALS', 's'],
      ],
      ...[
        ['HGETALL', 's'],
        ['HINCRBY', 's', 'a', 1],
        ['HINCRBYFLOAT', 's', 'a', 1],
        ['HRANDFIELD', 's'],
        ['HSCAN', 's', 0],
      ],
      ...[
        ['HEXPIRE', 's', 1, 'FIELDS', 1, 'a'],
        ['HTTL', 's', 'FIELDS', 1, 'a'],
        ['HPERSIST', 's', 'FIELDS', 1, 'a'],
      ],
      ...[
        ['HGETDEL', 's', 'FIELDS', 1, 'a'],
        ['HGETEX', 's', 'FIELDS', 1, 'a'],
        ['HSETEX', 's', 'FIELDS', 1, 'a', 'b'],
      ],
    ];
    for (const words of commands) expect(server.run(...words), words.join(' ')).toBe(WRONG_TYPE);
    server.run('HSET', 'h', 'word', 'abc', 'big', '9223372036854775807', 'n', 5);
    expectReplies(server, [
      [['HSET', 'h', 'a', 1, 'b'], "-ERR wrong number of arguments for 'hset' command\r\n"],
      [['HMSET', 'h', 'a', 1, 'b'], "-ERR wrong number of arguments for 'hmset' command\r\n"],
      [['HINCRBY', 'h', 'word', 1], '-ERR hash value is not an integer\r\n'],
      [['HINCRBY', 'h', 'n', 'x'], '-ERR value is not an integer or out of range\r\n'],
      [['HINCRBY', 'h', 'big', 1], '-ERR increment or decrement would overflow\r\n'],
      [['HINCRBYFLOAT', 'h', 'word', 1], '-ERR hash value is not a float\r\n'],
      [['HINCRBYFLOAT', 'h', 'n', 'x'], '-ERR value is not a valid float\r\n'],
      [['HINCRBYFLOAT', 'h', 'n', 'inf'], '-ERR value is NaN or Infinity\r\n'],
      [['HSCAN', 'h', 'x'], '-ERR invalid cursor\r\n'],
      [['HRANDFIELD', 'h', 1, 'withscores'], '-ERR syntax error\r\n'],
      [['HRANDFIELD', 'h', 'x'], '-ERR value is not an integer or out of range\r\n'],
      [
        ['HGETALL', 'h'],
        '*6\r\n$4\r\nword\r\n$3\r\nabc\r\n$3\r\nbig\r\n$19\r\n9223372036854775807\r\n$1\r\nn\r\n$1\r\n5\r\n',
      ],
    ]);
    expect(server.effects()).toHaveLength(2);
  });

  it('counters over all of int64, and decimal ones', () => {
    expectReplies(new InProcess(), [
      [['HINCRBY', 'h', 'a', 5], ':5\r\n'],
      [['HINCRBY', 'h', 'a', -7], ':-2\r\n'],
      [['HINCRBY', 'h', 'a', '9223372036854775807'], ':9223372036854775805\r\n'],
      [['HINCRBY', 'h', 'a', 2], ':9223372036854775807\r\n'],
      [['HINCRBY', 'h', 'a', '-9223372036854775808'], ':-1\r\n'],
      [['HGET', 'h', 'a'], '$2\r\n-1\r\n'],
      [['HINCRBYFLOAT', 'h', 'f', '10.5'], '$4\r\n10.5\r\n'],
      [['HINCRBYFLOAT', 'h', 'f', '-0.25'], '$5\r\n10.25\r\n'],
      [['HINCRBYFLOAT', 'h', 'f', '2.0e2'], '$6\r\n210.25\r\n'],
      [['HINCRBYFLOAT', 'new', 'f', '3'], '$1\r\n3\r\n'],
    ]);
  });
});

describe('encodings', () => {
  const encoding = (server: InProcess, key: string) => server.run('OBJECT', 'ENCODING', key).split('\r\n')[1];

  it('follow the settings, live', () => {
    const server = new InProcess({ settings: { 'hash-max-listpack-entries': '3', 'hash-max-listpack-value': '5' } });
    server.run('HSET', 'h', 'a', 1, 'b', 2, 'c', 'five5');
    expect(encoding(server, 'h')).toBe('listpack');
    server.run('HSET', 'h', 'a', 7);
    expect(encoding(server, 'h')).toBe('listpack');
    server.run('HSET', 'h', 'd', 1);
    expect(encoding(server, 'h')).toBe('hashtable');
    server.run('HDEL', 'h', 'd', 'c');
    expect(encoding(server, 'h')).toBe('hashtable');
    server.run('HSET', 'v', 'a', 'sixsix');
    expect(encoding(server, 'v')).toBe('hashtable');
    server.run('HSETNX', 'f', 'sixsix', 'a');
    expect(encoding(server, 'f')).toBe('hashtable');
    server.run('HSET', 'n', 'a', 1);
    server.run('HINCRBYFLOAT', 'n', 'a', '0.12345');
    expect(encoding(server, 'n')).toBe('hashtable');
    // as many arguments as would not fit, were they all different
    server.run('HSET', 'many', 'a', 1, 'a', 2, 'a', 3, 'a', 4);
    expect(encoding(server, 'many')).toBe('hashtable');
    server.run('CONFIG', 'SET', 'hash-max-listpack-entries', '4');
    server.run('HSET', 'four', 'a', 1, 'b', 2, 'c', 3, 'd', 4);
    expect(encoding(server, 'four')).toBe('listpack');
  });

  it('values of any size come back, and leave nothing behind', () => {
    const server = new InProcess();
    server.run('SET', 'other', 'x');
    const memory = () => server.access.spaces[0].arena.liveBytes();
    const empty = memory();
    for (const bytes of [100, 4096, 4097, 70_000, 300_000]) {
      const text = 'v'.repeat(bytes);
      for (const key of ['h', 'h2']) server.run('HSET', key, 'a', text, 'b', 'small');
      expect(server.run('HGET', 'h', 'a')).toBe(`$${bytes}\r\n${text}\r\n`);
      expect(server.run('HMGET', 'h', 'b', 'a')).toBe(`*2\r\n$5\r\nsmall\r\n$${bytes}\r\n${text}\r\n`);
    }
    const text = 'v'.repeat(300_000);
    expect(server.run('HSETNX', 'h', 'c', text)).toBe(':1\r\n');
    expect(server.run('HSETNX', 'h', 'c', `${text}!`)).toBe(':0\r\n');
    expect(server.run('HGETDEL', 'h', 'FIELDS', 1, 'c')).toBe(`*1\r\n$300000\r\n${text}\r\n`);
    server.run('HSET', 'h', 'a', 'short');
    server.run('DEL', 'h', 'h2');
    server.access.spaces[0].arena.freeOrphans();
    expect(memory()).toBe(empty);
  });

  it('many fields grow and go without a rest', () => {
    const server = new InProcess();
    server.run('SET', 'other', 'x');
    const ks = server.access.spaces[0];
    const empty = ks.arena.liveBytes();
    const words: Words = ['HSET', 'h'];
    for (let i = 0; i < 20_000; i++) words.push(`field:${i}`, i);
    expect(server.run(...words)).toBe(':20000\r\n');
    expect(server.run('HLEN', 'h')).toBe(':20000\r\n');
    expect(server.run('HGET', 'h', 'field:12345')).toBe('$5\r\n12345\r\n');
    server.run('DEL', 'h');
    while (ks.freeDropped(100));
    expect(ks.arena.liveBytes()).toBe(empty);
  });
});

describe('HRANDFIELD and HSCAN', () => {
  const fields = (reply: string): string[] => reply.split('\r\n').filter((part) => /^[fv]\d/.test(part));

  it.each([10, 2000])('%i fields', (count) => {
    const server = new InProcess();
    for (let i = 0; i < count; i++) server.run('HSET', 'h', `f${i}`, `v${i}`);
    const one = fields(server.run('HRANDFIELD', 'h'));
    expect(one).toHaveLength(1);
    for (const wanted of [1, 5, count - 1, count, count + 5]) {
      const found = fields(server.run('HRANDFIELD', 'h', wanted));
      expect(found).toHaveLength(Math.min(wanted, count));
      expect(new Set(found).size).toBe(found.length);
      const pairs = fields(server.run('HRANDFIELD', 'h', wanted, 'WITHVALUES'));
      expect(pairs).toHaveLength(2 * Math.min(wanted, count));
      for (let i = 0; i < pairs.length; i += 2) expect(pairs[i + 1]).toBe(`v${pairs[i].slice(1)}`);
    }
    const repeated = fields(server.run('HRANDFIELD', 'h', -3 * count));
    expect(repeated).toHaveLength(3 * count);
    expect(new Set(repeated).size).toBeGreaterThan(count / 2);
    expect(server.run('HRANDFIELD', 'h', 0)).toBe('*0\r\n');
    expect(server.run('HRANDFIELD', 'none')).toBe('$-1\r\n');
    expect(server.run('HRANDFIELD', 'none', 3)).toBe('*0\r\n');
    server.session.resp = 3;
    expect(server.run('HRANDFIELD', 'h', -1, 'WITHVALUES')).toMatch(/^\*1\r\n\*2\r\n\$\d\r\nf\d+\r\n\$\d\r\nv\d+\r\n$/);
  });

  it('a scan sees every field that stays, whatever comes and goes', () => {
    const server = new InProcess();
    for (let i = 0; i < 3000; i++) server.run('HSET', 'h', `f${i}`, `v${i}`);
    const seen = new Set<string>();
    let cursor = '0';
    let round = 0;
    do {
      const reply = server.run('HSCAN', 'h', cursor, 'COUNT', 50);
      cursor = reply.split('\r\n')[2];
      const found = fields(reply);
      for (let i = 0; i < found.length; i += 2) {
        seen.add(found[i]);
        expect(found[i + 1]).toBe(`v${found[i].slice(1)}`);
      }
      for (let i = 0; i < 40; i++) server.run('HDEL', 'h', `f${1000 + round * 40 + i}`);
      round++;
    } while (cursor !== '0');
    for (let i = 0; i < 1000; i++) expect(seen.has(`f${i}`)).toBe(true);
    expect(round).toBeGreaterThan(10);
  });

  it('a compact hash comes whole; MATCH', () => {
    const server = new InProcess();
    server.run('HSET', 'h', 'aa', 1, 'ab', 2, 'b', 3);
    expectReplies(server, [
      [
        ['HSCAN', 'h', 0, 'COUNT', 1, 'MATCH', 'a*'],
        '*2\r\n$1\r\n0\r\n*4\r\n$2\r\naa\r\n$1\r\n1\r\n$2\r\nab\r\n$1\r\n2\r\n',
      ],
      [['HSCAN', 'none', 0], '*2\r\n$1\r\n0\r\n*0\r\n'],
      [['HSCAN', 'h', 0, 'COUNT', 0], '-ERR syntax error\r\n'],
    ]);
  });
});

describe('what hash commands journal', () => {
  it('themselves, if they changed anything; results where time or arithmetic matters', () => {
    const server = new InProcess();
    const cases: [words: Words, effects: string[]][] = [
      [['HSET', 'h', 'a', 1, 'b', 2], ['HSET h a 1 b 2']],
      [['HSETNX', 'h', 'a', 1], []],
      [['HSETNX', 'h', 'c', 1], ['HSETNX h c 1']],
      [['HMSET', 'h', 'a', 1], ['HMSET h a 1']],
      [['HINCRBY', 'h', 'a', 1], ['HINCRBY h a 1']],
      [['HINCRBYFLOAT', 'h', 'a', '0.5'], ['HSET h a 2.5']],
      [['HDEL', 'h', 'x'], []],
      [['HDEL', 'h', 'a', 'x'], ['HDEL h a x']],
      [['HGETDEL', 'h', 'FIELDS', 3, 'b', 'x', 'b'], ['HDEL h b']],
      [['HGETALL', 'h'], []],
      [['HDEL', 'h', 'c'], ['HDEL h c']],
    ];
    for (const [words, effects] of cases) expect(effectsOf(server, ...words), words.join(' ')).toEqual(effects);
  });

  it('hashes move and are copied within and across shards', () => {
    const server = new InProcess({ shards: 2 });
    const here = keyInShard(server, 0, 'k');
    const there = keyInShard(server, 1, 'k');
    for (const size of [3, 700]) {
      const words: Words = ['HSET', here];
      for (let i = 0; i < size; i++) words.push(`f${i}`, i);
      server.run(...words);
      server.run('HPEXPIREAT', here, server.nowMs + 5000, 'FIELDS', 1, 'f1');
      expect(server.run('COPY', here, there)).toBe(':1\r\n');
      expect(server.run('HLEN', there)).toBe(`:${size}\r\n`);
      expect(server.run('HPTTL', there, 'FIELDS', 2, 'f0', 'f1')).toBe('*2\r\n:-1\r\n:5000\r\n');
      expect(server.run('RENAME', there, here)).toBe('+OK\r\n');
      expect(server.run('HPTTL', here, 'FIELDS', 2, 'f0', 'f1')).toBe('*2\r\n:-1\r\n:5000\r\n');
      expect(server.run('HGET', here, 'f2')).toBe('$1\r\n2\r\n');
      for (const ks of server.access.spaces) ks.fieldDeadlines.check(0);
      expect(server.access.spaces.map((ks) => ks.fieldDeadlines.count(0))).toEqual([1, 0]);
      server.run('DEL', here);
    }
  });
});
