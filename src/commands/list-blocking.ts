/** BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH: what waits for elements of lists. They are run again when the client is served. */
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_LIST } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { WAITER_KIND } from '../shard/waiter-queues.ts';
import { mayWait, secondsArgument, typedWaited, waitForKeys } from './blocking.ts';
import { ERR } from './errors.ts';
import { tailArgument } from './list-end.ts';
import { moveElement } from './list-move.ts';
import { effectPop, PopManyRequest, popElements, replyPopped } from './list-remove.ts';

export function blpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  popOrWait(unit, args, false, reply);
}

export function brpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  popOrWait(unit, args, true, reply);
}

function popOrWait(unit: Unit, args: Args, atTail: boolean, reply: ReplyWriter): void {
  const timeoutArg = args.count - 1;
  const timeoutMs = secondsArgument(args, timeoutArg, unit.nowMs, reply);
  if (Number.isNaN(timeoutMs)) return;
  for (let arg = 1; arg < timeoutArg; arg++) {
    if (!typedWaited(unit, arg, TYPE_LIST, reply)) return;
    if (unit.entry === 0) continue;
    reply.array(2);
    reply.bulk(args.buf, args.starts[arg], args.ends[arg]);
    popElements(unit, arg, 1, atTail, reply);
    effectPop(unit, args, arg, 1, atTail);
    return;
  }
  if (mayWait(unit)) waitForKeys(unit, args, 1, timeoutArg - 1, WAITER_KIND.list, timeoutMs, reply);
  else reply.nullArray();
}

const request = new PopManyRequest();

export function blmpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!request.read(args, 2, reply)) return;
  const timeoutMs = secondsArgument(args, 1, unit.nowMs, reply);
  if (Number.isNaN(timeoutMs)) return;
  const { firstKey, keys } = request;
  for (let arg = firstKey; arg < firstKey + keys; arg++) {
    if (!typedWaited(unit, arg, TYPE_LIST, reply)) return;
    if (unit.entry !== 0) return replyPopped(unit, args, arg, request, reply);
  }
  if (mayWait(unit)) waitForKeys(unit, args, firstKey, keys, WAITER_KIND.list, timeoutMs, reply);
  else reply.nullArray();
}

export function blmove(unit: Unit, args: Args, reply: ReplyWriter): void {
  const fromTail = tailArgument(args, 3);
  const toTail = tailArgument(args, 4);
  if (fromTail === null || toTail === null) return reply.error(ERR.SYNTAX);
  moveOrWait(unit, args, fromTail, toTail, 5, reply);
}

export function brpoplpush(unit: Unit, args: Args, reply: ReplyWriter): void {
  moveOrWait(unit, args, true, false, 3, reply);
}

function moveOrWait(
  unit: Unit,
  args: Args,
  fromTail: boolean,
  toTail: boolean,
  timeoutArg: number,
  reply: ReplyWriter,
): void {
  const timeoutMs = secondsArgument(args, timeoutArg, unit.nowMs, reply);
  if (Number.isNaN(timeoutMs)) return;
  const mark = reply.mark();
  if (moveElement(unit, args, 1, 2, fromTail, toTail, reply)) {
    if (!unit.namesEffects) effectMove(unit, args, fromTail, toTail);
    return;
  }
  if (reply.mark() !== mark) return;
  if (mayWait(unit)) waitForKeys(unit, args, 1, 1, WAITER_KIND.list, timeoutMs, reply);
  else reply.null();
}

/** The effect of a move within a shard, which is no command that waits. */
function effectMove(unit: Unit, args: Args, fromTail: boolean, toTail: boolean): void {
  const effect = unit.effect(1, 5);
  effect.argText('LMOVE');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  effect.arg(args.buf, args.starts[2], args.ends[2]);
  effect.argText(fromTail ? 'RIGHT' : 'LEFT');
  effect.argText(toTail ? 'RIGHT' : 'LEFT');
}
