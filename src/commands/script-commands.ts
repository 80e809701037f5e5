/** Rows of scripts and functions. What EVAL and FCALL do is decided in src/dispatch/scripts.ts. */
import {
  functionDelete,
  functionDump,
  functionFlush,
  functionHelp,
  functionKill,
  functionList,
  functionLoad,
  functionRestore,
  functionStats,
} from './function-library.ts';
import { scriptDebug, scriptExists, scriptFlush, scriptHelp, scriptKill, scriptLoad } from './script-cache.ts';
import type { CommandDocArgument, CommandSpec, FlagName, KeyFlag } from './spec.ts';
import { token } from './spec-parts.ts';

const SCRIPTING = { acl: ['scripting'], group: 'scripting' } as const;
const RUN: FlagName[] = ['noscript', 'stale', 'skip_monitor', 'may_replicate', 'no_mandatory_keys'];
const RUN_RO: FlagName[] = ['readonly', 'noscript', 'stale', 'skip_monitor', 'no_mandatory_keys'];
const ALL_NODES = ['request_policy:all_nodes', 'response_policy:all_succeeded'];
const ALL_SHARDS = ['request_policy:all_shards', 'response_policy:all_succeeded'];
const ONE_SHARD = ['request_policy:all_shards', 'response_policy:one_succeeded'];

/** The dispatcher takes these commands before their handler. */
function runElsewhere(): void {
  throw new Error('a script command has come past the dispatcher');
}

function runRow(name: string, since: string, what: string, first: string, notes: string | null): CommandSpec {
  const readsOnly = name.endsWith('_ro');
  const keyFlags: KeyFlag[] = readsOnly ? ['RO', 'access'] : ['RW', 'access', 'update'];
  const find = { kind: 'keynum', keynumIndex: 0, firstKey: 1, step: 1 } as const;
  return {
    ...SCRIPTING,
    acl: ['scripting'],
    name,
    arity: -3,
    flags: readsOnly ? RUN_RO : RUN,
    keys: [notes === null ? { flags: keyFlags, begin: 2, find } : { flags: keyFlags, begin: 2, find, notes }],
    since,
    summary: `Runs ${what}${readsOnly ? ' that changes nothing' : ''}.`,
    complexity: 'That of what is run.',
    arguments: [
      { name: first, type: 'string' },
      { name: 'numkeys', type: 'integer' },
      { name: 'key', type: 'key', keySpecIndex: 0, optional: true, multiple: true },
      { name: 'arg', type: 'string', optional: true, multiple: true },
    ],
    atHome: true,
    runsScript: true,
    session: runElsewhere,
  };
}

const WORST = 'We cannot tell how the keys will be used so we assume the worst, RW and UPDATE';
const WORST_RO = 'We cannot tell how the keys will be used so we assume the worst, RO and ACCESS';

type Part = Pick<CommandSpec, 'run' | 'session' | 'tips' | 'arguments' | 'history' | 'reach'>;

function part(
  name: string,
  arity: number,
  flags: FlagName[],
  since: string,
  summary: string,
  complexity: string,
  rest: Part,
): CommandSpec {
  return { ...SCRIPTING, acl: ['scripting'], name, arity, flags, keys: [], since, summary, complexity, ...rest };
}

const ASYNC_OR_SYNC: CommandDocArgument = {
  name: 'async',
  type: 'oneof',
  optional: true,
  arguments: [token('ASYNC'), token('SYNC')],
};
const FLUSH_MODES: [string, string][] = [['6.2.0', 'The words ASYNC and SYNC.']];

const SCRIPT_PARTS: CommandSpec[] = [
  part('flush', -2, ['noscript'], '2.6.0', 'Forgets all scripts.', 'O(N) for N scripts', {
    session: scriptFlush,
    tips: ALL_NODES,
    history: FLUSH_MODES,
    arguments: [{ ...ASYNC_OR_SYNC, since: '6.2.0' }],
  }),
  part('help', 2, ['loading', 'stale'], '5.0.0', 'Lists the subcommands.', 'O(1)', { session: scriptHelp }),
  part('exists', -3, ['noscript'], '2.6.0', 'Tells which scripts are known.', 'O(N) for N scripts', {
    session: scriptExists,
    tips: ['request_policy:all_shards', 'response_policy:agg_logical_and'],
    arguments: [{ name: 'sha1', type: 'string', multiple: true }],
  }),
  part('debug', 3, ['noscript'], '3.2.0', 'Chooses how scripts are debugged.', 'O(1)', {
    session: scriptDebug,
    arguments: [{ name: 'mode', type: 'oneof', arguments: [token('YES'), token('SYNC'), token('NO')] }],
  }),
  part('load', 3, ['noscript', 'stale'], '2.6.0', 'Stores a script without running it.', 'O(N) for N bytes', {
    session: scriptLoad,
    tips: ALL_NODES,
    arguments: [{ name: 'script', type: 'string' }],
  }),
  part('kill', 2, ['noscript', 'allow_busy'], '2.6.0', 'Ends the running script.', 'O(1)', {
    session: scriptKill,
    tips: ONE_SHARD,
  }),
];

