import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromRows } from '../../differential/arbitrary-parts.ts';
import { STREAMS } from '../../differential/stream-arbitraries.ts';
import { InProcess } from './in-process.ts';

type Word = string | number;

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function effectsOf(server: InProcess, ...words: Word[]): string[] {
  server.effects();
  server.run(...words);
  return server.effects().map((line) => line.slice(4));
}

/** A stream of entries 1-0 … n-0 with a group g that has read nothing. */
function withGroup(entries: number): InProcess {
  const server = new InProcess();
  for (let i = 1; i <= entries; i++) server.run('XADD', 's', `${i}-0`, 'f', `v${i}`);
  server.run('XGROUP', 'CREATE', 's', 'g', '0');
  return server;
}

const read = (server: InProcess, consumer: string, from: string, ...options: Word[]): string =>
  server.run('XREADGROUP', 'GROUP', 'g', consumer, ...options, 'STREAMS', 's', from);

/** Ids in a reply, in their order. */
const idsIn = (reply: string): string[] => [...reply.matchAll(/\r\n(\d+-\d+)\r\n/g)].map(([, id]) => id);

describe('XREADGROUP', () => {
  it('gives each entry to one consumer, and history to who has it', () => {
    const server = withGroup(4);
    expect(idsIn(read(server, 'a', '>', 'COUNT', 2))).toEqual(['1-0', '2-0']);
    expect(idsIn(read(server, 'b', '>'))).toEqual(['3-0', '4-0']);
    expect(read(server, 'b', '>')).toBe('*-1\r\n');
    expect(idsIn(read(server, 'a', '0'))).toEqual(['1-0', '2-0']);
    expect(idsIn(read(server, 'a', '1-0'))).toEqual(['2-0']);
    expect(read(server, 'c', '0')).toBe(`*1\r\n*2\r\n${bulk('s')}*0\r\n`);
    server.run('XDEL', 's', '2-0');
    expect(read(server, 'a', '1-0')).toBe(`*1\r\n*2\r\n${bulk('s')}*1\r\n*2\r\n${bulk('2-0')}*-1\r\n`);
    expect(server.run('XPENDING', 's', 'g')).toBe(
      `*4\r\n:4\r\n${bulk('1-0')}${bulk('4-0')}*2\r\n*2\r\n${bulk('a')}${bulk('2')}*2\r\n${bulk('b')}${bulk('2')}`,
    );
  });

  it('journals who has got what, and how far the group has read', () => {
    const server = withGroup(2);
    const now = server.nowMs;
    server.effects();
    read(server, 'a', '>', 'COUNT', 1);
    expect(server.effects()).toEqual([
      '0 0 XGROUP CREATECONSUMER s g a',
      `0 0 XCLAIM s g a 0 1-0 TIME ${now} RETRYCOUNT 1 FORCE JUSTID LASTID 1-0`,
      '0 0 XGROUP SETID s g 1-0 ENTRIESREAD 1',
    ]);
    read(server, 'a', '>', 'NOACK');
    expect(server.effects()).toEqual(['0 0 XGROUP SETID s g 2-0 ENTRIESREAD 2']);
    read(server, 'a', '>');
    expect(server.effects()).toEqual([]);
    server.nowMs += 9;
    read(server, 'a', '0');
    expect(server.effects()).toEqual([`0 0 XCLAIM s g a 0 1-0 TIME ${now + 9} RETRYCOUNT 2 FORCE JUSTID LASTID 2-0`]);
    read(server, 'z', '0');
    expect(server.effects()).toEqual(['0 0 XGROUP CREATECONSUMER s g z']);
  });

  it('journals no count that cannot be', () => {
    const server = new InProcess();
    server.run('XADD', 's', '1-0', 'f', 'v');
    server.run('XGROUP', 'CREATE', 's', 'g', '0', 'ENTRIESREAD', '9223372036854775807');
    server.effects();
    read(server, 'a', '>', 'NOACK');
    expect(server.effects().at(-1)).toBe('0 0 XGROUP SETID s g 1-0 ENTRIESREAD -1');
    server.run('XDEL', 's', '1-0');
    server.run('XSETID', 's', '1-0', 'ENTRIESADDED', 0);
    for (const id of ['2-0', '3-0', '4-0']) server.run('XADD', 's', id, 'f', 'v');
    server.run('XSETID', 's', '4-0', 'ENTRIESADDED', 3);
    server.run('XGROUP', 'SETID', 's', 'g', '4294967296-0', 'ENTRIESREAD', '4294967295');
    server.run('XADD', 's', '4294967296-1', 'f', 'v');
    server.effects();
    read(server, 'a', '>', 'NOACK');
    expect(server.effects().at(-1)).toBe('0 0 XGROUP SETID s g 4294967296-1 ENTRIESREAD 4294967296');
  });

  it('takes entries back that another consumer has, when the group is set back', () => {
    const server = withGroup(2);
    read(server, 'a', '>');
    server.run('XGROUP', 'SETID', 's', 'g', '1-0');
    expect(idsIn(read(server, 'b', '>'))).toEqual(['2-0']);
    expect(idsIn(read(server, 'a', '0'))).toEqual(['1-0']);
    expect(idsIn(read(server, 'b', '0'))).toEqual(['2-0']);
  });

  it('refuses what is not there', () => {
    const server = withGroup(1);
    expect(server.run('XREADGROUP', 'GROUP', 'x', 'c', 'STREAMS', 's', '>')).toBe(
      "-NOGROUP No such key 's' or consumer group 'x' in XREADGROUP with GROUP option\r\n",
    );
    expect(server.run('XREADGROUP', 'STREAMS', 's', 'a', 'b', '0', '0', '0')).toMatch(/Missing GROUP option/);
    expect(read(server, 'c', '$')).toMatch(/The \$ ID is meaningless/);
    expect(server.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', 's', '>')).toMatch(
      /Unbalanced 'xreadgroup'.*'>'/,
    );
  });
});

