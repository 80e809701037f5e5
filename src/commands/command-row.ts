/**
 * A command's row at run time: the bits and numbers that follow from its spec, and the table that finds a row by the bytes
 * of a command's name without making a string.
 */
import { COMMAND_ROOM } from '../admin/command-stats.ts';
import type { Args } from '../resp/args.ts';
import { type CommandSpec, type DataHandler, FLAG, type FlagName, type KeySpec, type SessionHandler } from './spec.ts';

/** Which shards a command latches, as numbers. */
export const REACH = { keys: 0, all: 1, chosen: 2 } as const;

/** ACL categories by bit, in the order in which COMMAND INFO names them. */
export const CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
] as const;

const QUOTED_BYTES = 128;
const REMEMBERED_NAME_BYTES = 16;

export class CommandRow {
  readonly spec: CommandSpec;
  /** Place in the statistics, 0 … rows-1. */
  readonly id: number;
  /** 'get', or 'client|list' for a subcommand. */
  readonly fullName: string;
  readonly parent: CommandRow | null;
  readonly arity: number;
  readonly flagBits: number;
  readonly categoryBits: number;
  readonly isWrite: boolean;
  /** A REACH number. */
  readonly reach: number;
  readonly run: DataHandler | null;
  readonly session: SessionHandler | null;
  /** Has subcommands and does nothing itself. */
  readonly isContainer: boolean;
  /** The three numbers by which clients older than key specs find the keys; 0 0 0: none. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** The three numbers say all about the keys. */
  readonly singleRange: boolean;
  /** Exactly one key, at argument `firstKey`, which the arity guarantees. */
  readonly oneKey: boolean;
  /** Is never forwarded to another thread. */
  readonly atHome: boolean;
  /** Runs a script: src/dispatch/scripts.ts. */
  readonly isScript: boolean;
  /** The gate has nothing to ask about its form but the number of arguments. */
  readonly isPlain: boolean;
  /** May run under a latch that is kept over several commands of a pipeline: src/dispatch/command-run.ts. */
  readonly goesInRuns: boolean;
  /** First argument of `storedValues`, 0 = none. */
  readonly firstValue: number;
  subcommands: NameTable | null = null;

  constructor(spec: CommandSpec, id: number, parent: CommandRow | null) {
    const keys = legacyKeys(spec.keys);
    this.spec = spec;
    this.id = id;
    this.parent = parent;
    this.fullName = parent === null ? spec.name : `${parent.fullName}|${spec.name}`;
    this.arity = spec.arity;
    this.flagBits = spec.flags.reduce((bits, flag) => bits | FLAG[flag], keys.movable ? FLAG.movablekeys : 0);
    this.categoryBits = categoryBits(spec);
    this.isWrite = (this.flagBits & FLAG.write) !== 0;
    this.reach = REACH[spec.reach ?? 'keys'];
    this.run = spec.run ?? null;
    this.session = spec.session ?? null;
    this.isContainer = spec.subcommands !== undefined && this.run === null && this.session === null;
    this.firstKey = keys.first;
    this.lastKey = keys.last;
    this.keyStep = keys.step;
    this.singleRange = !keys.movable;
    this.atHome = spec.atHome === true;
    this.isScript = spec.runsScript === true;
    this.isPlain = !this.isContainer && !this.atHome && (this.flagBits & FLAG.protected) === 0;
    this.firstValue = spec.storedValues?.first ?? 0;
    this.oneKey = this.reach === REACH.keys && !keys.movable && keys.first > 0 && keys.first === keys.last;
    this.goesInRuns = this.isPlain && this.oneKey && this.run !== null && this.session === null && !this.isScript;
  }

  /** Do so many arguments (the name included) fit? */
  arityFits(count: number): boolean {
    return this.arity >= 0 ? count === this.arity : count >= -this.arity;
  }

  /** The name in CLIENT LIST and INFO: hidden subcommands go under their container's. */
  get shownName(): string {
    return this.parent?.spec.hiddenSubcommands ? this.parent.fullName : this.fullName;
  }

  /** Subcommand rows in order of the spec; the hidden ones of DEBUG are not shown to anybody. */
  shownSubcommands(): readonly CommandRow[] {
    return this.subcommands === null || this.spec.hiddenSubcommands ? [] : this.subcommands.rows;
  }
}

/** The longest name that fits into the two words of the quick table. */
const QUICK_BYTES = 8;
const ONLY_LETTERS = /^[a-z]+$/;

/**
 * Finds rows by name, comparing bytes without regard to case.
 *
 * Names of up to 8 letters (most of all commands sent) are compared as two words of bytes with bit 5 set: for letters that
 * is exactly equality without regard to case. The others are compared byte by byte.
 */
