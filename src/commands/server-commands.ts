/** Rows of the commands about the server and about whole databases. */
import { commandDocs } from './command-docs.ts';
import {
  command,
  commandCount,
  commandGetkeys,
  commandGetkeysandflags,
  commandHelp,
  commandInfo,
  commandList,
} from './command-introspection.ts';
import { configGetCommand, configHelp, configResetstat, configRewrite, configSetCommand } from './config-command.ts';
import { dbsize, flushall, flushdb, swapdb } from './flush.ts';
import { info } from './info-command.ts';
import { memoryHelp, memoryUsage } from './memory-command.ts';
import { memoryDoctor, memoryMallocStats, memoryPurge, memoryStats } from './memory-report.ts';
import { monitor } from './pubsub.ts';
import { bgrewriteaof, bgsave, lastsave, role, save, shutdown, time } from './server-state.ts';
import type { CommandDocArgument, CommandSpec, FlagName, SessionHandler } from './spec.ts';
import { keyArgument, NONDETERMINISTIC, oneKey, oneOf, optionalToken, token } from './spec-parts.ts';

const ANY_STATE: FlagName[] = ['loading', 'stale'];
const ADMIN: FlagName[] = ['admin', 'noscript', 'loading', 'stale'];
const SERVER = { keys: [], group: 'server' } as const;

const FLUSH_MODE: CommandDocArgument = {
  ...oneOf('flush-type', token('ASYNC', '4.0.0'), token('SYNC', '6.2.0')),
  optional: true,
};

function flushRow(name: string, summary: string, complexity: string, run: CommandSpec['run']): CommandSpec {
  return {
    ...SERVER,
    keys: [],
    name,
    arity: -1,
    flags: ['write'],
    acl: ['keyspace', 'dangerous'],
    since: '1.0.0',
    summary,
    complexity,
    history: [
      ['4.0.0', 'Takes `ASYNC`.'],
      ['6.2.0', 'Takes `SYNC`.'],
    ],
    arguments: [FLUSH_MODE],
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    reach: 'all',
    freesOnly: true,
    run,
  };
}

type Extra = Pick<CommandSpec, 'arguments' | 'tips' | 'history'>;

function configRow(
  name: string,
  arity: number,
  since: string,
  summary: string,
  complexity: string,
  session: SessionHandler,
  extra: Extra = {},
): CommandSpec {
  return { ...SERVER, keys: [], name, arity, flags: ADMIN, acl: [], since, summary, complexity, session, ...extra };
}

const PER_CLIENT = 'O(N) for N clients';
const PER_SHARD = 'O(N) for N shards';
const REPORT_TIPS = ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'];
const PURGE_TIPS = ['request_policy:all_shards', 'response_policy:all_succeeded'];

function memoryRow(
  name: string,
  summary: string,
  complexity: string,
  tips: string[],
  session: SessionHandler,
): CommandSpec {
  const fixed = { ...SERVER, keys: [], arity: 2, flags: [], acl: [], since: '4.0.0' };
  return { ...fixed, name, summary, complexity, tips, session };
}

const PER_PARAMETER = 'O(N) for N parameters';

const CONFIG_SUBCOMMANDS: CommandSpec[] = [
  configRow('get', -3, '2.0.0', 'Shows settings by name or pattern.', PER_PARAMETER, configGetCommand, {
    arguments: [{ name: 'parameter', type: 'string', multiple: true }],
    history: [['7.0.0', 'Takes several patterns.']],
  }),
  configRow('set', -4, '2.0.0', 'Changes settings, all or none.', PER_PARAMETER, configSetCommand, {
    arguments: [
      {
        name: 'data',
        type: 'block',
        multiple: true,
        arguments: [
          { name: 'parameter', type: 'string' },
          { name: 'value', type: 'string' },
        ],
      },
    ],
    history: [['7.0.0', 'Takes several pairs.']],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
  }),
  configRow('resetstat', 2, '2.0.0', 'Lets the statistics start anew.', 'O(1)', configResetstat, {
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
  }),
  configRow('rewrite', 2, '2.8.0', 'Writes the settings into the configuration file.', 'O(1)', configRewrite, {
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
  }),
  {
    ...configRow('help', 2, '5.0.0', 'Lists the subcommands.', 'O(1)', configHelp),
    flags: ANY_STATE,
  },
];

const FULL_COMMAND: CommandDocArgument[] = [
  { name: 'command', type: 'string' },
  { name: 'arg', type: 'string', optional: true, multiple: true },
];
const COMMAND_NAMES: CommandDocArgument[] = [{ name: 'command-name', type: 'string', optional: true, multiple: true }];