describe('XGROUP', () => {
  it('makes, moves and removes groups and consumers', () => {
    const server = new InProcess();
    expect(server.run('XGROUP', 'CREATE', 's', 'g', '$')).toMatch(
      /^-ERR The XGROUP subcommand requires the key to exist/,
    );
    expect(effectsOf(server, 'XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM')).toEqual(['XGROUP CREATE s g $ MKSTREAM']);
    expect(server.run('XGROUP', 'CREATE', 's', 'g', '$')).toBe('-BUSYGROUP Consumer Group name already exists\r\n');
    expect(server.run('XGROUP', 'CREATE', 's', 'h', '$', 'ENTRIESREAD', -2)).toMatch(
      /ENTRIESREAD must be positive or -1/,
    );
    expect(server.run('XGROUP', 'CREATE', 's', 'h', '$', 'BAD')).toMatch(
      /unknown subcommand or wrong number of arguments/,
    );
    expect(server.run('XGROUP', 'CREATECONSUMER', 's', 'g', 'c')).toBe(':1\r\n');
    expect(effectsOf(server, 'XGROUP', 'CREATECONSUMER', 's', 'g', 'c')).toEqual([]);
    expect(server.run('XGROUP', 'CREATECONSUMER', 's', 'x', 'c')).toBe(
      "-NOGROUP No such consumer group 'x' for key name 's'\r\n",
    );
    server.run('XADD', 's', '1-0', 'f', 'v');
    read(server, 'c', '>');
    expect(server.run('XGROUP', 'DELCONSUMER', 's', 'g', 'c')).toBe(':1\r\n');
    expect(server.run('XGROUP', 'DELCONSUMER', 's', 'g', 'c')).toBe(':0\r\n');
    expect(server.run('XPENDING', 's', 'g')).toBe('*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n');
    expect(server.run('XGROUP', 'DESTROY', 's', 'g')).toBe(':1\r\n');
    expect(server.run('XGROUP', 'DESTROY', 's', 'g')).toBe(':0\r\n');
    expect(server.run('XGROUP', 'HELP')).toMatch(/^\*\d+\r\n\+XGROUP <subcommand>/);
  });
});