export class NameTable {
  readonly rows: readonly CommandRow[];
  private readonly mask: number;
  private readonly quickRows: (CommandRow | null)[];
  private readonly quickLow: Int32Array;
  private readonly quickHigh: Int32Array;
  private readonly slowRows: (CommandRow | null)[];
  private readonly slowNames: Uint8Array[];

  constructor(rows: readonly CommandRow[]) {
    let size = 4;
    while (size < rows.length * 4) size *= 2;
    this.rows = rows;
    this.mask = size - 1;
    this.quickRows = Array.from({ length: size }, () => null);
    this.quickLow = new Int32Array(size);
    this.quickHigh = new Int32Array(size);
    this.slowRows = Array.from({ length: size }, () => null);
    this.slowNames = Array.from({ length: size }, () => new Uint8Array(0));
    for (const row of rows) this.add(row);
  }

  private add(row: CommandRow): void {
    const name = Buffer.from(row.spec.name, 'latin1');
    if (this.find(name, 0, name.length) !== null) throw new Error(`two commands are called ${row.fullName}`);
    if (name.length <= QUICK_BYTES && ONLY_LETTERS.test(row.spec.name)) {
      const low = foldedWord(name, 0, Math.min(name.length, 4));
      const high = foldedWord(name, 4, name.length);
      let slot = this.quickHome(low, high);
      while (this.quickRows[slot] !== null) slot = (slot + 1) & this.mask;
      this.quickRows[slot] = row;
      this.quickLow[slot] = low;
      this.quickHigh[slot] = high;
    } else {
      let slot = this.slowHome(name, 0, name.length);
      while (this.slowRows[slot] !== null) slot = (slot + 1) & this.mask;
      this.slowRows[slot] = row;
      this.slowNames[slot] = name;
    }
  }

  private quickHome(low: number, high: number): number {
    const mixed = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.mask;
  }

  private slowHome(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (bytes[i] | 0x20)) | 0;
    return (hash ^ (hash >>> 11)) & this.mask;
  }

  find(bytes: Uint8Array, start: number, end: number): CommandRow | null {
    if (end - start <= QUICK_BYTES) {
      // a word of n bytes differs from every word of fewer bytes, for no folded byte is 0
      const middle = Math.min(end, start + 4);
      const low = foldedWord(bytes, start, middle);
      const high = foldedWord(bytes, middle, end);
      for (let slot = this.quickHome(low, high); ; slot = (slot + 1) & this.mask) {
        const row = this.quickRows[slot];
        if (row === null) break;
        if (this.quickLow[slot] === low && this.quickHigh[slot] === high) return row;
      }
    }
    return this.findSlow(bytes, start, end);
  }

  private findSlow(bytes: Uint8Array, start: number, end: number): CommandRow | null {
    const length = end - start;
    for (let slot = this.slowHome(bytes, start, end); ; slot = (slot + 1) & this.mask) {
      const row = this.slowRows[slot];
      if (row === null) return null;
      const name = this.slowNames[slot];
      if (name.length !== length) continue;
      let i = 0;
      while (i < length && lowerCase(bytes[start + i]) === name[i]) i++;
      if (i === length) return row;
    }
  }
}

/** Up to four bytes as one word, bit 5 of each set. */
function foldedWord(bytes: Uint8Array, start: number, end: number): number {
  let word = 0;
  for (let i = start; i < end; i++) word = (word << 8) | bytes[i] | 0x20;
  return word;
}

function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 0x20 : byte;
}

/** All commands of the server. */
export class CommandTable {
  /** Top-level commands in order of their families. */
  readonly commands: readonly CommandRow[];
  /** Every row, subcommands included, by id. */
  readonly rows: readonly CommandRow[];
  private readonly names: NameTable;

  constructor(specs: readonly CommandSpec[]) {
    const rows: CommandRow[] = [];
    this.commands = specs.map((spec) => {
      const row = new CommandRow(spec, rows.length, null);
      rows.push(row);
      if (spec.subcommands !== undefined) row.subcommands = new NameTable(subcommandRows(row, rows));
      return row;
    });
    if (rows.length > COMMAND_ROOM) throw new Error(`${rows.length} command rows, room for ${COMMAND_ROOM}`);
    this.rows = rows;
    this.names = new NameTable(this.commands);
  }

  // the last command looked up: a pipeline mostly repeats one, spelled the same
  private readonly lastName = new Uint8Array(REMEMBERED_NAME_BYTES);
  private lastLength = 0;
  private lastRow: CommandRow | null = null;

