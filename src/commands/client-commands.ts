/** Rows of the subcommands of CLIENT. */
import {
  clientGetname,
  clientHelp,
  clientId,
  clientInfo,
  clientList,
  clientNoEvict,
  clientNoTouch,
  clientReply,
  clientSetinfo,
  clientSetname,
} from './client.ts';
import { clientKill } from './client-kill.ts';
import { clientPause, clientUnpause } from './client-pause.ts';
import { clientCaching, clientGetredir, clientTracking, clientTrackinginfo } from './client-tracking.ts';
import { clientUnblock } from './client-unblock.ts';
import type { CommandDocArgument, CommandSpec, FlagName, SessionHandler } from './spec.ts';
import { NONDETERMINISTIC, oneOf, optionalToken, token } from './spec-parts.ts';

const OWN: FlagName[] = ['noscript', 'loading', 'stale'];
const ADMIN: FlagName[] = ['admin', 'noscript', 'loading', 'stale'];

type Extra = Pick<CommandSpec, 'arguments' | 'tips' | 'history'>;

function row(
  name: string,
  arity: number,
  since: string,
  flags: FlagName[],
  summary: string,
  session: SessionHandler,
  extra: Extra = {},
): CommandSpec {
  return {
    name,
    arity,
    flags,
    keys: [],
    acl: ['connection'],
    since,
    group: 'connection',
    summary,
    complexity: 'O(1)',
    session,
    ...extra,
  };
}

const PER_CONNECTION = 'O(N) for N connections';
const ON_OFF = oneOf('enabled', token('ON'), token('OFF'));

const CLIENT_TYPE = oneOf('client-type', token('NORMAL'), token('MASTER'), token('REPLICA'), token('PUBSUB'));

function killFilter(name: string, word: string, type: 'string' | 'integer', since?: string): CommandDocArgument {
  const base: CommandDocArgument = { name, type, token: word, optional: true };
  return since === undefined ? base : { ...base, since };
}

const KILL_FILTERS: CommandDocArgument = {
  name: 'new-format',
  type: 'oneof',
  multiple: true,
  arguments: [
    killFilter('client-id', 'ID', 'integer', '2.8.12'),
    {
      ...oneOf(
        'client-type',
        token('NORMAL'),
        token('MASTER', '3.2.0'),
        token('SLAVE'),
        token('REPLICA', '5.0.0'),
        token('PUBSUB'),
      ),
      token: 'TYPE',
      since: '2.8.12',
      optional: true,
    },
    killFilter('username', 'USER', 'string'),
    { ...killFilter('addr', 'ADDR', 'string'), display: 'ip:port' },
    { ...killFilter('laddr', 'LADDR', 'string', '6.2.0'), display: 'ip:port' },
    { ...oneOf('skipme', token('YES'), token('NO')), token: 'SKIPME', optional: true },
    killFilter('maxage', 'MAXAGE', 'integer', '7.4.0'),
  ],
};

const KILL_ARGUMENTS: CommandDocArgument[] = [
  oneOf('filter', { name: 'old-format', type: 'string', display: 'ip:port', deprecatedSince: '2.8.12' }, KILL_FILTERS),
];

const LIST_ARGUMENTS: CommandDocArgument[] = [
  { ...CLIENT_TYPE, token: 'TYPE', since: '5.0.0', optional: true },
  { name: 'client-id', type: 'integer', token: 'ID', since: '6.2.0', optional: true, multiple: true },
];

const SETINFO_ARGUMENTS: CommandDocArgument[] = [
  oneOf(
    'attr',
    { name: 'libname', type: 'string', token: 'LIB-NAME' },
    { name: 'libver', type: 'string', token: 'LIB-VER' },
  ),
];

