import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { InProcess } from './in-process.ts';
import { keyInShard } from './seed-keys.ts';

const WRONGTYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n';
const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const NOT_POSITIVE = '-ERR value is out of range, must be positive\r\n';
let server: InProcess;
beforeEach(() => {
  server = new InProcess();
});
const run = (...words: (string | number)[]) => server.run(...words);
const bulks = (...words: (string | number)[]) =>
  `*${words.length}\r\n${words.map((word) => `$${String(word).length}\r\n${word}\r\n`).join('')}`;
const bulk = (word: string) => `$${word.length}\r\n${word}\r\n`;
const all = (key: string) => run('LRANGE', key, 0, -1);
const encoding = (key: string) => run('OBJECT', 'ENCODING', key).split('\r\n')[1];

describe('pushing and popping', () => {
  test('at both ends, one or several', () => {
    expect(run('RPUSH', 'l', 'a', 'b', 3)).toBe(':3\r\n');
    expect(run('LPUSH', 'l', 'x', 'y')).toBe(':5\r\n');
    expect(all('l')).toBe(bulks('y', 'x', 'a', 'b', 3));
    expect(run('LPOP', 'l')).toBe(bulk('y'));
    expect(run('RPOP', 'l')).toBe(bulk('3'));
    expect(run('RPOP', 'l', 2)).toBe(bulks('b', 'a'));
    expect(run('LPOP', 'l', 9)).toBe(bulks('x'));
    expect(run('EXISTS', 'l')).toBe(':0\r\n');
    expect(server.effects()).toEqual([
      '0 0 RPUSH l a b 3',
      '0 0 LPUSH l x y',
      '0 0 LPOP l',
      '0 0 RPOP l',
      '0 0 RPOP l 2',
      '0 0 LPOP l 9',
    ]);
  });

  test('LPUSHX and RPUSHX need a list', () => {
    expect(run('LPUSHX', 'l', 'a')).toBe(':0\r\n');
    expect(run('RPUSHX', 'l', 'a')).toBe(':0\r\n');
    expect(run('EXISTS', 'l')).toBe(':0\r\n');
    run('RPUSH', 'l', 'm');
    expect(run('RPUSHX', 'l', 'n', 'o')).toBe(':3\r\n');
    expect(run('LPUSHX', 'l', 'k')).toBe(':4\r\n');
    expect(all('l')).toBe(bulks('k', 'm', 'n', 'o'));
    expect(server.effects()).toEqual(['0 0 RPUSH l m', '0 0 RPUSHX l n o', '0 0 LPUSHX l k']);
  });

  test('counts of pops', () => {
    expect(run('LPOP', 'none')).toBe('$-1\r\n');
    expect(run('LPOP', 'none', 1)).toBe('*-1\r\n');
    run('RPUSH', 'l', 'a');
    server.effects();
    expect(run('LPOP', 'l', 0)).toBe('*0\r\n');
    expect(run('LPOP', 'l', -1)).toBe(NOT_POSITIVE);
    expect(run('RPOP', 'l', 'x')).toBe(NOT_POSITIVE);
    expect(run('RPOP', 'l', 1, 2)).toBe("-ERR wrong number of arguments for 'rpop' command\r\n");
    expect(server.effects()).toEqual([]);
    expect(run('RPOP', 'l', '9223372036854775807')).toBe(bulks('a'));
  });

  test('bytes come back as they were, integers too', () => {
    const odd = [
      '',
      '0',
      '-0',
      '01',
      '+1',
      '9223372036854775807',
      '-9223372036854775808',
      '9223372036854775808',
      '\x00',
    ];
    run('RPUSH', 'l', ...odd);
    expect(all('l')).toBe(bulks(...odd));
    for (const word of odd) expect(run('LPOP', 'l')).toBe(bulk(word));
  });
});

