/** Rows of the commands that may wait, but those on streams, which stand with their family. */
import { blmove, blmpop, blpop, brpop, brpoplpush } from './list-blocking.ts';
import { bzmpop, bzpopmax, bzpopmin } from './sorted-set-blocking.ts';
import type { CommandDocArgument, CommandSpec, DataHandler, FlagName, KeySpec } from './spec.ts';
import { keyArgument, oneKey, oneOf, token } from './spec-parts.ts';
import { wait, waitaof } from './wait.ts';

const TIMEOUT: CommandDocArgument = { name: 'timeout', type: 'double' };
const KEYS: CommandDocArgument = { ...keyArgument(), multiple: true };
const NUMKEYS: CommandDocArgument = { name: 'numkeys', type: 'integer' };
const COUNT: CommandDocArgument = { name: 'count', type: 'integer', token: 'COUNT', optional: true };
const MS: CommandDocArgument = { name: 'timeout', type: 'integer' };
const FRACTIONS: [string, string][] = [['6.0.0', 'The timeout may have fractions.']];

const KEYS_BEFORE_TIMEOUT: KeySpec = {
  flags: ['RW', 'access', 'delete'],
  begin: 1,
  find: { kind: 'range', last: -2, step: 1, limit: 0 },
};
const KEYS_BEHIND_NUMBER: KeySpec = {
  flags: ['RW', 'access', 'delete'],
  begin: 2,
  find: { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 1 },
};
const MOVE_KEYS: KeySpec[] = [oneKey(1, 'RW', 'access', 'delete'), oneKey(2, 'RW', 'insert')];
const MOVE_ARGUMENTS = [keyArgument('source', 0), keyArgument('destination', 1)];
const WHEREFROM = oneOf('wherefrom', token('LEFT'), token('RIGHT'));
const WHERETO = oneOf('whereto', token('LEFT'), token('RIGHT'));

type Family = Pick<CommandSpec, 'group' | 'acl'>;
const LIST: Family = { group: 'list', acl: ['list'] };
const SORTED_SET: Family = { group: 'sorted-set', acl: ['sortedset'] };

function popper(
  family: Family,
  name: string,
  flags: FlagName[],
  since: string,
  summary: string,
  complexity: string,
  run: DataHandler,
): CommandSpec {
  return {
    ...family,
    name,
    arity: -3,
    flags: ['write', 'blocking', ...flags],
    keys: [KEYS_BEFORE_TIMEOUT],
    since,
    summary,
    complexity,
    history: FRACTIONS,
    arguments: [KEYS, TIMEOUT],
    atHome: true,
    run,
  };
}

function popperOfMany(
  family: Family,
  name: string,
  summary: string,
  complexity: string,
  where: CommandDocArgument,
  run: DataHandler,
): CommandSpec {
  return {
    ...family,
    name,
    arity: -5,
    flags: ['write', 'blocking', 'movablekeys'],
    keys: [KEYS_BEHIND_NUMBER],
    since: '7.0.0',
    summary,
    complexity,
    arguments: [TIMEOUT, NUMKEYS, KEYS, where, COUNT],
    atHome: true,
    run,
  };
}

function mover(name: string, arity: number, since: string, args: CommandDocArgument[], run: DataHandler): CommandSpec {
  return {
    ...LIST,
    name,
    arity,
    flags: ['write', 'denyoom', 'blocking'],
    keys: MOVE_KEYS,
    since,
    summary: 'Moves an element from a list to another one; waits until there is one.',
    complexity: 'O(1)',
    arguments: args,
    atHome: true,
    needsAllKeys: true,
    run,
  };
}

const PER_KEY = 'O(N) for N keys';
const LOG = 'O(log(N)) for N members';

export const BLOCKING_COMMANDS: CommandSpec[] = [
  popper(LIST, 'blpop', [], '2.0.0', 'Takes the first element of a list; waits until there is one.', PER_KEY, blpop),
  popper(LIST, 'brpop', [], '2.0.0', 'Takes the last element of a list; waits until there is one.', PER_KEY, brpop),
  mover('blmove', 6, '6.2.0', [...MOVE_ARGUMENTS, WHEREFROM, WHERETO, TIMEOUT], blmove),
  {
    ...mover('brpoplpush', 4, '2.2.0', [...MOVE_ARGUMENTS, TIMEOUT], brpoplpush),
    deprecatedSince: '6.2.0',
    replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments',
    docFlags: ['deprecated'],
    history: FRACTIONS,
  },
  popperOfMany(
    LIST,
    'blmpop',
    'Takes elements off the first of some lists that is not empty; waits until one is not.',
    'O(N+M) for N keys and M elements taken',
    oneOf('where', token('LEFT'), token('RIGHT')),
    blmpop,
  ),
  popper(
    SORTED_SET,
    'bzpopmin',
    ['fast'],
    '5.0.0',
    'Takes the member of lowest score; waits until there is one.',
    LOG,
    bzpopmin,
  ),
  popper(
    SORTED_SET,
    'bzpopmax',
    ['fast'],
    '5.0.0',
    'Takes the member of highest score; waits until there is one.',
    LOG,
    bzpopmax,
  ),
  popperOfMany(
    SORTED_SET,
    'bzmpop',
    'Takes members of lowest or highest score; waits until a set is not empty.',
    'O(K)+O(M*log(N)) for K keys, M members taken and N members of their set',
    oneOf('where', token('MIN'), token('MAX')),
    bzmpop,
  ),
  {
    name: 'wait',
    arity: 3,
    flags: ['blocking'],
    keys: [],
    acl: ['connection'],
    since: '3.0.0',
    group: 'generic',
    summary: 'Waits until replicas have what this connection has written.',
    complexity: 'O(1)',
    arguments: [{ name: 'numreplicas', type: 'integer' }, MS],
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    session: wait,
  },
  {
    name: 'waitaof',
    arity: 4,
    flags: ['blocking'],
    keys: [],
    acl: ['connection'],
    since: '7.2.0',
    group: 'generic',
    summary: 'Waits until what this connection has written is on stable storage, here and at replicas.',
    complexity: 'O(1)',
    arguments: [{ name: 'numlocal', type: 'integer' }, { name: 'numreplicas', type: 'integer' }, MS],
    tips: ['request_policy:all_shards', 'response_policy:agg_min'],
    session: waitaof,
  },
];
