/** XINFO: what a stream, its groups and their consumers are like. */
import { StreamId } from '../datatypes/stream-id.ts';
import { lagOf, UNKNOWN } from '../datatypes/stream-lag.ts';
import { radixNodes } from '../datatypes/stream-radix-nodes.ts';
import { STREAM_FIRST_ID, STREAM_LAST_ID, STREAM_MAX_DELETED_ID, type Streams } from '../datatypes/stream-value.ts';
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_STREAM } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR, wrongFormError } from './errors.ts';
import { replyHelp } from './help-reply.ts';
import { longArgument } from './integer-arguments.ts';
import { MAX_ID, replyEntry, replyId, streamsOf, ZERO_ID } from './stream-arguments.ts';
import { GroupAccess, noGroupError } from './stream-group-lookup.ts';
import { typedRead } from './typed-entry.ts';

const DEFAULT_FULL_COUNT = 10;

const access = new GroupAccess();
const id = new StreamId();

function replyCount(reply: ReplyWriter, count: bigint | null): void {
  if (count === null) reply.null();
  else reply.bigInteger(count);
}

function replyField(reply: ReplyWriter, name: string, streams: Streams, root: number, which: number): void {
  reply.bulkText(name);
  streams.loadId(root, which, id);
  replyId(reply, id);
}

export function xinfoStream(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 2, TYPE_STREAM, reply)) return;
  if (unit.entry === 0) return reply.error(ERR.NO_SUCH_KEY);
  const count = fullCount(args, reply);
  if (Number.isNaN(count)) return;
  const streams = streamsOf(unit);
  const root = unit.ks.structure(unit.entry);
  reply.map(count === 0 ? 10 : 9);
  replyCommon(reply, streams, root);
  if (count === 0) {
    replySummary(reply, streams, root);
    return;
  }
  replyEntries(reply, streams, root, count);
  replyFullGroups(reply, streams, root, count);
}

/** Entries that FULL is to show of each kind, Infinity = all; 0: FULL is not asked for; NaN after an error reply. */
function fullCount(args: Args, reply: ReplyWriter): number {
  if (args.count === 3) return 0;
  if ((args.count !== 4 && args.count !== 6) || !args.equalsIgnoreCase(3, 'full')) return refuseForm(args, reply);
  if (args.count === 4) return DEFAULT_FULL_COUNT;
  if (!args.equalsIgnoreCase(4, 'count')) return refuseForm(args, reply);
  const count = longArgument(args, 5, reply);
  if (count < 0) return DEFAULT_FULL_COUNT;
  return count === 0 ? Number.POSITIVE_INFINITY : count;
}

function refuseForm(args: Args, reply: ReplyWriter): number {
  reply.error(wrongFormError(args, 'XINFO'));
  return Number.NaN;
}

function replyCommon(reply: ReplyWriter, streams: Streams, root: number): void {
  const nodes = streams.nodesOf(root);
  reply.bulkText('length');
  reply.integer(streams.length(root));
  reply.bulkText('radix-tree-keys');
  reply.integer(streams.tree.count(nodes));
  reply.bulkText('radix-tree-nodes');
  reply.integer(radixNodes(streams.tree, nodes, streams.nodes, id));
  replyField(reply, 'last-generated-id', streams, root, STREAM_LAST_ID);
  replyField(reply, 'max-deleted-entry-id', streams, root, STREAM_MAX_DELETED_ID);
  reply.bulkText('entries-added');
  reply.bigInteger(streams.exactEntriesAdded(root));
  replyField(reply, 'recorded-first-entry-id', streams, root, STREAM_FIRST_ID);
}

function replySummary(reply: ReplyWriter, streams: Streams, root: number): void {
  const table = streams.groupsOf(root);
  reply.bulkText('groups');
  reply.integer(table === 0 ? 0 : streams.groups.groupTable.count(table));
  reply.bulkText('first-entry');
  replyEdge(reply, streams, root, false);
  reply.bulkText('last-entry');
  replyEdge(reply, streams, root, true);
}

function replyEdge(reply: ReplyWriter, streams: Streams, root: number, isLast: boolean): void {
  const { cursor } = streams;
  cursor.begin(streams.nodesOf(root), ZERO_ID, MAX_ID, isLast);
  if (cursor.next()) replyEntry(reply, cursor);
  else reply.null();
}

function replyEntries(reply: ReplyWriter, streams: Streams, root: number, count: number): void {
  const { cursor } = streams;
  reply.bulkText('entries');
  const mark = reply.mark();
  let entries = 0;
  cursor.begin(streams.nodesOf(root), ZERO_ID, MAX_ID, false);
  while (entries < count && cursor.next()) {
    replyEntry(reply, cursor);
    entries++;
  }
  reply.arrayBefore(mark, entries);
}

// ---- FULL