export const CLIENT_SUBCOMMANDS: CommandSpec[] = [
  row('id', 2, '5.0.0', OWN, 'Tells the id of the connection.', clientId),
  row('getname', 2, '2.6.9', OWN, 'Tells the name of the connection.', clientGetname),
  row('setname', 3, '2.6.9', OWN, 'Gives the connection a name.', clientSetname, {
    arguments: [{ name: 'connection-name', type: 'string' }],
  }),
  row('setinfo', 4, '7.2.0', OWN, 'Tells the server about the client library.', clientSetinfo, {
    arguments: SETINFO_ARGUMENTS,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
  }),
  row('info', 2, '6.2.0', OWN, 'Shows a line about this connection.', clientInfo, { tips: NONDETERMINISTIC }),
  {
    ...row('list', -2, '2.4.0', ADMIN, 'Shows a line about each connection.', clientList, {
      arguments: LIST_ARGUMENTS,
      tips: NONDETERMINISTIC,
      history: [
        ['2.8.12', 'Shows a unique id.'],
        ['5.0.0', 'Can be narrowed by `TYPE`.'],
        ['6.0.0', 'Shows the user.'],
        ['6.2.0', 'Shows memory, local address and redirection; can be narrowed by `ID`.'],
        ['7.0.0', 'Shows protocol version and reply buffers.'],
        ['7.0.3', 'Shows shard subscriptions.'],
        ['7.2.0', 'Shows name and version of the client library.'],
      ],
    }),
    complexity: PER_CONNECTION,
  },
  {
    ...row('kill', -3, '2.4.0', ADMIN, 'Closes connections.', clientKill, {
      arguments: KILL_ARGUMENTS,
      history: [
        ['2.8.12', 'Takes filters.'],
        ['2.8.12', 'Filter `ID`.'],
        ['3.2.0', 'Type `master`.'],
        ['5.0.0', 'Type `replica`, besides `slave`.'],
        ['6.2.0', 'Filter `LADDR`.'],
        ['7.4.0', 'Filter `MAXAGE`.'],
      ],
    }),
    complexity: PER_CONNECTION,
  },
  row('reply', 3, '3.2.0', OWN, 'Says whether commands are answered.', clientReply, {
    arguments: [oneOf('action', token('ON'), token('OFF'), token('SKIP'))],
  }),
  row('pause', -3, '2.9.50', ADMIN, 'Lets commands wait for some time.', clientPause, {
    arguments: [
      { name: 'timeout', type: 'integer' },
      { ...oneOf('mode', token('WRITE'), token('ALL')), since: '6.2.0', optional: true },
    ],
    history: [['6.2.0', 'Takes `WRITE` and `ALL`.']],
  }),
  { ...row('unpause', 2, '6.2.0', ADMIN, 'Ends the pause.', clientUnpause), complexity: 'O(N) for N paused clients' },
  row('no-evict', 3, '7.0.0', ADMIN, 'Spares the connection when memory is short.', clientNoEvict, {
    arguments: [ON_OFF],
  }),
  row('no-touch', 3, '7.2.0', OWN, 'Lets commands of the connection leave idle times alone.', clientNoTouch, {
    arguments: [ON_OFF],
  }),
  row(
    'tracking',
    -3,
    '6.0.0',
    OWN,
    'Says whether to tell of changes of keys that this connection has read.',
    clientTracking,
    {
      arguments: [
        oneOf('status', token('ON'), token('OFF')),
        { name: 'client-id', type: 'integer', token: 'REDIRECT', optional: true },
        { name: 'prefix', type: 'string', token: 'PREFIX', optional: true, multiple: true, multipleToken: true },
        optionalToken('BCAST'),
        optionalToken('OPTIN'),
        optionalToken('OPTOUT'),
        optionalToken('NOLOOP'),
      ],
    },
  ),
  row('caching', 3, '6.0.0', OWN, 'Says whether the keys of the next command are tracked.', clientCaching, {
    arguments: [oneOf('mode', token('YES'), token('NO'))],
  }),
  row('getredir', 2, '6.0.0', OWN, 'Tells where changes of keys are sent.', clientGetredir),
  row('trackinginfo', 2, '6.2.0', OWN, 'Tells how keys are tracked.', clientTrackinginfo),
  {
    ...row(
      'unblock',
      -3,
      '5.0.0',
      ADMIN,
      'Ends the waiting of another connection in a blocking command.',
      clientUnblock,
      {
        arguments: [
          { name: 'client-id', type: 'integer' },
          { ...oneOf('unblock-type', token('TIMEOUT'), token('ERROR')), optional: true },
        ],
      },
    ),
    complexity: PER_CONNECTION,
  },
  row('help', 2, '5.0.0', ['loading', 'stale'], 'Lists the subcommands.', clientHelp),
];
