/** ZPOPMIN, ZPOPMAX, ZMPOP, and the popping that waiting clients will be served with. */
import type { SortedSets } from '../datatypes/sorted-set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { SORTED_SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { atLeastArgument } from './sorted-set-arguments.ts';
import { settleRemoval } from './sorted-set-store.ts';
import { typedWrite } from './typed-entry.ts';

export function zpopmin(unit: Unit, args: Args, reply: ReplyWriter): void {
  zpop(unit, args, false, reply);
}

export function zpopmax(unit: Unit, args: Args, reply: ReplyWriter): void {
  zpop(unit, args, true, reply);
}

function zpop(unit: Unit, args: Args, isMax: boolean, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(ERR.SYNTAX);
  const hasCount = args.count === 3;
  const count = hasCount ? atLeastArgument(args, 2, 0, reply, ERR.NOT_POSITIVE) : 1;
  if (Number.isNaN(count) || !typedWrite(unit, 1, TYPE_SORTED_SET, reply)) return;
  if (unit.entry === 0 || count === 0) return reply.emptyArray();
  const inPairs = hasCount && reply.resp === 3;
  const popped = Math.min(count, setCount(unit));
  reply.array(inPairs ? popped : popped * 2);
  popElements(unit, 1, popped, isMax, inPairs, reply);
}

function setCount(unit: Unit): number {
  const { ks, entry } = unit;
  return ks.values.sortedSets.count(ks.structure(entry), ks.encodingOf(entry));
}

/**
 * Takes `count` elements, of which there are so many, off an end of the set that was looked up under key argument `arg`, and
 * answers them: members and scores, as pairs or one after the other. The caller has written the header of the reply.
 */
export function popElements(
  unit: Unit,
  arg: number,
  count: number,
  isMax: boolean,
  inPairs: boolean,
  reply: ReplyWriter,
): void {
  const { ks, entry } = unit;
  const sets = ks.values.sortedSets;
  const root = ks.structure(entry);
  const encoding = ks.encodingOf(entry);
  const all = sets.count(root, encoding);
  replyElements(sets, root, encoding, isMax ? all - 1 : 0, count, isMax, inPairs, reply);
  sets.removeRange(root, encoding, isMax ? all - count : 0, count);
  settleRemoval(unit, arg, sets, isMax ? SORTED_SET_EVENT.zpopmax : SORTED_SET_EVENT.zpopmin, count);
}

function replyElements(
  sets: SortedSets,
  root: number,
  encoding: number,
  rank: number,
  count: number,
  isMax: boolean,
  inPairs: boolean,
  reply: ReplyWriter,
): void {
  sets.seekRank(root, encoding, rank);
  for (let left = count; left > 0; left--) {
    sets.loadElement();
    if (inPairs) reply.array(2);
    reply.bulkView(sets.mView, sets.mBuf, sets.mStart, sets.mEnd);
    reply.double(sets.score);
    if (isMax) sets.prev();
    else sets.next();
  }
}

const NUMKEYS_ERROR = 'ERR numkeys should be greater than 0';
const COUNT_ERROR = 'ERR count should be greater than 0';

/** What ZMPOP and BZMPOP ask for, read from the number of keys on. */
export class PopRequest {
  /** The keys are the arguments first … first + keys - 1. */
  first = 0;
  keys = 0;
  isMax = false;
  count = 1;

  /** False after an error reply. */
  parse(args: Args, numkeysAt: number, reply: ReplyWriter): boolean {
    this.keys = atLeastArgument(args, numkeysAt, 1, reply, NUMKEYS_ERROR);
    if (Number.isNaN(this.keys)) return false;
    this.first = numkeysAt + 1;
    this.count = 1;
    const where = this.first + this.keys;
    if (where >= args.count) return syntaxError(reply);
    this.isMax = args.equalsIgnoreCase(where, 'max');
    if (!this.isMax && !args.equalsIgnoreCase(where, 'min')) return syntaxError(reply);
    let isCounted = false;
    for (let i = where + 1; i < args.count; i += 2) {
      if (isCounted || i + 1 >= args.count || !args.equalsIgnoreCase(i, 'count')) return syntaxError(reply);
      this.count = atLeastArgument(args, i + 1, 1, reply, COUNT_ERROR);
      if (Number.isNaN(this.count)) return false;
      isCounted = true;
    }
    return true;
  }
}

function syntaxError(reply: ReplyWriter): false {
  reply.error(ERR.SYNTAX);
  return false;
}

const request = new PopRequest();

export function zmpop(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!request.parse(args, 1, reply)) return;
  const { first, keys } = request;
  for (let arg = first; arg < first + keys; arg++) {
    if (!typedWrite(unit, arg, TYPE_SORTED_SET, reply)) return;
    if (unit.entry === 0) continue;
    popForReply(unit, args, arg, request, reply);
    return;
  }
  reply.nullArray();
}

/** Answers key and popped elements of the set that was looked up under key argument `arg`, and journals that. */
export function popForReply(unit: Unit, args: Args, arg: number, asked: PopRequest, reply: ReplyWriter): void {
  const popped = Math.min(asked.count, setCount(unit));
  reply.array(2);
  reply.bulk(args.buf, args.starts[arg], args.ends[arg]);
  reply.array(popped);
  popElements(unit, arg, popped, asked.isMax, true, reply);
  effectPop(unit, args, arg, popped, asked.isMax);
}

/** The effect of a pop that took `count` elements off key argument `arg`. */
export function effectPop(unit: Unit, args: Args, arg: number, count: number, isMax: boolean): void {
  const effect = unit.effect(arg, 3);
  effect.argText(isMax ? 'ZPOPMAX' : 'ZPOPMIN');
  effect.arg(args.buf, args.starts[arg], args.ends[arg]);
  effect.argNumber(count);
}
