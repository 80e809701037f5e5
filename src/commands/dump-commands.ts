/** Rows of DUMP and RESTORE. */
import { dump, restore } from './dump.ts';
import type { CommandSpec } from './spec.ts';
import { keyArgument, NONDETERMINISTIC, oneKey, optionalToken } from './spec-parts.ts';

export const DUMP_COMMANDS: CommandSpec[] = [
  {
    name: 'dump',
    arity: 2,
    flags: ['readonly'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: ['keyspace'],
    since: '2.6.0',
    group: 'generic',
    summary: 'The value of a key as bytes that RESTORE takes.',
    complexity: 'O(1) to find the key, O(N*M) to write its N elements of M bytes on average',
    arguments: [keyArgument()],
    tips: NONDETERMINISTIC,
    run: dump,
  },
  {
    name: 'restore',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [oneKey(1, 'OW', 'update')],
    acl: ['keyspace', 'dangerous'],
    since: '2.6.0',
    group: 'generic',
    summary: 'Makes a key out of the bytes that DUMP gave.',
    complexity:
      'O(1) to make the key, O(N*M) to read its N elements of M bytes on average; O(N*M*log(N)) for sorted sets',
    history: [
      ['3.0.0', 'Added the `REPLACE` modifier.'],
      ['5.0.0', 'Added the `ABSTTL` modifier.'],
      ['5.0.0', 'Added the `IDLETIME` and `FREQ` options.'],
    ],
    arguments: [
      keyArgument(),
      { name: 'ttl', type: 'integer' },
      { name: 'serialized-value', type: 'string' },
      optionalToken('REPLACE', '3.0.0'),
      optionalToken('ABSTTL', '5.0.0'),
      { name: 'seconds', type: 'integer', token: 'IDLETIME', optional: true, since: '5.0.0' },
      { name: 'frequency', type: 'integer', token: 'FREQ', optional: true, since: '5.0.0' },
    ],
    run: restore,
  },
];
