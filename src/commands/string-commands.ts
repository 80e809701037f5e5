/** Rows of the string commands. */
import type { Args } from '../resp/args.ts';
import { lcs } from './lcs.ts';
import type { CommandDocArgument, CommandSpec, DataHandler, KeyFlag } from './spec.ts';
import { keyArgument, keysFrom, oneKey, oneOf, optionalToken, token } from './spec-parts.ts';
import { decr, decrby, incr, incrby, incrbyfloat } from './string-counter.ts';
import { append, setrange } from './string-edit.ts';
import { mget, mset, msetnx } from './string-multi.ts';
import { get, getdel, getex, getrange, strlen } from './string-read.ts';
import { getset, psetex, set, setex, setnx } from './string-set.ts';

const STRING = ['string'];
const RANGE_COMPLEXITY = 'O(N) for N bytes in the reply';
const KEY = keyArgument();
const VALUE: CommandDocArgument = { name: 'value', type: 'string' };

function integer(name: string): CommandDocArgument {
  return { name, type: 'integer' };
}

/** An integer behind a word, among alternatives. */
function timeOption(name: string, word: string, since?: string): CommandDocArgument {
  const type = name.startsWith('unix-time') ? 'unix-time' : 'integer';
  return since === undefined ? { name, type, token: word } : { name, type, token: word, since };
}

/** `N` keys from 1 on, each followed by its value. */
function pairsRow(name: string, keyFlag: KeyFlag, tips: string[], summary: string, run: DataHandler): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [{ flags: ['OW', keyFlag], begin: 1, find: { kind: 'range', last: -1, step: 2, limit: 0 } }],
    acl: STRING,
    since: '1.0.1',
    group: 'string',
    summary,
    complexity: 'O(N) for N keys',
    arguments: [{ name: 'data', type: 'block', multiple: true, arguments: [KEY, VALUE] }],
    tips,
    storedValues: { first: 2, step: 2 },
    run,
  };
}

/** A command on a counter; `by` names its argument, if it has one. */
function counterRow(
  name: string,
  since: string,
  by: CommandDocArgument | null,
  summary: string,
  run: DataHandler,
): CommandSpec {
  return {
    name,
    arity: by === null ? 2 : 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [oneKey(1, 'RW', 'access', 'update')],
    acl: STRING,
    since,
    group: 'string',
    summary,
    complexity: 'O(1)',
    arguments: by === null ? [KEY] : [KEY, by],
    run,
  };
}

/** SETEX and PSETEX. */
function expiringRow(name: string, since: string, time: string, replacedBy: string, run: DataHandler): CommandSpec {
  return {
    name,
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [oneKey(1, 'OW', 'update')],
    acl: STRING,
    since,
    group: 'string',
    summary: `Sets a string that expires after so many ${time}.`,
    complexity: 'O(1)',
    arguments: [KEY, integer(time), VALUE],
    deprecatedSince: '2.6.12',
    replacedBy,
    docFlags: ['deprecated'],
    storedValues: { first: 3, step: 0 },
    run,
  };
}

