/** Commands on groups of consumers of streams, and XINFO. */
import type { CommandDocArgument, CommandSpec } from './spec.ts';
import { keyArgument, NONDETERMINISTIC, oneKey, oneOf, optionalToken } from './spec-parts.ts';
import { xautoclaim, xclaim } from './stream-claim.ts';
import {
  xgroupCreate,
  xgroupCreateConsumer,
  xgroupDelConsumer,
  xgroupDestroy,
  xgroupHelp,
  xgroupSetid,
} from './stream-group-admin.ts';
import { isGroupReady, xreadgroup } from './stream-group-read.ts';
import { xinfoConsumers, xinfoGroups, xinfoHelp, xinfoStream } from './stream-info.ts';
import { xack, xpending } from './stream-pending-list.ts';
import { STREAM_KEYS, xreadgroupKeys } from './stream-read-request.ts';

const STREAM = ['stream'];
const GROUP: CommandDocArgument = { name: 'group', type: 'string' };
const CONSUMER: CommandDocArgument = { name: 'consumer', type: 'string' };
const ID: CommandDocArgument = { name: 'id', type: 'string' };
const MIN_IDLE: CommandDocArgument = { name: 'min-idle-time', type: 'string' };
const COUNT: CommandDocArgument = { name: 'count', type: 'integer', token: 'COUNT', optional: true };
const ID_OR_LAST = oneOf('id-selector', ID, { name: 'new-id', type: 'pure-token', token: '$' });
const ENTRIES_READ: CommandDocArgument = {
  name: 'entriesread',
  display: 'entries-read',
  type: 'integer',
  token: 'ENTRIESREAD',
  optional: true,
};

function helpRow(session: CommandSpec['session']): CommandSpec {
  return {
    name: 'help',
    arity: 2,
    flags: ['loading', 'stale'],
    keys: [],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Lists the subcommands.',
    complexity: 'O(1)',
    session,
  };
}

/** What the subcommands of XGROUP and XINFO have in common. */
const SUBCOMMAND = { acl: STREAM, since: '5.0.0', group: 'stream', complexity: 'O(1)' } as const;

const XGROUP_SUBCOMMANDS: CommandSpec[] = [
  {
    ...SUBCOMMAND,
    name: 'create',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: [oneKey(2, 'RW', 'insert')],
    summary: 'Makes a group that reads a stream behind an id.',
    history: [['7.0.0', '`ENTRIESREAD`.']],
    arguments: [keyArgument(), GROUP, ID_OR_LAST, optionalToken('MKSTREAM'), ENTRIES_READ],
    run: xgroupCreate,
  },
  {
    ...SUBCOMMAND,
    name: 'setid',
    arity: -5,
    flags: ['write'],
    keys: [oneKey(2, 'RW', 'update')],
    summary: 'Lets a group read on behind another id.',
    history: [['7.0.0', '`ENTRIESREAD`.']],
    arguments: [keyArgument(), GROUP, ID_OR_LAST, ENTRIES_READ],
    run: xgroupSetid,
  },
  {
    ...SUBCOMMAND,
    name: 'destroy',
    arity: 4,
    flags: ['write'],
    keys: [oneKey(2, 'RW', 'delete')],
    summary: 'Removes a group.',
    complexity: 'O(1); its memory is given back in steps',
    arguments: [keyArgument(), GROUP],
    run: xgroupDestroy,
  },
  {
    ...SUBCOMMAND,
    name: 'createconsumer',
    arity: 5,
    flags: ['write', 'denyoom'],
    keys: [oneKey(2, 'RW', 'insert')],
    since: '6.2.0',
    summary: 'Makes a consumer in a group.',
    arguments: [keyArgument(), GROUP, CONSUMER],
    run: xgroupCreateConsumer,
  },
  {
    ...SUBCOMMAND,
    name: 'delconsumer',
    arity: 5,
    flags: ['write'],
    keys: [oneKey(2, 'RW', 'delete')],
    summary: 'Removes a consumer from a group, with what is pending with it.',
    complexity: 'O(N log(N)) for N entries that are pending with it',
    arguments: [keyArgument(), GROUP, CONSUMER],
    run: xgroupDelConsumer,
  },
  helpRow(xgroupHelp),
];

