/** SISMEMBER, SMISMEMBER, SCARD, SMEMBERS, SSCAN. */
import { SET_ENCODING, SetCursor, type Sets } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SET } from '../keyspace/entry.ts';
import { globMatch } from '../keyspace/glob.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { MemberScanRequest } from './member-scan.ts';
import { typedRead } from './typed-entry.ts';

const cursor = new SetCursor();

/** Answers 1 or 0: is argument `arg` in the set that was looked up? */
function replyIsMember(unit: Unit, args: Args, arg: number, reply: ReplyWriter): void {
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const { buf, starts, ends } = args;
  const found = ks.values.sets.has(ks.structure(entry), ks.encodingOf(entry), buf, starts[arg], ends[arg]);
  reply.integer(found ? 1 : 0);
}

export function sismember(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (typedRead(unit, 1, TYPE_SET, reply)) replyIsMember(unit, args, 2, reply);
}

export function smismember(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SET, reply)) return;
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) replyIsMember(unit, args, i, reply);
}

export function scard(unit: Unit, _args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SET, reply)) return;
  const { ks, entry } = unit;
  reply.integer(entry === 0 ? 0 : ks.values.sets.count(ks.structure(entry), ks.encodingOf(entry)));
}

export function smembers(unit: Unit, _args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.set(0);
  replyMembers(ks.values.sets, ks.structure(entry), ks.encodingOf(entry), reply);
}

/** Answers all members. */
export function replyMembers(sets: Sets, root: number, encoding: number, reply: ReplyWriter): void {
  reply.set(sets.count(root, encoding));
  for (let more = cursor.open(sets, root, encoding); more; more = cursor.next())
    reply.bulkView(cursor.mView, cursor.mBuf, cursor.mStart, cursor.mEnd);
}

// ---- SSCAN

const request = new MemberScanRequest();

/** Entries under the cursor of the running call. */
const bucket: number[] = [];
const collect = (entry: number): void => {
  bucket.push(entry);
};

/** A compact set comes whole, whatever COUNT says; a large one bucket by bucket, see HashTable.scan. */
export function sscan(unit: Unit, args: Args, reply: ReplyWriter): void {
  const cursorError = request.parseCursor(args);
  if (cursorError !== null) return reply.error(cursorError);
  if (!typedRead(unit, 1, TYPE_SET, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) {
    reply.array(2);
    reply.bulkText('0');
    return reply.emptyArray();
  }
  const error = request.parseOptions(args);
  if (error !== null) return reply.error(error);
  const { sets } = ks.values;
  const encoding = ks.encodingOf(entry);
  if (encoding === SET_ENCODING.table) replySome(sets, ks.structure(entry), args, reply);
  else replyAll(sets, ks.structure(entry), encoding, args, reply);
}

function matches(args: Args, buf: Buffer, start: number, end: number): boolean {
  const { pattern } = request;
  return pattern === 0 || globMatch(args.buf, args.starts[pattern], args.ends[pattern], buf, start, end, false);
}

function replyAll(sets: Sets, root: number, encoding: number, args: Args, reply: ReplyWriter): void {
  reply.array(2);
  reply.bulkText('0');
  const mark = reply.mark();
  let members = 0;
  for (let more = cursor.open(sets, root, encoding); more; more = cursor.next()) {
    if (!matches(args, cursor.mBuf, cursor.mStart, cursor.mEnd)) continue;
    reply.bulkView(cursor.mView, cursor.mBuf, cursor.mStart, cursor.mEnd);
    members++;
  }
  reply.arrayBefore(mark, members);
}

function replySome(sets: Sets, root: number, args: Args, reply: ReplyWriter): void {
  let next = request.cursor;
  let buckets = request.count * 10;
  bucket.length = 0;
  do next = sets.table.scan(root, next, collect);
  while (next !== 0 && --buckets > 0 && bucket.length < request.count);
  reply.array(2);
  reply.bulkText(String(next));
  const mark = reply.mark();
  let members = 0;
  for (const entry of bucket) {
    sets.loadEntry(entry);
    if (!matches(args, sets.mBuf, sets.mStart, sets.mEnd)) continue;
    reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
    members++;
  }
  reply.arrayBefore(mark, members);
}
