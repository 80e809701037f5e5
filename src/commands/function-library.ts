/**
 * FUNCTION and its subcommands. Libraries belong to the data: what changes them runs under all latches and is one transaction in the
 * journals of all shards (R16); a replay takes it from shard 0's.
 */
import { DamagedRdbError, RdbReader } from '../datatypes/rdb-reader.ts';
import { RdbWriter } from '../datatypes/rdb-writer.ts';
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import { globMatch } from '../keyspace/glob.ts';
import { isPayload, PAYLOAD_TAIL_BYTES } from '../keyspace/rdb-payload.ts';
import { RDB_VERSION } from '../keyspace/rdb-types.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { libraryName } from '../scripting/script-header.ts';
import { RUNS } from '../scripting/script-store.ts';
import { wrongFormError } from './errors.ts';
import { replyHelp } from './help-reply.ts';
import { killRunning } from './script-cache.ts';

const OPCODE_FUNCTION = 245;
const BAD_PAYLOAD = 'ERR DUMP payload version or checksum are wrong';
const OUT_OF_ROOM = 'OOM there is no room for another library';

/** The same record for every shard. */
function journal(unit: Unit, words: readonly (string | Buffer)[]): void {
  for (const ks of unit.spaces) {
    const effect = unit.effectIn(ks, 0, words.length);
    for (const word of words) {
      if (typeof word === 'string') effect.argText(word);
      else effect.arg(word, 0, word.length);
    }
  }
  unit.dirty++;
}

/** Records of other shards say the same as shard 0's. */
function isRepeated(unit: Unit): boolean {
  return unit.replaying && unit.held[0] !== 0;
}

export function functionLoad(unit: Unit, args: Args, reply: ReplyWriter): void {
  const mayReplace = args.count > 3 && args.equalsIgnoreCase(2, 'replace');
  if (args.count > (mayReplace ? 4 : 3)) return reply.error(`ERR Unknown option given: ${args.text(2)}`);
  const code = args.bytes(args.count - 1);
  const { scripting } = unit;
  if (unit.replaying) return replayLoad(unit, code, reply);
  const loaded = scripting!.tryLibrary(code, mayReplace);
  if (typeof loaded === 'string') return reply.error(loaded);
  if (!scripting!.store.putLibrary(loaded.name, code)) return reply.error(OUT_OF_ROOM);
  journal(unit, ['FUNCTION', 'LOAD', 'REPLACE', code]);
  reply.bulkText(loaded.name);
}

function replayLoad(unit: Unit, code: Buffer, reply: ReplyWriter): void {
  const named = libraryName(code);
  if (typeof named === 'string') return reply.error(named);
  if (!isRepeated(unit)) unit.scripting!.store.putLibrary(named.name, code);
  reply.bulkText(named.name);
}

export function functionDelete(unit: Unit, args: Args, reply: ReplyWriter): void {
  const name = args.text(2);
  const { store } = unit.scripting!;
  store.sync();
  if (!isRepeated(unit)) {
    if (!store.libraries.has(name)) return reply.error('ERR Library not found');
    store.deleteLibrary(name);
    journal(unit, ['FUNCTION', 'DELETE', args.bytes(2)]);
  }
  reply.ok();
}

