/**
 * Random commands over a few keys: the commands of strings, bitmaps, keys and expiry, with sensible, odd and wrong arguments.
 * Texts are latin1: every byte may occur.
 */
import fc from 'fast-check';
import {
  bytes,
  float,
  fromRows,
  integer,
  key,
  keys,
  maybe,
  oneOf,
  options,
  pair,
  type Row,
  several,
  type Words,
  word,
} from './arbitrary-parts.ts';
import { GEO } from './geo-arbitraries.ts';
import { HASHES } from './hash-arbitraries.ts';
import { HYPER_LOG_LOGS } from './hyper-log-log-arbitraries.ts';
import { LISTS } from './list-arbitraries.ts';
import { SETS } from './set-arbitraries.ts';
import { SORTED_SETS } from './sorted-set-arbitraries.ts';
import { STREAMS } from './stream-arbitraries.ts';

/** One step of a run: who sends it, and what. */
export type Step =
  | { readonly kind: 'command'; readonly client: number; readonly words: Words }
  /** A whole SCAN from cursor 0 to its end, with these options. */
  | { readonly kind: 'scan'; readonly client: number; readonly words: Words }
  /** Sets a key that lives for some milliseconds, and waits until it is dead. */
  | { readonly kind: 'lapse'; readonly client: number; readonly words: Words; readonly lifeMs: number };

const value: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('', 'v', 'hello world', 'foobar', '10', '-7', '3.25', '0', '9999', '10000') },
  { weight: 2, arbitrary: integer },
  { weight: 2, arbitrary: bytes },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 6000 }).map((n) => 'longvalue'.repeat(n).slice(0, n)) },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(44), 'x'.repeat(45), 'ohmytext', 'mynewtext', 'abcabcabc') },
);

// far enough away that the two servers need not read the clock at the same moment, or in the past
const ODD_TIMES = ['0', '-1', '9223372036854775807', '9223372036854775', 'x', ''];
const seconds = fc.constantFrom('100', '1000', '1000000', ...ODD_TIMES);
const milliseconds = fc.constantFrom('100000', '1000000', '1000000000', ...ODD_TIMES);
// where times from now are compared, equal ones would differ by when the command came
const unequalSeconds = fc.integer({ min: 1, max: 5000 }).map((n) => String(n * 1009));
const unequalMilliseconds = unequalSeconds.map((text) => `${text}000`);
const unixSeconds = fc.constantFrom('33000000000', '33000000001', '1', '0', '-5', '9223372036854775', '1.5');
const unixMs = fc.constantFrom('33000000000000', '33000000000123', '1', '0', '-5', '9223372036854775807');
const expiryOptions = [
  pair('EX', seconds),
  pair('PX', milliseconds),
  pair('EXAT', unixSeconds),
  pair('PXAT', unixMs),
] as const;
const existence = options(word('NX'), word('XX'));
const expireCondition = options(word('NX'), word('XX'), word('GT'), word('LT'));
const bitOffset = fc.oneof(
  fc.integer({ min: 0, max: 200 }).map(String),
  oneOf('-1', '4294967296', 'x', '65536', '1.5'),
);
const range: readonly fc.Arbitrary<string>[] = [integer, integer];
const fieldType = oneOf('u1', 'u8', 'i8', 'u5', 'i16', 'u63', 'i64', 'u64', 'i65', 'u0', 'x8', 'i');
const fieldOffset = fc.oneof(
  bitOffset,
  fc.nat(20).map((n) => `#${n}`),
  oneOf('#-1', '#x'),
);
const fieldGet = fc.tuple(word('GET'), fieldType, fieldOffset);
const fieldOperation: fc.Arbitrary<Words> = fc.oneof(
  fieldGet as fc.Arbitrary<Words>,
  fc.tuple(word('SET'), fieldType, fieldOffset, integer),
  fc.tuple(word('INCRBY'), fieldType, fieldOffset, integer),
  fc.tuple(word('OVERFLOW'), oneOf('WRAP', 'SAT', 'FAIL', 'MAYBE')),
);
const pattern = oneOf('*', 'key:*', 'k*1', '?', '[a-c]', '[^a]', 'h\\?llo', '{t}*', '', '\\*', '[', '[b-a]', '*e*');
const database = oneOf('0', '0', '1', '2', '15', '16', '-1', 'x');

const STRINGS: readonly Row[] = [
  ['SET', key, value],
  ['SET', key, value, options(word('NX'), word('XX'), word('GET'), word('KEEPTTL'), ...expiryOptions, word('BAD'))],
  ['SETNX', key, value],
  ['SETEX', key, seconds, value],
  ['PSETEX', key, milliseconds, value],
  ['GET', key],
  ['GETSET', key, value],
  ['GETDEL', key],
  ['GETEX', key, options(word('PERSIST'), ...expiryOptions)],
  ['STRLEN', key],
  ['APPEND', key, value],
  ['SETRANGE', key, fc.oneof(bitOffset, integer), value],
  ['GETRANGE', key, ...range],
  ['SUBSTR', key, ...range],
  ['INCR', key],
  ['DECR', key],
  ['INCRBY', key, integer],
  ['DECRBY', key, integer],
  ['INCRBYFLOAT', key, float],
  ['MGET', keys(6)],
  ['MSET', several(fc.tuple(key, value), 5)],
  ['MSETNX', several(fc.tuple(key, value), 3)],
  ['LCS', key, key, options(word('LEN'), word('IDX'), word('WITHMATCHLEN'), pair('MINMATCHLEN', integer))],
];

