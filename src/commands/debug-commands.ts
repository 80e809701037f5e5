/** Row of DEBUG. Its subcommands have rows for dispatch (some need latches), which COMMAND does not show. */
import {
  debug,
  debugCheck,
  debugDenyScripts,
  debugError,
  debugHelp,
  debugLoadAof,
  debugLog,
  debugNothing,
  debugObject,
  debugPanic,
  debugReload,
  debugSegfault,
  debugSetActiveExpire,
  debugSkipChecksums,
  debugSleep,
  debugStringmatch,
} from './debug.ts';
import { debugDigest, debugDigestValue } from './debug-digest.ts';
import { debugPopulate } from './debug-populate.ts';
import { debugProtocol } from './debug-protocol.ts';
import type { CommandSpec, DataHandler, FlagName, SessionHandler } from './spec.ts';
import { keysFrom, oneKey } from './spec-parts.ts';

const FLAGS: FlagName[] = ['admin', 'noscript', 'loading', 'stale', 'protected'];

function base(name: string): CommandSpec {
  return {
    name,
    arity: -2,
    flags: FLAGS,
    keys: [],
    acl: [],
    since: '1.0.0',
    group: 'server',
    summary: 'Container of commands for tests and for looking inside.',
    complexity: 'That of the subcommand.',
    docFlags: ['syscmd'],
  };
}

function own(name: string, session: SessionHandler): CommandSpec {
  return { ...base(name), session };
}

/** Looks at data, which nobody may while it is loaded: a unit would let time pass in the shard. */
function onData(name: string): CommandSpec {
  return { ...base(name), flags: FLAGS.filter((flag) => flag !== 'loading') };
}

function onAllShards(name: string, run: DataHandler): CommandSpec {
  return { ...onData(name), reach: 'all', run };
}

export const DEBUG_COMMANDS: CommandSpec[] = [
  {
    ...base('debug'),
    session: debug,
    hiddenSubcommands: true,
    subcommands: [
      { ...onData('object'), arity: 3, keys: [oneKey(2, 'RO')], run: debugObject },
      { ...onData('digest-value'), keys: [keysFrom(2, 'RO')], run: debugDigestValue },
      onAllShards('digest', debugDigest),
      onAllShards('check', debugCheck),
      { ...onAllShards('populate', debugPopulate), flags: [...onData('populate').flags, 'write'] },
      own('sleep', debugSleep),
      own('set-active-expire', debugSetActiveExpire),
      own('reload', debugReload),
      own('loadaof', debugLoadAof),
      own('protocol', debugProtocol),
      own('log', debugLog),
      own('error', debugError),
      own('stringmatch-len', debugStringmatch),
      own('set-disable-deny-scripts', debugDenyScripts),
      own('set-skip-checksum-validation', debugSkipChecksums),
      own('quicklist-packed-threshold', debugNothing),
      own('segfault', debugSegfault),
      own('panic', debugPanic),
      own('help', debugHelp),
    ],
  },
];
