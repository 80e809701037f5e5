/** Rows of the commands on sets. */
import { sdiff, sdiffstore, sinter, sintercard, sinterstore, sunion, sunionstore } from './set-combine.ts';
import { spop, srandmember } from './set-random.ts';
import { scard, sismember, smembers, smismember, sscan } from './set-read.ts';
import { sadd, smove, srem } from './set-write.ts';
import type { CommandDocArgument, CommandSpec, DataHandler, KeySpec } from './spec.ts';
import { familyRow, keyArgument, keysFrom, NONDETERMINISTIC, oneKey } from './spec-parts.ts';

const KEY = keyArgument();
const KEYS: CommandDocArgument = { ...KEY, multiple: true };
const MEMBER: CommandDocArgument = { name: 'member', type: 'string' };
const MEMBERS: CommandDocArgument = { ...MEMBER, multiple: true };
const DESTINATION = keyArgument('destination', 0);
const SOURCES: CommandDocArgument = { ...keyArgument('key', 1), multiple: true };
const ANY_ORDER = ['nondeterministic_output_order'];
const PER_MEMBER = 'O(1) for each member named';
const ALL_MEMBERS = 'O(N) for N members in all sets together';
const INTERSECTION = 'O(N*M) at worst: N members in the smallest set, M sets';

/** What all rows of the family have. */
const row = familyRow('set', 'set');

const readKey: KeySpec[] = [oneKey(1, 'RO', 'access')];
const lookAtKey: KeySpec[] = [oneKey(1, 'RO')];

const WRITERS: CommandSpec[] = [
  {
    ...row(
      'sadd',
      -3,
      ['write', 'denyoom', 'fast'],
      [oneKey(1, 'RW', 'insert')],
      '1.0.0',
      'Adds members to a set; the key is created where there is none.',
      PER_MEMBER,
      [KEY, MEMBERS],
      sadd,
    ),
    history: [['2.4.0', 'Takes several members.']],
  },
  {
    ...row(
      'srem',
      -3,
      ['write', 'fast'],
      [oneKey(1, 'RW', 'delete')],
      '1.0.0',
      'Removes members from a set; with the last one goes the key.',
      PER_MEMBER,
      [KEY, MEMBERS],
      srem,
    ),
    history: [['2.4.0', 'Takes several members.']],
  },
  row(
    'smove',
    4,
    ['write', 'fast'],
    [oneKey(1, 'RW', 'access', 'delete'), oneKey(2, 'RW', 'insert')],
    '1.0.0',
    'Moves a member from one set to another.',
    'O(1)',
    [keyArgument('source', 0), keyArgument('destination', 1), MEMBER],
    smove,
  ),
  {
    ...row(
      'spop',
      -2,
      ['write', 'fast'],
      [oneKey(1, 'RW', 'access', 'delete')],
      '1.0.0',
      'Takes members out of a set by chance and returns them.',
      'O(N) for N members taken out',
      [KEY, { name: 'count', type: 'integer', optional: true, since: '3.2.0' }],
      spop,
    ),
    tips: NONDETERMINISTIC,
    history: [['3.2.0', 'Takes a count.']],
  },
];

const READERS: CommandSpec[] = [
  row(
    'sismember',
    3,
    ['readonly', 'fast'],
    lookAtKey,
    '1.0.0',
    'Tells whether something is a member of a set.',
    'O(1)',
    [KEY, MEMBER],
    sismember,
  ),
  row(
    'smismember',
    -3,
    ['readonly', 'fast'],
    readKey,
    '6.2.0',
    'Tells of several things which are members of a set.',
    PER_MEMBER,
    [KEY, MEMBERS],
    smismember,
  ),
  row(
    'scard',
    2,
    ['readonly', 'fast'],
    lookAtKey,
    '1.0.0',
    'Returns the number of members of a set.',
    'O(1)',
    [KEY],
    scard,
  ),
  {
    ...row(
      'smembers',
      2,
      ['readonly'],
      readKey,
      '1.0.0',
      'Returns all members of a set.',
      'O(N) for N members',
      [KEY],
      smembers,
    ),
    tips: ANY_ORDER,
  },
  {
    ...row(
      'srandmember',
      -2,
      ['readonly'],
      readKey,
      '1.0.0',
      'Returns members of a set by chance.',
      'O(N) for N members returned, at worst of the set',
      [KEY, { name: 'count', type: 'integer', optional: true, since: '2.6.0' }],
      srandmember,
    ),
    tips: NONDETERMINISTIC,
    history: [['2.6.0', 'Takes a count.']],
  },
  {
    ...row(
      'sscan',
      -3,
      ['readonly'],
      readKey,
      '2.8.0',
      'Goes through the members of a set in steps.',
      'O(1) for a step, O(N) for all of them with N members',
      [
        KEY,
        { name: 'cursor', type: 'integer' },
        { name: 'pattern', type: 'pattern', token: 'MATCH', optional: true },
        { name: 'count', type: 'integer', token: 'COUNT', optional: true },
      ],
      sscan,
    ),
    tips: NONDETERMINISTIC,
  },
];

/** A row that answers what it makes out of several sets. */
function combiner(name: string, summary: string, complexity: string, run: DataHandler): CommandSpec {
  const keys = [keysFrom(1, 'RO', 'access')];
  return { ...row(name, -2, ['readonly'], keys, '1.0.0', summary, complexity, [KEYS], run), tips: ANY_ORDER };
}

/** A row that stores it. */
function storer(
  name: string,
  ownFlag: 'RW' | 'OW',
  summary: string,
  complexity: string,
  run: DataHandler,
): CommandSpec {
  const keys = [oneKey(1, ownFlag, 'update'), keysFrom(2, 'RO', 'access')];
  return row(name, -3, ['write', 'denyoom'], keys, '1.0.0', summary, complexity, [DESTINATION, SOURCES], run);
}

const COMBINERS: CommandSpec[] = [
  combiner('sinter', 'Returns the members that all of the sets have.', INTERSECTION, sinter),
  row(
    'sintercard',
    -3,
    ['readonly'],
    [{ flags: ['RO', 'access'], begin: 1, find: { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 1 } }],
    '7.0.0',
    'Counts the members that all of the sets have.',
    INTERSECTION,
    [{ name: 'numkeys', type: 'integer' }, KEYS, { name: 'limit', type: 'integer', token: 'LIMIT', optional: true }],
    sintercard,
  ),
  storer('sinterstore', 'RW', 'Stores the members that all of the sets have.', INTERSECTION, sinterstore),
  combiner('sunion', 'Returns the members that any of the sets has.', ALL_MEMBERS, sunion),
  storer('sunionstore', 'OW', 'Stores the members that any of the sets has.', ALL_MEMBERS, sunionstore),
  combiner('sdiff', 'Returns the members of the first set that no other set has.', ALL_MEMBERS, sdiff),
  storer('sdiffstore', 'OW', 'Stores the members of the first set that no other set has.', ALL_MEMBERS, sdiffstore),
];

export const SET_COMMANDS: readonly CommandSpec[] = [...WRITERS, ...READERS, ...COMBINERS];