const XINFO_SUBCOMMANDS: CommandSpec[] = [
  {
    ...SUBCOMMAND,
    name: 'stream',
    arity: -3,
    flags: ['readonly'],
    keys: [oneKey(2, 'RO', 'access')],
    summary: 'Tells what a stream holds.',
    complexity: 'O(N) for the nodes of the stream',
    history: [
      ['6.0.0', '`FULL`.'],
      ['7.0.0', 'Fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read`, `lag`.'],
      ['7.2.0', 'Field `active-time`; `seen-time` is when the consumer last asked.'],
    ],
    arguments: [
      keyArgument(),
      {
        name: 'full-block',
        type: 'block',
        optional: true,
        arguments: [{ name: 'full', type: 'pure-token', token: 'FULL' }, COUNT],
      },
    ],
    run: xinfoStream,
  },
  {
    ...SUBCOMMAND,
    name: 'groups',
    arity: 3,
    flags: ['readonly'],
    keys: [oneKey(2, 'RO', 'access')],
    summary: 'Lists the groups of a stream.',
    history: [['7.0.0', 'Fields `entries-read` and `lag`.']],
    arguments: [keyArgument()],
    run: xinfoGroups,
  },
  {
    ...SUBCOMMAND,
    name: 'consumers',
    arity: 4,
    flags: ['readonly'],
    keys: [oneKey(2, 'RO', 'access')],
    summary: 'Lists the consumers of a group.',
    history: [['7.2.0', 'Field `inactive`.']],
    arguments: [keyArgument(), GROUP],
    tips: NONDETERMINISTIC,
    run: xinfoConsumers,
  },
  helpRow(xinfoHelp),
];

export const STREAM_GROUP_COMMANDS: CommandSpec[] = [
  {
    name: 'xreadgroup',
    arity: -7,
    flags: ['write', 'blocking'],
    keys: [{ ...STREAM_KEYS, begin: 4 }],
    findKeys: xreadgroupKeys,
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Answers entries of streams that nobody in a group has got, or what is pending with a consumer; can wait.',
    complexity: 'O(N log(M)) for N entries that are answered and M that are pending',
    arguments: [
      { name: 'group-block', type: 'block', token: 'GROUP', arguments: [GROUP, CONSUMER] },
      COUNT,
      { name: 'milliseconds', type: 'integer', token: 'BLOCK', optional: true },
      optionalToken('NOACK'),
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
    isReady: isGroupReady,
    run: xreadgroup,
  },
  {
    name: 'xack',
    arity: -4,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RW', 'update')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Says that entries are dealt with: they are pending no more.',
    complexity: 'O(log(N)) for each id, N entries being pending',
    arguments: [keyArgument(), GROUP, { ...ID, multiple: true }],
    run: xack,
  },
  {
    name: 'xpending',
    arity: -3,
    flags: ['readonly'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Tells which entries are pending in a group, and with whom.',
    complexity: 'O(N) for N entries that are looked at; the summary: O(N) for N consumers',
    history: [['6.2.0', '`IDLE`, and ends that are excluded.']],
    arguments: [
      keyArgument(),
      GROUP,
      {
        name: 'filters',
        type: 'block',
        optional: true,
        arguments: [
          { name: 'min-idle-time', type: 'integer', token: 'IDLE', since: '6.2.0', optional: true },
          { name: 'start', type: 'string' },
          { name: 'end', type: 'string' },
          { name: 'count', type: 'integer' },
          { ...CONSUMER, optional: true },
        ],
      },
    ],
    tips: NONDETERMINISTIC,
    run: xpending,
  },
  {
    name: 'xclaim',
    arity: -6,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RW', 'update')],
    acl: STREAM,
    since: '5.0.0',
    group: 'stream',
    summary: 'Gives pending entries to a consumer, by their ids.',
    complexity: 'O(log(N)) for each id, N entries being pending',
    arguments: [
      keyArgument(),
      GROUP,
      CONSUMER,
      MIN_IDLE,
      { ...ID, multiple: true },
      { name: 'ms', type: 'integer', token: 'IDLE', optional: true },
      { name: 'unix-time-milliseconds', type: 'unix-time', token: 'TIME', optional: true },
      { name: 'count', type: 'integer', token: 'RETRYCOUNT', optional: true },
      optionalToken('FORCE'),
      optionalToken('JUSTID'),
      { name: 'lastid', type: 'string', token: 'LASTID', optional: true },
    ],
    tips: NONDETERMINISTIC,
    run: xclaim,
  },
  {
    name: 'xautoclaim',
    arity: -6,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RW', 'delete')],
    acl: STREAM,
    since: '6.2.0',
    group: 'stream',
    summary: 'Gives entries that have been pending for long to a consumer, a few at a time.',
    complexity: 'O(1) for a small COUNT',
    history: [['7.0.0', 'Answers also the ids that are in the stream no more.']],
    arguments: [
      keyArgument(),
      GROUP,
      CONSUMER,
      MIN_IDLE,
      { name: 'start', type: 'string' },
      COUNT,
      optionalToken('JUSTID'),
    ],
    tips: NONDETERMINISTIC,
    run: xautoclaim,
  },
  {
    name: 'xgroup',
    arity: -2,
    flags: [],
    keys: [],
    acl: [],
    since: '5.0.0',
    group: 'stream',
    summary: 'Holds the commands that make and remove groups and consumers.',
    complexity: 'That of the subcommand.',
    subcommands: XGROUP_SUBCOMMANDS,
  },
  {
    name: 'xinfo',
    arity: -2,
    flags: [],
    keys: [],
    acl: [],
    since: '5.0.0',
    group: 'stream',
    summary: 'Holds the commands that tell about streams.',
    complexity: 'That of the subcommand.',
    subcommands: XINFO_SUBCOMMANDS,
  },
];
