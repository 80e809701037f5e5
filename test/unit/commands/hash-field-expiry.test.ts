/** Deadlines of single fields: replies, what is seen when, what upkeep removes, and that a replay comes to the same state. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { Upkeep } from '../../../src/dispatch/upkeep.ts';
import { Args } from '../../../src/resp/args.ts';
import { InProcess } from './in-process.ts';

type Words = (string | number)[];

function expectReplies(server: InProcess, cases: [words: Words, reply: string][]): void {
  for (const [words, reply] of cases) expect(server.run(...words), words.join(' ')).toBe(reply);
}

function effectsOf(server: InProcess, ...words: Words): string[] {
  server.effects();
  server.run(...words);
  return server.effects().map((line) => line.slice(4));
}

/** What the owner does between commands. */
function upkeepOf(server: InProcess): () => void {
  const { executor, reply } = server.parts();
  const upkeep = new Upkeep({
    unit: executor.unit,
    latches: server.access.latches,
    headers: server.access.headers,
    owns: () => true,
    isAbandoned: () => false,
    process: server.access.process,
    args: new Args(),
    reply,
    steadyMs: () => 0,
  });
  return () => {
    while (upkeep.tick(server.nowMs));
  };
}

const fieldsCount = (server: InProcess, key: string): number => {
  const ks = server.access.spaces[0];
  const bytes = Buffer.from(key);
  const h = ks.find(0, ks.hasher.hash(bytes, 0, bytes.length), bytes, 0, bytes.length);
  return h === 0 ? 0 : ks.values.hashes.count(ks.structure(h), ks.encodingOf(h));
};

