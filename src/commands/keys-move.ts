/**
 * RENAME, RENAMENX, COPY, MOVE: a value under another key or in another database.
 *
 * Within one shard the entry moves (or is copied) and the command itself is the journal record. Across shards the record of
 * each shard is closed: `DEL source` at the source, the resulting value at the destination (R16).
 */

import { RdbReader } from '../datatypes/rdb-reader.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STRING } from '../keyspace/entry.ts';
import { GENERIC_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { PAYLOAD_TAIL_BYTES, payloadOf } from '../keyspace/rdb-payload.ts';
import { RdbValueReader, READ } from '../keyspace/rdb-value-reader.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { databaseArgument } from './integer-arguments.ts';

/** The value is larger than what the journal can take at this moment; nothing has happened. */
const JOURNAL_BEHIND = 'ERR The journal is behind and cannot take a value of this size yet, try again';
const SAME_OBJECT = 'ERR source and destination objects are the same';
/** Elements of a structure that stand for all when its size is estimated. */
const SIZE_SAMPLES = 5;
/** Room for an entry's header, deadline and heap place besides key and value. */
const ENTRY_SLACK_BYTES = 4096;

function sameBytes(args: Args, a: number, b: number): boolean {
  return args.buf.compare(args.buf, args.starts[b], args.ends[b], args.starts[a], args.ends[a]) === 0;
}

/**
 * Room in `to` and in its journal for a copy of the value of `h` of `from` under key argument 2; answers the error itself. What a
 * structure takes when it is read again is reserved by its reader.
 */
function reserveCopy(unit: Unit, to: Keyspace, from: Keyspace, h: number, args: Args, reply: ReplyWriter): boolean {
  const isString = from.typeOf(h) === TYPE_STRING;
  const bytes = (isString ? from.valueBytes(h) : from.memoryOf(h, SIZE_SAMPLES)) + args.length(2) + ENTRY_SLACK_BYTES;
  const journal = unit.journals[to.shard];
  if (!to.reserve(bytes)) reply.error(ERR.OOM);
  else if (journal.enabled && from !== to && !journal.reserve(bytes)) reply.error(JOURNAL_BEHIND);
  else return true;
  return false;
}

/**
 * Writes a copy of the value `h` of `from` to key argument 2 in database `dbTo`, where `old` (0: nothing) goes: the key is a new one, as in
 * Redis. False after an error reply: no room, and nothing has changed.
 */
function writeCopy(
  unit: Unit,
  args: Args,
  from: Keyspace,
  h: number,
  dbTo: number,
  old: number,
  reply: ReplyWriter,
): boolean {
  const to = unit.space(2);
  const deadline = from.deadlineOf(h);
  const hash = unit.hashOf(2);
  const start = args.starts[2];
  const end = args.ends[2];
  if (from.typeOf(h) === TYPE_STRING) {
    if (old !== 0) to.remove(dbTo, old);
    const raw = from.isRaw(h);
    from.value(h);
    to.setString(dbTo, hash, args.buf, start, end, from.vBuf, from.vStart, from.vEnd, deadline, 0, raw);
    return true;
  }
  const payload = payloadOf(from, h, false, true);
  const value = new RdbValueReader(to);
  value.keepsForm = true;
  const outcome = value.read(payload.buf[0], new RdbReader(payload.buf, 1, payload.pos - PAYLOAD_TAIL_BYTES));
  if (outcome === READ.noRoom) {
    reply.error(ERR.OOM);
    return false;
  }
  if (outcome !== READ.ok) throw new Error(`a value of our own cannot be read: ${value.damage}`);
  if (old !== 0) to.remove(dbTo, old);
  to.createStructure(dbTo, hash, args.buf, start, end, value.type, value.root, value.encoding, deadline, 0);
  return true;
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
    if (!reserveCopy(unit, to, from, h, args, reply)) return;
    if (!writeCopy(unit, args, from, h, db, old, reply)) return;
    from.remove(db, h);
    unit.effectDelete(1);
    unit.effectValue(2);
  }
  unit.changed(1, GENERIC_EVENT.rename_from);
  unit.changed(2, GENERIC_EVENT.rename_to, 0);
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
  if (!reserveCopy(unit, unit.ks, from, h, args, reply)) return;
  if (!writeCopy(unit, args, from, h, dbTo, old, reply)) return;
  if (unit.heldCount > 1) unit.effectValue(2, dbTo);
  unit.changed(2, GENERIC_EVENT.copy_to, 1, dbTo);
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
  unit.changed(1, GENERIC_EVENT.move_from);
  unit.changed(1, GENERIC_EVENT.move_to, 0, dbTo);
  reply.integer(1);
}
