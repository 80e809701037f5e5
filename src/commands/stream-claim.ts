/** XCLAIM and XAUTOCLAIM: pending entries change their consumer. */
import { StreamGroups } from '../datatypes/stream-group.ts';
import { ID_FORM, StreamId } from '../datatypes/stream-id.ts';
import type { Unit } from '../dispatch/unit.ts';
import { STREAM_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { endArgument, idArgument, quoted, replyEntry, replyId, ZERO_ID } from './stream-arguments.ts';
import { effectAcknowledged, effectClaim, effectConsumer, effectGroup } from './stream-effects.ts';
import { GroupAccess, nameRefusal } from './stream-group-lookup.ts';

const KEY = 1;
const GROUP = 2;
const CONSUMER = 3;
const FIRST_ID = 5;
const DEFAULT_COUNT = 100;
/** So many pending entries are looked at for each one that may be claimed. */
const ATTEMPTS_PER_ENTRY = 10;
const MAX_COUNT = 2 ** 59;

const access = new GroupAccess();
const id = new StreamId();
const lastId = new StreamId();
const present = new StreamId();

// ---- options; one command at a time
let minIdleMs = 0;
let deliveredMs = -1;
let times = -1;
let force = false;
let justId = false;
let count = 0;

/** Reads the options of XCLAIM from argument `at` on; false after an error reply. */
function parseClaim(unit: Unit, args: Args, at: number, reply: ReplyWriter): boolean {
  deliveredMs = times = -1;
  force = justId = false;
  lastId.setZero();
  for (; at < args.count; at++) {
    const more = at + 1 < args.count;
    if (args.equalsIgnoreCase(at, 'force')) {
      force = true;
    } else if (args.equalsIgnoreCase(at, 'justid')) {
      justId = true;
    } else if (more && args.equalsIgnoreCase(at, 'idle')) {
      deliveredMs = unit.nowMs - longArgument(args, ++at, reply, 'ERR Invalid IDLE option argument for XCLAIM');
      if (Number.isNaN(deliveredMs)) return false;
    } else if (more && args.equalsIgnoreCase(at, 'time')) {
      deliveredMs = longArgument(args, ++at, reply, 'ERR Invalid TIME option argument for XCLAIM');
      if (Number.isNaN(deliveredMs)) return false;
    } else if (more && args.equalsIgnoreCase(at, 'retrycount')) {
      times = longArgument(args, ++at, reply, 'ERR Invalid RETRYCOUNT option argument for XCLAIM');
      if (Number.isNaN(times)) return false;
    } else if (more && args.equalsIgnoreCase(at, 'lastid')) {
      if (!idArgument(args, ++at, lastId, reply)) return false;
    } else {
      reply.error(`ERR Unrecognized XCLAIM option '${quoted(args, at)}'`);
      return false;
    }
  }
  return true;
}

function parseMinIdle(args: Args, command: string, reply: ReplyWriter): boolean {
  minIdleMs = Math.max(longArgument(args, 4, reply, `ERR Invalid min-idle-time argument for ${command}`), 0);
  return !Number.isNaN(minIdleMs);
}

/** Finds or makes the consumer that claims, and notes that it is there. */
function claimant(unit: Unit, args: Args): number {
  const { groups } = access.streams;
  const found = access.consumer(args, CONSUMER);
  if (found !== 0) {
    groups.setSeenMs(found, unit.nowMs);
    return found;
  }
  const { buf, starts, ends } = args;
  const made = groups.createConsumer(access.group, buf, starts[CONSUMER], ends[CONSUMER], unit.nowMs);
  unit.changed(KEY, STREAM_EVENT['xgroup-createconsumer']);
  effectConsumer(unit, args, KEY, GROUP, CONSUMER);
  return made;
}

/** Room for a consumer, and `entries` entries that change to it or are made; false after an error reply. */
function hasRoom(unit: Unit, args: Args, entries: number, reply: ReplyWriter): boolean {
  const { groups } = access.streams;
  const { pending } = groups;
  const refusal = nameRefusal(args, CONSUMER);
  if (refusal !== null) {
    reply.error(refusal);
    return false;
  }
  const known = access.consumer(args, CONSUMER);
  const own = known === 0 ? 0 : groups.ownOf(known);
  const bytes =
    StreamGroups.CREATION_BYTES +
    args.length(CONSUMER) +
    pending.growthBytes(entries, groups.pendingOf(access.group), own);
  if (unit.reserve(bytes)) return true;
  reply.error(ERR.OOM);
  return false;
}

/** Forgets the pending entry of an id that is in the stream no more. */
function forget(unit: Unit, args: Args, entry: number, entryId: StreamId): void {
  const { groups } = access.streams;
  const own = groups.ownOf(groups.pending.consumerOf(entry));
  groups.pending.remove(groups.pendingOf(access.group), own, entry);
  effectAcknowledged(unit, args, KEY, GROUP, entryId);
  unit.dirty++;
}

/** Replies with the entry that the cursor is on, or with its id. */
function replyClaimed(reply: ReplyWriter): void {
  const cursor = access.streams.cursor;
  if (justId) replyId(reply, cursor.id);
  else replyEntry(reply, cursor);
}

export function xclaim(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!access.require(unit, args, KEY, GROUP, true, reply) || !parseMinIdle(args, 'XCLAIM', reply)) return;
  let end = FIRST_ID;
  while (end < args.count && id.parse(args.buf, args.starts[end], args.ends[end], false) === ID_FORM.whole) end++;
  if (!parseClaim(unit, args, end, reply) || !hasRoom(unit, args, end - FIRST_ID, reply)) return;
  const { groups } = access.streams;
  groups.loadLastId(access.group, present);
  let isAhead = lastId.compare(present) > 0;
  if (isAhead) groups.setLastId(access.group, lastId);
  // a replayed record is right about times
  const isReplay = unit.replaying && deliveredMs >= 0;
  if (!isReplay && (deliveredMs < 0 || deliveredMs > unit.nowMs)) deliveredMs = unit.nowMs;
  const consumer = claimant(unit, args);
  const mark = reply.mark();
  let claimed = 0;
  for (let i = FIRST_ID; i < end; i++) {
    id.parse(args.buf, args.starts[i], args.ends[i], false);
    if (!claim(unit, args, consumer)) continue;
    replyClaimed(reply);
    claimed++;
    // the effect of a claim names the group's last id as well
    isAhead = false;
  }
  reply.arrayBefore(mark, claimed);
  if (!isAhead) return;
  effectGroup(unit, args, KEY, GROUP, access.streams, access.group);
  unit.dirty++;
}

