import { beforeEach, describe, expect, it } from 'vitest';
import { decodeReply, type Reply, ReplyError } from '../../server/reply-reader.ts';
import { InProcess } from './in-process.ts';

let server: InProcess;
const call = (...words: (string | number)[]): Reply => decodeReply(Buffer.from(server.run(...words), 'latin1'));
const error = (...words: (string | number)[]): string => {
  const reply = call(...words);
  if (!(reply instanceof ReplyError)) throw new Error(`${words.join(' ')} was not refused`);
  return reply.message;
};

/** Fills a key with members m0 … and scores 0 …. */
function fill(key: string, count: number): void {
  call('ZADD', key, ...Array.from({ length: count }, (_, i) => [i, `m${i}`]).flat());
}

describe.each([
  ['compact', '128'],
  ['large', '0'],
])('sorted sets, %s', (_name, entries) => {
  beforeEach(() => {
    server = new InProcess({ settings: { 'zset-max-listpack-entries': entries } });
  });

  it('ZADD tells what it did', () => {
    expect(call('ZADD', 'z', 1, 'a', 2, 'b')).toBe(2);
    expect(call('ZADD', 'z', 3, 'a', 3, 'c')).toBe(1);
    expect(call('ZADD', 'z', 'CH', 4, 'a', 4, 'd', 3, 'c')).toBe(2);
    expect(call('ZADD', 'z', 'XX', 'CH', 5, 'a', 5, 'x')).toBe(1);
    expect(call('ZADD', 'z', 'NX', 9, 'a', 6, 'e')).toBe(1);
    expect(call('ZADD', 'z', 'GT', 'CH', 1, 'a', 7, 'b')).toBe(1);
    expect(call('ZADD', 'z', 'LT', 'CH', 1, 'a', 7, 'b')).toBe(1);
    expect(call('ZADD', 'z', 'INCR', '1.5', 'a')).toBe('2.5');
    expect(call('ZADD', 'z', 'GT', 'INCR', '-1', 'a')).toBe(null);
    expect(call('ZADD', 'none', 'XX', 1, 'a')).toBe(0);
    expect(call('ZADD', 'none', 'XX', 'INCR', 1, 'a')).toBe(null);
    expect(call('ZRANGE', 'z', 0, -1, 'WITHSCORES')).toEqual([...['a', '2.5', 'c', '3', 'd', '4', 'e', '6', 'b', '7']]);
    expect(call('EXISTS', 'none')).toBe(0);
  });

  it('ZADD and ZINCRBY refuse what Redis refuses, and change nothing then', () => {
    expect(error('ZADD', 'z', 'NX', 'XX', 1, 'a')).toBe('ERR XX and NX options at the same time are not compatible');
    expect(error('ZADD', 'z', 'GT', 'LT', 1, 'a')).toMatch(/GT, LT, and\/or NX/);
    expect(error('ZADD', 'z', 'INCR', 1, 'a', 2, 'b')).toMatch(/single increment-element pair/);
    expect(error('ZADD', 'z', 1, 'a', 'x', 'b')).toBe('ERR value is not a valid float');
    expect(error('ZADD', 'z', 1, 'a', 2)).toBe('ERR syntax error');
    expect(error('ZADD', 'z', 'nan', 'a')).toBe('ERR value is not a valid float');
    call('ZADD', 'z', 'inf', 'a');
    expect(error('ZINCRBY', 'z', '-inf', 'a')).toBe('ERR resulting score is not a number (NaN)');
    expect(call('ZSCORE', 'z', 'a')).toBe('inf');
    call('SET', 's', 'x');
    expect(error('ZADD', 's', 1, 'a')).toMatch(/^WRONGTYPE/);
    expect(server.effects()).toEqual(['0 0 ZADD z inf a', '0 0 SET s x']);
  });

  it('a set without members is no key', () => {
    fill('z', 5);
    expect(call('ZREM', 'z', 'm0', 'm1', 'nobody', 'm0')).toBe(2);
    expect(call('ZPOPMIN', 'z')).toEqual(['m2', '2']);
    expect(call('ZPOPMAX', 'z', 1)).toEqual(['m4', '4']);
    expect(call('ZREMRANGEBYSCORE', 'z', 3, 3)).toBe(1);
    expect(call('EXISTS', 'z')).toBe(0);
    fill('z', 3);
    expect(call('ZREMRANGEBYRANK', 'z', 0, -1)).toBe(3);
    expect(call('TYPE', 'z')).toBe('none');
    fill('z', 3);
    expect(call('ZREM', 'z', 'm0', 'm1', 'm2', 'm3')).toBe(3);
    expect(call('TYPE', 'z')).toBe('none');
  });

  it('ranks, counts and ranges', () => {
    fill('z', 10);
    expect(call('ZRANK', 'z', 'm3')).toBe(3);
    expect(call('ZREVRANK', 'z', 'm3', 'WITHSCORE')).toEqual([6, '3']);
    expect(call('ZRANK', 'z', 'x')).toBe(null);
    expect(call('ZRANK', 'z', 'x', 'withscore')).toBe(null);
    expect(error('ZRANK', 'z', 'm1', 'withscores')).toBe('ERR syntax error');
    expect(call('ZCOUNT', 'z', '(2', 5)).toBe(3);
    expect(call('ZRANGE', 'z', -3, -2)).toEqual(['m7', 'm8']);
    expect(call('ZRANGE', 'z', 0, 1, 'REV')).toEqual(['m9', 'm8']);
    expect(call('ZRANGE', 'z', 5, '(3', 'BYSCORE', 'REV', 'LIMIT', 0, 5)).toEqual(['m5', 'm4']);
    expect(call('ZREVRANGEBYSCORE', 'z', '+inf', '-inf', 'LIMIT', 2, 2)).toEqual(['m7', 'm6']);
    expect(call('ZRANGEBYSCORE', 'z', 2, 4, 'LIMIT', 1, -1)).toEqual(['m3', 'm4']);
    expect(call('ZRANGEBYSCORE', 'z', 2, 4, 'LIMIT', -1, 2)).toEqual([]);
    expect(error('ZRANGE', 'z', 0, 1, 'LIMIT', 0, 1)).toMatch(/LIMIT is only supported/);
    expect(error('ZRANGE', 'z', '[a', '[b', 'BYLEX', 'WITHSCORES')).toMatch(/not supported in combination with BYLEX/);
    expect(error('ZRANGEBYSCORE', 'z', 'x', 1)).toBe('ERR min or max is not a float');
    expect(error('ZRANGEBYLEX', 'z', 'x', '+')).toBe('ERR min or max not valid string range item');
    call('ZADD', 'lex', 0, 'a', 0, 'b', 0, 'c', 0, 'bb');
    expect(call('ZRANGEBYLEX', 'lex', '[b', '(c')).toEqual(['b', 'bb']);
    expect(call('ZREVRANGEBYLEX', 'lex', '+', '[b', 'LIMIT', 1, 1)).toEqual(['bb']);
    expect(call('ZLEXCOUNT', 'lex', '-', '(b')).toBe(1);
    expect(call('ZREMRANGEBYLEX', 'lex', '[a', '[b')).toBe(2);
  });

  it('answers pairs and doubles in RESP3', () => {
    call('ZADD', 'z', '1.5', 'a', 2, 'b');
    server.run('HELLO', 3);
    expect(server.run('ZRANGE', 'z', 0, 0, 'WITHSCORES')).toBe('*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n');
    expect(server.run('ZPOPMIN', 'z')).toBe('*2\r\n$1\r\na\r\n,1.5\r\n');
    expect(server.run('ZPOPMIN', 'z', 1)).toBe('*1\r\n*2\r\n$1\r\nb\r\n,2\r\n');
    expect(server.run('ZRANK', 'z', 'a', 'WITHSCORE')).toBe('_\r\n');
  });

  it('combines sorted sets and sets', () => {
    call('ZADD', 'a', 1, 'x', 2, 'y', 3, 'z');
    call('ZADD', 'b', 10, 'y', 20, 'z', 30, 'w');
    expect(call('ZUNION', 2, 'a', 'b', 'WITHSCORES')).toEqual(['x', '1', 'y', '12', 'z', '23', 'w', '30']);
    expect(call('ZINTER', 2, 'a', 'b', 'WEIGHTS', 2, 1, 'AGGREGATE', 'MAX', 'WITHSCORES')).toEqual([
      'y',
      '10',
      'z',
      '20',
    ]);
    expect(call('ZDIFF', 2, 'a', 'b', 'WITHSCORES')).toEqual(['x', '1']);
    expect(call('ZINTERCARD', 2, 'a', 'b', 'LIMIT', 1)).toBe(1);
    expect(call('ZUNIONSTORE', 'a', 3, 'a', 'a', 'none')).toBe(3);
    expect(call('ZRANGE', 'a', 0, -1, 'WITHSCORES')).toEqual(['x', '2', 'y', '4', 'z', '6']);
    expect(call('ZINTERSTORE', 'a', 2, 'a', 'none')).toBe(0);
    expect(call('EXISTS', 'a')).toBe(0);
    call('SADD', 'set', 'y', 'w', 7);
    expect(call('ZUNION', 2, 'b', 'set', 'WITHSCORES')).toEqual(['7', '1', 'y', '11', 'z', '20', 'w', '31']);
    expect(call('ZINTER', 3, 'set', 'b', 'set', 'WITHSCORES')).toEqual(['y', '12', 'w', '32']);
    expect(call('ZDIFF', 2, 'set', 'b')).toEqual(['7']);
    call('SET', 's', 'x');
    expect(call('ZDIFFSTORE', 's', 1, 'b')).toBe(3);
    expect(call('TYPE', 's')).toBe('zset');
    expect(error('ZUNION', 0, 'a')).toBe("ERR at least 1 input key is needed for 'zunion' command");
    expect(error('ZINTERCARD', 1, 'a', 'LIMIT', -1)).toBe("ERR LIMIT can't be negative");
    expect(error('ZUNIONSTORE', 'd', 1, 'b', 'WEIGHTS', 'x')).toBe('ERR weight value is not a float');
    expect(error('ZDIFF', 1, 'b', 'WEIGHTS', 1)).toBe('ERR syntax error');
  });

  it('ZRANDMEMBER chooses from all', () => {
    fill('z', 10);
    const all = new Set<Reply>();
    for (let i = 0; i < 300; i++) all.add(call('ZRANDMEMBER', 'z'));
    expect(all.size).toBe(10);
    expect((call('ZRANDMEMBER', 'z', -30) as Reply[]).length).toBe(30);
    expect(new Set(call('ZRANDMEMBER', 'z', 7) as Reply[]).size).toBe(7);
    expect([...(call('ZRANDMEMBER', 'z', 99) as string[])].sort()).toEqual(call('ZRANGE', 'z', 0, -1));
    const scored = call('ZRANDMEMBER', 'z', 3, 'WITHSCORES') as string[];
    for (let i = 0; i < 6; i += 2) expect(scored[i]).toBe(`m${scored[i + 1]}`);
    expect(call('ZRANDMEMBER', 'none')).toBe(null);
    expect(call('ZRANDMEMBER', 'none', 2)).toEqual([]);
  });

  it('ZSCAN meets every member', () => {
    fill('z', 500);
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, words] = call('ZSCAN', 'z', cursor, 'COUNT', 7) as [string, string[]];
      for (let i = 0; i < words.length; i += 2) {
        expect(words[i]).toBe(`m${words[i + 1]}`);
        seen.add(words[i]);
      }
      cursor = next;
    } while (cursor !== '0');
    expect(seen.size).toBe(500);
    expect(error('ZSCAN', 'z', 'x')).toBe('ERR invalid cursor');
    expect(call('ZSCAN', 'none', 0, 'NOPE')).toEqual(['0', []]);
  });

  it.each([
    ['the front', 0, 3999],
    ['the back', 1000, 4999],
    ['the midst', 600, 4399],
    ['all but one', 1, 4999],
    ['all', 0, 4999],
    ['half', 2500, 4999],
    ['less than half', 1000, 3000],
    ['few', 2000, 2400],
  ])('a range of many elements: %s', (_where, from, to) => {
    const names = Array.from({ length: 5000 }, (_, i) => `m${i}`);
    const before = [...names.slice(0, from), ...names.slice(to + 1)];
    const removals = [
      ['ZREMRANGEBYRANK', from, to],
      ['ZREMRANGEBYSCORE', from, to],
    ] as const;
    for (const removal of removals) {
      fill('z', 5000);
      expect(call(removal[0], 'z', ...removal.slice(1))).toBe(to - from + 1);
      expect(call('ZRANGE', 'z', 0, -1)).toEqual(before);
      expect(call('ZSCORE', 'z', `m${to}`)).toBe(null);
      const [{ values, arena }] = server.access.spaces;
      if (before.length > 0) {
        expect(call('ZRANK', 'z', before[before.length - 1])).toBe(before.length - 1);
        expect(call('ZADD', 'z', -1, 'later')).toBe(1);
        expect(call('ZRANGE', 'z', 0, 0)).toEqual(['later']);
        expect(call('DEL', 'z')).toBe(1);
      }
      expect(call('EXISTS', 'z')).toBe(0);
      while (server.access.spaces[0].freeDropped(50));
      expect([values.freeStep(1), arena.liveBytes() < 100_000]).toEqual([false, true]);
    }
  });

  it('the blocks of many removed elements are freed in steps', () => {
    const [space] = server.access.spaces;
    fill('z', 9000);
    while (space.freeDropped(50));
    const full = space.arena.liveBytes();
    expect(call('ZREMRANGEBYSCORE', 'z', 10, '+inf')).toBe(8990);
    // nothing of it yet
    expect(space.arena.liveBytes()).toBeGreaterThan(full);
    let steps = 0;
    while (space.freeDropped(32)) steps++;
    expect(steps).toBeGreaterThan(100);
    expect(space.arena.liveBytes()).toBeLessThan(full / 10);
    expect(call('ZCARD', 'z')).toBe(10);
  });

  it('gives all memory back', () => {
    const memory = () => server.access.spaces[0].arena.liveBytes();
    call('SET', 'other', 'x');
    const before = memory();
    for (let round = 0; round < 3; round++) {
      fill('z', 300);
      call('ZUNIONSTORE', 'd', 1, 'z', 'WEIGHTS', 2);
      call('ZRANGESTORE', 'e', 'd', 0, 9);
      call('ZREMRANGEBYRANK', 'z', 0, 100);
      call('DEL', 'z', 'd', 'e');
      const { spaces } = server.access;
      while (spaces[0].freeDropped(50));
    }
    expect(memory()).toBe(before);
  });
});