export function functionFlush(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(wrongFormError(args, 'FUNCTION'));
  const isMode = args.count === 3 && (args.equalsIgnoreCase(2, 'sync') || args.equalsIgnoreCase(2, 'async'));
  if (args.count !== 2 && !isMode) return reply.error('ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
  if (!isRepeated(unit)) {
    unit.scripting!.store.flushLibraries();
    journal(unit, ['FUNCTION', 'FLUSH']);
  }
  reply.ok();
}

// ---- dump and restore

export function functionDump(session: Session, _args: Args, reply: ReplyWriter): void {
  const writer = new RdbWriter();
  for (const code of session.server.scripting.store.libraryPayloads()) {
    writer.byte(OPCODE_FUNCTION);
    writer.string(code, 0, code.length);
  }
  writer.sealPayload(0, RDB_VERSION);
  reply.bulk(writer.buf, 0, writer.pos);
}

type Policy = 'append' | 'flush' | 'replace';

export function functionRestore(unit: Unit, args: Args, reply: ReplyWriter): void {
  let policy: Policy = 'append';
  if (args.count > 4) return reply.error(wrongFormError(args, 'FUNCTION'));
  if (args.count === 4) {
    const chosen = (['append', 'flush', 'replace'] as const).find((word) => args.equalsIgnoreCase(3, word));
    if (chosen === undefined)
      return reply.error('ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.');
    policy = chosen;
  }
  if (!isPayload(args.buf, args.starts[2], args.ends[2])) return reply.error(BAD_PAYLOAD);
  const codes = codesIn(args.bytes(2));
  if (codes === null) return reply.error('ERR failed loading functions payload');
  const problem = restore(unit, codes, policy);
  if (problem !== null) reply.error(problem);
  else reply.ok();
}

function codesIn(payload: Buffer): Buffer[] | null {
  const reader = new RdbReader(payload, 0, payload.length - PAYLOAD_TAIL_BYTES);
  const codes: Buffer[] = [];
  try {
    while (reader.pos < payload.length - PAYLOAD_TAIL_BYTES) {
      if (reader.byte() !== OPCODE_FUNCTION) return null;
      codes.push(Buffer.from(reader.stringText(), 'latin1'));
    }
  } catch (error) {
    if (!(error instanceof DamagedRdbError)) throw error;
    return null;
  }
  return codes;
}

/** All of the libraries, or none and why. */
function restore(unit: Unit, codes: readonly Buffer[], policy: Policy): string | null {
  const scripting = unit.scripting!;
  const { store } = scripting;
  store.sync();
  const before = new Map(store.libraries);
  if (policy === 'flush') store.flushLibraries();
  for (const code of codes) {
    const loaded = scripting.tryLibrary(code, policy === 'replace');
    const isStored = typeof loaded !== 'string' && store.putLibrary(loaded.name, code);
    if (isStored) continue;
    store.flushLibraries();
    for (const [name, old] of before) store.putLibrary(name, old);
    // as Redis says it here, without quotes
    return typeof loaded === 'string' ? loaded.replace(/'(.*)' already exists$/, '$1 already exists') : OUT_OF_ROOM;
  }
  if (policy === 'flush') journal(unit, ['FUNCTION', 'FLUSH']);
  for (const code of codes) journal(unit, ['FUNCTION', 'LOAD', 'REPLACE', code]);
  return null;
}

// ---- what there is

export function functionList(session: Session, args: Args, reply: ReplyWriter): void {
  let pattern: Buffer | null = null;
  let withCode = false;
  for (let i = 2; i < args.count; i++) {
    if (!withCode && args.equalsIgnoreCase(i, 'withcode')) withCode = true;
    else if (pattern === null && args.equalsIgnoreCase(i, 'libraryname')) {
      if (++i >= args.count) return reply.error('ERR library name argument was not given');
      pattern = args.bytes(i);
    } else return reply.error(`ERR Unknown argument ${args.text(i)}`);
  }
  const { scripting } = session.server;
  scripting.syncLibraries();
  const names = [...scripting.store.libraries.keys()].filter((name) => pattern === null || fits(pattern, name));
  reply.array(names.length);
  for (const name of names) replyLibrary(session, name, withCode, reply);
}

function fits(pattern: Buffer, name: string): boolean {
  const bytes = Buffer.from(name, 'latin1');
  return globMatch(pattern, 0, pattern.length, bytes, 0, bytes.length, true);
}

function replyLibrary(session: Session, name: string, withCode: boolean, reply: ReplyWriter): void {
  const { scripting } = session.server;
  const functions = scripting.functionsOf(name);
  reply.map(withCode ? 4 : 3);
  reply.bulkText('library_name');
  reply.bulkText(name);
  reply.bulkText('engine');
  reply.bulkText('LUA');
  reply.bulkText('functions');
  reply.array(functions.length);
  for (const one of functions) {
    reply.map(3);
    reply.bulkText('name');
    reply.bulkText(one.name);
    reply.bulkText('description');
    if (one.description === null) reply.null();
    else reply.bulkText(one.description);
    reply.bulkText('flags');
    reply.set(one.flags.length);
    for (const flag of one.flags) reply.simple(flag);
  }
  if (!withCode) return;
  const code = scripting.store.libraries.get(name)!;
  reply.bulkText('library_code');
  reply.bulk(code, 0, code.length);
}

export function functionStats(session: Session, _args: Args, reply: ReplyWriter): void {
  const { scripting } = session.server;
  scripting.syncLibraries();
  reply.map(2);
  reply.bulkText('running_script');
  replyRunning(session, reply);
  reply.bulkText('engines');
  reply.map(1);
  reply.bulkText('LUA');
  reply.map(2);
  reply.bulkText('libraries_count');
  reply.integer(scripting.store.libraries.size);
  reply.bulkText('functions_count');
  reply.integer(scripting.functionCount());
}

/** The function or script that has been running for so long that others are told so. */
function replyRunning(session: Session, reply: ReplyWriter): void {
  const { server } = session;
  const { store } = server.scripting;
  const now = server.steadyMs();
  const thread = store.slowThread(0, now);
  const told = thread === 0 ? null : store.description(thread);
  if (told === null) return reply.null();
  const [name, ...command] = told;
  reply.map(3);
  reply.bulkText('name');
  reply.bulkText(name);
  reply.bulkText('command');
  reply.array(command.length);
  for (const word of command) reply.bulkText(word);
  reply.bulkText('duration_ms');
  reply.integer(Math.round(store.runsForMs(thread, now)));
}

export function functionKill(session: Session, _args: Args, reply: ReplyWriter): void {
  killRunning(session, RUNS.function, reply);
}

export function functionHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'FUNCTION', [
    'DELETE <library-name>',
    '    Delete a library with its functions.',
    'DUMP',
    '    All libraries as bytes, for RESTORE.',
    'FLUSH [ASYNC|SYNC]',
    '    Delete all libraries.',
    'KILL',
    '    End the function that runs, unless it has written.',
    'LIST [LIBRARYNAME <pattern>] [WITHCODE]',
    '    The libraries and their functions.',
    'LOAD [REPLACE] <function-code>',
    '    Load a library.',
    'RESTORE <serialized-value> [FLUSH|APPEND|REPLACE]',
    '    Load the libraries of a dump.',
    'STATS',
    '    What runs, and how many libraries and functions there are.',
  ]);
}
