/** Rows of the commands that treat strings as rows of bits. */
import type { Args } from '../resp/args.ts';
import { bitcount, bitpos } from './bit-count.ts';
import { bitfield, bitfieldRo } from './bit-field.ts';
import { getbit, setbit } from './bit-offset.ts';
import { bitop } from './bit-op.ts';
import type { CommandDocArgument, CommandSpec } from './spec.ts';
import { keyArgument, keysFrom, oneKey, oneOf, token } from './spec-parts.ts';

const BITMAP = ['bitmap'];
const KEY = keyArgument();
const ENCODING: CommandDocArgument = { name: 'encoding', type: 'string' };
const OFFSET = integer('offset');
const START = integer('start');
const END = integer('end');
/** The words BYTE and BIT. */
const RANGE_UNIT: CommandDocArgument = {
  ...oneOf('unit', token('BYTE'), token('BIT')),
  optional: true,
  since: '7.0.0',
};
const UNIT_HISTORY: [string, string][] = [['7.0.0', 'Takes `BYTE` and `BIT`.']];

function integer(name: string): CommandDocArgument {
  return { name, type: 'integer' };
}

function block(name: string, word: string | undefined, ...parts: CommandDocArgument[]): CommandDocArgument {
  const argument: CommandDocArgument = { name, type: 'block', arguments: parts };
  if (word !== undefined) argument.token = word;
  return argument;
}

const GET_BLOCK = block('get-block', 'GET', ENCODING, OFFSET);

/** Has BITFIELD an operation that writes? */
function fieldsChange(args: Args): boolean {
  let i = 2;
  while (i < args.count) {
    if (args.equalsIgnoreCase(i, 'get')) i += 3;
    else if (args.equalsIgnoreCase(i, 'overflow')) i += 2;
    else return true;
  }
  return false;
}

export const BITMAP_COMMANDS: CommandSpec[] = [
  {
    name: 'setbit',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [oneKey(1, 'RW', 'access', 'update')],
    acl: BITMAP,
    since: '2.2.0',
    group: 'bitmap',
    summary: 'Sets or clears one bit of a string, which grows as needed, and answers what the bit was before.',
    complexity: 'O(1)',
    arguments: [KEY, OFFSET, integer('value')],
    run: setbit,
  },
  {
    name: 'getbit',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: BITMAP,
    since: '2.2.0',
    group: 'bitmap',
    summary: 'Answers one bit of a string; bits behind its end are 0.',
    complexity: 'O(1)',
    arguments: [KEY, OFFSET],
    run: getbit,
  },
  {
    name: 'bitcount',
    arity: -2,
    flags: ['readonly'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: BITMAP,
    since: '2.6.0',
    group: 'bitmap',
    summary: 'Counts the set bits of a string, or of a range of it.',
    complexity: 'O(N) for N bytes',
    history: UNIT_HISTORY,
    arguments: [KEY, { ...block('range', undefined, START, END, RANGE_UNIT), optional: true }],
    run: bitcount,
  },
  {
    name: 'bitpos',
    arity: -3,
    flags: ['readonly'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: BITMAP,
    since: '2.8.7',
    group: 'bitmap',
    summary: 'Finds the first set or clear bit of a string, or of a range of it.',
    complexity: 'O(N) for N bytes',
    history: UNIT_HISTORY,
    arguments: [
      KEY,
      integer('bit'),
      {
        ...block('range', undefined, START, {
          ...block('end-unit-block', undefined, END, RANGE_UNIT),
          optional: true,
        }),
        optional: true,
      },
    ],
    run: bitpos,
  },
  {
    name: 'bitop',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [oneKey(2, 'OW', 'update'), keysFrom(3, 'RO', 'access')],
    acl: BITMAP,
    since: '2.6.0',
    group: 'bitmap',
    summary: 'Combines strings bit by bit and stores the result.',
    complexity: 'O(N) for N bytes in all',
    arguments: [
      oneOf(
        'operation',
        token('AND'),
        token('OR'),
        token('XOR'),
        token('NOT'),
        token('DIFF'),
        token('DIFF1'),
        token('ANDOR'),
        token('ONE'),
      ),
      keyArgument('destkey'),
      { ...keyArgument('key', 1), multiple: true },
    ],
    run: bitop,
  },
  {
    name: 'bitfield',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: [{ ...oneKey(1, 'RW', 'access', 'update', 'variable_flags'), notes: 'Reads the key, writes it, or both' }],
    keyUse: (args) => (fieldsChange(args) ? ['RW', 'access', 'update'] : ['RO', 'access']),
    acl: BITMAP,
    since: '3.2.0',
    group: 'bitmap',
    summary: 'Reads and writes integers of any width inside a string.',
    complexity: 'O(1) for each operation',
    arguments: [
      KEY,
      {
        ...oneOf(
          'operation',
          GET_BLOCK,
          block(
            'write',
            undefined,
            {
              ...oneOf('overflow-block', token('WRAP'), token('SAT'), token('FAIL')),
              token: 'OVERFLOW',
              optional: true,
            },
            oneOf(
              'write-operation',
              block('set-block', 'SET', ENCODING, OFFSET, integer('value')),
              block('incrby-block', 'INCRBY', ENCODING, OFFSET, integer('increment')),
            ),
          ),
        ),
        optional: true,
        multiple: true,
      },
    ],
    run: bitfield,
  },
  {
    name: 'bitfield_ro',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: BITMAP,
    since: '6.0.0',
    group: 'bitmap',
    summary: 'Reads integers of any width inside a string.',
    complexity: 'O(1) for each operation',
    arguments: [KEY, { ...GET_BLOCK, optional: true, multiple: true, multipleToken: true }],
    run: bitfieldRo,
  },
];
