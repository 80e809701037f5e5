/** Rows of the commands that set, read and remove deadlines. */
import { expire, expireat, expiretime, persist, pexpire, pexpireat, pexpiretime, pttl, ttl } from './expire.ts';
import type { CommandDocArgument, CommandSpec, DataHandler } from './spec.ts';
import { keyArgument, NONDETERMINISTIC, oneKey, oneOf, token } from './spec-parts.ts';

const KEYSPACE = ['keyspace'];
const CONDITION: CommandDocArgument = {
  ...oneOf('condition', token('NX'), token('XX'), token('GT'), token('LT')),
  optional: true,
  since: '7.0.0',
};

function setter(name: string, since: string, when: CommandDocArgument, summary: string, run: DataHandler): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RW', 'update')],
    acl: KEYSPACE,
    since,
    group: 'generic',
    summary,
    complexity: 'O(1)',
    history: [['7.0.0', 'Takes the conditions `NX`, `XX`, `GT` and `LT`.']],
    arguments: [keyArgument(), when, CONDITION],
    run,
  };
}

function reader(name: string, since: string, summary: string, run: DataHandler, isRelative: boolean): CommandSpec {
  const spec: CommandSpec = {
    name,
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [oneKey(1, 'RO', 'access')],
    acl: KEYSPACE,
    since,
    group: 'generic',
    summary,
    complexity: 'O(1)',
    arguments: [keyArgument()],
    run,
  };
  if (!isRelative) return spec;
  return { ...spec, tips: NONDETERMINISTIC, history: [['2.8.0', 'Answers -2 for a missing key.']] };
}

export const EXPIRE_COMMANDS: CommandSpec[] = [
  setter('expire', '1.0.0', { name: 'seconds', type: 'integer' }, 'Lets a key expire after so many seconds.', expire),
  setter(
    'pexpire',
    '2.6.0',
    { name: 'milliseconds', type: 'integer' },
    'Lets a key expire after so many milliseconds.',
    pexpire,
  ),
  setter(
    'expireat',
    '1.2.0',
    { name: 'unix-time-seconds', type: 'unix-time' },
    'Lets a key expire at a point of Unix time in seconds.',
    expireat,
  ),
  setter(
    'pexpireat',
    '2.6.0',
    { name: 'unix-time-milliseconds', type: 'unix-time' },
    'Lets a key expire at a point of Unix time in milliseconds.',
    pexpireat,
  ),
  reader('ttl', '1.0.0', 'Tells in how many seconds a key expires.', ttl, true),
  reader('pttl', '2.6.0', 'Tells in how many milliseconds a key expires.', pttl, true),
  reader('expiretime', '7.0.0', 'Tells at which Unix time in seconds a key expires.', expiretime, false),
  reader('pexpiretime', '7.0.0', 'Tells at which Unix time in milliseconds a key expires.', pexpiretime, false),
  {
    name: 'persist',
    arity: 2,
    flags: ['write', 'fast'],
    keys: [oneKey(1, 'RW', 'update')],
    acl: KEYSPACE,
    since: '2.2.0',
    group: 'generic',
    summary: 'Takes the deadline of a key away.',
    complexity: 'O(1)',
    arguments: [keyArgument()],
    run: persist,
  },
];
