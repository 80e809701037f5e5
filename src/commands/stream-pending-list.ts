/** XPENDING and XACK: what was delivered and is not acknowledged. */
import { StreamId } from '../datatypes/stream-id.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { endArgument, idArgument, replyId } from './stream-arguments.ts';
import { GroupAccess } from './stream-group-lookup.ts';

const KEY = 1;
const GROUP = 2;

const access = new GroupAccess();
const from = new StreamId();
const to = new StreamId();

// ---- what XPENDING asks for; one command at a time
let minIdleMs = 0;
let count = 0;
/** Argument index of the consumer's name, 0 = all. */
let consumerName = 0;

function parseRange(args: Args, reply: ReplyWriter): boolean {
  minIdleMs = consumerName = 0;
  let at = 3;
  if (args.equalsIgnoreCase(3, 'idle')) {
    minIdleMs = longArgument(args, 4, reply);
    if (Number.isNaN(minIdleMs)) return false;
    if (args.count < 8) {
      reply.error(ERR.SYNTAX);
      return false;
    }
    at = 5;
  }
  count = Math.max(longArgument(args, at + 2, reply), 0);
  if (Number.isNaN(count)) return false;
  if (!endArgument(args, at, from, true, reply) || !endArgument(args, at + 1, to, false, reply)) return false;
  if (at + 3 < args.count) consumerName = at + 3;
  return true;
}

export function xpending(unit: Unit, args: Args, reply: ReplyWriter): void {
  const isSummary = args.count === 3;
  if (!isSummary && (args.count < 6 || args.count > 9)) return reply.error(ERR.SYNTAX);
  if (!isSummary && !parseRange(args, reply)) return;
  if (!access.require(unit, args, KEY, GROUP, false, reply)) return;
  if (isSummary) replySummary(reply);
  else replyRange(unit, args, reply);
}

/** How many are pending, the first and the last id, and how many with each consumer. */
function replySummary(reply: ReplyWriter): void {
  const { groups } = access.streams;
  const { pending } = groups;
  const tree = groups.pendingOf(access.group);
  reply.array(4);
  reply.integer(pending.tree.count(tree));
  if (!pending.tree.first(tree)) {
    reply.null();
    reply.null();
    reply.nullArray();
    return;
  }
  pending.loadId(pending.tree.entry(), from);
  replyId(reply, from);
  pending.tree.last(tree);
  pending.loadId(pending.tree.entry(), from);
  replyId(reply, from);
  const mark = reply.mark();
  let consumers = 0;
  for (const consumer of groups.consumersByName(access.group)) {
    const own = groups.ownCount(consumer);
    if (own === 0) continue;
    groups.consumerName(consumer);
    reply.array(2);
    reply.bulk(groups.nBuf, groups.nStart, groups.nEnd);
    reply.bulkNumber(own);
    consumers++;
  }
  reply.arrayBefore(mark, consumers);
}

function replyRange(unit: Unit, args: Args, reply: ReplyWriter): void {
  const { groups } = access.streams;
  const { pending } = groups;
  let tree = groups.pendingOf(access.group);
  if (consumerName !== 0) {
    const consumer = access.consumer(args, consumerName);
    if (consumer === 0) return reply.emptyArray();
    tree = groups.ownOf(consumer);
  }
  const mark = reply.mark();
  let entries = 0;
  let isMore = count > 0 && pending.seek(tree, from);
  for (; isMore && entries < count; isMore = pending.tree.next()) {
    const entry = pending.tree.entry();
    pending.loadId(entry, from);
    if (from.compare(to) > 0) break;
    const idleMs = unit.nowMs - pending.deliveredMs(entry);
    if (minIdleMs !== 0 && idleMs < minIdleMs) continue;
    reply.array(4);
    replyId(reply, from);
    groups.consumerName(pending.consumerOf(entry));
    reply.bulk(groups.nBuf, groups.nStart, groups.nEnd);
    reply.integer(Math.max(idleMs, 0));
    reply.integer(pending.times(entry));
    entries++;
  }
  reply.arrayBefore(mark, entries);
}

export function xack(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!access.open(unit, args, KEY, GROUP, true, reply)) return;
  if (access.group === 0) return reply.integer(0);
  for (let i = 3; i < args.count; i++) if (!idArgument(args, i, from, reply)) return;
  const { groups } = access.streams;
  const { pending } = groups;
  const tree = groups.pendingOf(access.group);
  let acknowledged = 0;
  for (let i = 3; i < args.count; i++) {
    from.parse(args.buf, args.starts[i], args.ends[i], false);
    const entry = pending.find(tree, from);
    if (entry === 0) continue;
    pending.remove(tree, groups.ownOf(pending.consumerOf(entry)), entry);
    acknowledged++;
  }
  // Redis publishes no event for this
  unit.dirty += acknowledged;
  reply.integer(acknowledged);
}
