/** Rows of the commands on lists. */
import { lmove, rpoplpush } from './list-move.ts';
import { linsert, lpush, lpushx, lset, rpush, rpushx } from './list-push.ts';
import { lindex, llen, lpos, lrange } from './list-read.ts';
import { lmpop, lpop, lrem, ltrim, rpop } from './list-remove.ts';
import type { CommandDocArgument, CommandSpec, DataHandler, KeySpec } from './spec.ts';
import { familyRow, keyArgument, oneKey, oneOf, token } from './spec-parts.ts';

const KEY = keyArgument();
const ELEMENT: CommandDocArgument = { name: 'element', type: 'string' };
const ELEMENTS: CommandDocArgument = { ...ELEMENT, multiple: true };
const INDEX: CommandDocArgument = { name: 'index', type: 'integer' };
const START: CommandDocArgument = { name: 'start', type: 'integer' };
const STOP: CommandDocArgument = { name: 'stop', type: 'integer' };
const COUNT: CommandDocArgument = { name: 'count', type: 'integer' };
const WHEREFROM = oneOf('wherefrom', token('LEFT'), token('RIGHT'));
const WHERETO = oneOf('whereto', token('LEFT'), token('RIGHT'));
const PER_ELEMENT = 'O(1) for each element named';
const TO_THE_ELEMENT = 'O(N) for the N elements up to it; O(1) at the ends';

/** What all rows of the family have. */
const row = familyRow('list', 'list');

function pusher(name: string, since: string, summary: string, onlyPresent: boolean, run: DataHandler): CommandSpec {
  return {
    ...row(
      name,
      -3,
      ['write', 'denyoom', 'fast'],
      [oneKey(1, 'RW', 'insert')],
      since,
      summary,
      PER_ELEMENT,
      [KEY, ELEMENTS],
      run,
    ),
    history: [[onlyPresent ? '4.0.0' : '2.4.0', 'Takes several elements.']],
  };
}

function popper(name: string, summary: string, run: DataHandler): CommandSpec {
  return {
    ...row(
      name,
      -2,
      ['write', 'fast'],
      [oneKey(1, 'RW', 'access', 'delete')],
      '1.0.0',
      summary,
      'O(N) for N elements taken',
      [KEY, { ...COUNT, optional: true, since: '6.2.0' }],
      run,
    ),
    history: [['6.2.0', 'Takes the `count` argument.']],
  };
}

const moveKeys: KeySpec[] = [oneKey(1, 'RW', 'access', 'delete'), oneKey(2, 'RW', 'insert')];
const moveArguments = [keyArgument('source', 0), keyArgument('destination', 1)];

export const LIST_COMMANDS: CommandSpec[] = [
  pusher('lpush', '1.0.0', 'Adds elements in front of a list, which is created where there is none.', false, lpush),
  pusher('rpush', '1.0.0', 'Adds elements behind a list, which is created where there is none.', false, rpush),
  pusher('lpushx', '2.2.0', 'Adds elements in front of a list that exists.', true, lpushx),
  pusher('rpushx', '2.2.0', 'Adds elements behind a list that exists.', true, rpushx),
  popper('lpop', 'Takes elements off the front of a list and answers them.', lpop),
  popper('rpop', 'Takes elements off the end of a list and answers them.', rpop),
  row(
    'llen',
    2,
    ['readonly', 'fast'],
    [oneKey(1, 'RO')],
    '1.0.0',
    'Counts the elements of a list.',
    'O(1)',
    [KEY],
    llen,
  ),
  row(
    'lindex',
    3,
    ['readonly'],
    [oneKey(1, 'RO', 'access')],
    '1.0.0',
    'Answers the element at a place of a list.',
    TO_THE_ELEMENT,
    [KEY, INDEX],
    lindex,
  ),
  row(
    'lset',
    4,
    ['write', 'denyoom'],
    [oneKey(1, 'RW', 'update')],
    '1.0.0',
    'Puts an element in the place of another.',
    TO_THE_ELEMENT,
    [KEY, INDEX, ELEMENT],
    lset,
  ),
  row(
    'linsert',
    5,
    ['write', 'denyoom'],
    [oneKey(1, 'RW', 'insert')],
    '2.2.0',
    'Inserts an element before or behind another.',
    'O(N) for the N elements up to the other one',
    [KEY, oneOf('where', token('BEFORE'), token('AFTER')), { name: 'pivot', type: 'string' }, ELEMENT],
    linsert,
  ),
  row(
    'lrange',
    4,
    ['readonly'],
    [oneKey(1, 'RO', 'access')],
    '1.0.0',
    'Answers the elements of a range.',
    'O(S+N) for N elements that begin S elements from the nearer end',
    [KEY, START, STOP],
    lrange,
  ),
  row(
    'ltrim',
    4,
    ['write'],
    [oneKey(1, 'RW', 'delete')],
    '1.0.0',
    'Takes out all elements but those of a range.',
    'O(N) for N elements taken out',
    [KEY, START, STOP],
    ltrim,
  ),
  row(
    'lrem',
    4,
    ['write'],
    [oneKey(1, 'RW', 'delete')],
    '1.0.0',
    'Takes out the elements that are equal to one.',
    'O(N+M) for N elements, M of them taken out',
    [KEY, COUNT, ELEMENT],
    lrem,
  ),
  row(
    'lpos',
    -3,
    ['readonly'],
    [oneKey(1, 'RO', 'access')],
    '6.0.6',
    'Tells at which places of a list an element stands.',
    'O(N) for the N elements that are looked at',
    [
      KEY,
      ELEMENT,
      { name: 'rank', type: 'integer', token: 'RANK', optional: true },
      { name: 'num-matches', type: 'integer', token: 'COUNT', optional: true },
      { name: 'len', type: 'integer', token: 'MAXLEN', optional: true },
    ],
    lpos,
  ),
  row(
    'lmove',
    5,
    ['write', 'denyoom'],
    moveKeys,
    '6.2.0',
    'Takes an element off an end of a list and adds it at an end of another.',
    'O(1)',
    [...moveArguments, WHEREFROM, WHERETO],
    lmove,
  ),
  {
    ...row(
      'rpoplpush',
      3,
      ['write', 'denyoom'],
      moveKeys,
      '1.2.0',
      'Takes the last element of a list and adds it in front of another.',
      'O(1)',
      moveArguments,
      rpoplpush,
    ),
    deprecatedSince: '6.2.0',
    replacedBy: '`LMOVE` with the `RIGHT` and `LEFT` arguments',
    docFlags: ['deprecated'],
  },
  row(
    'lmpop',
    -4,
    ['write', 'movablekeys'],
    [{ flags: ['RW', 'access', 'delete'], begin: 1, find: { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 1 } }],
    '7.0.0',
    'Takes elements off the first of some lists that is not empty.',
    'O(N+M) for N keys and M elements taken',
    [
      { name: 'numkeys', type: 'integer' },
      { ...KEY, multiple: true },
      oneOf('where', token('LEFT'), token('RIGHT')),
      { name: 'count', type: 'integer', token: 'COUNT', optional: true },
    ],
    lmpop,
  ),
];