/** Gives the entry `id` to the consumer where the options allow it; true: the cursor is on it. */
function claim(unit: Unit, args: Args, consumer: number): boolean {
  const { streams, group, root } = access;
  const { groups } = streams;
  const { pending } = groups;
  const tree = groups.pendingOf(group);
  const own = groups.ownOf(consumer);
  let entry = pending.find(tree, id);
  if (!streams.find(root, id)) {
    if (entry !== 0) forget(unit, args, entry, id);
    return false;
  }
  if (entry === 0) {
    if (!force) return false;
    entry = pending.add(tree, own, consumer, id, deliveredMs, 1);
  } else {
    if (minIdleMs > 0 && unit.nowMs - pending.deliveredMs(entry) < minIdleMs) return false;
    const owner = pending.consumerOf(entry);
    if (owner !== consumer) pending.move(entry, groups.ownOf(owner), own, consumer);
  }
  const before = pending.times(entry);
  pending.setDelivery(entry, deliveredMs, times >= 0 ? times : justId ? before : before + 1);
  groups.setActiveMs(consumer, unit.nowMs);
  effectClaim(unit, args, KEY, GROUP, streams, group, entry);
  unit.dirty++;
  return true;
}

/** Reads the options of XAUTOCLAIM; false after an error reply. */
function parseAutoClaim(args: Args, reply: ReplyWriter): boolean {
  if (!parseMinIdle(args, 'XAUTOCLAIM', reply) || !endArgument(args, 5, id, true, reply)) return false;
  count = DEFAULT_COUNT;
  justId = force = false;
  times = -1;
  for (let at = 6; at < args.count; at++) {
    if (at + 1 < args.count && args.equalsIgnoreCase(at, 'count')) {
      count = longArgument(args, ++at, reply, 'ERR COUNT must be > 0');
      if (Number.isNaN(count)) return false;
      if (count >= 1 && count < MAX_COUNT) continue;
      reply.error('ERR COUNT must be > 0');
      return false;
    }
    if (!args.equalsIgnoreCase(at, 'justid')) {
      reply.error(ERR.SYNTAX);
      return false;
    }
    justId = true;
  }
  return true;
}

export function xautoclaim(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!parseAutoClaim(args, reply) || !access.require(unit, args, KEY, GROUP, true, reply)) return;
  const { groups } = access.streams;
  const { pending } = groups;
  const tree = groups.pendingOf(access.group);
  if (!hasRoom(unit, args, Math.min(count, pending.tree.count(tree)), reply)) return;
  const consumer = claimant(unit, args);
  deliveredMs = unit.nowMs;
  const gone: StreamId[] = [];
  let attempts = count * ATTEMPTS_PER_ENTRY;
  let claimed = 0;
  const mark = reply.mark();
  let isMore = pending.seek(tree, id);
  while (isMore && attempts-- > 0 && claimed + gone.length < count) {
    pending.loadId(pending.tree.entry(), id);
    if (!access.streams.find(access.root, id)) {
      forget(unit, args, pending.tree.entry(), id);
      const removed = new StreamId();
      removed.copy(id);
      gone.push(removed);
    } else if (claim(unit, args, consumer)) {
      replyClaimed(reply);
      claimed++;
    }
    // looking entries up has moved the cursor
    isMore = id.increment() && pending.seek(tree, id);
  }
  reply.arrayBefore(mark, claimed);
  replyAround(reply, mark, isMore ? pending.tree.entry() : 0, gone);
}

/** Puts the next id to look at (that of `next`, 0 = none) in front of what is claimed, and what was gone behind it. */
function replyAround(reply: ReplyWriter, mark: number, next: number, gone: readonly StreamId[]): void {
  reply.array(gone.length);
  for (const removed of gone) replyId(reply, removed);
  id.copy(ZERO_ID);
  if (next !== 0) access.streams.groups.pending.loadId(next, id);
  const text = Buffer.from(id.toString(), 'latin1');
  reply.insertBulks(1, [mark], [text], [0], [text.length]);
  reply.arrayBefore(mark, 3);
}
