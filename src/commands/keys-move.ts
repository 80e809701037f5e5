/**
 * RENAME, RENAMENX, COPY, MOVE: a value under another key or in another database.
 *
 * Within one shard the entry moves (or is copied) and the command itself is the journal record. Across shards the record of
 * each shard is closed: `DEL source` at the source, the resulting value at the destination (R16).
 */
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { databaseArgument } from './integer-arguments.ts';

/** The value is larger than what the journal can take at this moment; nothing has happened. */
const JOURNAL_BEHIND = 'ERR The journal is behind and cannot take a value of this size yet, try again';
const SAME_OBJECT = 'ERR source and destination objects are the same';
/** Room for an entry's header, deadline and heap place besides key and value. */
const ENTRY_SLACK_BYTES = 4096;

function sameBytes(args: Args, a: number, b: number): boolean {
  return args.buf.compare(args.buf, args.starts[b], args.ends[b], args.starts[a], args.ends[a]) === 0;
}

/** Room in `to` and in its journal for a copy of the string `h` of `from` under key argument 2; answers the error itself. */
function reserveCopy(unit: Unit, to: Keyspace, from: Keyspace, h: number, args: Args, reply: ReplyWriter): boolean {
  const bytes = from.valueBytes(h) + args.length(2) + ENTRY_SLACK_BYTES;
  const journal = unit.journals[to.shard];
  if (!to.reserve(bytes)) reply.error(ERR.OOM);
  else if (journal.enabled && from !== to && !journal.reserve(bytes)) reply.error(JOURNAL_BEHIND);
  else return true;
  return false;
}

/** Writes the string `h` of `from` to key argument 2 in database `dbTo`, over `old` (0: absent). */
function writeCopy(unit: Unit, args: Args, from: Keyspace, h: number, dbTo: number, old: number): void {
  const to = unit.space(2);
  const deadline = from.deadlineOf(h);
  const raw = from.isRaw(h);
  from.value(h);
  to.setString(
    dbTo,
    unit.hashOf(2),
    args.buf,
    args.starts[2],
    args.ends[2],
    from.vBuf,
    from.vStart,
    from.vEnd,
    deadline,
    old,
    raw,
  );
}

/** Journals in the destination's shard that key argument 2 now holds the string `h` of `from`. */
function effectValue(unit: Unit, args: Args, from: Keyspace, h: number, dbTo: number): void {
  const deadline = from.deadlineOf(h);
  from.value(h);
  const effect = unit.effectIn(unit.space(2), dbTo, deadline === NO_DEADLINE ? 3 : 5);
  effect.argText('SET');
  effect.arg(args.buf, args.starts[2], args.ends[2]);
  effect.arg(from.vBuf, from.vStart, from.vEnd);
  if (deadline === NO_DEADLINE) return;
  effect.argText('PXAT');
  effect.argNumber(deadline);
}

/** Only strings can leave their shard as a value; other types bring their own way of copying with them. */
function assertString(ks: Keyspace, h: number): void {
  if (ks.typeOf(h) !== TYPE_STRING) throw new Error(`a value of type ${ks.typeOf(h)} cannot be copied to another key`);
}

function renameGeneric(unit: Unit, args: Args, reply: ReplyWriter, onlyNew: boolean): void {
  const db = unit.db;
  const h = unit.findWrite(1);
  if (h === 0) return reply.error(ERR.NO_SUCH_KEY);
  if (sameBytes(args, 1, 2)) return onlyNew ? reply.integer(0) : reply.ok();
  const from = unit.ks;
  const old = unit.findWrite(2);
  if (old !== 0 && onlyNew) return reply.integer(0);
  const to = unit.ks;
  if (from === to) {
    if (old !== 0) to.remove(db, old);
    to.rename(db, h, db, unit.hashOf(2), args.buf, args.starts[2], args.ends[2]);
  } else {
    assertString(from, h);
    if (!reserveCopy(unit, to, from, h, args, reply)) return;
    unit.effectDelete(1);
    effectValue(unit, args, from, h, db);
    writeCopy(unit, args, from, h, db, old);
    from.remove(db, h);
  }
  unit.dirty++;
  if (onlyNew) reply.integer(1);
  else reply.ok();
}

export function rename(unit: Unit, args: Args, reply: ReplyWriter): void {
  renameGeneric(unit, args, reply, false);
}

export function renamenx(unit: Unit, args: Args, reply: ReplyWriter): void {
  renameGeneric(unit, args, reply, true);
}

export function copy(unit: Unit, args: Args, reply: ReplyWriter): void {
  let dbTo = unit.db;
  let replace = false;
  for (let i = 3; i < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'replace')) {
      replace = true;
    } else if (args.equalsIgnoreCase(i, 'db') && i + 1 < args.count) {
      dbTo = databaseArgument(args, ++i, unit.ks.databases, reply);
      if (Number.isNaN(dbTo)) return;
    } else {
      return reply.error(ERR.SYNTAX);
    }
  }
  if (dbTo === unit.db && sameBytes(args, 1, 2)) return reply.error(SAME_OBJECT);
  const h = unit.findRead(1);
  if (h === 0) return reply.integer(0);
  const from = unit.ks;
  const old = unit.findWriteIn(dbTo, 2);
  if (old !== 0 && !replace) return reply.integer(0);
  assertString(from, h);
  if (!reserveCopy(unit, unit.ks, from, h, args, reply)) return;
  if (unit.heldCount > 1) effectValue(unit, args, from, h, dbTo);
  writeCopy(unit, args, from, h, dbTo, old);
  unit.dirty++;
  reply.integer(1);
}

export function move(unit: Unit, args: Args, reply: ReplyWriter): void {
  const dbTo = databaseArgument(args, 2, unit.ks.databases, reply);
  if (Number.isNaN(dbTo)) return;
  if (dbTo === unit.db) return reply.error(SAME_OBJECT);
  const h = unit.findWrite(1);
  if (h === 0 || unit.findWriteIn(dbTo, 1) !== 0) return reply.integer(0);
  // a key lies in the same shard whatever its database
  unit.ks.rename(unit.db, h, dbTo, unit.hashOf(1), args.buf, args.starts[1], args.ends[1]);
  unit.dirty++;
  reply.integer(1);
}