function commandRow(
  name: string,
  arity: number,
  since: string,
  summary: string,
  complexity: string,
  session: SessionHandler,
  extra: Extra = {},
): CommandSpec {
  const flags = ANY_STATE;
  const acl = ['connection'];
  return { ...SERVER, keys: [], name, arity, flags, acl, since, summary, complexity, session, ...extra };
}

const PER_ARGUMENT = 'O(N) for N arguments of the command';
const PER_NAMED_COMMAND = 'O(N) for N commands to look up';
const UNORDERED = { tips: ['nondeterministic_output_order'] };

const COMMAND_SUBCOMMANDS: CommandSpec[] = [
  commandRow('count', 2, '2.8.13', 'Counts the commands.', 'O(1)', commandCount),
  commandRow('info', -2, '2.8.13', 'Shows the properties of commands.', PER_NAMED_COMMAND, commandInfo, {
    ...UNORDERED,
    arguments: COMMAND_NAMES,
    history: [['7.0.0', 'Without a name it shows all commands.']],
  }),
  commandRow('docs', -2, '7.0.0', 'Shows the documentation of commands.', PER_NAMED_COMMAND, commandDocs, {
    ...UNORDERED,
    arguments: COMMAND_NAMES,
  }),
  commandRow(
    'list',
    -2,
    '7.0.0',
    'Names all commands, or those that a filter lets pass.',
    'O(N) for N commands',
    commandList,
    {
      ...UNORDERED,
      arguments: [
        {
          ...oneOf(
            'filterby',
            { name: 'module-name', type: 'string', token: 'MODULE' },
            { name: 'category', type: 'string', token: 'ACLCAT' },
            { name: 'pattern', type: 'pattern', token: 'PATTERN' },
          ),
          token: 'FILTERBY',
          optional: true,
        },
      ],
    },
  ),
  commandRow('getkeys', -3, '2.8.13', 'Finds the keys in a full command.', PER_ARGUMENT, commandGetkeys, {
    arguments: FULL_COMMAND,
  }),
  commandRow(
    'getkeysandflags',
    -3,
    '7.0.0',
    'Finds the keys in a full command, and what it does with each.',
    PER_ARGUMENT,
    commandGetkeysandflags,
    { arguments: FULL_COMMAND },
  ),
  commandRow('help', 2, '5.0.0', 'Lists the subcommands.', 'O(1)', commandHelp),
];

