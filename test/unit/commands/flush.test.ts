import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard, peek, put } from './seed-keys.ts';

function populate(server: InProcess): string[] {
  const keys = server.access.spaces.map((_, shard) => keyInShard(server, shard, 'key'));
  for (const key of keys) {
    put(server, key, 'zero');
    put(server, key, 'one', server.nowMs + 100, 1);
  }
  return keys;
}

describe.each([1, 3])('whole databases in %i shards', (shards) => {
  const everyShard = (record: string): string[] => Array.from({ length: shards }, (_, shard) => `${shard} ${record}`);

  it('DBSIZE counts the keys of the database', () => {
    const server = new InProcess({ shards });
    expect(server.run('DBSIZE')).toBe(':0\r\n');
    populate(server);
    expect(server.run('DBSIZE')).toBe(`:${shards}\r\n`);
    server.run('SELECT', 5);
    expect(server.run('DBSIZE')).toBe(':0\r\n');
    expect(server.run('DBSIZE', 'x')).toBe("-ERR wrong number of arguments for 'dbsize' command\r\n");
  });

  it('FLUSHDB empties one database, in the journal of every shard', () => {
    const server = new InProcess({ shards });
    const keys = populate(server);
    server.run('SELECT', 1);
    expect(server.run('FLUSHDB', 'ASYNC')).toBe('+OK\r\n');
    expect(server.effects()).toEqual(everyShard('1 FLUSHDB'));
    expect(keys.map((key) => peek(server, key, 1))).toEqual(keys.map(() => null));
    expect(keys.map((key) => peek(server, key, 0))).toEqual(keys.map(() => ['zero', -1]));
    expect(server.run('FLUSHDB', 'LATER')).toBe('-ERR syntax error\r\n');
    expect(server.run('FLUSHDB', 'SYNC', 'ASYNC')).toBe('-ERR syntax error\r\n');
    put(server, keys[0], 'again', -1, 1);
    expect(server.run('DBSIZE')).toBe(':1\r\n');
  });

  it('FLUSHALL empties all databases', () => {
    const server = new InProcess({ shards });
    const keys = populate(server);
    expect(server.run('FLUSHALL', 'sync')).toBe('+OK\r\n');
    expect(server.effects()).toEqual(everyShard('0 FLUSHALL'));
    for (const db of [0, 1]) expect(keys.map((key) => peek(server, key, db))).toEqual(keys.map(() => null));
    expect(server.run('FLUSHALL')).toBe('+OK\r\n');
    expect(server.effects()).toEqual(everyShard('0 FLUSHALL'));
  });

  it('SWAPDB exchanges keys and deadlines', () => {
    const server = new InProcess({ shards });
    const keys = populate(server);
    expect(server.run('SWAPDB', 0, 1)).toBe('+OK\r\n');
    expect(server.effects()).toEqual(everyShard('0 SWAPDB 0 1'));
    expect(keys.map((key) => peek(server, key, 0))).toEqual(keys.map(() => ['one', server.nowMs + 100]));
    expect(keys.map((key) => peek(server, key, 1))).toEqual(keys.map(() => ['zero', -1]));
    expect(server.run('SWAPDB', 0, 16)).toBe('-ERR DB index is out of range\r\n');
    expect(server.run('SWAPDB', -1, 0)).toBe('-ERR DB index is out of range\r\n');
    expect(server.run('SWAPDB', 'a', 1)).toBe('-ERR invalid first DB index\r\n');
    expect(server.run('SWAPDB', 1, '99999999999')).toBe('-ERR invalid second DB index\r\n');
    server.nowMs += 100;
    expect(keys.map((key) => server.run('TTL', key))).toEqual(keys.map(() => ':-2\r\n'));
  });
});
