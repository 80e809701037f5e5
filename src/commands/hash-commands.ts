/** Rows of the hash commands. */
import { hincrby, hincrbyfloat } from './hash-counter.ts';
import {
  hexpire,
  hexpireat,
  hexpiretime,
  hpersist,
  hpexpire,
  hpexpireat,
  hpexpiretime,
  hpttl,
  httl,
} from './hash-field-expiry.ts';
import { hgetdel, hgetex, hsetex } from './hash-field-options.ts';
import { hrandfield } from './hash-random.ts';
import { hexists, hget, hgetall, hkeys, hlen, hmget, hstrlen, hvals } from './hash-read.ts';
import { hscan } from './hash-scan.ts';
import { hdel, hmset, hset, hsetnx } from './hash-write.ts';
import type { CommandDocArgument, CommandSpec, DataHandler } from './spec.ts';
import { keyArgument, NONDETERMINISTIC, oneKey, oneOf, optionalToken, token } from './spec-parts.ts';

const HASH = ['hash'];
const KEY = keyArgument();
const FIELD: CommandDocArgument = { name: 'field', type: 'string' };
const VALUE: CommandDocArgument = { name: 'value', type: 'string' };
const FIELDS: CommandDocArgument = { ...FIELD, multiple: true };
const PAIRS: CommandDocArgument = { name: 'data', type: 'block', multiple: true, arguments: [FIELD, VALUE] };
const COUNT: CommandDocArgument = { name: 'numfields', type: 'integer' };
const UNORDERED = ['nondeterministic_output_order'];
const PER_FIELD = 'O(N) for N fields named';
const ALL_FIELDS = 'O(N) for N fields of the hash';

/** `FIELDS numfields …`. */
function fieldsBlock(...what: CommandDocArgument[]): CommandDocArgument {
  return { name: 'fields', type: 'block', token: 'FIELDS', arguments: [COUNT, ...what] };
}

function time(name: string, word: string): CommandDocArgument {
  return { name, type: name.startsWith('unix-time') ? 'unix-time' : 'integer', token: word };
}

const LIFETIMES = [
  time('seconds', 'EX'),
  time('milliseconds', 'PX'),
  time('unix-time-seconds', 'EXAT'),
  time('unix-time-milliseconds', 'PXAT'),
];

type Facts = Pick<CommandSpec, 'arity' | 'since' | 'summary' | 'complexity'> & Partial<CommandSpec>;

