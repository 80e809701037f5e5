/** Rows of the commands on HyperLogLogs. */

import { pfdebug, pfselftest } from './hyper-log-log-debug.ts';
import { pfadd, pfcount, pfmerge } from './hyper-log-log-update.ts';
import type { CommandSpec } from './spec.ts';
import { keyArgument, keysFrom, oneKey } from './spec-parts.ts';

const family = { acl: ['hyperloglog'], since: '2.8.9', group: 'hyperloglog' } as const;

export const HYPER_LOG_LOG_COMMANDS: readonly CommandSpec[] = [
  {
    ...family,
    acl: [...family.acl],
    name: 'pfadd',
    arity: -2,
    flags: ['write', 'denyoom', 'fast'],
    keys: [oneKey(1, 'RW', 'insert')],
    summary: 'Adds elements to a HyperLogLog; the key is created where there is none.',
    complexity: 'O(1) for each element',
    arguments: [keyArgument(), { name: 'element', type: 'string', optional: true, multiple: true }],
    run: pfadd,
  },
  {
    ...family,
    acl: [...family.acl],
    name: 'pfcount',
    arity: -2,
    flags: ['readonly', 'may_replicate'],
    keys: [{ ...keysFrom(1, 'RW', 'access'), notes: 'RW because the cardinality is remembered in the value' }],
    summary: 'Estimates how many different elements HyperLogLogs have seen together.',
    complexity: 'O(1) for one key whose cardinality is known, O(N) for N keys otherwise',
    arguments: [{ ...keyArgument(), multiple: true }],
    run: pfcount,
  },
  {
    ...family,
    acl: [...family.acl],
    name: 'pfmerge',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: [oneKey(1, 'RW', 'access', 'insert'), keysFrom(2, 'RO', 'access')],
    summary: 'Merges HyperLogLogs into one.',
    complexity: 'O(N) for N keys',
    arguments: [keyArgument('destkey', 0), { ...keyArgument('sourcekey', 1), multiple: true }],
    run: pfmerge,
  },
  {
    ...family,
    acl: [...family.acl],
    name: 'pfdebug',
    arity: 3,
    flags: ['write', 'denyoom', 'admin'],
    keys: [oneKey(2, 'RW', 'access')],
    summary: 'Shows how a HyperLogLog is kept.',
    complexity: 'N/A',
    docFlags: ['syscmd'],
    arguments: [{ name: 'subcommand', type: 'string' }, keyArgument()],
    run: pfdebug,
  },
  {
    ...family,
    acl: [...family.acl],
    name: 'pfselftest',
    arity: 1,
    flags: ['admin'],
    keys: [],
    summary: 'Tests the implementation of HyperLogLogs.',
    complexity: 'N/A',
    docFlags: ['syscmd'],
    session: pfselftest,
  },
];
