/** COMMAND and its subcommands COUNT, INFO, LIST, GETKEYS, GETKEYSANDFLAGS, HELP: what the server tells about its commands. */
import type { Session } from '../dispatch/session.ts';
import { globMatch } from '../keyspace/glob.ts';
import { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { INVALID_KEYS, keyPositions, specPositions } from './command-keys.ts';
import { commandTable } from './command-registry.ts';
import { CATEGORIES, type CommandRow, unknownSubcommandError } from './command-row.ts';
import { ERR } from './errors.ts';
import { replyHelp } from './help-reply.ts';
import { FLAG, type FlagName, type KeyFlag, type KeySpec } from './spec.ts';

/** Flags that COMMAND INFO names, in its order; the others are the server's own business. */
const SHOWN_FLAGS: readonly FlagName[] = [
  'write',
  'readonly',
  'denyoom',
  'module',
  'admin',
  'pubsub',
  'noscript',
  'blocking',
  'loading',
  'stale',
  'skip_monitor',
  'skip_slowlog',
  'asking',
  'fast',
  'no_auth',
  'no_mandatory_keys',
  'no_async_loading',
  'no_multi',
  'movablekeys',
  'allow_busy',
];

const KEY_FLAGS: readonly KeyFlag[] = [
  'RO',
  'RW',
  'OW',
  'RM',
  'access',
  'update',
  'insert',
  'delete',
  'not_key',
  'incomplete',
  'variable_flags',
];

function replyStatusSet(names: readonly string[], reply: ReplyWriter): void {
  reply.set(names.length);
  for (const name of names) reply.simple(name);
}

function replyKeyFlags(flags: readonly KeyFlag[], reply: ReplyWriter): void {
  replyStatusSet(
    KEY_FLAGS.filter((flag) => flags.includes(flag)),
    reply,
  );
}

type KeyFact = readonly [name: string, value: number | string];

function replyPairs(pairs: readonly KeyFact[], reply: ReplyWriter): void {
  reply.map(pairs.length);
  for (const [name, value] of pairs) {
    reply.bulkText(name);
    if (typeof value === 'string') reply.bulkText(value);
    else reply.integer(value);
  }
}

/** One half of a key spec: its type and the facts of that type. */
function replyKeyStep(title: string, type: string, pairs: readonly KeyFact[], reply: ReplyWriter): void {
  reply.bulkText(title);
  reply.map(2);
  reply.bulkText('type');
  reply.bulkText(type);
  reply.bulkText('spec');
  replyPairs(pairs, reply);
}

function replyKeySpec(spec: KeySpec, reply: ReplyWriter): void {
  reply.map(spec.notes === undefined ? 3 : 4);
  if (spec.notes !== undefined) {
    reply.bulkText('notes');
    reply.bulkText(spec.notes);
  }
  reply.bulkText('flags');
  replyKeyFlags(spec.flags, reply);
  if (spec.find.kind === 'unknown') {
    replyKeyStep('begin_search', 'unknown', [], reply);
    replyKeyStep('find_keys', 'unknown', [], reply);
    return;
  }
  if (spec.keyword === undefined) replyKeyStep('begin_search', 'index', [['index', spec.begin]], reply);
  else
    replyKeyStep(
      'begin_search',
      'keyword',
      [
        ['keyword', spec.keyword],
        ['startfrom', spec.begin],
      ],
      reply,
    );
  const find = spec.find;
  const numbers: [string, number][] =
    find.kind === 'range'
      ? [
          ['lastkey', find.last],
          ['keystep', find.step],
          ['limit', find.limit],
        ]
      : [
          ['keynumidx', find.keynumIndex],
          ['firstkey', find.firstKey],
          ['keystep', find.step],
        ];
  replyKeyStep('find_keys', find.kind, numbers, reply);
}

/** The ten elements of a command in COMMAND INFO. */
function replyCommandInfo(row: CommandRow, reply: ReplyWriter): void {
  const { spec } = row;
  reply.array(10);
  reply.bulkText(row.fullName);
  reply.integer(row.arity);
  replyStatusSet(
    SHOWN_FLAGS.filter((flag) => (row.flagBits & FLAG[flag]) !== 0),
    reply,
  );
  reply.integer(row.firstKey);
  reply.integer(row.lastKey);
  reply.integer(row.keyStep);
  replyStatusSet(
    CATEGORIES.filter((_, bit) => (row.categoryBits & (1 << bit)) !== 0).map((name) => `@${name}`),
    reply,
  );
  const tips = spec.tips ?? [];
  reply.set(tips.length);
  for (const tip of tips) reply.bulkText(tip);
  reply.set(spec.keys.length);
  for (const key of spec.keys) replyKeySpec(key, reply);
  const subcommands = row.shownSubcommands();
  // a command that is no container has an empty set here, a container an array
  if (subcommands.length === 0) reply.set(0);
  else reply.array(subcommands.length);
  for (const subcommand of subcommands) replyCommandInfo(subcommand, reply);
}

function replyAllInfo(reply: ReplyWriter): void {
  const rows = commandTable().commands;
  reply.array(rows.length);
  for (const row of rows) replyCommandInfo(row, reply);
}

export function command(_session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count > 1) reply.error(unknownSubcommandError(args, commandTable().byName('command')!));
  else replyAllInfo(reply);
}

export function commandCount(_session: Session, _args: Args, reply: ReplyWriter): void {
  reply.integer(commandTable().commands.length);
}

