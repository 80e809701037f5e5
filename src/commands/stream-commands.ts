/** Commands on streams. Those on their groups: stream-group-commands.ts. */
import type { CommandDocArgument, CommandSpec, KeySpec } from './spec.ts';
import { keyArgument, NONDETERMINISTIC, oneKey, oneOf, optionalToken, token } from './spec-parts.ts';
import { xadd, xtrim } from './stream-add.ts';
import { STREAM_GROUP_COMMANDS } from './stream-group-commands.ts';
import { xdel, xlen, xrange, xrevrange, xsetid } from './stream-range.ts';
import { isReadReady, xread } from './stream-read.ts';
import { STREAM_KEYS, xreadKeys } from './stream-read-request.ts';

const STREAM = ['stream'];
const ID: CommandDocArgument = { name: 'id', type: 'string' };
const COUNT: CommandDocArgument = { name: 'count', type: 'integer', token: 'COUNT', optional: true };

const TRIM: CommandDocArgument = {
  name: 'trim',
  type: 'block',
  arguments: [
    oneOf('strategy', token('MAXLEN'), token('MINID', '6.2.0')),
    {
      ...oneOf(
        'operator',
        { name: 'equal', type: 'pure-token', token: '=' },
        { name: 'approximately', type: 'pure-token', token: '~' },
      ),
      optional: true,
    },
    { name: 'threshold', type: 'string' },
    { name: 'count', type: 'integer', token: 'LIMIT', since: '6.2.0', optional: true },
  ],
};

const UPDATED: KeySpec = {
  ...oneKey(1, 'RW', 'update'),
  notes: 'Counts as a change, not as an insertion alone, because it can trim as well.',
};

function rangeRow(name: 'xrange' | 'xrevrange', summary: string, run: CommandSpec['run']): CommandSpec {
  const ends: CommandDocArgument[] = [
    { name: 'start', type: 'string' },
    { name: 'end', type: 'string' },
  ];
  return {
    name,
    arity: -4,
    flags: ['readonly'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary,
    complexity: 'O(N) for N entries that are answered',
    history: [['6.2.0', 'Ends may be excluded.']],
    arguments: [keyArgument(), ...(name === 'xrange' ? ends : ends.reverse()), COUNT],
    run,
  };
}

export const STREAM_COMMANDS: CommandSpec[] = [
  {
    name: 'xadd',
    arity: -5,
    flags: ['write', 'denyoom', 'fast'],
    keys: [UPDATED],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Adds an entry to a stream, which is made where there is none.',
    complexity: 'O(1) for the entry, O(N) for N entries that are trimmed',
    history: [
      ['6.2.0', '`NOMKSTREAM`, `MINID` and `LIMIT`.'],
      ['7.0.0', 'Ids of the form `<ms>-*`.'],
    ],
    arguments: [
      keyArgument(),
      optionalToken('NOMKSTREAM', '6.2.0'),
      { ...TRIM, optional: true },
      oneOf('id-selector', { name: 'auto-id', type: 'pure-token', token: '*' }, ID),
      {
        name: 'data',
        type: 'block',
        multiple: true,
        arguments: [
          { name: 'field', type: 'string' },
          { name: 'value', type: 'string' },
        ],
      },
    ],
    tips: NONDETERMINISTIC,
    run: xadd,
  },
  {
    name: 'xlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [oneKey(1, 'RO')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Counts the entries of a stream.',
    complexity: 'O(1)',
    arguments: [keyArgument()],
    run: xlen,
  },
  rangeRow('xrange', 'Answers the entries of a stream between two ids.', xrange),
  rangeRow('xrevrange', 'Answers the entries of a stream between two ids, the last one first.', xrevrange),
  {
    name: 'xdel',
    arity: -3,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RW', 'delete')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Deletes entries of a stream by their ids; tells how many were there.',
    complexity: 'O(1) for each id',
    arguments: [keyArgument(), { ...ID, multiple: true }],
    run: xdel,
  },
  {
    name: 'xtrim',
    arity: -4,
    flags: ['write'],
    keys: [oneKey(1, 'RW', 'delete')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Deletes entries from the front of a stream, down to a length or up to an id.',
    complexity: 'O(N) for N entries that go, most of them many at a time',
    history: [['6.2.0', '`MINID` and `LIMIT`.']],
    arguments: [keyArgument(), TRIM],
    tips: NONDETERMINISTIC,
    run: xtrim,
  },
  {
    name: 'xsetid',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [oneKey(1, 'RW', 'update')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Sets what a stream remembers of entries that were: for replication.',
    complexity: 'O(1)',
    history: [['7.0.0', '`ENTRIESADDED` and `MAXDELETEDID`.']],
    arguments: [
      keyArgument(),
      { name: 'last-id', type: 'string' },
      { name: 'entries-added', type: 'integer', token: 'ENTRIESADDED', since: '7.0.0', optional: true },
      { name: 'max-deleted-id', type: 'string', token: 'MAXDELETEDID', since: '7.0.0', optional: true },
    ],
    run: xsetid,
  },
  {
    name: 'xread',
    arity: -4,
    flags: ['readonly', 'blocking'],
    keys: [{ ...STREAM_KEYS, begin: 1 }],
    findKeys: xreadKeys,
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Answers the entries of streams behind given ids; can wait for some.',
    complexity: 'O(N) for N entries that are answered',
    arguments: [
      COUNT,
      { name: 'milliseconds', type: 'integer', token: 'BLOCK', optional: true },
      {
        name: 'streams',
        type: 'block',
        token: 'STREAMS',
        arguments: [
          { ...keyArgument(), multiple: true },
          { ...ID, multiple: true },
        ],
      },
    ],
    atHome: true,
    isReady: isReadReady,
    run: xread,
  },
  ...STREAM_GROUP_COMMANDS,
];