/** GETRANGE and SUBSTR. */
function rangeRow(name: string, since: string, summary: string): CommandSpec {
  return {
    name,
    arity: 4,
    flags: ['readonly'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: STRING,
    since,
    group: 'string',
    summary,
    complexity: RANGE_COMPLEXITY,
    arguments: [KEY, integer('start'), integer('end')],
    run: getrange,
  };
}

/** Has SET an option by which the old value matters? */
function setReadsKey(args: Args): boolean {
  for (let i = 3; i < args.count; i++) {
    if (SET_READERS.some((word) => args.equalsIgnoreCase(i, word))) return true;
  }
  return false;
}

const SET_READERS = ['get', 'ifeq', 'ifne'];

const SETTERS: CommandSpec[] = [
  {
    name: 'set',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [
      {
        ...oneKey(1, 'RW', 'access', 'update', 'variable_flags'),
        notes: 'Reads the key only with `GET`, `IFEQ` or `IFNE`',
      },
    ],
    keyUse: (args) => (setReadsKey(args) ? ['RW', 'access', 'update'] : ['OW', 'update']),
    acl: STRING,
    since: '1.0.0',
    group: 'string',
    summary: 'Makes a string the value of a key, whatever the key held before; conditions and a deadline can be given.',
    complexity: 'O(1)',
    history: [
      ['2.6.12', 'Takes `EX`, `PX`, `NX` and `XX`.'],
      ['6.0.0', 'Takes `KEEPTTL`.'],
      ['6.2.0', 'Takes `GET`, `EXAT` and `PXAT`.'],
      ['7.0.0', 'Takes `NX` together with `GET`.'],
    ],
    arguments: [
      KEY,
      VALUE,
      {
        ...oneOf(
          'condition',
          token('NX'),
          token('XX'),
          { name: 'comparison-value', type: 'string', token: 'IFEQ' },
          { name: 'comparison-value', type: 'string', token: 'IFNE' },
        ),
        optional: true,
        since: '2.6.12',
      },
      optionalToken('GET', '6.2.0'),
      {
        ...oneOf(
          'expiration',
          timeOption('seconds', 'EX', '2.6.12'),
          timeOption('milliseconds', 'PX', '2.6.12'),
          timeOption('unix-time-seconds', 'EXAT', '6.2.0'),
          timeOption('unix-time-milliseconds', 'PXAT', '6.2.0'),
          token('KEEPTTL', '6.0.0'),
        ),
        optional: true,
      },
    ],
    storedValues: { first: 2, step: 0 },
    run: set,
  },
  {
    name: 'setnx',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [oneKey(1, 'OW', 'insert')],
    acl: STRING,
    since: '1.0.0',
    group: 'string',
    summary: 'Sets a string only if the key does not exist.',
    complexity: 'O(1)',
    arguments: [KEY, VALUE],
    deprecatedSince: '2.6.12',
    replacedBy: '`SET` with the `NX` argument',
    docFlags: ['deprecated'],
    storedValues: { first: 2, step: 0 },
    run: setnx,
  },
  expiringRow('setex', '2.0.0', 'seconds', '`SET` with the `EX` argument', setex),
  expiringRow('psetex', '2.6.0', 'milliseconds', '`SET` with the `PX` argument', psetex),
  {
    name: 'getset',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [oneKey(1, 'RW', 'access', 'update')],
    acl: STRING,
    since: '1.0.0',
    group: 'string',
    summary: 'Sets a string and answers the one it replaces.',
    complexity: 'O(1)',
    arguments: [KEY, VALUE],
    deprecatedSince: '6.2.0',
    replacedBy: '`SET` with the `GET` argument',
    docFlags: ['deprecated'],
    storedValues: { first: 2, step: 0 },
    run: getset,
  },
  {
    name: 'append',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [oneKey(1, 'RW', 'insert')],
    acl: STRING,
    since: '2.0.0',
    group: 'string',
    summary: 'Adds bytes to the end of a string, which is created where there is none.',
    complexity: 'O(1) on average for short additions, since growing strings get room to spare',
    arguments: [KEY, VALUE],
    run: append,
  },
  {
    name: 'setrange',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [oneKey(1, 'RW', 'update')],
    acl: STRING,
    since: '2.2.0',
    group: 'string',
    summary: 'Writes bytes over a part of a string; a gap before them is filled with zero bytes.',
    complexity: 'O(M) for M bytes, and for those by which the string grows',
    arguments: [KEY, integer('offset'), VALUE],
    run: setrange,
  },
];

const READERS: CommandSpec[] = [
  {
    name: 'get',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: STRING,
    since: '1.0.0',
    group: 'string',
    summary: 'Answers the string that a key holds.',
    complexity: 'O(1)',
    arguments: [KEY],
    run: get,
  },
  {
    name: 'getex',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [{ ...oneKey(1, 'RW', 'access', 'update'), notes: 'Updates the key in that it changes its deadline' }],
    acl: STRING,
    since: '6.2.0',
    group: 'string',
    summary: 'Answers the string that a key holds and sets or removes its deadline.',
    complexity: 'O(1)',
    arguments: [
      KEY,
      {
        ...oneOf(
          'expiration',
          timeOption('seconds', 'EX'),
          timeOption('milliseconds', 'PX'),
          timeOption('unix-time-seconds', 'EXAT'),
          timeOption('unix-time-milliseconds', 'PXAT'),
          token('PERSIST'),
        ),
        optional: true,
      },
    ],
    run: getex,
  },
  {
    name: 'getdel',
    arity: 2,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RW', 'access', 'delete')],
    acl: STRING,
    since: '6.2.0',
    group: 'string',
    summary: 'Answers the string that a key holds and removes the key.',
    complexity: 'O(1)',
    arguments: [KEY],
    freesOnly: true,
    run: getdel,
  },
  {
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [oneKey(1, 'RO')],
    acl: STRING,
    since: '2.2.0',
    group: 'string',
    summary: 'Answers the length of a string in bytes.',
    complexity: 'O(1)',
    arguments: [KEY],
    run: strlen,
  },
  rangeRow('getrange', '2.4.0', 'Answers a part of a string, given by its first and last byte.'),
  {
    ...rangeRow('substr', '1.0.0', 'Answers a part of a string; the older name of GETRANGE.'),
    deprecatedSince: '2.0.0',
    replacedBy: '`GETRANGE`',
    docFlags: ['deprecated'],
  },
  {
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [keysFrom(1, 'RO', 'access')],
    acl: STRING,
    since: '1.0.0',
    group: 'string',
    summary: 'Answers the strings of several keys as of one moment.',
    complexity: 'O(N) for N keys',
    arguments: [{ ...KEY, multiple: true }],
    tips: ['request_policy:multi_shard'],
    run: mget,
  },
  {
    name: 'lcs',
    arity: -3,
    flags: ['readonly'],
    keys: [{ ...oneKey(1, 'RO', 'access'), find: { kind: 'range', last: 1, step: 1, limit: 0 } }],
    acl: STRING,
    since: '7.0.0',
    group: 'string',
    summary: 'Finds the longest common subsequence of two strings: itself, its length, or where its pieces lie.',
    complexity: 'O(N*M) for strings of N and M bytes',
    arguments: [
      keyArgument('key1'),
      keyArgument('key2'),
      optionalToken('LEN'),
      optionalToken('IDX'),
      { name: 'min-match-len', type: 'integer', token: 'MINMATCHLEN', optional: true },
      optionalToken('WITHMATCHLEN'),
    ],
    run: lcs,
  },
];

export const STRING_COMMANDS: CommandSpec[] = [
  ...READERS,
  ...SETTERS,
  pairsRow(
    'mset',
    'update',
    ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    'Sets several keys to strings at one moment.',
    mset,
  ),
  pairsRow(
    'msetnx',
    'insert',
    ['request_policy:multi_shard', 'response_policy:agg_min'],
    'Sets several keys to strings at one moment, only if none of them exists.',
    msetnx,
  ),
  counterRow('incr', '1.0.0', null, 'Adds one to the integer that a key holds; an absent key counts as 0.', incr),
  counterRow(
    'decr',
    '1.0.0',
    null,
    'Subtracts one from the integer that a key holds; an absent key counts as 0.',
    decr,
  ),
  counterRow('incrby', '1.0.0', integer('increment'), 'Adds a number to the integer that a key holds.', incrby),
  counterRow('decrby', '1.0.0', integer('decrement'), 'Subtracts a number from the integer that a key holds.', decrby),
  counterRow(
    'incrbyfloat',
    '2.6.0',
    { name: 'increment', type: 'double' },
    'Adds a floating point number to the number that a key holds.',
    incrbyfloat,
  ),
];