  /** The row of a command's arguments: its subcommand's where one matches; null: no such command. */
  lookup(args: Args): CommandRow | null {
    const buf = args.buf;
    const start = args.starts[0];
    const length = args.ends[0] - start;
    if (length === this.lastLength) {
      const name = this.lastName;
      let i = 0;
      while (i < length && buf[start + i] === name[i]) i++;
      if (i === length) return this.lastRow;
    }
    const row = this.names.find(buf, start, start + length);
    if (row === null) return null;
    if (row.subcommands === null) {
      if (length <= REMEMBERED_NAME_BYTES) this.remember(row, buf, start, length);
      return row;
    }
    if (args.count < 2) return row;
    return row.subcommands.find(args.buf, args.starts[1], args.ends[1]) ?? row;
  }

  private remember(row: CommandRow, buf: Buffer, start: number, length: number): void {
    for (let i = 0; i < length; i++) this.lastName[i] = buf[start + i];
    this.lastLength = length;
    this.lastRow = row;
  }

  /** A row by its full name, 'get' or 'client|list' in any case; for COMMAND INFO and the like. */
  byName(fullName: string): CommandRow | null {
    const bar = fullName.indexOf('|');
    const first = Buffer.from(bar < 0 ? fullName : fullName.slice(0, bar), 'latin1');
    const row = this.names.find(first, 0, first.length);
    if (bar < 0 || row === null) return row;
    if (row.subcommands === null || row.spec.hiddenSubcommands) return null;
    const second = Buffer.from(fullName.slice(bar + 1), 'latin1');
    return row.subcommands.find(second, 0, second.length);
  }
}

/** Hidden subcommands get rows of their own too: they are forwarded by id; INFO adds their figures to the container's. */
function subcommandRows(parent: CommandRow, rows: CommandRow[]): CommandRow[] {
  return parent.spec.subcommands!.map((spec) => {
    const row = new CommandRow(spec, rows.length, parent);
    rows.push(row);
    return row;
  });
}

function categoryBits(spec: CommandSpec): number {
  const has = (flag: FlagName): boolean => spec.flags.includes(flag);
  const names = new Set(spec.acl);
  if (has('write')) names.add('write');
  if (has('readonly') && !names.has('scripting')) names.add('read');
  if (has('admin')) names.add('admin').add('dangerous');
  if (has('pubsub')) names.add('pubsub');
  names.add(has('fast') ? 'fast' : 'slow');
  if (has('blocking')) names.add('blocking');
  let bits = 0;
  for (const name of names) {
    const bit = (CATEGORIES as readonly string[]).indexOf(name);
    if (bit < 0) throw new Error(`${spec.name}: no ACL category ${name}`);
    bits |= 1 << bit;
  }
  return bits;
}

/** First, last and step of the key arguments as far as plain neighbouring ranges tell; movable: they do not tell all. */
function legacyKeys(keys: readonly KeySpec[]): { first: number; last: number; step: number; movable: boolean } {
  const none = { first: 0, last: 0, step: 0 };
  if (keys.length === 0) return { ...none, movable: false };
  let movable = keys.some(
    (key) => key.flags.includes('incomplete') || key.find.kind !== 'range' || key.keyword !== undefined,
  );
  if (keys.length === 1 && keys[0].find.kind === 'range' && keys[0].keyword === undefined) {
    const { last, step } = keys[0].find;
    return { first: keys[0].begin, last: last >= 0 ? keys[0].begin + last : last, step, movable };
  }
  let first = 0;
  let last = 0;
  for (const key of keys) {
    if (key.find.kind !== 'range' || key.keyword !== undefined) continue;
    if (key.find.step !== 1 || (last !== 0 && last !== key.begin - 1)) {
      movable = true;
      continue;
    }
    if (first === 0) first = key.begin;
    last = key.find.last >= 0 ? key.begin + key.find.last : key.find.last;
  }
  return first === 0 ? { ...none, movable: true } : { first, last, step: 1, movable };
}

/** Text of client bytes for an error line: control characters that would break the line become blanks. */
function quotable(args: Args, index: number, maxBytes: number): string {
  const end = Math.min(args.ends[index], args.starts[index] + maxBytes);
  return args.buf.toString('latin1', args.starts[index], end).replace(/[\r\n]/g, ' ');
}

export function unknownCommandError(args: Args): string {
  let shown = '';
  for (let i = 1; i < args.count && shown.length < QUOTED_BYTES; i++) {
    shown += `'${quotable(args, i, QUOTED_BYTES - shown.length)}' `;
  }
  return `ERR unknown command '${quotable(args, 0, QUOTED_BYTES)}', with args beginning with: ${shown}`;
}

/** For a container whose argument 1 names none of its subcommands. */
export function unknownSubcommandError(args: Args, row: CommandRow): string {
  return `ERR unknown subcommand '${quotable(args, 1, QUOTED_BYTES)}'. Try ${row.spec.name.toUpperCase()} HELP.`;
}

export function arityError(row: CommandRow): string {
  return `ERR wrong number of arguments for '${row.fullName}' command`;
}
