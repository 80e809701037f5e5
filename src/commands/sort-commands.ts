/** Rows of SORT and SORT_RO. */
import { sort, sortReadOnly } from './sort.ts';
import { sortKeys, sortReadKeys, sortShards } from './sort-request.ts';
import type { CommandDocArgument, CommandSpec, KeySpec } from './spec.ts';
import { keyArgument, oneKey, oneOf, optionalToken, token } from './spec-parts.ts';

const PATTERN_KEYS: KeySpec = {
  flags: ['RO', 'access'],
  begin: 0,
  find: { kind: 'unknown' },
  notes: 'The keys of BY and GET: their names come out of the elements.',
};
const STORE_KEY: KeySpec = {
  flags: ['OW', 'update'],
  begin: 0,
  find: { kind: 'unknown' },
  notes: 'The key of STORE, which may stand anywhere.',
};
const COMPLEXITY = 'O(N+M*log(M)) for N elements, M of them in the result; O(N) where nothing is to be sorted';
const BY: CommandDocArgument = { name: 'pattern', type: 'pattern', keySpecIndex: 1, token: 'BY', optional: true };
const ARGUMENTS: CommandDocArgument[] = [
  keyArgument(),
  BY,
  {
    name: 'offset_count',
    type: 'block',
    token: 'LIMIT',
    optional: true,
    arguments: [
      { name: 'offset', type: 'integer' },
      { name: 'count', type: 'integer' },
    ],
  },
  { ...BY, token: 'GET', multiple: true, multipleToken: true },
  { ...oneOf('order', token('ASC'), token('DESC')), optional: true },
  { ...optionalToken('ALPHA'), name: 'sorting' },
];

export const SORT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'sort',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: [oneKey(1, 'RO', 'access'), PATTERN_KEYS, STORE_KEY],
    findKeys: sortKeys,
    acl: ['set', 'sortedset', 'list', 'dangerous'],
    since: '1.0.0',
    group: 'generic',
    summary: 'Sorts the elements of a list, a set or a sorted set, and answers or stores them, or what they stand for.',
    complexity: COMPLEXITY,
    arguments: [...ARGUMENTS, { ...keyArgument('destination', 2), token: 'STORE', optional: true }],
    reach: 'chosen',
    shardChoice: sortShards,
    run: sort,
  },
  {
    name: 'sort_ro',
    arity: -2,
    flags: ['readonly'],
    keys: [oneKey(1, 'RO', 'access'), PATTERN_KEYS],
    findKeys: sortReadKeys,
    acl: ['set', 'sortedset', 'list', 'dangerous'],
    since: '7.0.0',
    group: 'generic',
    summary: 'Sorts the elements of a list, a set or a sorted set, and answers them, or what they stand for.',
    complexity: COMPLEXITY,
    arguments: ARGUMENTS,
    reach: 'chosen',
    shardChoice: sortShards,
    run: sortReadOnly,
  },
];