export function commandInfo(_session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count === 2) return replyAllInfo(reply);
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const row = commandTable().byName(args.text(i));
    if (row === null) reply.null();
    else replyCommandInfo(row, reply);
  }
}

/** Full names of all commands and subcommands that fit. */
function listNames(fits: (row: CommandRow) => boolean): string[] {
  const names: string[] = [];
  for (const row of commandTable().commands) {
    if (fits(row)) names.push(row.fullName);
    for (const subcommand of row.shownSubcommands()) if (fits(subcommand)) names.push(subcommand.fullName);
  }
  return names;
}

/** The filter of COMMAND LIST FILTERBY kind value, or null where the kind is none. */
function listFilter(args: Args): ((row: CommandRow) => boolean) | null {
  if (args.equalsIgnoreCase(3, 'module')) return () => false;
  if (args.equalsIgnoreCase(3, 'aclcat')) {
    const bit = (CATEGORIES as readonly string[]).indexOf(args.text(4).toLowerCase());
    return (row) => bit >= 0 && (row.categoryBits & (1 << bit)) !== 0;
  }
  if (!args.equalsIgnoreCase(3, 'pattern')) return null;
  return (row) => {
    const name = Buffer.from(row.fullName, 'latin1');
    return globMatch(args.buf, args.starts[4], args.ends[4], name, 0, name.length, true);
  };
}

export function commandList(_session: Session, args: Args, reply: ReplyWriter): void {
  let fits: ((row: CommandRow) => boolean) | null = () => true;
  if (args.count > 2) fits = args.count === 5 && args.equalsIgnoreCase(2, 'filterby') ? listFilter(args) : null;
  if (fits === null) return reply.error(ERR.SYNTAX);
  const names = listNames(fits);
  reply.array(names.length);
  for (const name of names) reply.bulkText(name);
}

/** The command that stands behind COMMAND GETKEYS, as if it had been sent. */
function innerArgs(args: Args): Args {
  const inner = new Args(args.count);
  inner.buf = args.buf;
  inner.count = args.count - 2;
  for (let i = 0; i < inner.count; i++) {
    inner.starts[i] = args.starts[i + 2];
    inner.ends[i] = args.ends[i + 2];
  }
  return inner;
}

/** Row of the inner command after all checks; null after an error reply. */
function innerRow(inner: Args, reply: ReplyWriter): CommandRow | null {
  const row = commandTable().lookup(inner);
  if (row === null || row.isContainer) reply.error('ERR Invalid command specified');
  else if (row.spec.keys.length === 0) reply.error('ERR The command has no key arguments');
  else if (!row.arityFits(inner.count)) reply.error('ERR Invalid number of arguments specified for command');
  else return row;
  return null;
}

const NO_KEYS_FOUND = 'ERR Invalid arguments specified for command';

/** Where a row's keys stand and of which spec each is; null: the arguments do not fit. */
function locateKeys(row: CommandRow, inner: Args): { at: number; spec: KeySpec }[] | null {
  const out = new Int32Array(inner.count);
  const found: { at: number; spec: KeySpec }[] = [];
  if (keyPositions(row, inner, out) <= 0) return null;
  for (const spec of row.spec.keys) {
    const count = specPositions(spec, inner, out, 0);
    if (count === INVALID_KEYS) return null;
    for (let i = 0; i < count; i++) found.push({ at: out[i], spec });
  }
  addUnspecified(row, inner, out, found);
  return found;
}

/** Adds the keys that only the row's own `findKeys` finds, as keys of its last spec. */
function addUnspecified(row: CommandRow, inner: Args, out: Int32Array, found: { at: number; spec: KeySpec }[]): void {
  const last = row.spec.keys[row.spec.keys.length - 1];
  if (row.spec.findKeys === undefined || last.find.kind !== 'unknown') return;
  const count = row.spec.findKeys(inner, out);
  for (let i = 0; i < count; i++) {
    const at = out[i];
    if (!found.some((key) => key.at === at)) found.push({ at, spec: last });
  }
}

function getKeys(args: Args, reply: ReplyWriter, withFlags: boolean): void {
  const inner = innerArgs(args);
  const row = innerRow(inner, reply);
  if (row === null) return;
  const keys = locateKeys(row, inner);
  if (keys === null) {
    if ((row.flagBits & FLAG.no_mandatory_keys) !== 0) reply.array(0);
    else reply.error(NO_KEYS_FOUND);
    return;
  }
  const use = row.spec.keyUse;
  reply.array(keys.length);
  for (const { at, spec } of keys) {
    if (withFlags) reply.array(2);
    reply.bulk(inner.buf, inner.starts[at], inner.ends[at]);
    if (withFlags) replyKeyFlags(use?.(inner) ?? spec.flags, reply);
  }
}

export function commandGetkeys(_session: Session, args: Args, reply: ReplyWriter): void {
  getKeys(args, reply, false);
}

export function commandGetkeysandflags(_session: Session, args: Args, reply: ReplyWriter): void {
  getKeys(args, reply, true);
}

export function commandHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'COMMAND', [
    '(no subcommand)',
    '    Details about all commands.',
    'COUNT',
    '    The number of commands.',
    'DOCS [<command-name> [...]]',
    '    Documentation of commands; of all when none is named.',
    'GETKEYS <full-command>',
    '    The keys among the arguments of a full command.',
    'GETKEYSANDFLAGS <full-command>',
    '    The same, and what the command does with each key.',
    'INFO [<command-name> ...]',
    '    Details about commands; about all when none is named.',
    'LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]',
    '    The names of commands.',
  ]);
}
