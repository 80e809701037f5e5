/** Rows of SLOWLOG and LATENCY. */
import {
  latencyDoctor,
  latencyGraph,
  latencyHelp,
  latencyHistogram,
  latencyHistory,
  latencyLatest,
  latencyReset,
} from './latency.ts';
import { slowlogGet, slowlogHelp, slowlogLen, slowlogReset } from './slowlog.ts';
import type { CommandDocArgument, CommandSpec, FlagName, SessionHandler } from './spec.ts';

const SLOWLOG_FLAGS: FlagName[] = ['admin', 'loading', 'stale'];
const LATENCY_FLAGS: FlagName[] = ['admin', 'noscript', 'loading', 'stale'];
const SERVER = { keys: [], acl: [], group: 'server' } as const;
const OF_THE_SUBCOMMAND = 'That of the subcommand.';
const EVENT: CommandDocArgument = { name: 'event', type: 'string' };
const ON_ALL_NODES = ['request_policy:all_nodes', 'response_policy:all_succeeded'];
const REPORT = ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'];

type Extra = Pick<CommandSpec, 'arguments' | 'tips' | 'history'>;

function row(
  flags: FlagName[],
  name: string,
  arity: number,
  since: string,
  summary: string,
  complexity: string,
  session: SessionHandler,
  extra: Extra = {},
): CommandSpec {
  return { ...SERVER, keys: [], acl: [], name, arity, flags, since, summary, complexity, session, ...extra };
}

const SLOWLOG_SUBCOMMANDS: CommandSpec[] = [
  row(SLOWLOG_FLAGS, 'get', -2, '2.2.12', 'Shows the newest slow commands.', 'O(N) for N entries', slowlogGet, {
    arguments: [{ name: 'count', type: 'integer', optional: true }],
    history: [['4.0.0', 'Shows address and name of the client.']],
    tips: ['request_policy:all_nodes', 'nondeterministic_output'],
  }),
  row(SLOWLOG_FLAGS, 'len', 2, '2.2.12', 'Counts the slow commands.', 'O(1)', slowlogLen, {
    tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
  }),
  row(SLOWLOG_FLAGS, 'reset', 2, '2.2.12', 'Forgets the slow commands.', 'O(N) for N entries', slowlogReset, {
    tips: ON_ALL_NODES,
  }),
  row(['loading', 'stale'], 'help', 2, '6.2.0', 'Lists the subcommands.', 'O(1)', slowlogHelp),
];

const LATENCY_SUBCOMMANDS: CommandSpec[] = [
  row(LATENCY_FLAGS, 'doctor', 2, '2.8.13', 'Reports on what took long.', 'O(1)', latencyDoctor, { tips: REPORT }),
  row(LATENCY_FLAGS, 'graph', 3, '2.8.13', 'Draws the latencies of an event.', 'O(1)', latencyGraph, {
    arguments: [EVENT],
    tips: REPORT,
  }),
  row(LATENCY_FLAGS, 'history', 3, '2.8.13', 'Shows the samples of an event.', 'O(1)', latencyHistory, {
    arguments: [EVENT],
    tips: REPORT,
  }),
  row(LATENCY_FLAGS, 'latest', 2, '2.8.13', 'Shows the last sample of each event.', 'O(1)', latencyLatest, {
    tips: REPORT,
  }),
  row(LATENCY_FLAGS, 'reset', -2, '2.8.13', 'Forgets samples.', 'O(1)', latencyReset, {
    arguments: [{ ...EVENT, optional: true, multiple: true }],
    tips: ON_ALL_NODES,
  }),
  row(
    LATENCY_FLAGS,
    'histogram',
    -2,
    '7.0.0',
    'Shows how the times of commands are distributed.',
    'O(N) for N commands',
    latencyHistogram,
    { arguments: [{ name: 'command', type: 'string', optional: true, multiple: true }], tips: REPORT },
  ),
  row(['loading', 'stale'], 'help', 2, '2.8.13', 'Lists the subcommands.', 'O(1)', latencyHelp),
];

function container(name: string, since: string, summary: string, subcommands: CommandSpec[]): CommandSpec {
  const complexity = OF_THE_SUBCOMMAND;
  return { ...SERVER, keys: [], acl: [], name, arity: -2, flags: [], since, summary, complexity, subcommands };
}

export const LATENCY_COMMANDS: CommandSpec[] = [
  container('slowlog', '2.2.12', 'Container of commands about slow commands.', SLOWLOG_SUBCOMMANDS),
  container('latency', '2.8.13', 'Container of commands about latency.', LATENCY_SUBCOMMANDS),
];