describe('LMPOP', () => {
  test('takes from the first list that is there', () => {
    run('RPUSH', 'b', 1, 2, 3, 4);
    server.effects();
    expect(run('LMPOP', 2, 'a', 'b', 'left')).toBe(`*2\r\n${bulk('b')}${bulks(1)}`);
    expect(run('LMPOP', 2, 'a', 'b', 'RIGHT', 'COUNT', 2)).toBe(`*2\r\n${bulk('b')}${bulks(4, 3)}`);
    expect(run('LMPOP', 1, 'b', 'LEFT', 'count', '9223372036854775807')).toBe(`*2\r\n${bulk('b')}${bulks(2)}`);
    expect(run('LMPOP', 2, 'a', 'b', 'LEFT')).toBe('*-1\r\n');
    expect(server.effects()).toEqual(['0 0 LPOP b 1', '0 0 RPOP b 2', '0 0 LPOP b 1']);
  });

  test('refuses what it does not understand', () => {
    const refused: [string, (string | number)[]][] = [
      ['numkeys should be greater than 0', [0, 'a', 'LEFT']],
      ['numkeys should be greater than 0', ['x', 'a', 'LEFT']],
      ['syntax error', [1, 'a', 'MIDDLE']],
      ['syntax error', [2, 'a', 'LEFT']],
      ['syntax error', [1, 'a', 'LEFT', 'COUNT']],
      ['syntax error', [1, 'a', 'LEFT', 'COUNT', 1, 'COUNT', 1]],
      ['count should be greater than 0', [1, 'a', 'LEFT', 'COUNT', 0]],
      ['count should be greater than 0', [1, 'a', 'LEFT', 'COUNT', 0, 'extra']],
    ];
    for (const [text, words] of refused) expect(run('LMPOP', ...words), words.join(' ')).toBe(`-ERR ${text}\r\n`);
  });
});

describe('reading', () => {
  test('LINDEX, LLEN', () => {
    run('RPUSH', 'l', 'a', 'b', 'c');
    expect(run('LLEN', 'l')).toBe(':3\r\n');
    expect(run('LLEN', 'none')).toBe(':0\r\n');
    expect([run('LINDEX', 'l', 0), run('LINDEX', 'l', -1)]).toEqual([bulk('a'), bulk('c')]);
    for (const index of [3, -4, '9223372036854775807', '-9223372036854775808'])
      expect(run('LINDEX', 'l', index)).toBe('$-1\r\n');
    expect(run('LINDEX', 'l', 'x')).toBe(NOT_INTEGER);
    expect(run('LINDEX', 'none', 'x')).toBe('$-1\r\n');
  });

  test('LRANGE cuts its ends', () => {
    run('RPUSH', 'l', 'a', 'b', 'c');
    expect(run('LRANGE', 'l', 1, 1)).toBe(bulks('b'));
    expect(run('LRANGE', 'l', -2, 100)).toBe(bulks('b', 'c'));
    expect(run('LRANGE', 'l', -100, 0)).toBe(bulks('a'));
    for (const ends of [
      [2, 1],
      [3, 9],
      [0, -4],
    ])
      expect(run('LRANGE', 'l', ...ends)).toBe('*0\r\n');
    expect(run('LRANGE', 'none', 0, -1)).toBe('*0\r\n');
    expect(run('LRANGE', 'none', 'x', 0)).toBe(NOT_INTEGER);
  });

  test('LPOS', () => {
    run('RPUSH', 'l', 'a', 'b', 'c', 1, 2, 3, 'c', 'c');
    expect(run('LPOS', 'l', 'a')).toBe(':0\r\n');
    expect(run('LPOS', 'l', 'c', 'RANK', 2)).toBe(':6\r\n');
    expect(run('LPOS', 'l', 'c', 'RANK', -1)).toBe(':7\r\n');
    expect(run('LPOS', 'l', 'c', 'COUNT', 0)).toBe('*3\r\n:2\r\n:6\r\n:7\r\n');
    expect(run('LPOS', 'l', 'c', 'COUNT', 0, 'RANK', -2)).toBe('*2\r\n:6\r\n:2\r\n');
    expect(run('LPOS', 'l', 'c', 'COUNT', 0, 'MAXLEN', 7)).toBe('*2\r\n:2\r\n:6\r\n');
    expect(run('LPOS', 'l', 'x')).toBe('$-1\r\n');
    expect(run('LPOS', 'l', 'x', 'COUNT', 5)).toBe('*0\r\n');
    expect(run('LPOS', 'none', 'x', 'COUNT', 5)).toBe('*0\r\n');
    expect(run('LPOS', 'l', 'c', 'RANK', 0)).toContain("RANK can't be zero");
    expect(run('LPOS', 'l', 'c', 'RANK', '-9223372036854775808')).toContain('out of range');
    expect(run('LPOS', 'l', 'c', 'COUNT', -1)).toBe("-ERR COUNT can't be negative\r\n");
    expect(run('LPOS', 'l', 'c', 'MAXLEN', -1)).toBe("-ERR MAXLEN can't be negative\r\n");
    expect(run('LPOS', 'l', 'c', 'RANK')).toBe('-ERR syntax error\r\n');
  });
});