describe('XCLAIM and XAUTOCLAIM', () => {
  it('move entries that have been pending for long enough', () => {
    const server = withGroup(3);
    const start = server.nowMs;
    read(server, 'a', '>');
    server.nowMs += 100;
    expect(server.run('XCLAIM', 's', 'g', 'b', 101, '1-0')).toBe('*0\r\n');
    expect(idsIn(server.run('XCLAIM', 's', 'g', 'b', 100, '1-0', '2-0', '9-9'))).toEqual(['1-0', '2-0']);
    expect(server.run('XCLAIM', 's', 'g', 'b', 0, '1-0', 'JUSTID', 'IDLE', 50, 'RETRYCOUNT', 7)).toBe(
      `*1\r\n${bulk('1-0')}`,
    );
    expect(server.run('XPENDING', 's', 'g', '-', '+', 10)).toBe(
      `*3\r\n*4\r\n${bulk('1-0')}${bulk('b')}:50\r\n:7\r\n*4\r\n${bulk('2-0')}${bulk('b')}:0\r\n:2\r\n` +
        `*4\r\n${bulk('3-0')}${bulk('a')}:100\r\n:1\r\n`,
    );
    expect(idsIn(server.run('XPENDING', 's', 'g', 'IDLE', 60, '-', '+', 10))).toEqual(['3-0']);
    expect(idsIn(server.run('XPENDING', 's', 'g', '(1-0', '+', 10, 'b'))).toEqual(['2-0']);
    expect(effectsOf(server, 'XCLAIM', 's', 'g', 'b', 0, '3-0', 'TIME', start, 'LASTID', '2-9')).toEqual([
      `XCLAIM s g b 0 3-0 TIME ${start} RETRYCOUNT 2 FORCE JUSTID LASTID 3-0`,
    ]);
    expect(effectsOf(server, 'XCLAIM', 's', 'g', 'b', 0, '9-0', 'LASTID', '8-0')).toEqual([
      'XGROUP SETID s g 8-0 ENTRIESREAD 3',
    ]);
    expect(server.run('XCLAIM', 's', 'g', 'b', 0, '1-0', 'WHAT')).toBe("-ERR Unrecognized XCLAIM option 'WHAT'\r\n");
    expect(server.run('XCLAIM', 's', 'x', 'b', 0, '1-0')).toBe("-NOGROUP No such key 's' or consumer group 'x'\r\n");
  });

  it('forget entries that are in the stream no more', () => {
    const server = withGroup(3);
    read(server, 'a', '>');
    server.run('XDEL', 's', '1-0', '2-0');
    expect(effectsOf(server, 'XCLAIM', 's', 'g', 'a', 0, '1-0')).toEqual(['XACK s g 1-0']);
    expect(server.run('XAUTOCLAIM', 's', 'g', 'b', 0, '-', 'COUNT', 1, 'JUSTID')).toBe(
      `*3\r\n${bulk('3-0')}*0\r\n*1\r\n${bulk('2-0')}`,
    );
    expect(server.run('XAUTOCLAIM', 's', 'g', 'b', 0, '3-0', 'JUSTID')).toBe(
      `*3\r\n${bulk('0-0')}*1\r\n${bulk('3-0')}*0\r\n`,
    );
    expect(server.run('XAUTOCLAIM', 's', 'g', 'b', 0, '-', 'COUNT', 0)).toBe('-ERR COUNT must be > 0\r\n');
  });

  it('make pending entries out of nothing under FORCE, if the stream has them', () => {
    const server = withGroup(1);
    expect(server.run('XCLAIM', 's', 'g', 'b', 0, '1-0')).toBe('*0\r\n');
    expect(server.run('XCLAIM', 's', 'g', 'b', 0, '1-0', '2-0', 'FORCE', 'JUSTID')).toBe(`*1\r\n${bulk('1-0')}`);
    expect(server.run('XACK', 's', 'g', '1-0', '1-0', '2-0')).toBe(':1\r\n');
    expect(effectsOf(server, 'XACK', 's', 'g', '1-0')).toEqual([]);
    expect(server.run('XACK', 's', 'none', '1-0')).toBe(':0\r\n');
    expect(server.run('XACK', 's', 'g', 'x')).toMatch(/^-ERR Invalid stream ID/);
  });
});