const FUNCTION_PARTS: CommandSpec[] = [
  part(
    'restore',
    -3,
    ['write', 'denyoom', 'noscript'],
    '7.0.0',
    'Loads libraries out of a dump.',
    'O(N) for N functions',
    {
      run: functionRestore,
      reach: 'all',
      tips: ALL_SHARDS,
      arguments: [
        { name: 'serialized-value', type: 'string' },
        {
          name: 'policy',
          type: 'oneof',
          optional: true,
          arguments: [token('FLUSH'), token('APPEND'), token('REPLACE')],
        },
      ],
    },
  ),
  part('help', 2, ['loading', 'stale'], '7.0.0', 'Lists the subcommands.', 'O(1)', { session: functionHelp }),
  part('list', -2, ['noscript'], '7.0.0', 'Lists libraries and their functions.', 'O(N) for N functions', {
    session: functionList,
    tips: ['nondeterministic_output_order'],
    arguments: [
      { name: 'library-name-pattern', type: 'string', token: 'LIBRARYNAME', optional: true },
      { name: 'withcode', type: 'pure-token', token: 'WITHCODE', optional: true },
    ],
  }),
  part('load', -3, ['write', 'denyoom', 'noscript'], '7.0.0', 'Loads a library.', 'O(1)', {
    run: functionLoad,
    reach: 'all',
    tips: ALL_SHARDS,
    arguments: [
      { name: 'replace', type: 'pure-token', token: 'REPLACE', optional: true },
      { name: 'function-code', type: 'string' },
    ],
  }),
  part('kill', 2, ['noscript', 'allow_busy'], '7.0.0', 'Ends the running function.', 'O(1)', {
    session: functionKill,
    tips: ONE_SHARD,
  }),
  part('flush', -2, ['write', 'noscript'], '7.0.0', 'Deletes all libraries.', 'O(N) for N functions', {
    run: functionFlush,
    reach: 'all',
    tips: ALL_SHARDS,
    arguments: [ASYNC_OR_SYNC],
  }),
  part('delete', 3, ['write', 'noscript'], '7.0.0', 'Deletes a library.', 'O(1)', {
    run: functionDelete,
    reach: 'all',
    tips: ALL_SHARDS,
    arguments: [{ name: 'library-name', type: 'string' }],
  }),
  part('dump', 2, ['noscript'], '7.0.0', 'All libraries as bytes.', 'O(N) for N functions', { session: functionDump }),
  part('stats', 2, ['noscript', 'allow_busy'], '7.0.0', 'Tells what runs, and what there is.', 'O(1)', {
    session: functionStats,
    tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
  }),
];

export const SCRIPT_COMMANDS: CommandSpec[] = [
  runRow('eval', '2.6.0', 'a script', 'script', WORST),
  runRow('eval_ro', '7.0.0', 'a script', 'script', WORST_RO),
  runRow('evalsha', '2.6.0', 'a stored script', 'sha1', null),
  runRow('evalsha_ro', '7.0.0', 'a stored script', 'sha1', null),
  runRow('fcall', '7.0.0', 'a function', 'function', WORST),
  runRow('fcall_ro', '7.0.0', 'a function', 'function', WORST_RO),
  {
    name: 'script',
    arity: -2,
    flags: [],
    keys: [],
    acl: [],
    group: 'scripting',
    since: '2.6.0',
    summary: 'Container of commands about scripts.',
    complexity: 'That of the subcommand.',
    subcommands: SCRIPT_PARTS,
  },
  {
    name: 'function',
    arity: -2,
    flags: [],
    keys: [],
    acl: [],
    group: 'scripting',
    since: '7.0.0',
    summary: 'Container of commands about functions.',
    complexity: 'That of the subcommand.',
    subcommands: FUNCTION_PARTS,
  },
];