describe('changing in the middle', () => {
  test('LSET', () => {
    run('RPUSH', 'l', 'a', 'b', 'c');
    expect(run('LSET', 'l', 1, 'B')).toBe('+OK\r\n');
    expect(run('LSET', 'l', -1, 7)).toBe('+OK\r\n');
    expect(all('l')).toBe(bulks('a', 'B', 7));
    expect(run('LSET', 'l', 3, 'x')).toBe('-ERR index out of range\r\n');
    expect(run('LSET', 'l', -4, 'x')).toBe('-ERR index out of range\r\n');
    expect(run('LSET', 'l', 'x', 'x')).toBe(NOT_INTEGER);
    expect(run('LSET', 'none', 'x', 'x')).toBe('-ERR no such key\r\n');
  });

  test('LINSERT', () => {
    run('RPUSH', 'l', 'a', 'b');
    expect(run('LINSERT', 'l', 'before', 'a', 'x')).toBe(':3\r\n');
    expect(run('LINSERT', 'l', 'AFTER', 'b', 'y')).toBe(':4\r\n');
    expect(all('l')).toBe(bulks('x', 'a', 'b', 'y'));
    expect(run('LINSERT', 'l', 'AFTER', 'none', 'y')).toBe(':-1\r\n');
    expect(run('LINSERT', 'none', 'AFTER', 'a', 'y')).toBe(':0\r\n');
    expect(run('LINSERT', 'l', 'BESIDE', 'a', 'y')).toBe('-ERR syntax error\r\n');
  });

  test('LREM from both ends', () => {
    run('RPUSH', 'l', 'a', 'b', 'a', 'c', 'a', 1, '01');
    expect(run('LREM', 'l', 1, 'a')).toBe(':1\r\n');
    expect(run('LREM', 'l', -1, 'a')).toBe(':1\r\n');
    expect(all('l')).toBe(bulks('b', 'a', 'c', 1, '01'));
    expect(run('LREM', 'l', 0, 1)).toBe(':1\r\n');
    expect(run('LREM', 'l', 0, 'none')).toBe(':0\r\n');
    for (const word of ['b', 'a', 'c', '01']) run('LREM', 'l', 0, word);
    expect(run('EXISTS', 'l')).toBe(':0\r\n');
  });

  test.each([
    ['the front', 4000, 4999],
    ['the back', 0, 999],
    ['both ends, amid nodes', 2003, 2506],
    ['all but one', 4321, 4321],
    ['few', 50, 4950],
  ])('LTRIM of a long list: %s; what goes is freed in steps', (_where, from, to) => {
    server = new InProcess({ settings: { 'enable-debug-command': 'yes' } });
    const [space] = server.access.spaces;
    const texts = Array.from({ length: 5000 }, (_, i) => `element ${i} ${'x'.repeat(600)}`);
    for (let i = 0; i < texts.length; i += 500) run('RPUSH', 'l', ...texts.slice(i, i + 500));
    while (space.freeDropped(50));
    const full = space.arena.liveBytes();
    expect(run('LTRIM', 'l', from, to)).toBe('+OK\r\n');
    const inSteps = to - from < 2000;
    if (inSteps) expect(space.arena.liveBytes()).toBeGreaterThan(full * 0.85);
    let steps = 0;
    while (space.freeDropped(4)) steps++;
    expect(steps > 50).toBe(inSteps);
    expect(space.arena.liveBytes()).toBeLessThan((full * (to - from + 1)) / 5000 + 20_000);
    const left = texts.slice(from, to + 1);
    expect(all('l')).toBe(bulks(...left));
    expect(run('LINDEX', 'l', -1)).toBe(bulk(left[left.length - 1]));
    expect(run('DEBUG', 'CHECK')).toBe('+OK\r\n');
    run('DEL', 'l');
    while (space.freeDropped(50));
  });

  test('LTRIM', () => {
    run('RPUSH', 'l', 1, 2, 3, 4, 5);
    expect(run('LTRIM', 'l', 1, -2)).toBe('+OK\r\n');
    expect(all('l')).toBe(bulks(2, 3, 4));
    expect(run('LTRIM', 'l', 0, 99)).toBe('+OK\r\n');
    expect(all('l')).toBe(bulks(2, 3, 4));
    expect(run('LTRIM', 'l', 3, 9)).toBe('+OK\r\n');
    expect(run('EXISTS', 'l')).toBe(':0\r\n');
    expect(run('LTRIM', 'none', 0, 'x')).toBe(NOT_INTEGER);
  });
});

