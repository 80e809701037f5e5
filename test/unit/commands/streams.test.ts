import { describe, expect, it } from 'vitest';
import { InProcess } from './in-process.ts';

type Word = string | number | Buffer;

function entry(id: string, ...words: string[]): string {
  return `*2\r\n${bulk(id)}*${words.length}\r\n${words.map(bulk).join('')}`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** What a command journals in shard 0, database 0, without these two numbers. */
function effectsOf(server: InProcess, ...words: Word[]): string[] {
  server.effects();
  server.run(...words);
  return server.effects().map((line) => line.slice(4));
}

function withEntries(...ids: string[]): InProcess {
  const server = new InProcess();
  for (const id of ids) server.run('XADD', 's', id, 'f', id);
  return server;
}

describe('XADD', () => {
  it('makes ids out of the time, and never smaller ones', () => {
    const server = new InProcess();
    const now = server.nowMs;
    expect(server.run('XADD', 's', '*', 'f', 'v')).toBe(bulk(`${now}-0`));
    expect(server.run('XADD', 's', '*', 'f', 'v')).toBe(bulk(`${now}-1`));
    server.nowMs += 5;
    expect(server.run('XADD', 's', '*', 'f', 'v')).toBe(bulk(`${now + 5}-0`));
    server.nowMs -= 4;
    expect(server.run('XADD', 's', '*', 'f', 'v')).toBe(bulk(`${now + 5}-1`));
    expect(server.run('XADD', 's', `${now + 5}-*`, 'f', 'v')).toBe(bulk(`${now + 5}-2`));
    expect(server.run('XADD', 's', `${now + 6}-*`, 'f', 'v')).toBe(bulk(`${now + 6}-0`));
    expect(server.run('XADD', 's', `${now + 6}-0`, 'f', 'v')).toMatch(
      /^-ERR The ID specified in XADD is equal or small/,
    );
    expect(server.run('XLEN', 's')).toBe(':6\r\n');
  });

  it('ends with the last id there is', () => {
    const server = new InProcess();
    const last = '18446744073709551615-18446744073709551615';
    expect(server.run('XADD', 's', '18446744073709551615-18446744073709551614', 'f', 'v')).toContain('614');
    expect(server.run('XADD', 's', '18446744073709551615-*', 'f', 'v')).toBe(bulk(last));
    expect(server.run('XADD', 's', '*', 'f', 'v')).toMatch(/^-ERR The stream has exhausted the last possible ID/);
    expect(server.run('XADD', 't', '0-0', 'f', 'v')).toBe('-ERR The ID specified in XADD must be greater than 0-0\r\n');
    expect(server.run('EXISTS', 't')).toBe(':0\r\n');
    expect(server.run('XADD', 't', '0-*', 'f', 'v')).toBe(bulk('0-1'));
  });

  it('asks for fields in pairs, and makes no stream under NOMKSTREAM', () => {
    const server = new InProcess();
    expect(server.run('XADD', 's', '*', 'f')).toBe("-ERR wrong number of arguments for 'xadd' command\r\n");
    expect(server.run('XADD', 's', '*', 'f', 'v', 'g')).toBe("-ERR wrong number of arguments for 'xadd' command\r\n");
    expect(server.run('XADD', 's', 'NOMKSTREAM', '*', 'f', 'v')).toBe('$-1\r\n');
    server.run('SET', 'k', 'v');
    expect(server.run('XADD', 'k', '*', 'f', 'v')).toMatch(/^-WRONGTYPE/);
    expect(server.run('TYPE', 's')).toBe('+none\r\n');
  });

  it('journals the id that it made, and what trimming left', () => {
    const server = new InProcess({ settings: { 'stream-node-max-entries': '2' } });
    const now = server.nowMs;
    expect(effectsOf(server, 'XADD', 's', 'NOMKSTREAM', '*', 'f', 'v')).toEqual([]);
    expect(effectsOf(server, 'XADD', 's', '*', 'f', 'v')).toEqual([`XADD s ${now}-0 f v`]);
    expect(effectsOf(server, 'XADD', 's', `${now}-1`, 'f', 'v')).toEqual([`XADD s ${now}-1 f v`]);
    expect(effectsOf(server, 'XADD', 's', `${now}-*`, 'f', 'v')).toEqual([`XADD s ${now}-2 f v`]);
    expect(effectsOf(server, 'XADD', 's', 'MAXLEN', 2, `${now}-3`, 'f', 'v')).toEqual([`XADD s MAXLEN 2 ${now}-3 f v`]);
    expect(effectsOf(server, 'XADD', 's', 'MAXLEN', '~', 1, '*', 'f', 'v')).toEqual([`XADD s MAXLEN = 1 ${now}-4 f v`]);
    expect(effectsOf(server, 'XADD', 's', 'MINID', '~', `${now}-5`, '*', 'f', 'v')).toEqual([
      `XADD s MINID = ${now}-4 ${now}-5 f v`,
    ]);
    expect(effectsOf(server, 'XADD', 's', 'MINID', `${now}-9`, '*', 'f', 'v')).toEqual([
      `XADD s MINID = ${now}-9 ${now}-6 f v`,
    ]);
    expect(server.run('XLEN', 's')).toBe(':0\r\n');
  });
});

describe('reading entries', () => {
  it('XRANGE and XREVRANGE take ends, excluded ends and a count', () => {
    const server = withEntries('1-1', '1-2', '2-0', '3-0');
    const all = ['1-1', '1-2', '2-0', '3-0'].map((id) => entry(id, 'f', id));
    expect(server.run('XRANGE', 's', '-', '+')).toBe(`*4\r\n${all.join('')}`);
    expect(server.run('XREVRANGE', 's', '+', '-')).toBe(`*4\r\n${[...all].reverse().join('')}`);
    expect(server.run('XRANGE', 's', '1', '1')).toBe(`*2\r\n${all[0]}${all[1]}`);
    expect(server.run('XRANGE', 's', '(1-1', '(3')).toBe(`*3\r\n${all[1]}${all[2]}${all[3]}`);
    expect(server.run('XRANGE', 's', '(1-1', '(3-0')).toBe(`*2\r\n${all[1]}${all[2]}`);
    expect(server.run('XREVRANGE', 's', '+', '-', 'COUNT', 1)).toBe(`*1\r\n${all[3]}`);
    expect(server.run('XRANGE', 's', '-', '+', 'COUNT', 0)).toBe('*-1\r\n');
    expect(server.run('XRANGE', 's', '-', '+', 'COUNT', -3)).toBe('*-1\r\n');
    expect(server.run('XRANGE', 'none', '-', '+')).toBe('*0\r\n');
    expect(server.run('XRANGE', 's', '(18446744073709551615-18446744073709551615', '+')).toBe(
      '-ERR invalid start ID for the interval\r\n',
    );
    expect(server.run('XRANGE', 's', '-', '(0-0')).toBe('-ERR invalid end ID for the interval\r\n');
    expect(server.run('XRANGE', 's', '-', 'x')).toBe('-ERR Invalid stream ID specified as stream command argument\r\n');
    expect(server.run('XRANGE', 's', '-', '+', 'COUNT')).toBe('-ERR syntax error\r\n');
  });

  it('integers and long values come back as they were', () => {
    const server = new InProcess();
    const values = ['0', '-1', '127', '4096', '-32769', '8388608', '2147483648', '-9223372036854775808', '007'];
    const long = 'x'.repeat(5000);
    server.run('XADD', 's', '1-1', ...values, long);
    expect(server.run('XRANGE', 's', '-', '+')).toBe(`*1\r\n${entry('1-1', ...values, long)}`);
  });

  it('XREAD answers what stands behind the ids, of several streams', () => {
    const server = withEntries('1-1', '2-0');
    server.run('XADD', 't', '7-7', 'g', 'h');
    const s = `*2\r\n${bulk('s')}*1\r\n${entry('2-0', 'f', '2-0')}`;
    const t = `*2\r\n${bulk('t')}*1\r\n${entry('7-7', 'g', 'h')}`;
    expect(server.run('XREAD', 'STREAMS', 's', 't', '1-1', '0')).toBe(`*2\r\n${s}${t}`);
    expect(server.run('XREAD', 'STREAMS', 's', 't', '$', '0')).toBe(`*1\r\n${t}`);
    expect(server.run('XREAD', 'COUNT', 1, 'STREAMS', 's', '1-1')).toBe(`*1\r\n${s}`);
    expect(server.run('XREAD', 'STREAMS', 's', 'none', '2-0', '0')).toBe('*-1\r\n');
    server.run('HELLO', 3);
    expect(server.run('XREAD', 'STREAMS', 's', '1-1')).toBe(`%1\r\n${s.slice(4)}`);
    expect(server.run('XREAD', 'STREAMS', 's', '2-0')).toBe('_\r\n');
  });

  it('XREAD finds its keys behind its options, whatever they are called', () => {
    const server = new InProcess({ shards: 4 });
    server.run('XADD', 'STREAMS', '1-1', 'f', 'v');
    server.run('XGROUP', 'CREATE', 'STREAMS', 'streams', 0);
    expect(server.run('XREAD', 'STREAMS', 'STREAMS', 0)).toContain('1-1');
    expect(server.run('XREADGROUP', 'NOACK', 'GROUP', 'streams', 'streams', 'STREAMS', 'STREAMS', '>')).toContain(
      '1-1',
    );
    expect(
      server.run('COMMAND', 'GETKEYS', 'XREADGROUP', 'GROUP', 'streams', 'streams', 'STREAMS', 'a', 'b', 0, 0),
    ).toBe('*2\r\n$1\r\na\r\n$1\r\nb\r\n');
    expect(server.run('XREAD', 'STREAMS', 'a', 'b', 0)).toMatch(/^-ERR Unbalanced 'xread' list of streams.*'\$'/);
    expect(server.run('XREAD', 'COUNT', 'x', 'STREAMS', 'a', 0)).toBe(
      '-ERR value is not an integer or out of range\r\n',
    );
    expect(server.run('XREAD', 'BLOCK', -1, 'STREAMS', 'a', 0)).toBe('-ERR timeout is negative\r\n');
    expect(server.run('XREAD', 'COUNT', 1, 'KEYS', 'a', 0)).toBe('-ERR syntax error\r\n');
    expect(server.run('XREAD', 'GROUP', 'g', 'c', 'STREAMS', 'a', 0)).toMatch(/^-ERR The GROUP option is only/);
    expect(server.run('XREAD', 'STREAMS', 'a', '>')).toMatch(/^-ERR The > ID can be specified only/);
  });
});

describe('deleting entries', () => {
  it('XDEL counts what was there, and the stream stays', () => {
    const server = withEntries('1-1', '2-0');
    expect(server.run('XDEL', 's', '1-1', '1-1', '9-9')).toBe(':1\r\n');
    expect(effectsOf(server, 'XDEL', 's', '9-9')).toEqual([]);
    expect(effectsOf(server, 'XDEL', 's', '2-0', '9-9')).toEqual(['XDEL s 2-0 9-9']);
    expect(server.run('XLEN', 's')).toBe(':0\r\n');
    expect(server.run('EXISTS', 's')).toBe(':1\r\n');
    expect(server.run('XDEL', 's', 'x')).toMatch(/^-ERR Invalid stream ID/);
    expect(server.run('XDEL', 'none', 'x')).toBe(':0\r\n');
    expect(server.run('XADD', 's', '2-0', 'f', 'v')).toMatch(/equal or smaller/);
  });

  it('XTRIM goes exactly as far as it is told, with ~ by whole nodes', () => {
    const server = new InProcess({ settings: { 'stream-node-max-entries': '10' } });
    for (let i = 1; i <= 45; i++) server.run('XADD', 's', `${i}-0`, 'f', 'v');
    expect(effectsOf(server, 'XTRIM', 's', 'MAXLEN', '~', 28)).toEqual(['XTRIM s MAXLEN = 35']);
    expect(effectsOf(server, 'XTRIM', 's', 'MAXLEN', '~', 28)).toEqual([]);
    expect(server.run('XTRIM', 's', 'MAXLEN', '~', 0, 'LIMIT', 9)).toBe(':0\r\n');
    expect(server.run('XTRIM', 's', 'MAXLEN', '~', 0, 'LIMIT', 10)).toBe(':10\r\n');
    expect(server.run('XTRIM', 's', 'MAXLEN', '=', 22)).toBe(':3\r\n');
    expect(effectsOf(server, 'XTRIM', 's', 'MINID', '~', '35')).toEqual(['XTRIM s MINID = 31-0']);
    expect(effectsOf(server, 'XTRIM', 's', 'MINID', '35')).toEqual(['XTRIM s MINID 35']);
    expect(server.run('XRANGE', 's', '-', '+', 'COUNT', 1)).toContain('35-0');
    expect(server.run('XLEN', 's')).toBe(':11\r\n');
    expect(server.run('XTRIM', 'none', 'MAXLEN', 1)).toBe(':0\r\n');
  });

  it.each([
    [['MAXLEN', '1', 'MINID', '1'], /MAXLEN and MINID options at the same time are not compatible/],
    [['LIMIT', '1'], /LIMIT cannot be used without specifying a trimming strategy/],
    [['LIMIT', '0'], /XTRIM must be called with a trimming strategy/],
    [['MAXLEN', '1', 'LIMIT', '1'], /LIMIT cannot be used without the special ~ option/],
    [['MAXLEN', '-1'], /The MAXLEN argument must be >= 0/],
    [['MAXLEN', '~', '1', 'LIMIT', '-1'], /The LIMIT argument must be >= 0/],
    [['MAXLEN', 'x'], /value is not an integer/],
    [['MINID', 'x'], /Invalid stream ID/],
    [['BAD', '1'], /syntax error/],
  ])('XTRIM s %j is refused', (words, error) => {
    expect(withEntries('1-1').run('XTRIM', 's', ...words)).toMatch(error);
  });
});

describe('XSETID', () => {
  it('sets what the stream remembers, if that can be true', () => {
    const server = withEntries('1-1', '5-0');
    expect(server.run('XSETID', 's', '9-9', 'ENTRIESADDED', '9223372036854775807', 'MAXDELETEDID', '3-3')).toBe(
      '+OK\r\n',
    );
    const info = server.run('XINFO', 'STREAM', 's');
    expect(info).toContain(`${bulk('last-generated-id')}${bulk('9-9')}`);
    expect(info).toContain(`${bulk('max-deleted-entry-id')}${bulk('3-3')}`);
    expect(info).toContain(`${bulk('entries-added')}:9223372036854775807\r\n`);
    expect(server.run('XSETID', 's', '3-2')).toMatch(/smaller than current max_deleted_entry_id/);
    expect(server.run('XSETID', 's', '4-0')).toMatch(/smaller than the target stream top item/);
    expect(server.run('XSETID', 's', '9-0', 'ENTRIESADDED', 1)).toMatch(
      /entries_added .* smaller than the target stream len/,
    );
    expect(server.run('XSETID', 's', '9-0', 'ENTRIESADDED', -1)).toMatch(/entries_added must be positive/);
    expect(server.run('XSETID', 's', '9-0', 'MAXDELETEDID', '9-1')).toMatch(
      /smaller than the provided max_deleted_entry_id/,
    );
    expect(server.run('XSETID', 'none', '9-0')).toBe('-ERR no such key\r\n');
  });
});

describe('streams among the other types', () => {
  it('have a type, an encoding, a digest and a size', () => {
    const server = new InProcess({ settings: { 'enable-debug-command': 'yes' } });
    server.run('XADD', 's', '5-3', 'f', 'v', 'g', '12');
    server.run('XADD', 's', '6-3', 'f', 'v2');
    server.run('XADD', 's', '7-3', 'h', 'v2');
    server.run('XDEL', 's', '6-3');
    expect(server.run('TYPE', 's')).toBe('+stream\r\n');
    expect(server.run('OBJECT', 'ENCODING', 's')).toBe(bulk('stream'));
    // asked of a stock server
    expect(server.run('DEBUG', 'DIGEST-VALUE', 's')).toBe('*1\r\n+b18d8cbfb3855bb7946b604e51a873feea019d73\r\n');
    expect(Number(server.run('MEMORY', 'USAGE', 's').slice(1))).toBeGreaterThan(200);
    expect(server.run('GET', 's')).toMatch(/^-WRONGTYPE/);
    expect(server.run('XLEN', 's')).toBe(':2\r\n');
  });
});