function reader(
  name: string,
  isFast: boolean,
  args: CommandDocArgument[],
  facts: Facts,
  run: DataHandler,
): CommandSpec {
  return {
    name,
    flags: isFast ? ['readonly', 'fast'] : ['readonly'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: HASH,
    group: 'hash',
    arguments: [KEY, ...args],
    run,
    ...facts,
  };
}

/** A command that adds to a hash. */
function writer(name: string, args: CommandDocArgument[], facts: Facts, run: DataHandler): CommandSpec {
  return {
    name,
    flags: ['write', 'denyoom', 'fast'],
    keys: [oneKey(1, 'RW', 'update')],
    acl: HASH,
    group: 'hash',
    arguments: [KEY, ...args],
    run,
    ...facts,
  };
}

const CONDITION: CommandDocArgument = {
  ...oneOf('condition', token('NX'), token('XX'), token('GT'), token('LT')),
  optional: true,
};

function expirySetter(name: string, when: CommandDocArgument, summary: string, run: DataHandler): CommandSpec {
  const args = [when, CONDITION, fieldsBlock(FIELDS)];
  return writer(name, args, { arity: -6, since: '7.4.0', summary, complexity: PER_FIELD }, run);
}

function expiryReader(name: string, isRelative: boolean, summary: string, run: DataHandler): CommandSpec {
  const tips = isRelative ? { tips: NONDETERMINISTIC } : {};
  const facts: Facts = { arity: -5, since: '7.4.0', summary, complexity: PER_FIELD, ...tips };
  return reader(name, true, [fieldsBlock(FIELDS)], facts, run);
}

export const HASH_COMMANDS: CommandSpec[] = [
  writer(
    'hset',
    [PAIRS],
    {
      arity: -4,
      since: '2.0.0',
      summary: 'Sets fields of a hash to values, and makes the hash where there is none.',
      complexity: PER_FIELD,
      history: [['4.0.0', 'Takes several fields with their values.']],
      storedValues: { first: 3, step: 2 },
    },
    hset,
  ),
  writer(
    'hsetnx',
    [FIELD, VALUE],
    {
      arity: 4,
      since: '2.0.0',
      summary: 'Sets a field that is not there yet to a value.',
      complexity: 'O(1)',
      keys: [oneKey(1, 'RW', 'insert')],
      storedValues: { first: 3, step: 0 },
    },
    hsetnx,
  ),
  writer(
    'hmset',
    [PAIRS],
    {
      arity: -4,
      since: '2.0.0',
      summary: 'Sets fields of a hash to values.',
      complexity: PER_FIELD,
      deprecatedSince: '4.0.0',
      replacedBy: '`HSET` with multiple field-value pairs',
      docFlags: ['deprecated'],
      storedValues: { first: 3, step: 2 },
    },
    hmset,
  ),
  reader(
    'hget',
    true,
    [FIELD],
    { arity: 3, since: '2.0.0', summary: 'Gets the value of a field.', complexity: 'O(1)' },
    hget,
  ),
  reader(
    'hmget',
    true,
    [FIELDS],
    { arity: -3, since: '2.0.0', summary: 'Gets the values of several fields.', complexity: PER_FIELD },
    hmget,
  ),
  writer(
    'hdel',
    [FIELDS],
    {
      arity: -3,
      since: '2.0.0',
      summary: 'Deletes fields, and the hash with its last one.',
      complexity: PER_FIELD,
      flags: ['write', 'fast'],
      keys: [oneKey(1, 'RW', 'delete')],
      history: [['2.4.0', 'Takes several fields.']],
      freesOnly: true,
    },
    hdel,
  ),
  reader(
    'hlen',
    true,
    [],
    { arity: 2, since: '2.0.0', summary: 'Counts the fields of a hash.', complexity: 'O(1)', keys: [oneKey(1, 'RO')] },
    hlen,
  ),
  reader(
    'hstrlen',
    true,
    [FIELD],
    {
      arity: 3,
      since: '3.2.0',
      summary: 'Tells how long the value of a field is, in bytes.',
      complexity: 'O(1)',
      keys: [oneKey(1, 'RO')],
    },
    hstrlen,
  ),
  writer(
    'hincrby',
    [FIELD, { name: 'increment', type: 'integer' }],
    {
      arity: 4,
      since: '2.0.0',
      summary: 'Adds a whole number to the value of a field.',
      complexity: 'O(1)',
      keys: [oneKey(1, 'RW', 'access', 'update')],
    },
    hincrby,
  ),
  writer(
    'hincrbyfloat',
    [FIELD, { name: 'increment', type: 'double' }],
    {
      arity: 4,
      since: '2.6.0',
      summary: 'Adds a decimal number to the value of a field.',
      complexity: 'O(1)',
      keys: [oneKey(1, 'RW', 'access', 'update')],
    },
    hincrbyfloat,
  ),
  reader(
    'hkeys',
    false,
    [],
    { arity: 2, since: '2.0.0', summary: 'Lists the fields of a hash.', complexity: ALL_FIELDS, tips: UNORDERED },
    hkeys,
  ),
  reader(
    'hvals',
    false,
    [],
    { arity: 2, since: '2.0.0', summary: 'Lists the values of a hash.', complexity: ALL_FIELDS, tips: UNORDERED },
    hvals,
  ),
  reader(
    'hgetall',
    false,
    [],
    {
      arity: 2,
      since: '2.0.0',
      summary: 'Lists the fields of a hash with their values.',
      complexity: ALL_FIELDS,
      tips: UNORDERED,
    },
    hgetall,
  ),
  reader(
    'hexists',
    true,
    [FIELD],
    {
      arity: 3,
      since: '2.0.0',
      summary: 'Tells whether a hash has a field.',
      complexity: 'O(1)',
      keys: [oneKey(1, 'RO')],
    },
    hexists,
  ),
  reader(
    'hrandfield',
    false,
    [
      {
        name: 'options',
        type: 'block',
        optional: true,
        arguments: [{ name: 'count', type: 'integer' }, optionalToken('WITHVALUES')],
      },
    ],
    {
      arity: -2,
      since: '6.2.0',
      summary: 'Gets random fields of a hash.',
      complexity: 'O(N) for N fields in the reply',
      tips: NONDETERMINISTIC,
    },
    hrandfield,
  ),
  reader(
    'hscan',
    false,
    [
      { name: 'cursor', type: 'integer' },
      { name: 'pattern', type: 'pattern', token: 'MATCH', optional: true },
      { name: 'count', type: 'integer', token: 'COUNT', optional: true },
    ],
    {
      arity: -3,
      since: '2.8.0',
      summary: 'Lists the fields of a hash with their values, some at each call.',
      complexity: 'O(1) for each call, O(N) for a whole walk over N fields',
      tips: NONDETERMINISTIC,
    },
    hscan,
  ),
  expirySetter('hexpire', { name: 'seconds', type: 'integer' }, 'Lets fields expire after so many seconds.', hexpire),
  expirySetter(
    'hpexpire',
    { name: 'milliseconds', type: 'integer' },
    'Lets fields expire after so many milliseconds.',
    hpexpire,
  ),
  expirySetter(
    'hexpireat',
    { name: 'unix-time-seconds', type: 'unix-time' },
    'Lets fields expire at a point of Unix time in seconds.',
    hexpireat,
  ),
  expirySetter(
    'hpexpireat',
    { name: 'unix-time-milliseconds', type: 'unix-time' },
    'Lets fields expire at a point of Unix time in milliseconds.',
    hpexpireat,
  ),
  expiryReader('httl', true, 'Tells in how many seconds fields expire.', httl),
  expiryReader('hpttl', true, 'Tells in how many milliseconds fields expire.', hpttl),
  expiryReader('hexpiretime', false, 'Tells at which Unix time in seconds fields expire.', hexpiretime),
  expiryReader('hpexpiretime', false, 'Tells at which Unix time in milliseconds fields expire.', hpexpiretime),
  writer(
    'hpersist',
    [fieldsBlock(FIELDS)],
    {
      arity: -5,
      since: '7.4.0',
      summary: 'Takes the deadlines of fields away.',
      complexity: PER_FIELD,
      flags: ['write', 'fast'],
    },
    hpersist,
  ),
  writer(
    'hgetdel',
    [fieldsBlock(FIELDS)],
    {
      arity: -5,
      since: '8.0.0',
      summary: 'Gets the values of fields and deletes them.',
      complexity: PER_FIELD,
      flags: ['write', 'fast'],
      keys: [oneKey(1, 'RW', 'access', 'delete')],
      freesOnly: true,
    },
    hgetdel,
  ),
  writer(
    'hgetex',
    [{ ...oneOf('expiration', ...LIFETIMES, token('PERSIST')), optional: true }, fieldsBlock(FIELDS)],
    {
      arity: -5,
      since: '8.0.0',
      summary: 'Gets the values of fields and changes when they expire.',
      complexity: PER_FIELD,
      flags: ['write', 'fast'],
      keys: [oneKey(1, 'RW', 'access', 'update')],
    },
    hgetex,
  ),
  writer(
    'hsetex',
    [
      { ...oneOf('condition', token('FNX'), token('FXX')), optional: true },
      { ...oneOf('expiration', ...LIFETIMES, token('KEEPTTL')), optional: true },
      fieldsBlock(PAIRS),
    ],
    {
      arity: -6,
      since: '8.0.0',
      summary: 'Sets fields to values together with the time when they expire.',
      complexity: PER_FIELD,
    },
    hsetex,
  ),
];
