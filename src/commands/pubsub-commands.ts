/** Rows of publish and subscribe. */
import {
  psubscribe,
  publish,
  pubsubChannels,
  pubsubHelp,
  pubsubNumpat,
  pubsubNumsub,
  pubsubShardchannels,
  pubsubShardnumsub,
  punsubscribe,
  spublish,
  ssubscribe,
  subscribe,
  sunsubscribe,
  unsubscribe,
} from './pubsub.ts';
import type { CommandDocArgument, CommandSpec, FlagName, KeySpec, SessionHandler } from './spec.ts';

const LISTEN: FlagName[] = ['pubsub', 'noscript', 'loading', 'stale'];
const PUBLISH: FlagName[] = ['pubsub', 'loading', 'stale', 'fast', 'may_replicate'];
const PUBLISH_ANYWHERE: FlagName[] = [...PUBLISH, 'sentinel'];
const LOOK: FlagName[] = ['pubsub', 'loading', 'stale'];

/** Shard channels hash like keys, but are none. */
function shardChannels(last: number): KeySpec {
  return { flags: ['not_key'], begin: 1, find: { kind: 'range', last, step: 1, limit: 0 } };
}

function names(name: string, type: 'string' | 'pattern', optional = false): CommandDocArgument[] {
  return [optional ? { name, type, optional: true, multiple: true } : { name, type, multiple: true }];
}

function row(
  name: string,
  arity: number,
  since: string,
  flags: FlagName[],
  summary: string,
  complexity: string,
  session: SessionHandler,
  args: CommandDocArgument[],
  keys: KeySpec[] = [],
): CommandSpec {
  const spec: CommandSpec = { name, arity, flags, keys, acl: [], since, group: 'pubsub', summary, complexity, session };
  return args.length === 0 ? spec : { ...spec, arguments: args };
}

const PER_NAME = 'O(N) for N names.';

const PUBSUB_SUBCOMMANDS: CommandSpec[] = [
  row('channels', -2, '2.8.0', LOOK, 'Lists the channels that have listeners.', 'O(N) for N channels', pubsubChannels, [
    { name: 'pattern', type: 'pattern', optional: true },
  ]),
  row('numpat', 2, '2.8.0', LOOK, 'Counts the patterns that have listeners.', 'O(1)', pubsubNumpat, []),
  row(
    ...(['numsub', -2, '2.8.0', LOOK, 'Counts the listeners of channels.', PER_NAME, pubsubNumsub] as const),
    names('channel', 'string', true),
  ),
  row(
    ...(['shardchannels', -2, '7.0.0', LOOK, 'Lists the shard channels that have listeners.'] as const),
    'O(N) for N channels',
    pubsubShardchannels,
    [{ name: 'pattern', type: 'pattern', optional: true }],
  ),
  row(
    ...(['shardnumsub', -2, '7.0.0', LOOK, 'Counts the listeners of shard channels.'] as const),
    PER_NAME,
    pubsubShardnumsub,
    names('shardchannel', 'string', true),
  ),
  row('help', 2, '6.2.0', ['loading', 'stale'], 'Lists the subcommands.', 'O(1)', pubsubHelp, []),
];

export const PUBSUB_COMMANDS: CommandSpec[] = [
  row(
    ...(['subscribe', -2, '2.0.0', LISTEN, 'Listens to channels.', PER_NAME, subscribe] as const),
    names('channel', 'string'),
  ),
  row(
    ...(['psubscribe', -2, '2.0.0', LISTEN, 'Listens to all channels that fit patterns.', PER_NAME] as const),
    psubscribe,
    names('pattern', 'pattern'),
  ),
  row(
    ...(['ssubscribe', -2, '7.0.0', LISTEN, 'Listens to shard channels.', PER_NAME, ssubscribe] as const),
    names('shardchannel', 'string'),
    [shardChannels(-1)],
  ),
  row(
    ...(['unsubscribe', -1, '2.0.0', LISTEN, 'Listens to channels no more.', PER_NAME, unsubscribe] as const),
    names('channel', 'string', true),
  ),
  row(
    ...(['punsubscribe', -1, '2.0.0', LISTEN, 'Listens to patterns no more.', PER_NAME, punsubscribe] as const),
    names('pattern', 'pattern', true),
  ),
  row(
    ...(['sunsubscribe', -1, '7.0.0', LISTEN, 'Listens to shard channels no more.', PER_NAME, sunsubscribe] as const),
    names('shardchannel', 'string', true),
    [shardChannels(-1)],
  ),
  row(
    ...(['publish', 3, '2.0.0', PUBLISH_ANYWHERE, 'Sends a message to the listeners of a channel.'] as const),
    'O(N+M) for N listeners of the channel and M patterns',
    publish,
    [
      { name: 'channel', type: 'string' },
      { name: 'message', type: 'string' },
    ],
  ),
  row(
    ...(['spublish', 3, '7.0.0', PUBLISH, 'Sends a message to the listeners of a shard channel.'] as const),
    'O(N) for N listeners of the channel',
    spublish,
    [
      { name: 'shardchannel', type: 'string' },
      { name: 'message', type: 'string' },
    ],
    [shardChannels(0)],
  ),
  {
    name: 'pubsub',
    arity: -2,
    flags: [],
    keys: [],
    acl: [],
    since: '2.8.0',
    group: 'pubsub',
    summary: 'Container of commands about publish and subscribe.',
    complexity: 'That of the subcommand.',
    subcommands: PUBSUB_SUBCOMMANDS,
  },
];