describe('LMOVE and RPOPLPUSH', () => {
  test('between lists and within one', () => {
    run('RPUSH', 'a', 1, 2, 3);
    expect(run('LMOVE', 'a', 'b', 'LEFT', 'RIGHT')).toBe(bulk('1'));
    expect(run('RPOPLPUSH', 'a', 'b')).toBe(bulk('3'));
    expect([all('a'), all('b')]).toEqual([bulks(2), bulks(3, 1)]);
    expect(run('LMOVE', 'b', 'b', 'RIGHT', 'LEFT')).toBe(bulk('1'));
    expect(all('b')).toBe(bulks(1, 3));
    expect(run('LMOVE', 'b', 'b', 'LEFT', 'LEFT')).toBe(bulk('1'));
    expect(all('b')).toBe(bulks(1, 3));
    run('LMOVE', 'a', 'b', 'LEFT', 'LEFT');
    expect(run('EXISTS', 'a')).toBe(':0\r\n');
    expect(run('LMOVE', 'a', 'b', 'LEFT', 'LEFT')).toBe('$-1\r\n');
    expect(run('LMOVE', 'a', 'b', 'LEFT', 'UP')).toBe('-ERR syntax error\r\n');
    const log = server.effects();
    expect(log.slice(1)).toEqual([
      '0 0 LMOVE a b LEFT RIGHT',
      '0 0 RPOPLPUSH a b',
      '0 0 LMOVE b b RIGHT LEFT',
      '0 0 LMOVE b b LEFT LEFT',
      '0 0 LMOVE a b LEFT LEFT',
    ]);
  });

  test('over two shards as what happens in each', () => {
    server = new InProcess({ shards: 2 });
    const [a, b] = [keyInShard(server, 0, 'a'), keyInShard(server, 1, 'b')];
    run('RPUSH', a, 'x', 'y');
    server.effects();
    expect(run('RPOPLPUSH', a, b)).toBe(bulk('y'));
    expect(run('LMOVE', a, b, 'LEFT', 'RIGHT')).toBe(bulk('x'));
    expect(server.effects().sort()).toEqual([
      `0 0 LPOP ${a} 1`,
      `0 0 RPOP ${a} 1`,
      `1 0 LPUSH ${b} y`,
      `1 0 RPUSH ${b} x`,
    ]);
    expect(all(b)).toBe(bulks('y', 'x'));
  });

  test('the destination must be a list, even where the source is none', () => {
    run('SET', 's', 'v');
    run('RPUSH', 'l', 'x');
    expect(run('RPOPLPUSH', 'l', 's')).toBe(WRONGTYPE);
    expect(run('RPOPLPUSH', 's', 'l')).toBe(WRONGTYPE);
    expect(run('RPOPLPUSH', 'none', 's')).toBe('$-1\r\n');
    expect(all('l')).toBe(bulks('x'));
  });
});

test('a key of another type is refused', () => {
  run('SET', 'k', 'v');
  const commands = [
    ...['LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX', 'LPOS'].map((name) => [name, 'k', 'x']),
    ...['LPOP', 'RPOP', 'LLEN'].map((name) => [name, 'k']),
    ...['LRANGE', 'LTRIM', 'LREM', 'LSET'].map((name) => [name, 'k', '0', '0']),
    ['LPOP', 'k', '0'],
    ['LSET', 'k', 'x', 'v'],
    ['LINDEX', 'k', 'x'],
    ['LINSERT', 'k', 'BEFORE', 'a', 'b'],
    ['LMPOP', '2', 'none', 'k', 'LEFT'],
  ];
  for (const command of commands) expect(run(...command), command.join(' ')).toBe(WRONGTYPE);
});

describe('forms', () => {
  test('a listpack up to the limit, a quicklist beyond, back at half of it', () => {
    run('CONFIG', 'SET', 'list-max-listpack-size', 10);
    run('RPUSH', 'l', ...Array.from({ length: 10 }, (_, i) => i));
    expect(encoding('l')).toBe('listpack');
    run('RPUSH', 'l', 10);
    expect(encoding('l')).toBe('quicklist');
    run('LPOP', 'l', 2);
    expect(encoding('l')).toBe('quicklist');
    run('RPOP', 'l', 4);
    expect([encoding('l'), all('l')]).toEqual(['listpack', bulks(2, 3, 4, 5, 6)]);
    run('RPUSH', 'at once', ...Array.from({ length: 11 }, (_, i) => i));
    expect(encoding('at once')).toBe('quicklist');
  });

  test('limits in bytes', () => {
    run('RPUSH', 'l', 'x'.repeat(8000));
    expect(encoding('l')).toBe('listpack');
    run('LSET', 'l', 0, 'x'.repeat(8200));
    expect(encoding('l')).toBe('quicklist');
    run('LSET', 'l', 0, 'x');
    expect([encoding('l'), all('l')]).toEqual(['listpack', bulks('x')]);
    run('LINSERT', 'l', 'AFTER', 'x', 'y'.repeat(9000));
    expect(encoding('l')).toBe('quicklist');
    run('LTRIM', 'l', 0, 0);
    expect(encoding('l')).toBe('listpack');
  });
});