describe('setting and asking', () => {
  it('codes of HEXPIRE and its kin', () => {
    const server = new InProcess();
    const now = server.nowMs;
    server.run('HSET', 'h', 'a', 1, 'b', 2, 'c', 3);
    expectReplies(server, [
      [['HEXPIRE', 'none', 10, 'FIELDS', 2, 'a', 'b'], '*2\r\n:-2\r\n:-2\r\n'],
      [['HEXPIRE', 'h', 10, 'FIELDS', 3, 'a', 'x', 'b'], '*3\r\n:1\r\n:-2\r\n:1\r\n'],
      [['HTTL', 'h', 'FIELDS', 4, 'a', 'b', 'c', 'x'], '*4\r\n:10\r\n:10\r\n:-1\r\n:-2\r\n'],
      [['HPTTL', 'h', 'FIELDS', 1, 'a'], '*1\r\n:10000\r\n'],
      [['HEXPIRETIME', 'h', 'FIELDS', 1, 'a'], `*1\r\n:${now / 1000 + 10}\r\n`],
      [['HPEXPIRETIME', 'h', 'FIELDS', 2, 'a', 'c'], `*2\r\n:${now + 10000}\r\n:-1\r\n`],
      [['HTTL', 'none', 'FIELDS', 1, 'a'], '*1\r\n:-2\r\n'],
      [['HPEXPIRE', 'h', 5000, 'NX', 'FIELDS', 2, 'a', 'c'], '*2\r\n:0\r\n:1\r\n'],
      [['HPEXPIRE', 'h', 5000, 'XX', 'FIELDS', 2, 'a', 'c'], '*2\r\n:1\r\n:1\r\n'],
      [['HPEXPIRE', 'h', 5000, 'GT', 'FIELDS', 2, 'a', 'b'], '*2\r\n:0\r\n:0\r\n'],
      [['HPEXPIRE', 'h', 5001, 'gt', 'FIELDS', 1, 'a'], '*1\r\n:1\r\n'],
      [['HPEXPIRE', 'h', 5001, 'LT', 'FIELDS', 2, 'a', 'b'], '*2\r\n:0\r\n:1\r\n'],
      [['HPERSIST', 'h', 'FIELDS', 3, 'a', 'a', 'x'], '*3\r\n:1\r\n:-1\r\n:-2\r\n'],
      [['HPERSIST', 'none', 'FIELDS', 1, 'a'], '*1\r\n:-2\r\n'],
      [['HPEXPIRE', 'h', 700, 'LT', 'FIELDS', 1, 'a'], '*1\r\n:1\r\n'],
      [['HPEXPIRE', 'h', 700, 'GT', 'FIELDS', 1, 'b'], '*1\r\n:0\r\n'],
      [['HTTL', 'h', 'FIELDS', 1, 'a'], '*1\r\n:1\r\n'],
      [['HEXPIREAT', 'h', now / 1000 + 3, 'FIELDS', 1, 'a'], '*1\r\n:1\r\n'],
      [['HPEXPIREAT', 'h', now + 4, 'FIELDS', 1, 'b'], '*1\r\n:1\r\n'],
      [['HPTTL', 'h', 'FIELDS', 2, 'a', 'b'], '*2\r\n:3000\r\n:4\r\n'],
      [['HEXPIREAT', 'h', 1, 'FIELDS', 2, 'a', 'a'], '*2\r\n:2\r\n:-2\r\n'],
      [['HEXPIRE', 'h', 0, 'FIELDS', 2, 'b', 'c'], '*2\r\n:2\r\n:2\r\n'],
      [['EXISTS', 'h'], ':0\r\n'],
    ]);
  });

  it('errors, in the order of Redis', () => {
    const server = new InProcess();
    server.run('HSET', 'h', 'a', 1);
    const misplaced = '-ERR Mandatory argument FIELDS is missing or not at the right position\r\n';
    const miscounted = '-ERR The `numfields` parameter must match the number of arguments\r\n';
    const positive = '-ERR Number of fields must be a positive integer\r\n';
    expectReplies(server, [
      [['HEXPIRE', 'h', 'x', 'FIELDS', 1, 'a'], '-ERR value is not an integer or out of range\r\n'],
      [['HEXPIRE', 'h', -1, 'FIELDS', 1, 'a'], '-ERR invalid expire time, must be >= 0\r\n'],
      [['HEXPIRE', 'h', '9223372036854775807', 'FIELDS', 1, 'a'], "-ERR invalid expire time in 'hexpire' command\r\n"],
      [['HPEXPIREAT', 'h', 2 ** 46, 'FIELDS', 1, 'a'], "-ERR invalid expire time in 'hpexpireat' command\r\n"],
      [['HEXPIRE', 'h', 1, 'FIELD', 1, 'a'], misplaced],
      [['HEXPIRE', 'h', 1, 'NX', 'XX', 'FIELDS', 1, 'a'], misplaced],
      [['HEXPIRE', 'h', 1, 'FIELDS', 0, 'a'], '-ERR Parameter `numFields` should be greater than 0\r\n'],
      [['HEXPIRE', 'h', 1, 'FIELDS', 2, 'a'], miscounted],
      [['HEXPIRE', 'h', 1, 'FIELDS', 1, 'a', 'b'], miscounted],
      [['HTTL', 'h', 'FIELDS', 'x', 'a'], positive],
      [['HTTL', 'h', 'a', 1, 'a'], misplaced],
      [['HPERSIST', 'h', 'FIELDS', -1, 'a'], positive],
      [['HGETDEL', 'h', 'FIELDS', 2, 'a'], miscounted],
      [
        ['HGETEX', 'h', 'EX', 1, 'PX', 1, 'FIELDS', 1, 'a'],
        '-ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified\r\n',
      ],
      [
        ['HSETEX', 'h', 'KEEPTTL', 'PX', 1, 'FIELDS', 1, 'a', 'b'],
        '-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified\r\n',
      ],
      [
        ['HSETEX', 'h', 'FNX', 'FXX', 'FIELDS', 1, 'a', 'b'],
        '-ERR Only one of FXX or FNX arguments can be specified\r\n',
      ],
      [['HSETEX', 'h', 'FIELDS', 2, 'a', 'b', 'c'], miscounted],
      [['HSETEX', 'h', 'PERSIST', 'FIELDS', 1, 'a', 'b'], '-ERR unknown argument: PERSIST\r\n'],
    ]);
    expect(server.run('HTTL', 'h', 'FIELDS', 1, 'a')).toBe('*1\r\n:-1\r\n');
    expect(server.effects()).toEqual(['0 0 HSET h a 1']);
  });

  it('HGETEX, HSETEX, HGETDEL', () => {
    const server = new InProcess();
    expectReplies(server, [
      [['HSETEX', 'h', 'FXX', 'FIELDS', 1, 'a', 1], ':0\r\n'],
      [['HSETEX', 'h', 'FNX', 'EX', 10, 'FIELDS', 2, 'a', 1, 'b', 2], ':1\r\n'],
      [['HSETEX', 'h', 'FNX', 'FIELDS', 2, 'c', 1, 'b', 3], ':0\r\n'],
      [['HTTL', 'h', 'FIELDS', 3, 'a', 'b', 'c'], '*3\r\n:10\r\n:10\r\n:-2\r\n'],
      [['HSETEX', 'h', 'KEEPTTL', 'FIELDS', 2, 'a', 3, 'c', 4], ':1\r\n'],
      [['HTTL', 'h', 'FIELDS', 2, 'a', 'c'], '*2\r\n:10\r\n:-1\r\n'],
      [['HSETEX', 'h', 'FXX', 'FIELDS', 1, 'a', 5], ':1\r\n'],
      [['HTTL', 'h', 'FIELDS', 1, 'a'], '*1\r\n:-1\r\n'],
      [['HGETEX', 'h', 'PX', 500, 'FIELDS', 3, 'a', 'x', 'c'], '*3\r\n$1\r\n5\r\n$-1\r\n$1\r\n4\r\n'],
      [['HPTTL', 'h', 'FIELDS', 3, 'a', 'b', 'c'], '*3\r\n:500\r\n:10000\r\n:500\r\n'],
      [['HGETEX', 'h', 'PERSIST', 'FIELDS', 2, 'a', 'b'], '*2\r\n$1\r\n5\r\n$1\r\n2\r\n'],
      [['HTTL', 'h', 'FIELDS', 3, 'a', 'b', 'c'], '*3\r\n:-1\r\n:-1\r\n:1\r\n'],
      [['HGETEX', 'h', 'FIELDS', 1, 'b'], '*1\r\n$1\r\n2\r\n'],
      [['HSETEX', 'h', 'PXAT', 1, 'FIELDS', 2, 'b', 9, 'new', 9], ':1\r\n'],
      [['HGETALL', 'h'], '*4\r\n$1\r\na\r\n$1\r\n5\r\n$1\r\nc\r\n$1\r\n4\r\n'],
      [['HGETEX', 'h', 'PXAT', 1, 'FIELDS', 1, 'a'], '*1\r\n$1\r\n5\r\n'],
      [['HGETDEL', 'h', 'FIELDS', 3, 'c', 'c', 'a'], '*3\r\n$1\r\n4\r\n$-1\r\n$-1\r\n'],
      [['EXISTS', 'h'], ':0\r\n'],
      [['HGETDEL', 'h', 'FIELDS', 1, 'c'], '*1\r\n$-1\r\n'],
      [['HSETEX', 'h', 'PXAT', 1, 'FIELDS', 1, 'b', 9], ':1\r\n'],
      [['EXISTS', 'h'], ':0\r\n'],
    ]);
  });
});