export const SERVER_COMMANDS: CommandSpec[] = [
  {
    ...SERVER,
    keys: [],
    name: 'dbsize',
    arity: 1,
    flags: ['readonly', 'fast'],
    acl: ['keyspace'],
    since: '1.0.0',
    summary: 'Counts the keys of the database.',
    complexity: 'O(1)',
    tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
    reach: 'all',
    run: dbsize,
  },
  flushRow('flushdb', 'Removes all keys of the database.', 'O(N) for N keys of the database', flushdb),
  flushRow('flushall', 'Removes all keys of all databases.', 'O(N) for N keys of all databases', flushall),
  {
    ...SERVER,
    keys: [],
    name: 'swapdb',
    arity: 3,
    flags: ['write', 'fast'],
    acl: ['keyspace', 'dangerous'],
    since: '4.0.0',
    summary: 'Exchanges two databases.',
    complexity: 'O(N) for N clients that watch or wait for keys of these databases',
    arguments: [
      { name: 'index1', type: 'integer' },
      { name: 'index2', type: 'integer' },
    ],
    reach: 'all',
    freesOnly: true,
    run: swapdb,
  },
  {
    ...SERVER,
    keys: [],
    name: 'info',
    arity: -1,
    flags: ANY_STATE,
    acl: ['dangerous'],
    since: '1.0.0',
    summary: 'Tells about the server and its statistics.',
    complexity: 'O(1)',
    history: [['7.0.0', 'Takes several sections.']],
    arguments: [{ name: 'section', type: 'string', optional: true, multiple: true }],
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
    session: info,
  },
  {
    ...SERVER,
    keys: [],
    name: 'config',
    arity: -2,
    flags: [],
    acl: [],
    since: '2.0.0',
    summary: 'Container of commands about settings.',
    complexity: 'That of the subcommand.',
    subcommands: CONFIG_SUBCOMMANDS,
  },
  {
    ...SERVER,
    keys: [],
    name: 'command',
    arity: -1,
    flags: ANY_STATE,
    acl: ['connection'],
    since: '2.8.13',
    summary: 'Shows the properties of all commands.',
    complexity: 'O(N) for N commands',
    tips: ['nondeterministic_output_order'],
    session: command,
    subcommands: COMMAND_SUBCOMMANDS,
  },
  {
    ...SERVER,
    keys: [],
    name: 'time',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    acl: [],
    since: '2.6.0',
    summary: 'Tells the time of the server.',
    complexity: 'O(1)',
    tips: NONDETERMINISTIC,
    session: time,
  },
  {
    ...SERVER,
    keys: [],
    name: 'save',
    arity: 1,
    flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
    acl: [],
    since: '1.0.0',
    summary: 'Writes a snapshot of all data to the RDB file and answers when it is there.',
    complexity: 'O(N) for N keys in all databases',
    session: save,
  },
  {
    ...SERVER,
    keys: [],
    name: 'bgsave',
    arity: -1,
    flags: ['admin', 'noscript', 'no_async_loading'],
    acl: [],
    since: '1.0.0',
    summary: 'Begins to write a snapshot of all data to the RDB file.',
    complexity: 'O(1)',
    history: [['3.2.2', 'Added the `SCHEDULE` option.']],
    arguments: [optionalToken('SCHEDULE', '3.2.2')],
    session: bgsave,
  },
  {
    ...SERVER,
    keys: [],
    name: 'bgrewriteaof',
    arity: 1,
    flags: ['admin', 'noscript', 'no_async_loading'],
    acl: [],
    since: '1.0.0',
    summary: 'Begins to rewrite the append only files as short as they can be.',
    complexity: 'O(1)',
    session: bgrewriteaof,
  },
  {
    ...SERVER,
    keys: [],
    name: 'lastsave',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    acl: ['admin', 'dangerous'],
    since: '1.0.0',
    summary: 'Tells the time of the last snapshot.',
    complexity: 'O(1)',
    tips: NONDETERMINISTIC,
    session: lastsave,
  },
  {
    ...SERVER,
    keys: [],
    name: 'monitor',
    arity: 1,
    flags: ['admin', 'noscript', 'loading', 'stale'],
    acl: [],
    since: '1.0.0',
    summary: 'Shows every command that the server runs, as it runs.',
    complexity: 'O(1), and O(N) for N listeners with every command that the server runs then',
    session: monitor,
  },
  {
    ...SERVER,
    keys: [],
    name: 'role',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    acl: ['admin', 'dangerous'],
    since: '2.8.12',
    summary: 'Tells the part that the server plays in replication.',
    complexity: 'O(1)',
    session: role,
  },
  {
    ...SERVER,
    keys: [],
    name: 'shutdown',
    arity: -1,
    flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    acl: [],
    since: '1.0.0',
    summary: 'Writes what is to be written and ends the server.',
    complexity: 'O(N) for N keys when a snapshot is written, otherwise O(1)',
    history: [['7.0.0', 'Takes `NOW`, `FORCE` and `ABORT`.']],
    arguments: [
      { ...oneOf('save-selector', token('NOSAVE'), token('SAVE')), optional: true },
      optionalToken('NOW', '7.0.0'),
      optionalToken('FORCE', '7.0.0'),
      optionalToken('ABORT', '7.0.0'),
    ],
    session: shutdown,
  },
  {
    ...SERVER,
    keys: [],
    name: 'memory',
    arity: -2,
    flags: [],
    acl: [],
    since: '4.0.0',
    summary: 'Container of commands about memory.',
    complexity: 'That of the subcommand.',
    subcommands: [
      {
        ...SERVER,
        name: 'usage',
        arity: -3,
        flags: ['readonly'],
        keys: [oneKey(2, 'RO')],
        acl: [],
        since: '4.0.0',
        summary: 'Tells how many bytes a key and its value take.',
        complexity: 'O(N) for N samples',
        arguments: [keyArgument(), { name: 'count', type: 'integer', token: 'SAMPLES', optional: true }],
        run: memoryUsage,
      },
      memoryRow('stats', 'Tells what the memory is used for.', PER_CLIENT, REPORT_TIPS, memoryStats),
      memoryRow('doctor', 'Tells what is out of the ordinary about the memory.', PER_CLIENT, REPORT_TIPS, memoryDoctor),
      memoryRow(
        'malloc-stats',
        'Tells of the blocks and pages of the shards.',
        PER_SHARD,
        REPORT_TIPS,
        memoryMallocStats,
      ),
      memoryRow('purge', 'Does nothing: shared memory stays with the process.', 'O(1)', PURGE_TIPS, memoryPurge),
      {
        ...SERVER,
        keys: [],
        name: 'help',
        arity: 2,
        flags: ANY_STATE,
        acl: [],
        since: '4.0.0',
        summary: 'Lists the subcommands.',
        complexity: 'O(1)',
        session: memoryHelp,
      },
    ],
  },
];
