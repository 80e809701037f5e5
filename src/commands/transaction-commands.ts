/** Rows of the commands that make several commands one unit. */
import { discard, exec, multi, unwatch, watch } from './multi.ts';
import type { CommandSpec, FlagName } from './spec.ts';
import { keysFrom } from './spec-parts.ts';

const ANY_STATE: FlagName[] = ['noscript', 'loading', 'stale', 'fast', 'allow_busy'];
const TRANSACTION = { acl: ['transaction'], group: 'transactions' } as const;

export const TRANSACTION_COMMANDS: CommandSpec[] = [
  {
    ...TRANSACTION,
    acl: ['transaction'],
    name: 'multi',
    arity: 1,
    flags: ANY_STATE,
    keys: [],
    since: '1.2.0',
    summary: 'Begins a transaction: the commands that follow are queued.',
    complexity: 'O(1)',
    session: multi,
  },
  {
    ...TRANSACTION,
    acl: ['transaction'],
    name: 'exec',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
    keys: [],
    since: '1.2.0',
    summary: 'Runs all queued commands as one.',
    complexity: 'That of the queued commands.',
    session: exec,
  },
  {
    ...TRANSACTION,
    acl: ['transaction'],
    name: 'discard',
    arity: 1,
    flags: ANY_STATE,
    keys: [],
    since: '2.0.0',
    summary: 'Gives up a transaction and what it has queued.',
    complexity: 'O(N) for N queued commands',
    session: discard,
  },
  {
    ...TRANSACTION,
    acl: ['transaction'],
    name: 'watch',
    arity: -2,
    flags: ANY_STATE,
    keys: [keysFrom(1, 'RO')],
    since: '2.2.0',
    summary: 'Lets the next EXEC do nothing if one of the keys changes before it.',
    complexity: 'O(1) for each key',
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0, multiple: true }],
    atHome: true,
    run: watch,
  },
  {
    ...TRANSACTION,
    acl: ['transaction'],
    name: 'unwatch',
    arity: 1,
    flags: ANY_STATE,
    keys: [],
    since: '2.2.0',
    summary: 'Forgets all watched keys.',
    complexity: 'O(1)',
    session: unwatch,
  },
];