describe('XINFO', () => {
  /** Entries read and lag of group g. */
  function progress(server: InProcess): string[] {
    const reply = server.run('XINFO', 'GROUPS', 's');
    const value = (name: string) => new RegExp(`${name}\r\n(:-?\\d+|\\$-1)`).exec(reply)?.[1] ?? 'none';
    return [value('entries-read'), value('lag')];
  }

  it('tells how far a group is behind, unless entries were deleted before it', () => {
    const server = withGroup(5);
    expect(progress(server)).toEqual(['$-1', ':5']);
    read(server, 'c', '>', 'COUNT', 2);
    expect(progress(server)).toEqual([':2', ':3']);
    server.run('XDEL', 's', '1-0');
    expect(progress(server)).toEqual([':2', ':3']);
    server.run('XDEL', 's', '4-0');
    expect(progress(server)).toEqual([':2', '$-1']);
    read(server, 'c', '>', 'COUNT', 1);
    expect(progress(server)).toEqual(['$-1', '$-1']);
    read(server, 'c', '>');
    expect(progress(server)).toEqual([':5', ':0']);
    server.run('XGROUP', 'SETID', 's', 'g', '0');
    server.run('XTRIM', 's', 'MINID', '5-0');
    expect(progress(server)).toEqual(['$-1', ':1']);
    server.run('XTRIM', 's', 'MAXLEN', 0);
    expect(progress(server)).toEqual(['$-1', ':0']);
  });

  it('tells when a consumer asked last, and when it got something', () => {
    const server = withGroup(1);
    read(server, 'c', '0');
    server.nowMs += 7;
    const asked = server.run('XINFO', 'CONSUMERS', 's', 'g');
    expect(asked).toContain(`${bulk('idle')}:7\r\n${bulk('inactive')}:-1\r\n`);
    read(server, 'c', '>');
    server.nowMs += 5;
    read(server, 'c', '>');
    expect(server.run('XINFO', 'CONSUMERS', 's', 'g')).toContain(`${bulk('idle')}:0\r\n${bulk('inactive')}:5\r\n`);
    expect(server.run('XINFO', 'CONSUMERS', 's', 'x')).toMatch(/^-NOGROUP/);
    expect(server.run('XINFO', 'GROUPS', 'none')).toBe('-ERR no such key\r\n');
    expect(server.run('XINFO', 'STREAM', 's', 'WHAT')).toMatch(/unknown subcommand or wrong number of arguments/);
  });
});