describe('fields whose time is over', () => {
  /** A hash with lapsed fields a and b beside c. */
  function lapsed(): InProcess {
    const server = new InProcess();
    server.run('HSET', 'h', 'a', 1, 'b', 2, 'c', 3);
    server.run('HPEXPIRE', 'h', 100, 'FIELDS', 2, 'a', 'b');
    server.nowMs += 100;
    server.effects();
    return server;
  }

  it('are seen by nobody, from their millisecond on', () => {
    const server = lapsed();
    server.nowMs--;
    expect(server.run('HLEN', 'h')).toBe(':3\r\n');
    server.nowMs++;
    expectReplies(server, [
      [['HLEN', 'h'], ':1\r\n'],
      [['HGET', 'h', 'a'], '$-1\r\n'],
      [['HMGET', 'h', 'a', 'c'], '*2\r\n$-1\r\n$1\r\n3\r\n'],
      [['HEXISTS', 'h', 'a'], ':0\r\n'],
      [['HSTRLEN', 'h', 'a'], ':0\r\n'],
      [['HGETALL', 'h'], '*2\r\n$1\r\nc\r\n$1\r\n3\r\n'],
      [['HKEYS', 'h'], '*1\r\n$1\r\nc\r\n'],
      [['HVALS', 'h'], '*1\r\n$1\r\n3\r\n'],
      [['HSCAN', 'h', 0], '*2\r\n$1\r\n0\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n'],
      [['HRANDFIELD', 'h'], '$1\r\nc\r\n'],
      [['HRANDFIELD', 'h', 5], '*1\r\n$1\r\nc\r\n'],
      [['HRANDFIELD', 'h', -2], '*2\r\n$1\r\nc\r\n$1\r\nc\r\n'],
      [['HTTL', 'h', 'FIELDS', 2, 'a', 'c'], '*2\r\n:-2\r\n:-1\r\n'],
      [['HEXPIRE', 'h', 9, 'FIELDS', 1, 'a'], '*1\r\n:-2\r\n'],
      [['HPERSIST', 'h', 'FIELDS', 1, 'a'], '*1\r\n:-2\r\n'],
      [['HGETEX', 'h', 'PERSIST', 'FIELDS', 1, 'a'], '*1\r\n$-1\r\n'],
      [['HGETDEL', 'h', 'FIELDS', 1, 'a'], '*1\r\n$-1\r\n'],
      [['HSETEX', 'h', 'FXX', 'FIELDS', 1, 'a', 1], ':0\r\n'],
    ]);
    expect(server.effects()).toEqual([]);
    expect(fieldsCount(server, 'h')).toBe(3);
  });

  it('are new when they are set again; the journal says what they became', () => {
    const cases: [words: Words, reply: string, effects: string[]][] = [
      [['HSET', 'h', 'a', 9], ':1\r\n', ['HSET h a 9']],
      [['HSETNX', 'h', 'a', 9], ':1\r\n', ['HSET h a 9']],
      [['HINCRBY', 'h', 'a', 9], ':9\r\n', ['HSET h a 9']],
      [['HINCRBYFLOAT', 'h', 'a', 9], '$1\r\n9\r\n', ['HSET h a 9']],
      [['HSETEX', 'h', 'FNX', 'FIELDS', 1, 'a', 9], ':1\r\n', ['HSETEX h FIELDS 1 a 9']],
      [
        ['HSETEX', 'h', 'KEEPTTL', 'FIELDS', 2, 'a', 9, 'c', 3],
        ':1\r\n',
        ['HSETEX h KEEPTTL FIELDS 2 a 9 c 3', 'HPERSIST h FIELDS 1 a'],
      ],
    ];
    for (const [words, reply, effects] of cases) {
      const server = lapsed();
      expect(server.run(...words), words.join(' ')).toBe(reply);
      expect(server.effects().map((line) => line.slice(4))).toEqual(effects);
      expect(server.run('HTTL', 'h', 'FIELDS', 1, 'a')).toBe('*1\r\n:-1\r\n');
      expect(server.run('HGET', 'h', 'a')).toBe('$1\r\n9\r\n');
    }
  });

  it('go with HDEL, uncounted', () => {
    const server = lapsed();
    expect(server.run('HDEL', 'h', 'a')).toBe(':0\r\n');
    expect(server.effects()).toEqual(['0 0 HDEL h a']);
    expect(server.run('HDEL', 'h', 'b', 'c')).toBe(':1\r\n');
    expect(server.effects()).toEqual(['0 0 HDEL h b c']);
    expect(server.run('EXISTS', 'h')).toBe(':0\r\n');
  });

  it('are removed by upkeep, journalled, and the key with the last', () => {
    const server = lapsed();
    const ks = server.access.spaces[0];
    const tick = upkeepOf(server);
    ks.fieldDeadlines.check(0);
    tick();
    const [record, ...rest] = server.effects();
    expect(record.split(' ').toSorted().join(' ')).toBe('0 0 HDEL a b h');
    expect(rest).toEqual([]);
    expect(fieldsCount(server, 'h')).toBe(1);
    expect(ks.fieldDeadlines.count(0)).toBe(0);
    server.run('HPEXPIRE', 'h', 5, 'FIELDS', 1, 'c');
    server.run('RENAME', 'h', 'g');
    server.run('EXPIRE', 'g', 100);
    ks.fieldDeadlines.check(0);
    server.nowMs += 5;
    server.effects();
    tick();
    expect(server.effects()).toEqual(['0 0 HDEL g c']);
    expect(server.run('EXISTS', 'g')).toBe(':0\r\n');
    expect(ks.count(0)).toBe(0);
    expect(ks.deadlines(0)).toBe(0);
  });

  it('many at once go in slices', () => {
    const server = new InProcess();
    const names = Array.from({ length: 500 }, (_, i) => `f${i}`);
    server.run('HSET', 'h', ...names.flatMap((name) => [name, 1]), 'stays', 1);
    server.run('HPEXPIRE', 'h', 10, 'FIELDS', names.length, ...names);
    server.nowMs += 10;
    server.effects();
    upkeepOf(server)();
    const records = server.effects();
    expect(records.length).toBeGreaterThan(10);
    expect(records.flatMap((line) => line.split(' ').slice(4)).sort()).toEqual(names.sort());
    expect(server.run('HGETALL', 'h')).toBe('*2\r\n$5\r\nstays\r\n$1\r\n1\r\n');
  });

  it('HSET takes a deadline away, HINCRBY and HINCRBYFLOAT keep it', () => {
    const server = new InProcess();
    server.run('HSET', 'h', 'a', 1, 'b', 1);
    server.run('HEXPIRE', 'h', 100, 'FIELDS', 2, 'a', 'b');
    server.run('HINCRBY', 'h', 'a', 1);
    const at = server.nowMs + 100_000;
    expect(effectsOf(server, 'HINCRBYFLOAT', 'h', 'a', '0.5')).toEqual([
      'HSET h a 2.5',
      `HPEXPIREAT h ${at} FIELDS 1 a`,
    ]);
    expect(server.run('HTTL', 'h', 'FIELDS', 2, 'a', 'b')).toBe('*2\r\n:100\r\n:100\r\n');
    server.run('HSET', 'h', 'a', 1);
    expect(server.run('HTTL', 'h', 'FIELDS', 2, 'a', 'b')).toBe('*2\r\n:-1\r\n:100\r\n');
    server.run('HSET', 'h', 'b', 1);
    expect(server.access.spaces[0].fieldDeadlines.count(0)).toBe(0);
  });
});

