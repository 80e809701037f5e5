/** Rows of the conditional string commands that are newer than Redis 7.2: DELIFEQ (Valkey 9), DELEX and MSETEX (Redis 8.4). */
import type { CommandDocArgument, CommandSpec } from './spec.ts';
import { keyArgument, oneKey, oneOf, token } from './spec-parts.ts';
import { delex, delifeq, msetex } from './string-conditional.ts';

const KEY = keyArgument();
const VALUE: CommandDocArgument = { name: 'value', type: 'string' };

function timeOption(name: string, word: string): CommandDocArgument {
  return { name, type: word.endsWith('AT') ? 'unix-time' : 'integer', token: word };
}

export const STRING_CONDITIONAL_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'delifeq',
    arity: 3,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RM', 'access', 'delete')],
    acl: ['string'],
    since: '9.0.0',
    group: 'string',
    summary: 'Deletes a key that holds a given string.',
    complexity: 'O(1)',
    arguments: [KEY, VALUE],
    freesOnly: true,
    run: delifeq,
  },
  {
    name: 'delex',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RM', 'access', 'delete')],
    acl: ['string'],
    since: '8.4.0',
    group: 'string',
    summary: 'Deletes a key, where wanted only if it holds, or does not hold, a given string.',
    complexity: 'O(1)',
    arguments: [
      KEY,
      {
        ...oneOf(
          'condition',
          { name: 'ifeq-value', type: 'string', token: 'IFEQ' },
          { name: 'ifne-value', type: 'string', token: 'IFNE' },
        ),
        optional: true,
      },
    ],
    freesOnly: true,
    run: delex,
  },
  {
    name: 'msetex',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [{ flags: ['OW', 'update'], begin: 1, find: { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 2 } }],
    acl: ['string'],
    since: '8.4.0',
    group: 'string',
    summary: 'Sets several keys at once, all or none of them, with one condition and one deadline for all.',
    complexity: 'O(N) for N keys',
    arguments: [
      { name: 'numkeys', type: 'integer' },
      { name: 'data', type: 'block', multiple: true, arguments: [KEY, VALUE] },
      { ...oneOf('condition', token('NX'), token('XX')), optional: true },
      {
        ...oneOf(
          'expiration',
          timeOption('seconds', 'EX'),
          timeOption('milliseconds', 'PX'),
          timeOption('unix-time-seconds', 'EXAT'),
          timeOption('unix-time-milliseconds', 'PXAT'),
          token('KEEPTTL'),
        ),
        optional: true,
      },
    ],
    run: msetex,
  },
];