const BITMAPS: readonly Row[] = [
  ['SETBIT', key, bitOffset, oneOf('0', '1', '1', '2', 'x')],
  ['GETBIT', key, bitOffset],
  ['BITCOUNT', key],
  ['BITCOUNT', key, ...range, maybe(oneOf('BYTE', 'BIT', 'bit', 'NIBBLE'))],
  ['BITPOS', key, oneOf('0', '1', '2'), maybe(fc.tuple(...range)), maybe(oneOf('BYTE', 'BIT'))],
  ['BITPOS', key, oneOf('0', '1'), maybe(integer)],
  ['BITOP', oneOf('AND', 'OR', 'XOR', 'not', 'NAND'), key, keys(4)],
  ['BITFIELD', key, several(fieldOperation, 5)],
  [
    'BITFIELD_RO',
    key,
    several(fc.oneof({ weight: 5, arbitrary: fieldGet }, { weight: 1, arbitrary: fieldOperation }), 3),
  ],
];

const KEYSPACE: readonly Row[] = [
  ['DEL', keys(4)],
  ['UNLINK', keys(4)],
  ['EXISTS', keys(4)],
  ['TOUCH', keys(4)],
  ['TYPE', key],
  ['KEYS', pattern],
  ['RANDOMKEY'],
  ['DBSIZE'],
  ['RENAME', key, key],
  ['RENAMENX', key, key],
  ['COPY', key, key, options(word('REPLACE'), pair('DB', database))],
  ['MOVE', key, database],
  ['OBJECT', oneOf('ENCODING', 'encoding', 'FREQ', 'IDLETIME', 'NOPE'), key],
  ['SWAPDB', database, database],
  ['SELECT', database],
];

const EXPIRY: readonly Row[] = [
  ['EXPIRE', key, seconds, existence],
  ['EXPIRE', key, unequalSeconds, expireCondition],
  ['PEXPIRE', key, milliseconds, existence],
  ['PEXPIRE', key, unequalMilliseconds, expireCondition],
  ['EXPIREAT', key, unixSeconds, expireCondition],
  ['PEXPIREAT', key, unixMs, expireCondition],
  ['TTL', key],
  ['PTTL', key],
  ['EXPIRETIME', key],
  ['PEXPIRETIME', key],
  ['PERSIST', key],
];

const SELDOM: readonly Row[] = [
  ['PING', maybe(value)],
  ['ECHO', value],
  ['FLUSHDB', maybe(oneOf('SYNC', 'ASYNC', 'NOW'))],
  ['NOSUCHCOMMAND', oneOf('x', 'two words', 'two\r\nlines', 'long'.repeat(50), '\xff'), maybe(oneOf('', "'"))],
  ['OBJECT', oneOf('NOSUCH', 'ENCODING')],
];

/** Now and then one argument too few, one too many, or the name in small letters. */
function distorted(words: fc.Arbitrary<Words>): fc.Arbitrary<Words> {
  return fc.tuple(words, fc.nat(40)).map(([text, how]) => {
    // without its count SPOP takes one by chance, and the two servers go different ways
    if (how === 0) return text.length > 1 && text[0] !== 'SPOP' ? text.slice(0, -1) : text;
    if (how === 1) return [...text, 'extra'];
    if (how < 5) return [text[0].toLowerCase(), ...text.slice(1)];
    return text;
  });
}

/** All rows, and how often each family comes. */
const FAMILIES: readonly (readonly [weight: number, rows: readonly Row[]])[] = [
  [10, STRINGS],
  [5, BITMAPS],
  [5, KEYSPACE],
  [12, LISTS],
  [10, SETS],
  [4, HYPER_LOG_LOGS],
  [12, SORTED_SETS],
  [10, HASHES],
  [12, STREAMS],
  [6, GEO],
  [4, EXPIRY],
  [1, SELDOM],
];
/** Names of the commands that a run may contain, in capital letters. */
export const COMMANDS_OF_RUNS: ReadonlySet<string> = new Set(
  FAMILIES.flatMap(([, rows]) => rows.map(([name]) => name)),
);

const command = distorted(fc.oneof(...FAMILIES.map(([weight, rows]) => ({ weight, arbitrary: fromRows(rows) }))));

const scanOptions = options(
  pair('MATCH', pattern),
  pair('COUNT', oneOf('1', '2', '10', '1000', '0', 'x')),
  pair('TYPE', oneOf('string', 'STRING', 'list')),
);

/** Runs of up to `maxSteps` steps by `clients` clients, who tend to send several commands in a row. */
export function runs(maxSteps: number, clients: number): fc.Arbitrary<Step[]> {
  const client = fc.nat(clients - 1);
  const burst = fc.tuple(client, fc.array(command, { minLength: 1, maxLength: 12 }));
  const steps = fc.oneof(
    {
      weight: 20,
      arbitrary: burst.map(([who, many]) => many.map((words): Step => ({ kind: 'command', client: who, words }))),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(client, scanOptions).map(([who, words]) => [{ kind: 'scan' as const, client: who, words }]),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(client, key, fc.integer({ min: 1, max: 4 }))
        .map(([who, name, lifeMs]) => [{ kind: 'lapse' as const, client: who, words: [name], lifeMs }]),
    },
  );
  return fc.array(steps, { minLength: 1, maxLength: maxSteps / 6 }).map((found): Step[] => found.flat());
}