it('the journal names absolute times and only what changed', () => {
  const server = new InProcess();
  const now = server.nowMs;
  server.run('HSET', 'h', 'a', 1, 'b', 2, 'c', 3);
  const cases: [words: Words, effects: string[]][] = [
    [['HEXPIRE', 'h', 7, 'FIELDS', 2, 'a', 'x'], [`HPEXPIREAT h ${now + 7000} FIELDS 1 a`]],
    [['HPEXPIRE', 'h', 7, 'NX', 'FIELDS', 3, 'a', 'b', 'c'], [`HPEXPIREAT h ${now + 7} FIELDS 2 b c`]],
    [['HPEXPIRE', 'h', 7, 'NX', 'FIELDS', 1, 'a'], []],
    [['HEXPIREAT', 'h', 1, 'FIELDS', 2, 'c', 'x'], ['HDEL h c']],
    [['HPERSIST', 'h', 'FIELDS', 2, 'a', 'x'], ['HPERSIST h FIELDS 1 a']],
    [['HPERSIST', 'h', 'FIELDS', 1, 'a'], []],
    [['HGETEX', 'h', 'FIELDS', 1, 'a'], []],
    [['HGETEX', 'h', 'EX', 1, 'FIELDS', 2, 'a', 'x'], [`HPEXPIREAT h ${now + 1000} FIELDS 1 a`]],
    [['HGETEX', 'h', 'PERSIST', 'FIELDS', 2, 'a', 'x'], ['HPERSIST h FIELDS 1 a']],
    [['HGETEX', 'h', 'PXAT', 5, 'FIELDS', 1, 'a'], ['HDEL h a']],
    [['HSETEX', 'h', 'FNX', 'EX', 3, 'FIELDS', 1, 'd', 4], [`HSETEX h PXAT ${now + 3000} FIELDS 1 d 4`]],
    [['HSETEX', 'h', 'PXAT', 3, 'FIELDS', 2, 'd', 4, 'e', 5], ['HDEL h d']],
  ];
  for (const [words, effects] of cases) expect(effectsOf(server, ...words), words.join(' ')).toEqual(effects);
});

