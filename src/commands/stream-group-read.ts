/**
 * XREADGROUP. What it does to groups is journalled as effects: XCLAIM for each entry, XGROUP SETID for how far a group has read.
 *
 * A client that waits runs it again when one of its streams has grown, or is no stream any more, or has lost the group: then it gets
 * the error that says so. It looks only at streams whose shards are held.
 */
import { StreamGroups } from '../datatypes/stream-group.ts';
import { StreamId } from '../datatypes/stream-id.ts';
import { entriesUpTo, hasGapsFrom, UNKNOWN } from '../datatypes/stream-lag.ts';
import type { Streams } from '../datatypes/stream-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STREAM } from '../keyspace/entry.ts';
import { STREAM_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { WAITER_KIND } from '../shard/waiter-queues.ts';
import { mayWait, waitForKeys } from './blocking.ts';
import { ERR } from './errors.ts';
import { idArgument, isCharacterArgument, MAX_ID, quoted, replyEntry, replyId, streamsOf } from './stream-arguments.ts';
import { effectClaim, effectConsumer, effectGroup } from './stream-effects.ts';
import { nameRefusal } from './stream-group-lookup.ts';
import { finishStreams, replyStreamName, roomForIds } from './stream-read.ts';
import { StreamReadRequest } from './stream-read-request.ts';
import { typedWrite } from './typed-entry.ts';

const request = new StreamReadRequest();
/** By place of the key: after which id to read a consumer's history; the greatest id: new entries. */
const after: StreamId[] = [];
const start = new StreamId();
const lastId = new StreamId();
const greatest = new StreamId();

// ---- the key that is served
let streams: Streams;
let root = 0;
let group = 0;
let consumer = 0;
let key = 0;

export function xreadgroup(unit: Unit, args: Args, reply: ReplyWriter): void {
  const error = request.parse(args, true);
  if (error !== null) return reply.error(error);
  roomForIds(after, request.keys);
  let bytes = 0;
  for (let i = 0; i < request.keys; i++) {
    if (isElsewhere(unit, i)) continue;
    if (!resolve(unit, args, i, reply)) return;
    bytes += growthBytes(args, i);
  }
  const refusal = nameRefusal(args, request.group + 1);
  if (refusal !== null) return reply.error(refusal);
  for (let i = 0; i < request.keys; i++) {
    if (isElsewhere(unit, i)) continue;
    unit.space(request.firstKey + i);
    if (!unit.reserve(bytes)) return reply.error(ERR.OOM);
  }
  if (serveGroups(unit, args, reply)) return;
  const { firstKey, keys, blockMs } = request;
  if (blockMs < 0 || !mayWait(unit)) reply.nullArray();
  else waitForKeys(unit, args, firstKey, keys, WAITER_KIND.group, blockMs, reply);
}

/** A waiting client is served, and key number `i` is in a shard that is not held. */
function isElsewhere(unit: Unit, i: number): boolean {
  return unit.serving && !unit.holds(unit.shardOfArg[request.firstKey + i]);
}

/** Is there news for the group of a waiting client, or an error for the client? */
export function isGroupReady(unit: Unit, args: Args): boolean {
  if (request.parse(args, true) !== null) return true;
  for (let i = 0; i < request.keys; i++) {
    if (isElsewhere(unit, i)) continue;
    const h = unit.findWrite(request.firstKey + i);
    if (h === 0 || unit.ks.typeOf(h) !== TYPE_STREAM || !openGroup(unit, args, h) || hasNews()) return true;
  }
  return false;
}

/** Looks up key number `i` and its group, and what is to be read of it; false after an error reply. */
function resolve(unit: Unit, args: Args, i: number, reply: ReplyWriter): boolean {
  key = request.firstKey + i;
  if (!typedWrite(unit, key, TYPE_STREAM, reply)) return false;
  if (!openGroup(unit, args, unit.entry)) {
    reply.error(
      `NOGROUP No such key '${quoted(args, key)}' or consumer group '${quoted(args, request.group)}' ` +
        'in XREADGROUP with GROUP option',
    );
    return false;
  }
  const at = key + request.keys;
  if (isCharacterArgument(args, at, '>')) {
    after[i].setMax();
    return true;
  }
  if (!isCharacterArgument(args, at, '$')) return idArgument(args, at, after[i], reply);
  reply.error(
    'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by ' +
      'specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
  );
  return false;
}

/** Sets the registers for the entry `h` of `key`; false: no key, or no such group. */
function openGroup(unit: Unit, args: Args, h: number): boolean {
  if (h === 0) return false;
  streams = streamsOf(unit);
  root = unit.ks.structure(h);
  const name = request.group;
  group = streams.groups.findGroup(streams.groupsOf(root), args.buf, args.starts[name], args.ends[name]);
  return group !== 0;
}

function hasNews(): boolean {
  streams.groups.loadLastId(group, lastId);
  streams.greatestId(root, greatest);
  return greatest.compare(lastId) > 0;
}

/** Bytes that serving key number `i` may allocate at most. */
function growthBytes(args: Args, i: number): number {
  const { groups } = streams;
  const creation = StreamGroups.CREATION_BYTES + args.length(request.group + 1);
  if (!after[i].isMax() || request.noAck || !hasNews()) return creation;
  const length = streams.length(root);
  const entries = request.count === 0 ? length : Math.min(request.count, length);
  const name = request.group + 1;
  const known = groups.findConsumer(group, args.buf, args.starts[name], args.ends[name]);
  const own = known === 0 ? 0 : groups.ownOf(known);
  return creation + groups.pending.growthBytes(entries, groups.pendingOf(group), own);
}

/** Replies with what there is for the consumer; false, and nothing written: nothing. */
function serveGroups(unit: Unit, args: Args, reply: ReplyWriter): boolean {
  const mark = reply.mark();
  let served = 0;
  for (let i = 0; i < request.keys; i++) {
    key = request.firstKey + i;
    if (isElsewhere(unit, i)) continue;
    if (!openGroup(unit, args, unit.findWrite(key))) continue;
    openConsumer(unit, args);
    const isHistory = !after[i].isMax();
    if (!isHistory && !hasNews()) continue;
    served++;
    replyStreamName(reply, args, key);
    if (isHistory) {
      start.copy(after[i]);
      start.increment();
      replyHistory(unit, args, reply);
    } else {
      start.copy(lastId);
      start.increment();
      replyNews(unit, args, reply);
    }
  }
  if (served > 0) finishStreams(reply, mark, served);
  return served > 0;
}

/** Finds or makes the consumer, and notes that it is there. */
function openConsumer(unit: Unit, args: Args): void {
  const name = request.group + 1;
  const { groups } = streams;
  consumer = groups.findConsumer(group, args.buf, args.starts[name], args.ends[name]);
  if (consumer === 0) {
    consumer = groups.createConsumer(group, args.buf, args.starts[name], args.ends[name], unit.nowMs);
    unit.changed(key, STREAM_EVENT['xgroup-createconsumer']);
    effectConsumer(unit, args, key, request.group, name);
  } else {
    groups.setSeenMs(consumer, unit.nowMs);
  }
}

/** The entries behind `start`, which nobody in the group has got. */
function replyNews(unit: Unit, args: Args, reply: ReplyWriter): void {
  const { groups, cursor } = streams;
  const mark = reply.mark();
  const most = request.count === 0 ? Number.POSITIVE_INFINITY : request.count;
  let entries = 0;
  cursor.begin(streams.nodesOf(root), start, MAX_ID, false);
  while (entries < most && cursor.next()) {
    if (groups.knowsEntriesRead(group) && !hasGapsFrom(streams, root, cursor.id)) groups.countRead(group);
    else if (streams.entriesAdded(root) > 0) groups.setEntriesRead(group, readUpTo(cursor.id));
    groups.setLastId(group, cursor.id);
    replyEntry(reply, cursor);
    if (!request.noAck) deliver(unit, args, cursor.id);
    entries++;
  }
  reply.arrayBefore(mark, entries);
  effectGroup(unit, args, key, request.group, streams, group);
  unit.dirty++;
}

/** How many entries of the stream have been read with this one; XSETID may have made that a number that cannot be. */
function readUpTo(id: StreamId): bigint {
  const count = entriesUpTo(streams, root, id);
  return count < 0n ? UNKNOWN : count;
}

/** The entry is pending with the consumer from now on. */
function deliver(unit: Unit, args: Args, id: StreamId): void {
  const { groups } = streams;
  const { pending } = groups;
  const tree = groups.pendingOf(group);
  const own = groups.ownOf(consumer);
  let entry = pending.find(tree, id);
  if (entry === 0) {
    entry = pending.add(tree, own, consumer, id, unit.nowMs, 1);
  } else {
    // the group was set back
    pending.setDelivery(entry, unit.nowMs, 1);
    const owner = pending.consumerOf(entry);
    if (owner !== consumer) pending.move(entry, groups.ownOf(owner), own, consumer);
  }
  groups.setActiveMs(consumer, unit.nowMs);
  effectClaim(unit, args, key, request.group, streams, group, entry);
}

/** What is pending with the consumer behind `start`; an entry that was deleted has nothing instead of fields. */
function replyHistory(unit: Unit, args: Args, reply: ReplyWriter): void {
  const { groups } = streams;
  const { pending } = groups;
  const mark = reply.mark();
  const most = request.count === 0 ? Number.POSITIVE_INFINITY : request.count;
  let entries = 0;
  let isMore = pending.seek(groups.ownOf(consumer), start);
  for (; isMore && entries < most; isMore = pending.tree.next()) {
    const entry = pending.tree.entry();
    pending.loadId(entry, start);
    if (streams.find(root, start)) {
      replyEntry(reply, streams.cursor);
      pending.setDelivery(entry, unit.nowMs, pending.times(entry) + 1);
      effectClaim(unit, args, key, request.group, streams, group, entry);
      unit.dirty++;
    } else {
      reply.array(2);
      replyId(reply, start);
      reply.nullArray();
    }
    entries++;
  }
  reply.arrayBefore(mark, entries);
}
