/** LMOVE and RPOPLPUSH: an element from an end of one list to an end of another; and the moving of waiting clients. */
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_LIST } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { popEvent, pushEvent, settleRemoval, tailArgument } from './list-end.ts';
import { pushBytes } from './list-push.ts';
import { effectPop } from './list-remove.ts';
import { typedWrite } from './typed-entry.ts';

/** Room for a node and growth of the table besides the element. */
const MOVE_ROOM_BYTES = 512 * 1024;

/** The element on its way: it must not lie in a list that changes. */
let carried = Buffer.alloc(256);

/**
 * Moves an element from key argument `from` to key argument `to`, and answers it. False: the source is empty or of another type,
 * which has been answered in the second case.
 */
export function moveElement(
  unit: Unit,
  args: Args,
  from: number,
  to: number,
  fromTail: boolean,
  toTail: boolean,
  reply: ReplyWriter,
): boolean {
  if (!typedWrite(unit, from, TYPE_LIST, reply) || unit.entry === 0) return false;
  const source = unit.entry;
  const sourceSpace = unit.ks;
  if (!typedWrite(unit, to, TYPE_LIST, reply)) return false;
  const target = unit.entry;
  const same = target === source && unit.ks === sourceSpace;
  const bytes = carry(unit, from, source, fromTail);
  const ks = unit.space(to);
  if (!ks.reserve(bytes * 2 + MOVE_ROOM_BYTES)) {
    reply.error(ERR.OOM);
    return false;
  }
  reply.bulk(carried, 0, bytes);
  if (same) {
    rotate(unit, source, bytes, fromTail, toTail);
    unit.changed(to, pushEvent(toTail));
    unit.changed(from, popEvent(fromTail), 0);
  } else {
    pushBytes(unit, to, target, carried, 0, bytes, toTail);
    unit.changed(to, pushEvent(toTail));
    unit.space(from);
    takeEnd(unit, from, source, fromTail);
  }
  if (ks === sourceSpace && unit.heldCount === 1) return true;
  effectPop(unit, args, from, 1, fromTail);
  const effect = unit.effect(to, 3);
  effect.argText(toTail ? 'RPUSH' : 'LPUSH');
  effect.arg(args.buf, args.starts[to], args.ends[to]);
  effect.arg(carried, 0, bytes);
  return true;
}

/** Copies the element at an end into `carried`; its bytes. */
function carry(unit: Unit, from: number, source: number, fromTail: boolean): number {
  const ks = unit.space(from);
  const { lists } = ks.values;
  lists.open(ks.structure(source), ks.encodingOf(source));
  lists.seek(fromTail ? -1 : 0);
  lists.load();
  const { vBuf, vStart, vEnd } = lists.list;
  const bytes = vEnd - vStart;
  if (carried.length < bytes) carried = Buffer.alloc(bytes * 2);
  vBuf.copy(carried, 0, vStart, vEnd);
  return bytes;
}

function takeEnd(unit: Unit, from: number, source: number, fromTail: boolean): void {
  const { ks } = unit;
  const { lists } = ks.values;
  lists.open(ks.structure(source), ks.encodingOf(source));
  lists.removeRange(fromTail ? lists.length() - 1 : 0, 1);
  settleRemoval(unit, from, source, popEvent(fromTail), 0);
}

/** Within one list: it is never empty in between. */
function rotate(unit: Unit, h: number, bytes: number, fromTail: boolean, toTail: boolean): void {
  const { ks } = unit;
  const { lists } = ks.values;
  lists.open(ks.structure(h), ks.encodingOf(h));
  lists.push(!toTail, carried, 0, bytes);
  const count = lists.length();
  // the element that was at the end now stands behind, or before, its copy
  const last = toTail ? count - 2 : count - 1;
  const first = toTail ? 0 : 1;
  lists.removeRange(fromTail ? last : first, 1);
  lists.settle();
  ks.setStructure(h, lists.root, lists.encoding);
}

export function lmove(unit: Unit, args: Args, reply: ReplyWriter): void {
  const fromTail = tailArgument(args, 3);
  const toTail = tailArgument(args, 4);
  if (fromTail === null || toTail === null) return reply.error(ERR.SYNTAX);
  answerMove(unit, args, fromTail, toTail, reply);
}

export function rpoplpush(unit: Unit, args: Args, reply: ReplyWriter): void {
  answerMove(unit, args, true, false, reply);
}

function answerMove(unit: Unit, args: Args, fromTail: boolean, toTail: boolean, reply: ReplyWriter): void {
  const mark = reply.mark();
  if (!moveElement(unit, args, 1, 2, fromTail, toTail, reply) && reply.mark() === mark) reply.null();
}
