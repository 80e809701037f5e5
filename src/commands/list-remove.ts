/** LPOP, RPOP, LMPOP, LREM, LTRIM: what takes elements out of a list; and the popping that waiting clients will be served with. */
import { LIST_ENCODING } from '../datatypes/list-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_LIST } from '../keyspace/entry.ts';
import { GENERIC_EVENT, LIST_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { popEvent, settleRemoval, tailArgument } from './list-end.ts';
import { replyElement } from './list-read.ts';
import { atLeastArgument } from './sorted-set-arguments.ts';
import { typedWrite } from './typed-entry.ts';

/**
 * Takes `count` elements, of which there are so many, off an end of the list that was looked up under key argument `arg`
 * (unit.entry, unit.ks), and answers them as bulk strings.
 */
export function popElements(unit: Unit, arg: number, count: number, atTail: boolean, reply: ReplyWriter): void {
  const { ks, entry } = unit;
  const { lists } = ks.values;
  lists.open(ks.structure(entry), ks.encodingOf(entry));
  const all = lists.length();
  if (count > 0) lists.seek(atTail ? -1 : 0);
  if (count === 1) {
    replyElement(lists, reply);
    lists.remove();
    return settleRemoval(unit, arg, entry, popEvent(atTail), 1);
  }
  for (let left = count; left > 0; left--) {
    replyElement(lists, reply);
    if (left === 1) break;
    if (atTail) lists.prev();
    else lists.next();
  }
  lists.removeRange(atTail ? all - count : 0, count);
  settleRemoval(unit, arg, entry, popEvent(atTail), count);
}

function listCount(unit: Unit): number {
  const { ks, entry } = unit;
  return ks.values.lists.count(ks.structure(entry), ks.encodingOf(entry));
}

function pop(unit: Unit, args: Args, reply: ReplyWriter, atTail: boolean): void {
  if (args.count > 3) return reply.error(`ERR wrong number of arguments for '${atTail ? 'rpop' : 'lpop'}' command`);
  const hasCount = args.count === 3;
  const count = hasCount ? atLeastArgument(args, 2, 0, reply, ERR.NOT_POSITIVE) : 1;
  if (Number.isNaN(count) || !typedWrite(unit, 1, TYPE_LIST, reply)) return;
  if (unit.entry === 0) {
    if (hasCount) reply.nullArray();
    else reply.null();
    return;
  }
  if (!hasCount) return popElements(unit, 1, 1, atTail, reply);
  const popped = Math.min(count, listCount(unit));
  if (popped === 0) return reply.emptyArray();
  reply.array(popped);
  popElements(unit, 1, popped, atTail, reply);
}

export function lpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  pop(unit, args, reply, false);
}

export function rpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  pop(unit, args, reply, true);
}

/** What LMPOP and BLMPOP ask for. */
export class PopManyRequest {
  keys = 0;
  firstKey = 0;
  atTail = false;
  count = 1;

  /** Reads the arguments from the number of keys, at `index`, on; false after an error reply. */
  read(args: Args, index: number, reply: ReplyWriter): boolean {
    this.keys = atLeastArgument(args, index, 1, reply, 'ERR numkeys should be greater than 0');
    if (Number.isNaN(this.keys)) return false;
    this.firstKey = index + 1;
    const where = this.firstKey + this.keys;
    const tail = where < args.count ? tailArgument(args, where) : null;
    this.count = 1;
    if (tail === null) return refuse(reply);
    this.atTail = tail;
    if (args.count === where + 1) return true;
    if (args.count < where + 3 || !args.equalsIgnoreCase(where + 1, 'count')) return refuse(reply);
    this.count = atLeastArgument(args, where + 2, 1, reply, 'ERR count should be greater than 0');
    if (Number.isNaN(this.count)) return false;
    return args.count === where + 3 || refuse(reply);
  }
}

function refuse(reply: ReplyWriter): false {
  reply.error(ERR.SYNTAX);
  return false;
}

/**
 * Answers LMPOP from the first of its keys that holds a list: true. False: there is none, or a key is of another type, which has
 * been answered; the reply then says which.
 */
