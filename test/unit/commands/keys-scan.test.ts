import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';
import { peek, put } from './seed-keys.ts';

/** The strings of an array reply, and the texts of an array of arrays one after the other. */
function texts(reply: string): string[] {
  const lines = reply.split('\r\n');
  return lines.filter((line, i) => i > 0 && lines[i - 1].startsWith('$') && line !== undefined);
}

/** One SCAN: the next cursor and the keys. */
function scan(server: InProcess, cursor: string, ...options: (string | number)[]): [cursor: string, keys: string[]] {
  const [next, ...keys] = texts(server.run('SCAN', cursor, ...options));
  return [next, keys];
}

function scanAll(server: InProcess, ...options: (string | number)[]): string[] {
  const all: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = scan(server, cursor, ...options);
    all.push(...keys);
    cursor = next;
  } while (cursor !== '0');
  return all;
}

function populate(server: InProcess, count: number): string[] {
  const keys = Array.from({ length: count }, (_, i) => `key:${i}`);
  for (const key of keys) put(server, key, 'v');
  return keys;
}

describe.each([1, 3])('SCAN in %i shards', (shards) => {
  it('returns every key once when nothing changes', () => {
    const server = new InProcess({ shards });
    const keys = populate(server, 3000);
    expect(scanAll(server).sort()).toEqual(keys.sort());
    expect(scanAll(server, 'COUNT', 1).length).toBe(3000);
    expect(scanAll(server, 'count', 500).sort()).toEqual(keys);
    expect(scanAll(server, 'MATCH', 'key:1??', 'COUNT', 100).sort()).toEqual(
      keys.filter((key) => /^key:1..$/.test(key)),
    );
    expect(scanAll(server, 'TYPE', 'String', 'MATCH', '*', 'COUNT', '77').length).toBe(3000);
    expect(scanAll(server, 'TYPE', 'list')).toEqual([]);
  });

  it('walks a small database in one call', () => {
    const server = new InProcess({ shards });
    const keys = populate(server, 20);
    const [cursor, found] = scan(server, '0', 'COUNT', 1000);
    expect(cursor).toBe('0');
    expect(found.sort()).toEqual(keys.sort());
    expect(scan(new InProcess({ shards }), '0')).toEqual(['0', []]);
  });

  it('returns keys that stay, whatever is added and removed meanwhile', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.integer({ min: -200, max: 200 }), { maxLength: 20 }),
        (stay, count, changes) => {
          const server = new InProcess({ shards });
          for (let i = 0; i < stay; i++) put(server, `stay:${i}`, 'v');
          const seen = new Set<string>();
          let cursor = '0';
          let added = 0;
          do {
            const [next, keys] = scan(server, cursor, 'COUNT', count);
            for (const key of keys) seen.add(key);
            cursor = next;
            const change = changes.pop() ?? 0;
            for (let i = 0; i < change; i++) put(server, `more:${added++}`, 'v');
            for (let i = 0; i > change && added > 0; i--) server.run('DEL', `more:${--added}`);
          } while (cursor !== '0');
          for (let i = 0; i < stay; i++) expect(seen.has(`stay:${i}`)).toBe(true);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('removes expired keys that it meets', () => {
    const server = new InProcess({ shards });
    populate(server, 10);
    for (let i = 0; i < 20; i++) put(server, `old:${i}`, 'v', server.nowMs);
    expect(server.run('DBSIZE')).toBe(':30\r\n');
    expect(scanAll(server).length).toBe(10);
    expect(server.run('DBSIZE')).toBe(':10\r\n');
    expect(server.effects().length).toBe(20);
  });

  it('refuses bad cursors and options', () => {
    const server = new InProcess({ shards });
    for (const cursor of ['x', '', ' 1', '1 ', '18446744073709551616']) {
      expect(server.run('SCAN', cursor)).toBe('-ERR invalid cursor\r\n');
    }
    expect(server.run('SCAN', 0, 'COUNT', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(server.run('SCAN', 0, 'COUNT', '0')).toBe('-ERR syntax error\r\n');
    expect(server.run('SCAN', 0, 'COUNT')).toBe('-ERR syntax error\r\n');
    expect(server.run('SCAN', 0, 'WHAT', 1)).toBe('-ERR syntax error\r\n');
    populate(server, 2000);
    expect(scan(server, '18446744073709551615')).toEqual(['0', []]);
    expect(scan(server, '+0')[1].length).toBeGreaterThan(0);
  });
});

describe.each([1, 3])('KEYS and RANDOMKEY in %i shards', (shards) => {
  it('KEYS lists what matches and is not expired', () => {
    const server = new InProcess({ shards });
    const keys = populate(server, 300);
    put(server, 'other', 'v');
    put(server, 'old', 'v', server.nowMs);
    expect(texts(server.run('KEYS', '*')).sort()).toEqual([...keys, 'other'].sort());
    expect(texts(server.run('KEYS', 'key:2?')).sort()).toEqual(keys.filter((key) => /^key:2.$/.test(key)).sort());
    expect(texts(server.run('KEYS', 'o[t-z]her'))).toEqual(['other']);
    expect(server.run('KEYS', 'nothing*')).toBe('*0\r\n');
    expect(peek(server, 'old')).not.toBeNull();
    server.run('SELECT', 1);
    expect(server.run('KEYS', '*')).toBe('*0\r\n');
  });

  it('RANDOMKEY reaches every key and no expired one', () => {
    const server = new InProcess({ shards });
    expect(server.run('RANDOMKEY')).toBe('$-1\r\n');
    const keys = populate(server, 12);
    put(server, 'old', 'v', server.nowMs);
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) seen.add(texts(server.run('RANDOMKEY'))[0]);
    expect([...seen].sort()).toEqual(keys.sort());
    for (const key of keys) server.run('DEL', key);
    put(server, 'old', 'v', server.nowMs);
    expect(server.run('RANDOMKEY')).toBe('$-1\r\n');
    expect(server.run('DBSIZE')).toBe(':0\r\n');
  });
});
