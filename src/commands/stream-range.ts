/** XLEN, XRANGE, XREVRANGE, XDEL and XSETID. */
import { StreamId } from '../datatypes/stream-id.ts';
import { STREAM_LAST_ID, STREAM_MAX_DELETED_ID } from '../datatypes/stream-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STREAM } from '../keyspace/entry.ts';
import { STREAM_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { endArgument, exactArgument, idArgument, replyEntry, streamsOf } from './stream-arguments.ts';
import { typedRead, typedWrite } from './typed-entry.ts';

const from = new StreamId();
const to = new StreamId();
const present = new StreamId();

export function xlen(unit: Unit, _args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_STREAM, reply)) return;
  reply.integer(unit.entry === 0 ? 0 : streamsOf(unit).length(unit.ks.structure(unit.entry)));
}

export function xrange(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, reply, false);
}

export function xrevrange(unit: Unit, args: Args, reply: ReplyWriter): void {
  range(unit, args, reply, true);
}

function range(unit: Unit, args: Args, reply: ReplyWriter, reverse: boolean): void {
  if (!endArgument(args, reverse ? 3 : 2, from, true, reply)) return;
  if (!endArgument(args, reverse ? 2 : 3, to, false, reply)) return;
  let count = Number.POSITIVE_INFINITY;
  for (let i = 4; i < args.count; i += 2) {
    if (!args.equalsIgnoreCase(i, 'count') || i + 1 >= args.count) return reply.error(ERR.SYNTAX);
    count = longArgument(args, i + 1, reply);
    if (Number.isNaN(count)) return;
    if (count < 0) count = 0;
  }
  if (!typedRead(unit, 1, TYPE_STREAM, reply)) return;
  if (unit.entry === 0) return reply.emptyArray();
  if (count === 0) return reply.nullArray();
  const streams = streamsOf(unit);
  const cursor = streams.cursor;
  const mark = reply.mark();
  let entries = 0;
  cursor.begin(streams.nodesOf(unit.ks.structure(unit.entry)), from, to, reverse);
  while (entries < count && cursor.next()) {
    replyEntry(reply, cursor);
    entries++;
  }
  reply.arrayBefore(mark, entries);
}

export function xdel(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedWrite(unit, 1, TYPE_STREAM, reply)) return;
  if (unit.entry === 0) return reply.integer(0);
  for (let i = 2; i < args.count; i++) if (!idArgument(args, i, from, reply)) return;
  const streams = streamsOf(unit);
  const root = unit.ks.structure(unit.entry);
  let deleted = 0;
  for (let i = 2; i < args.count; i++) {
    from.parse(args.buf, args.starts[i], args.ends[i], false);
    if (streams.remove(root, from)) deleted++;
  }
  reply.integer(deleted);
  if (deleted > 0) unit.changed(1, STREAM_EVENT.xdel, deleted);
}

export function xsetid(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!idArgument(args, 2, from, reply)) return;
  let added: bigint | null = null;
  to.setZero();
  for (let i = 3; i < args.count; i += 2) {
    if (i + 1 < args.count && args.equalsIgnoreCase(i, 'entriesadded')) {
      added = exactArgument(args, i + 1, reply);
      if (added === null) return;
      if (added < 0n) return reply.error('ERR entries_added must be positive');
    } else if (i + 1 < args.count && args.equalsIgnoreCase(i, 'maxdeletedid')) {
      if (!idArgument(args, i + 1, to, reply)) return;
      if (from.compare(to) < 0)
        return reply.error('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id');
    } else {
      return reply.error(ERR.SYNTAX);
    }
  }
  if (!typedWrite(unit, 1, TYPE_STREAM, reply)) return;
  if (unit.entry === 0) return reply.error(ERR.NO_SUCH_KEY);
  const streams = streamsOf(unit);
  const root = unit.ks.structure(unit.entry);
  streams.loadId(root, STREAM_MAX_DELETED_ID, present);
  if (from.compare(present) < 0)
    return reply.error('ERR The ID specified in XSETID is smaller than current max_deleted_entry_id');
  if (streams.length(root) > 0) {
    streams.greatestId(root, present);
    if (from.compare(present) < 0)
      return reply.error('ERR The ID specified in XSETID is smaller than the target stream top item');
    if (added !== null && BigInt(streams.length(root)) > added)
      return reply.error('ERR The entries_added specified in XSETID is smaller than the target stream length');
  }
  streams.setId(root, STREAM_LAST_ID, from);
  if (added !== null) streams.setEntriesAdded(root, added);
  if (!to.isZero()) streams.setId(root, STREAM_MAX_DELETED_ID, to);
  reply.ok();
  unit.changed(1, STREAM_EVENT.xsetid);
}