// ---- random commands, and their journal replayed

const key = fc.constantFrom('h', 'g');
const field = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const fields = fc.array(field, { minLength: 1, maxLength: 3 }).map((names) => ['FIELDS', names.length, ...names]);
const span = fc.integer({ min: 0, max: 30 });
const number = fc.integer({ min: 1, max: 99 });
const life = fc.oneof(
  fc.tuple(fc.constant('PX'), span),
  fc.constant(['KEEPTTL']),
  fc.constant([]),
) as fc.Arbitrary<Words>;
const row = (name: string, ...parts: fc.Arbitrary<unknown>[]): fc.Arbitrary<Words> =>
  fc.tuple(...parts).map((found) => [name, ...(found.flat() as Words)]);
const fieldCommand = fc.oneof(
  row('HSET', key, field, number),
  row('HSET', key, field, number, field, number),
  row('HSET', key, field, number, field, number, field, number),
  row('HSETNX', key, field, number),
  row('HINCRBY', key, field, number),
  row('HINCRBYFLOAT', key, field, number),
  row('HDEL', key, field, field),
  row('HPEXPIRE', key, span, fc.constantFrom([], ['NX'], ['XX'], ['GT'], ['LT']), fields),
  row('HPEXPIRE', key, span, fields),
  row('HPERSIST', key, fields),
  row('HGETDEL', key, fields),
  row('HGETEX', key, fc.oneof(fc.tuple(fc.constant('PX'), span), fc.constant(['PERSIST'])), fields),
  row(
    'HSETEX',
    key,
    fc.constantFrom([], ['FNX'], ['FXX']),
    life,
    fc.tuple(fc.constant('FIELDS'), fc.constant(1)),
    field,
    number,
  ),
);
const keyCommand = fc.oneof(
  row('PEXPIRE', key, fc.integer({ min: 20, max: 60 })),
  row('PERSIST', key),
  row('RENAME', key, key),
  row('COPY', key, key, fc.constant('REPLACE')),
  row('HGETALL', key),
  row('SELECT', fc.constantFrom(0, 1)),
  row('SWAPDB', fc.constant(0), fc.constant(1)),
  row('MOVE', key, fc.constantFrom(0, 1)),
);
const step = fc.oneof(
  { weight: 12, arbitrary: fieldCommand },
  { weight: 2, arbitrary: keyCommand },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 15 }).map((ms): Words => ['(time)', ms]) },
  { weight: 1, arbitrary: fc.constant<Words>(['(upkeep)']) },
);