/** What commands do to a plain array. */
function model(list: string[], [name, ...words]: readonly string[]): void {
  const [first] = words;
  if (name === 'RPUSH') list.push(...words);
  else if (name === 'LPUSH') list.unshift(...words.slice().reverse());
  else if (name === 'LPOP') list.splice(0, Number(first));
  else if (name === 'RPOP') list.splice(Math.max(0, list.length - Number(first)));
  else if (name === 'LSET' && list[Number(first)] !== undefined) list[Number(first)] = words[1];
  else if (name === 'LREM') while (list.includes(words[1])) list.splice(list.indexOf(words[1]), 1);
  else if (name === 'LTRIM') list.splice(0, list.length, ...list.slice(Number(first), Number(words[1]) + 1));
  else if (name === 'LINSERT' && list.includes(words[1]))
    list.splice(list.indexOf(words[1]) + (first === 'AFTER' ? 1 : 0), 0, words[2]);
}

test('random commands do to a list what they do to an array, whatever the limits', () => {
  const element = fc.oneof(
    fc.constantFrom('a', 'b', '1', '-70000', 'x'.repeat(70), 'long'.repeat(600)),
    fc.nat(5).map(String),
  );
  const small = fc.nat(30).map(String);
  const command = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(fc.constantFrom('RPUSH', 'LPUSH'), element, element, element) },
    fc.tuple(fc.constantFrom('LPOP', 'RPOP'), fc.nat(3).map(String)),
    fc.tuple(fc.constant('LSET'), small, element),
    fc.tuple(fc.constant('LINSERT'), fc.constantFrom('BEFORE', 'AFTER'), element, element),
    fc.tuple(fc.constant('LREM'), fc.constant('0'), element),
    fc.tuple(fc.constant('LTRIM'), fc.nat(2).map(String), small),
  );
  const limit = fc.constantFrom(-2, -1, 1, 3, 8);
  server = new InProcess();
  fc.assert(
    fc.property(limit, fc.array(command, { maxLength: 60, size: 'max' }), (listpackSize, commands) => {
      run('DEL', 'l');
      run('CONFIG', 'SET', 'list-max-listpack-size', listpackSize);
      const list: string[] = [];
      for (const [name, ...words] of commands) {
        run(name, 'l', ...words);
        model(list, [name, ...words]);
        expect(all('l')).toBe(bulks(...list));
      }
      for (const [i, word] of list.entries()) expect(run('LINDEX', 'l', i - list.length)).toBe(bulk(word));
    }),
    { numRuns: 60 },
  );
});

test('without room nothing changes', () => {
  server = new InProcess({ arenaBytes: 2 ** 25 });
  run('RPUSH', 'small', 'a', 'b');
  const long = 'x'.repeat(20_000);
  let pushed = 0;
  while (run('RPUSH', 'l', long, 'y') === `:${(pushed + 1) * 2}\r\n`) pushed++;
  expect(pushed).toBeGreaterThan(50);
  server.effects();
  const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  const huge = 'z'.repeat(17_000_000);
  for (const command of [
    ['RPUSH', 'l', huge],
    ['LPUSH', 'small', huge],
    ['LPUSHX', 'small', 'c', huge],
    ['LINSERT', 'small', 'AFTER', 'a', huge],
    ['LSET', 'small', '0', huge],
  ])
    expect(run(...command), command.slice(0, 2).join(' ')).toBe(OOM);
  expect(server.effects()).toEqual([]);
  expect([all('small'), run('LLEN', 'l')]).toEqual([bulks('a', 'b'), `:${pushed * 2}\r\n`]);
  run('LTRIM', 'l', 0, 9);
  while (server.access.spaces[0].freeDropped(50));
  expect(run('RPUSH', 'l', long)).toBe(':11\r\n');
  for (let i = 0; i < 5; i++) expect(run('LPOP', 'l', 2)).toBe(bulks(long, 'y'));
  expect(run('LPOP', 'l')).toBe(bulk(long));
  expect(run('EXISTS', 'l')).toBe(':0\r\n');
});
