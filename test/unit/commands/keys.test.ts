import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard, peek, put } from './seed-keys.ts';

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

describe.each([1, 4])('keys in %i shards', (shards) => {
  it('DEL and UNLINK remove what is there and count it', () => {
    for (const command of ['DEL', 'unlink']) {
      const server = new InProcess({ shards });
      for (const key of ['a', 'b', 'c', 'd']) put(server, key, key);
      put(server, 'old', 'x', server.nowMs - 1);
      expect(server.run(command, 'a', 'nokey', 'b', 'a', 'c', 'old')).toBe(':3\r\n');
      expect(['a', 'b', 'c', 'old'].map((key) => peek(server, key))).toEqual([null, null, null, null]);
      expect(peek(server, 'd')).toEqual(['d', -1]);
      const records = server.effects().map((line) => line.split(' ').slice(2).join(' '));
      if (shards === 1) expect(records).toEqual(['DEL old', `${command} a nokey b a c old`]);
      else {
        // one record per shard, and one for the key that had expired
        const names = records.flatMap((record) => record.split(' ').slice(1));
        expect(names.sort()).toEqual(['a', 'b', 'c', 'old']);
        expect(records.length).toBeLessThanOrEqual(4);
      }
      expect(server.run(command, 'nokey', 'a')).toBe(':0\r\n');
      expect(server.effects()).toEqual([]);
    }
  });

  it('EXISTS and TOUCH count, TYPE names', () => {
    const server = new InProcess({ shards });
    put(server, 'a', '1');
    put(server, 'b', '2');
    put(server, 'gone', '3', server.nowMs);
    expect(server.run('EXISTS', 'a', 'a', 'b', 'x', 'gone')).toBe(':3\r\n');
    expect(server.run('TOUCH', 'a', 'b', 'x')).toBe(':2\r\n');
    expect(server.run('TYPE', 'a')).toBe('+string\r\n');
    expect(server.run('TYPE', 'x')).toBe('+none\r\n');
    expect(server.run('TYPE')).toBe("-ERR wrong number of arguments for 'type' command\r\n");
  });

  it('OBJECT tells encoding, idle time and owners', () => {
    const server = new InProcess({ shards });
    put(server, 'int', '-9223372036854775808');
    put(server, 'big', '9223372036854775808');
    put(server, 'short', 'x'.repeat(44));
    put(server, 'long', 'x'.repeat(45));
    put(server, 'patched', '12', -1, 0, true);
    const encoding = (key: string) => server.run('OBJECT', 'ENCODING', key);
    expect(encoding('int')).toBe(bulk('int'));
    expect(encoding('big')).toBe(bulk('embstr'));
    expect(encoding('short')).toBe(bulk('embstr'));
    expect(encoding('long')).toBe(bulk('raw'));
    expect(encoding('patched')).toBe(bulk('raw'));
    expect(encoding('nokey')).toBe('$-1\r\n');
    expect(server.run('object', 'refcount', 'int')).toBe(':1\r\n');
    server.nowMs += 5000;
    expect(server.run('OBJECT', 'IDLETIME', 'int')).toBe(':5\r\n');
    expect(server.run('EXISTS', 'int') + server.run('OBJECT', 'IDLETIME', 'int')).toBe(':1\r\n:5\r\n');
    expect(server.run('TOUCH', 'int') + server.run('OBJECT', 'IDLETIME', 'int')).toBe(':1\r\n:0\r\n');
    expect(server.run('OBJECT', 'FREQ', 'int')).toMatch(/^-ERR An LFU maxmemory policy is not selected/);
    expect(server.run('OBJECT', 'FREQ', 'nokey')).toBe('$-1\r\n');
    expect(server.run('OBJECT', 'NONE', 'int')).toBe("-ERR unknown subcommand 'NONE'. Try OBJECT HELP.\r\n");
    expect(server.run('OBJECT')).toBe("-ERR wrong number of arguments for 'object' command\r\n");
    expect(server.run('OBJECT', 'ENCODING')).toBe("-ERR wrong number of arguments for 'object|encoding' command\r\n");
    expect(server.run('OBJECT', 'HELP')).toMatch(/^\*11\r\n\+OBJECT <subcommand>/);
  });

  it('MEMORY USAGE is what the blocks of the key take', () => {
    const server = new InProcess({ shards });
    put(server, 'k', 'x'.repeat(100));
    const small = Number(server.run('MEMORY', 'USAGE', 'k').slice(1, -2));
    expect(small).toBeGreaterThanOrEqual(117);
    expect(small).toBeLessThan(200);
    put(server, 'k', 'x'.repeat(100_000));
    expect(Number(server.run('MEMORY', 'USAGE', 'k', 'SAMPLES', '0').slice(1, -2))).toBeGreaterThan(100_000);
    expect(server.run('MEMORY', 'USAGE', 'nokey')).toBe('$-1\r\n');
    expect(server.run('MEMORY', 'USAGE', 'k', 'SAMPLES')).toBe('-ERR syntax error\r\n');
    expect(server.run('MEMORY', 'USAGE', 'k', 'SAMPLES', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
  });
});

describe.each([1, 4])('RENAME and its family in %i shards', (shards) => {
  const pair = (server: InProcess): [string, string] => [
    keyInShard(server, 0, 'from'),
    keyInShard(server, shards - 1, 'to'),
  ];

  it.each(['short', 'x'.repeat(100_000)])('RENAME takes value and deadline along', (value) => {
    const server = new InProcess({ shards });
    const [from, to] = pair(server);
    const deadline = server.nowMs + 1000;
    put(server, from, value, deadline);
    put(server, to, 'other', server.nowMs + 5);
    expect(server.run('RENAME', from, to)).toBe('+OK\r\n');
    expect(peek(server, from)).toBeNull();
    expect(peek(server, to)).toEqual([value, deadline]);
    const records = server.effects();
    if (shards === 1) expect(records).toEqual([`0 0 RENAME ${from} ${to}`]);
    else expect(records.sort()).toEqual([`0 0 DEL ${from}`, `3 0 SET ${to} ${value} PXAT ${deadline}`]);
    expect(server.run('RENAME', to, from)).toBe('+OK\r\n');
    expect(peek(server, from)).toEqual([value, deadline]);
    expect(server.run('DBSIZE')).toBe(':1\r\n');
  });

  it('RENAME without a deadline, onto itself and of nothing', () => {
    const server = new InProcess({ shards });
    const [from, to] = pair(server);
    put(server, from, 'v');
    put(server, to, 'other', server.nowMs + 5);
    expect(server.run('RENAME', from, from)).toBe('+OK\r\n');
    expect(server.effects()).toEqual([]);
    expect(server.run('RENAME', from, to)).toBe('+OK\r\n');
    expect(peek(server, to)).toEqual(['v', -1]);
    if (shards > 1) expect(server.effects().sort()).toEqual([`0 0 DEL ${from}`, `3 0 SET ${to} v`]);
    expect(server.run('RENAME', from, to)).toBe('-ERR no such key\r\n');
    expect(server.run('RENAME', from, from)).toBe('-ERR no such key\r\n');
  });

  it('RENAMENX spares an existing key', () => {
    const server = new InProcess({ shards });
    const [from, to] = pair(server);
    put(server, from, 'v');
    put(server, to, 'w', server.nowMs + 10);
    expect(server.run('RENAMENX', from, to)).toBe(':0\r\n');
    expect(server.run('RENAMENX', from, from)).toBe(':0\r\n');
    expect(server.effects()).toEqual([]);
    server.nowMs += 10;
    expect(server.run('RENAMENX', from, to)).toBe(':1\r\n');
    expect(peek(server, to)).toEqual(['v', -1]);
    expect(server.run('RENAMENX', from, to)).toBe('-ERR no such key\r\n');
  });

  it.each(['short', 'x'.repeat(100_000)])('COPY copies value and deadline', (value) => {
    const server = new InProcess({ shards });
    const [from, to] = pair(server);
    const deadline = server.nowMs + 1000;
    put(server, from, value, deadline);
    expect(server.run('COPY', from, to)).toBe(':1\r\n');
    expect([peek(server, from), peek(server, to)]).toEqual([
      [value, deadline],
      [value, deadline],
    ]);
    const record = shards === 1 ? `0 0 COPY ${from} ${to}` : `3 0 SET ${to} ${value} PXAT ${deadline}`;
    expect(server.effects()).toEqual([record]);
    put(server, from, 'new');
    expect(server.run('COPY', from, to)).toBe(':0\r\n');
    expect(server.effects()).toEqual([]);
    expect(server.run('COPY', from, to, 'replace')).toBe(':1\r\n');
    expect(peek(server, to)).toEqual(['new', -1]);
    server.effects();
    expect(server.run('COPY', from, to, 'DB', 9, 'REPLACE')).toBe(':1\r\n');
    expect(peek(server, to, 9)).toEqual(['new', -1]);
    expect(server.effects()).toEqual([shards === 1 ? `0 0 COPY ${from} ${to} DB 9 REPLACE` : `3 9 SET ${to} new`]);
    expect(server.run('COPY', from, from, 'DB', '3')).toBe(':1\r\n');
    expect(peek(server, from, 3)).toEqual(['new', -1]);
  });

  it('COPY refuses nonsense', () => {
    const server = new InProcess({ shards });
    const [from, to] = pair(server);
    expect(server.run('COPY', from, to)).toBe(':0\r\n');
    expect(server.run('COPY', from, from)).toBe('-ERR source and destination objects are the same\r\n');
    expect(server.run('COPY', from, to, 'DB')).toBe('-ERR syntax error\r\n');
    expect(server.run('COPY', from, to, 'DB', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(server.run('COPY', from, to, 'DB', '99')).toBe('-ERR DB index is out of range\r\n');
    expect(server.run('COPY', from, to, 'WHAT')).toBe('-ERR syntax error\r\n');
  });

  it('keeps how a string was patched', () => {
    const server = new InProcess({ shards });
    const [from, to] = pair(server);
    put(server, from, '12', -1, 0, true);
    server.run('COPY', from, to);
    expect(server.run('OBJECT', 'ENCODING', to)).toBe(bulk('raw'));
    server.run('RENAME', from, to);
    expect(server.run('OBJECT', 'ENCODING', to)).toBe(bulk('raw'));
  });

  it('MOVE changes the database', () => {
    const server = new InProcess({ shards });
    const [from] = pair(server);
    const deadline = server.nowMs + 50;
    put(server, from, 'v', deadline);
    expect(server.run('MOVE', from, 0)).toBe('-ERR source and destination objects are the same\r\n');
    expect(server.run('MOVE', from, 16)).toBe('-ERR DB index is out of range\r\n');
    expect(server.run('MOVE', from, 'x')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(server.run('MOVE', from, 2)).toBe(':1\r\n');
    expect(server.effects()).toEqual([`0 0 MOVE ${from} 2`]);
    expect(peek(server, from)).toBeNull();
    expect(peek(server, from, 2)).toEqual(['v', deadline]);
    expect(server.run('MOVE', from, 2)).toBe(':0\r\n');
    put(server, from, 'again');
    expect(server.run('MOVE', from, 2)).toBe(':0\r\n');
    server.nowMs = deadline;
    expect(server.run('MOVE', from, 2)).toBe(':1\r\n');
    expect(peek(server, from, 2)).toEqual(['again', -1]);
  });
});