describe('what is journalled', () => {
  const KEYS = ['s:1', 's:2', '{t}s', '{t}future', 'a', 'b', 'c', 'key:1'];
  const noBlanks = fromRows(STREAMS).filter((words) => words.every((word) => word !== '' && !/[\s\0]/.test(word)));

  /** All that streams and groups are, but for when consumers were seen. */
  function state(server: InProcess): string {
    const replies = KEYS.map((key) => server.run('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0));
    return replies.join('\n').replace(/(seen-time|active-time)\r\n:-?\d+/g, '$1');
  }

  it('is a command that can be run, however great the number was', () => {
    const server = new InProcess();
    server.run('XADD', 's', 'MAXLEN', '9223372036854775807', '1-*', 'f', 'v');
    expect(server.effects()).toEqual([`0 0 XADD s MAXLEN = ${Number.MAX_SAFE_INTEGER} 1-0 f v`]);
  });

  it('makes the same streams and groups again', () => {
    fc.assert(
      fc.property(fc.array(noBlanks, { minLength: 20, maxLength: 60 }), (commands) => {
        const server = new InProcess({ shards: 2, settings: { 'stream-node-max-entries': '4' } });
        for (const words of commands) {
          server.run(...words);
          server.nowMs += 3;
        }
        const again = new InProcess({ shards: 2 });
        again.nowMs = server.nowMs;
        for (const line of server.effects()) {
          const words = line.split(' ').slice(2);
          expect(again.run(...words), line).not.toMatch(/^-/);
        }
        const nodes = /radix-tree-(keys|nodes)\r\n:\d+/g;
        expect(state(again).replace(nodes, '')).toBe(state(server).replace(nodes, ''));
      }),
      { numRuns: 25 },
    );
  });

  it('and all memory comes back', () => {
    fc.assert(
      fc.property(fc.array(noBlanks, { minLength: 20, maxLength: 60 }), (commands) => {
        const server = new InProcess({ settings: { 'stream-node-max-entries': '4' } });
        const [ks] = server.access.spaces;
        server.run('SET', 'x', 'y');
        server.run('DEL', 'x');
        const live = ks.arena.liveBytes();
        for (const words of commands) server.run(...words);
        for (const key of KEYS) server.run('DEL', key);
        server.run('FLUSHALL');
        while (ks.freeDropped(100));
        server.run('SET', 'x', 'y');
        server.run('DEL', 'x');
        expect(ks.arena.liveBytes()).toBe(live);
      }),
      { numRuns: 25 },
    );
  });

  it.each([
    ['XACK', ['XACK', 's', 'g', '1-0', '2-0', '3-0']],
    ['XGROUP DELCONSUMER', ['XGROUP', 'DELCONSUMER', 's', 'g', 'b']],
    ['XAUTOCLAIM of what is gone', ['XAUTOCLAIM', 's', 'g', 'c', '0', '-']],
  ])('%s gives back what pending entries took', (_name, words) => {
    const server = withGroup(3);
    const [ks] = server.access.spaces;
    server.run('XGROUP', 'CREATECONSUMER', 's', 'g', 'c');
    const round = (): number => {
      read(server, 'b', '>');
      if (words[0] === 'XAUTOCLAIM') server.run('XDEL', 's', '1-0', '2-0', '3-0');
      server.run(...words);
      expect(server.run('XPENDING', 's', 'g')).toMatch(/^\*4\r\n:0\r\n/);
      const live = ks.arena.liveBlocks();
      if (words[0] === 'XAUTOCLAIM') {
        server.run('DEL', 's');
        for (let i = 1; i <= 3; i++) server.run('XADD', 's', `${i}-0`, 'f', `v${i}`);
        server.run('XGROUP', 'CREATE', 's', 'g', '0');
        server.run('XGROUP', 'CREATECONSUMER', 's', 'g', 'c');
      }
      server.run('XGROUP', 'SETID', 's', 'g', '0');
      return live;
    };
    expect(round()).toBe(round());
  });

  it('a huge group is freed in steps', () => {
    const server = withGroup(300);
    const [ks] = server.access.spaces;
    const before = ks.arena.liveBlocks();
    for (const consumer of ['a', 'b', 'c']) read(server, consumer, '>', 'COUNT', 100);
    expect(ks.arena.liveBlocks()).toBeGreaterThan(before + 300);
    expect(server.run('XGROUP', 'DESTROY', 's', 'g')).toBe(':1\r\n');
    expect(ks.arena.liveBlocks()).toBeGreaterThan(before + 200);
    expect(ks.freeDropped(50)).toBe(true);
    while (ks.freeDropped(50));
    expect(ks.arena.liveBlocks()).toBeLessThan(before);
  });
});