/** All that two servers hold: per database and key its deadline and its fields with theirs. */
function contents(server: InProcess): string[] {
  const lines: string[] = [];
  for (const db of [0, 1]) {
    server.run('SELECT', db);
    for (const name of ['g', 'h']) {
      const pairs = server
        .run('HGETALL', name)
        .split('\r\n')
        .filter((_, i) => i > 0 && i % 2 === 0);
      const shown: string[] = [];
      for (let i = 0; i + 1 < pairs.length; i += 2) {
        shown.push(
          `${pairs[i]}=${pairs[i + 1]}@${server.run('HPEXPIRETIME', name, 'FIELDS', 1, pairs[i]).split(':')[1].trim()}`,
        );
      }
      lines.push(`${db} ${name} ${server.run('PEXPIRETIME', name).trim()} ${shown.sort().join(' ')}`);
    }
  }
  return lines;
}

test('the journal of random commands replays, without time, to the same state', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
      const server = new InProcess({ databases: 2, arenaBytes: 2 ** 26 });
      const ks = server.access.spaces[0];
      const tick = upkeepOf(server);
      for (const words of steps) {
        if (words[0] === '(time)') server.nowMs += Number(words[1]);
        else if (words[0] === '(upkeep)') tick();
        else expect(server.run(...words), words.join(' ')).not.toContain('internal error');
        for (const db of [0, 1]) ks.fieldDeadlines.check(db);
      }
      tick();
      const copy = new InProcess({ databases: 2, arenaBytes: 2 ** 26 });
      copy.nowMs = 0;
      for (const line of server.effects()) {
        const [, db, ...words] = line.split(' ');
        if (words[0] !== 'RESTORE') copy.run('SELECT', db);
        copy.run(...words);
      }
      expect(contents(copy)).toEqual(contents(server));
      for (const db of [0, 1]) server.run('SELECT', db) && server.run('FLUSHDB');
      while (ks.freeDropped(100));
      expect(ks.arena.liveBytes()).toBe(0);
    }),
    { numRuns: 250 },
  );
});