function replyFullGroups(reply: ReplyWriter, streams: Streams, root: number, count: number): void {
  const { groups } = streams;
  const found = groups.groupsByName(streams.groupsOf(root));
  reply.bulkText('groups');
  reply.array(found.length);
  for (const group of found) {
    reply.map(7);
    replyGroupName(reply, streams, group);
    replyProgress(reply, streams, root, group);
    reply.bulkText('pel-count');
    reply.integer(groups.pendingCount(group));
    reply.bulkText('pending');
    replyPending(reply, streams, groups.pendingOf(group), count, true);
    replyFullConsumers(reply, streams, group, count);
  }
}

function replyGroupName(reply: ReplyWriter, streams: Streams, group: number): void {
  const { groups } = streams;
  groups.groupName(group);
  reply.bulkText('name');
  reply.bulk(groups.nBuf, groups.nStart, groups.nEnd);
}

/** Last delivered id, entries read and lag. */
function replyProgress(reply: ReplyWriter, streams: Streams, root: number, group: number): void {
  const { groups } = streams;
  reply.bulkText('last-delivered-id');
  groups.loadLastId(group, id);
  replyId(reply, id);
  reply.bulkText('entries-read');
  const read = groups.entriesRead(group);
  replyCount(reply, read === UNKNOWN ? null : read);
  reply.bulkText('lag');
  groups.loadLastId(group, id);
  replyCount(reply, lagOf(streams, root, group, id));
}

/** Up to `count` pending entries of a tree, with their consumers' names where the tree is a group's. */
function replyPending(reply: ReplyWriter, streams: Streams, tree: number, count: number, isGroup: boolean): void {
  const { groups } = streams;
  const { pending } = groups;
  const mark = reply.mark();
  let entries = 0;
  for (let isMore = pending.tree.first(tree); isMore && entries < count; isMore = pending.tree.next()) {
    const entry = pending.tree.entry();
    reply.array(isGroup ? 4 : 3);
    pending.loadId(entry, id);
    replyId(reply, id);
    if (isGroup) {
      groups.consumerName(pending.consumerOf(entry));
      reply.bulk(groups.nBuf, groups.nStart, groups.nEnd);
    }
    reply.integer(pending.deliveredMs(entry));
    reply.integer(pending.times(entry));
    entries++;
  }
  reply.arrayBefore(mark, entries);
}

function replyFullConsumers(reply: ReplyWriter, streams: Streams, group: number, count: number): void {
  const { groups } = streams;
  const consumers = groups.consumersByName(group);
  reply.bulkText('consumers');
  reply.array(consumers.length);
  for (const consumer of consumers) {
    groups.consumerName(consumer);
    reply.map(5);
    reply.bulkText('name');
    reply.bulk(groups.nBuf, groups.nStart, groups.nEnd);
    reply.bulkText('seen-time');
    reply.integer(groups.seenMs(consumer));
    reply.bulkText('active-time');
    reply.integer(groups.activeMs(consumer));
    reply.bulkText('pel-count');
    reply.integer(groups.ownCount(consumer));
    reply.bulkText('pending');
    replyPending(reply, streams, groups.ownOf(consumer), count, false);
  }
}

// ---- GROUPS and CONSUMERS

export function xinfoGroups(unit: Unit, _args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 2, TYPE_STREAM, reply)) return;
  if (unit.entry === 0) return reply.error(ERR.NO_SUCH_KEY);
  const streams = streamsOf(unit);
  const { groups } = streams;
  const root = unit.ks.structure(unit.entry);
  const found = groups.groupsByName(streams.groupsOf(root));
  reply.array(found.length);
  for (const group of found) {
    reply.map(6);
    replyGroupName(reply, streams, group);
    reply.bulkText('consumers');
    reply.integer(groups.consumerCount(group));
    reply.bulkText('pending');
    reply.integer(groups.pendingCount(group));
    replyProgress(reply, streams, root, group);
  }
}

export function xinfoConsumers(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!access.open(unit, args, 2, 3, false, reply)) return;
  if (access.root === 0) return reply.error(ERR.NO_SUCH_KEY);
  if (access.group === 0) return reply.error(noGroupError(args, 2, 3));
  const { groups } = access.streams;
  const consumers = groups.consumersByName(access.group);
  reply.array(consumers.length);
  for (const consumer of consumers) {
    const activeMs = groups.activeMs(consumer);
    groups.consumerName(consumer);
    reply.map(4);
    reply.bulkText('name');
    reply.bulk(groups.nBuf, groups.nStart, groups.nEnd);
    reply.bulkText('pending');
    reply.integer(groups.ownCount(consumer));
    reply.bulkText('idle');
    reply.integer(Math.max(unit.nowMs - groups.seenMs(consumer), 0));
    reply.bulkText('inactive');
    reply.integer(activeMs < 0 ? -1 : Math.max(unit.nowMs - activeMs, 0));
  }
}

const HELP = [
  'CONSUMERS <key> <groupname>',
  '    List the consumers of a group.',
  'GROUPS <key>',
  '    List the groups of a stream.',
  'STREAM <key> [FULL [COUNT <count>]]',
  '    Tell what a stream holds, with FULL all of it.',
];

export function xinfoHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'XINFO', HELP);
}
