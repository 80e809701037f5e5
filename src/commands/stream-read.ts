/**
 * XREAD.
 *
 * `serveRead` is the part that a client that waits runs again when one of its streams has grown: it takes the ids after which
 * the client reads, which were fixed when its command came (`$` is the last id of then).
 */
import { StreamId } from '../datatypes/stream-id.ts';
import { STREAM_LAST_ID } from '../datatypes/stream-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STREAM } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
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
  // a command that may not wait, or has waited long enough, is answered with nothing
  if (!serveRead(unit, args, reply)) reply.nullArray();
}

/** Finds after which id key number `i` is to be read; false after an error reply. */
function resolve(unit: Unit, args: Args, i: number, reply: ReplyWriter): boolean {
  if (!typedRead(unit, request.firstKey + i, TYPE_STREAM, reply)) return false;
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
    const h = unit.findPeek(key);
    if (h === 0) continue;
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