export function popFirst(unit: Unit, args: Args, request: PopManyRequest, reply: ReplyWriter): boolean {
  for (let i = 0; i < request.keys; i++) {
    const arg = request.firstKey + i;
    if (!typedWrite(unit, arg, TYPE_LIST, reply)) return false;
    if (unit.entry === 0) continue;
    replyPopped(unit, args, arg, request, reply);
    return true;
  }
  return false;
}

/** Answers key and popped elements of the list that was looked up under key argument `arg`, and journals that. */
export function replyPopped(unit: Unit, args: Args, arg: number, request: PopManyRequest, reply: ReplyWriter): void {
  const popped = Math.min(request.count, listCount(unit));
  reply.array(2);
  reply.bulk(args.buf, args.starts[arg], args.ends[arg]);
  reply.array(popped);
  popElements(unit, arg, popped, request.atTail, reply);
  effectPop(unit, args, arg, popped, request.atTail);
}

/** The effect of a pop that took `count` elements off key argument `arg`. */
export function effectPop(unit: Unit, args: Args, arg: number, count: number, atTail: boolean): void {
  const effect = unit.effect(arg, 3);
  effect.argText(atTail ? 'RPOP' : 'LPOP');
  effect.arg(args.buf, args.starts[arg], args.ends[arg]);
  effect.argNumber(count);
}

export function lmpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  const request = new PopManyRequest();
  if (!request.read(args, 1, reply)) return;
  const mark = reply.mark();
  if (!popFirst(unit, args, request, reply) && reply.mark() === mark) reply.nullArray();
}

export function lrem(unit: Unit, args: Args, reply: ReplyWriter): void {
  const count = longArgument(args, 2, reply);
  if (Number.isNaN(count) || !typedWrite(unit, 1, TYPE_LIST, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.integer(0);
  const { lists } = ks.values;
  const { buf, starts, ends } = args;
  const wanted = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count);
  let removed = 0;
  lists.open(ks.structure(entry), ks.encodingOf(entry));
  if (count < 0) {
    removed = removeBackwards(unit, args, wanted);
  } else {
    lists.seek(0);
    for (let more = true; more && removed < wanted && lists.find(buf, starts[3], ends[3]); removed++)
      more = lists.remove();
  }
  if (removed > 0) settleRemoval(unit, 1, entry, LIST_EVENT.lrem, removed);
  reply.integer(removed);
}

/** Removes matches from the end towards the front; how many. */
function removeBackwards(unit: Unit, args: Args, wanted: number): number {
  const { lists } = unit.ks.values;
  const { buf, starts, ends } = args;
  let removed = 0;
  let more = lists.seek(-1);
  while (more && removed < wanted) {
    if (lists.equals(buf, starts[3], ends[3])) {
      more = lists.removeBackwards();
      removed++;
    } else {
      more = lists.prev();
    }
  }
  return removed;
}

/** Removes a range of the open list; what is long is freed in steps, as when the whole key goes. */
function cutRange(ks: Keyspace, index: number, count: number): void {
  const cut = ks.values.lists.cutRange(index, count);
  if (cut !== 0) ks.values.drop(TYPE_LIST, cut, LIST_ENCODING.quick);
}

export function ltrim(unit: Unit, args: Args, reply: ReplyWriter): void {
  const from = longArgument(args, 2, reply);
  if (Number.isNaN(from)) return;
  const to = longArgument(args, 3, reply);
  if (Number.isNaN(to) || !typedWrite(unit, 1, TYPE_LIST, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.ok();
  const { lists } = ks.values;
  lists.open(ks.structure(entry), ks.encodingOf(entry));
  const count = lists.length();
  const first = Math.max(from < 0 ? from + count : from, 0);
  const last = Math.min(to < 0 ? to + count : to, count - 1);
  if (first > last || first >= count) {
    ks.remove(unit.db, entry);
    unit.changed(1, LIST_EVENT.ltrim, count);
    unit.changed(1, GENERIC_EVENT.del, 0);
    return reply.ok();
  }
  cutRange(ks, last + 1, count - 1 - last);
  cutRange(ks, 0, first);
  settleRemoval(unit, 1, entry, LIST_EVENT.ltrim, count - (last - first + 1));
  reply.ok();
}