describe('effects of sorted set commands', () => {
  beforeEach(() => {
    server = new InProcess({ shards: 2 });
  });

  it('commands on one shard go verbatim', () => {
    call('ZADD', 'z', 1, 'a', 2, 'b');
    call('ZINCRBY', 'z', '0.1', 'a');
    call('ZPOPMAX', 'z');
    call('ZUNIONSTORE', 'z', 1, 'z', 'WEIGHTS', 2);
    call('ZADD', 'z', 'GT', 0, 'a');
    expect(server.effects().map((line) => line.slice(4))).toEqual([
      'ZADD z 1 a 2 b',
      'ZINCRBY z 0.1 a',
      'ZPOPMAX z',
      'ZUNIONSTORE z 1 z WEIGHTS 2',
    ]);
  });

  it('what crosses shards is a value there and a pop here', () => {
    const [a, b] = ['a', 'b', 'c', 'd', 'e'].reduce<string[]>((keys, key) => {
      call('ZADD', key, 1, 'm', 2, 'n');
      const shard = server.effects()[0][0];
      keys[Number(shard)] = key;
      return keys;
    }, []);
    call('ZUNIONSTORE', a, 2, a, b);
    const [stored] = server.effects();
    expect(stored).toMatch(new RegExp(`^0 0 RESTORE ${a} 0 `));
    call('ZMPOP', 2, b, a, 'MIN', 'COUNT', 5);
    expect(server.effects()).toEqual([`1 0 ZPOPMIN ${b} 2`]);
    call('ZINTERSTORE', a, 2, 'none', b);
    expect(server.effects()).toEqual([`0 0 DEL ${a}`]);
  });
});
