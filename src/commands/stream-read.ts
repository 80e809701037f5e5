/**
 * XREAD. A client that waits runs it again when one of its streams has grown, with the ids of its first run: `$` is the last id of then.
 */
import { StreamId } from '../datatypes/stream-id.ts';
import { STREAM_LAST_ID } from '../datatypes/stream-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STREAM } from '../keyspace/entry.ts';
import { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { WAITER_KIND } from '../shard/waiter-queues.ts';
import { mayWait, waitForKeys } from './blocking.ts';
import { idArgument, isCharacterArgument, MAX_ID, replyEntry, streamsOf } from './stream-arguments.ts';
import { StreamReadRequest } from './stream-read-request.ts';
import { typedRead } from './typed-entry.ts';

const request = new StreamReadRequest();
/** After which ids to read, by place of the key; as many as any command needed. */
const after: StreamId[] = [];
const start = new StreamId();
const greatest = new StreamId();

/** The array of ids, with room for `count`. */
export function roomForIds(ids: StreamId[], count: number): void {
  while (ids.length < count) ids.push(new StreamId());
}

export function xread(unit: Unit, args: Args, reply: ReplyWriter): void {
  const error = request.parse(args, false);
  if (error !== null) return reply.error(error);
  roomForIds(after, request.keys);
  for (let i = 0; i < request.keys; i++) if (!resolve(unit, args, i, reply)) return;
  if (serveRead(unit, args, reply)) return;
  const { firstKey, keys, blockMs } = request;
  if (blockMs < 0 || !mayWait(unit)) reply.nullArray();
  else waitForKeys(unit, withIds(args), firstKey, keys, WAITER_KIND.stream, blockMs, reply);
}

/** The arguments with the ids after which they read in place of what stands for those. */
function withIds(args: Args): Args {
  const own = new Args(args.count);
  const firstId = request.firstKey + request.keys;
  const parts: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < args.count; i++) {
    const bytes = i < firstId ? args.bytes(i) : Buffer.from(after[i - firstId].toString(), 'latin1');
    parts.push(bytes);
    own.starts[i] = at;
    own.ends[i] = at += bytes.length;
  }
  own.buf = Buffer.concat(parts);
  own.count = args.count;
  return own;
}

/** Has one of the streams that are held grown beyond what a waiting client has read? */
export function isReadReady(unit: Unit, args: Args): boolean {
  if (request.parse(args, false) !== null) return false;
  for (let i = 0; i < request.keys; i++) {
    const key = request.firstKey + i;
    if (!unit.holds(unit.shardOfArg[key])) continue;
    const h = unit.findWrite(key);
    if (h === 0 || unit.ks.typeOf(h) !== TYPE_STREAM) continue;
    const id = key + request.keys;
    start.parse(args.buf, args.starts[id], args.ends[id], false);
    const streams = streamsOf(unit);
    const root = unit.ks.structure(h);
    streams.greatestId(root, greatest);
    if (streams.length(root) > 0 && greatest.compare(start) > 0) return true;
  }
  return false;
}

/** Finds after which id key number `i` is to be read; false after an error reply. */
function resolve(unit: Unit, args: Args, i: number, reply: ReplyWriter): boolean {
  if (!unit.serving && !typedRead(unit, request.firstKey + i, TYPE_STREAM, reply)) return false;
  const at = request.firstKey + request.keys + i;
  if (isCharacterArgument(args, at, '$')) {
    if (unit.entry === 0) after[i].setZero();
    else streamsOf(unit).loadId(unit.ks.structure(unit.entry), STREAM_LAST_ID, after[i]);
    return true;
  }
  if (!isCharacterArgument(args, at, '>')) return idArgument(args, at, after[i], reply);
  reply.error('ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.');
  return false;
}

/** Replies with what stands behind the ids `after`; false, and nothing written: nothing does. */
function serveRead(unit: Unit, args: Args, reply: ReplyWriter): boolean {
  const mark = reply.mark();
  let served = 0;
  for (let i = 0; i < request.keys; i++) {
    const key = request.firstKey + i;
    if (unit.serving && !unit.holds(unit.shardOfArg[key])) continue;
    const h = unit.findPeek(key);
    if (h === 0 || (unit.serving && unit.ks.typeOf(h) !== TYPE_STREAM)) continue;
    const streams = streamsOf(unit);
    const root = unit.ks.structure(h);
    streams.greatestId(root, greatest);
    if (streams.length(root) === 0 || greatest.compare(after[i]) <= 0) continue;
    served++;
    replyStreamName(reply, args, key);
    start.copy(after[i]);
    start.increment();
    const entriesMark = reply.mark();
    const most = request.count === 0 ? Number.POSITIVE_INFINITY : request.count;
    let entries = 0;
    const cursor = streams.cursor;
    cursor.begin(streams.nodesOf(root), start, MAX_ID, false);
    while (entries < most && cursor.next()) {
      replyEntry(reply, cursor);
      entries++;
    }
    reply.arrayBefore(entriesMark, entries);
  }
  if (served > 0) finishStreams(reply, mark, served);
  return served > 0;
}

/** The name of a stream in front of its entries: in RESP3 the key of a map, in RESP2 the first of a pair. */
export function replyStreamName(reply: ReplyWriter, args: Args, key: number): void {
  if (reply.resp === 2) reply.array(2);
  reply.bulk(args.buf, args.starts[key], args.ends[key]);
}

/** Puts the header of so many streams in front of them. */
export function finishStreams(reply: ReplyWriter, mark: number, streams: number): void {
  if (reply.resp === 2) reply.arrayBefore(mark, streams);
  else reply.mapBefore(mark, streams);
}
