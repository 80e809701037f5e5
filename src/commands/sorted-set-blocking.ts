/** BZPOPMIN, BZPOPMAX, BZMPOP: what waits for members of sorted sets. They are run again when the client is served. */
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { WAITER_KIND } from '../shard/waiter-queues.ts';
import { mayWait, secondsArgument, typedWaited, waitForKeys } from './blocking.ts';
import { effectPop, PopRequest, popElements, popForReply } from './sorted-set-pop.ts';

export function bzpopmin(unit: Unit, args: Args, reply: ReplyWriter): void {
  popOrWait(unit, args, false, reply);
}

export function bzpopmax(unit: Unit, args: Args, reply: ReplyWriter): void {
  popOrWait(unit, args, true, reply);
}

function popOrWait(unit: Unit, args: Args, isMax: boolean, reply: ReplyWriter): void {
  const timeoutArg = args.count - 1;
  const timeoutMs = secondsArgument(args, timeoutArg, unit.nowMs, reply);
  if (Number.isNaN(timeoutMs)) return;
  for (let arg = 1; arg < timeoutArg; arg++) {
    if (!typedWaited(unit, arg, TYPE_SORTED_SET, reply)) return;
    if (unit.entry === 0) continue;
    reply.array(3);
    reply.bulk(args.buf, args.starts[arg], args.ends[arg]);
    popElements(unit, arg, 1, isMax, false, reply);
    effectPop(unit, args, arg, 1, isMax);
    return;
  }
  if (mayWait(unit)) waitForKeys(unit, args, 1, timeoutArg - 1, WAITER_KIND.sortedSet, timeoutMs, reply);
  else reply.nullArray();
}

const request = new PopRequest();

export function bzmpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!request.parse(args, 2, reply)) return;
  const timeoutMs = secondsArgument(args, 1, unit.nowMs, reply);
  if (Number.isNaN(timeoutMs)) return;
  const { first, keys } = request;
  for (let arg = first; arg < first + keys; arg++) {
    if (!typedWaited(unit, arg, TYPE_SORTED_SET, reply)) return;
    if (unit.entry !== 0) return popForReply(unit, args, arg, request, reply);
  }
  if (mayWait(unit)) waitForKeys(unit, args, first, keys, WAITER_KIND.sortedSet, timeoutMs, reply);
  else reply.nullArray();
}
