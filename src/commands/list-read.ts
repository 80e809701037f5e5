/** LLEN, LINDEX, LRANGE, LPOS: what looks at a list. */
import type { ElementReader } from '../datatypes/element-reader.ts';
import type { Lists } from '../datatypes/list-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_LIST } from '../keyspace/entry.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64 } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { atLeastArgument } from './sorted-set-arguments.ts';
import { typedRead } from './typed-entry.ts';

const RANK_ZERO =
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list";

/** The element at the cursor as a bulk string. */
export function replyElement(lists: Lists, reply: ReplyWriter): void {
  lists.load();
  const { vBuf, vStart, vEnd } = lists.list;
  reply.bulk(vBuf, vStart, vEnd);
}

export function llen(unit: Unit, _args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_LIST, reply)) return;
  const { ks, entry } = unit;
  reply.integer(entry === 0 ? 0 : ks.values.lists.count(ks.structure(entry), ks.encodingOf(entry)));
}

export function lindex(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedRead(unit, 1, TYPE_LIST, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.null();
  const index = longArgument(args, 2, reply);
  if (Number.isNaN(index)) return;
  const { lists } = ks.values;
  lists.open(ks.structure(entry), ks.encodingOf(entry));
  const count = lists.length();
  if (index >= count || index < -count || !lists.seek(index)) return reply.null();
  replyElement(lists, reply);
}

export function lrange(unit: Unit, args: Args, reply: ReplyWriter): void {
  const from = longArgument(args, 2, reply);
  if (Number.isNaN(from)) return;
  const to = longArgument(args, 3, reply);
  if (Number.isNaN(to) || !typedRead(unit, 1, TYPE_LIST, reply)) return;
  const { ks, entry } = unit;
  if (entry === 0) return reply.emptyArray();
  const { lists } = ks.values;
  lists.open(ks.structure(entry), ks.encodingOf(entry));
  const count = lists.length();
  const first = Math.max(from < 0 ? from + count : from, 0);
  const last = Math.min(to < 0 ? to + count : to, count - 1);
  if (first > last || first >= count) return reply.emptyArray();
  reply.array(last - first + 1);
  lists.seek(first);
  replyElements(lists, last - first + 1, reply);
}

/** Answers `left` elements, which are there, from the cursor on. */
function replyElements(lists: Lists, left: number, reply: ReplyWriter): void {
  const { reader } = lists;
  for (;;) {
    reader.open(lists.node >>> 26, lists.list.base(lists.node) + lists.at);
    for (; left > 0 && !reader.atEnd(); left--) replyNext(reader, reply);
    if (left === 0) return;
    if (!lists.nextNode()) throw new Error('a list ends before its last element');
  }
}

function replyNext(reader: ElementReader, reply: ReplyWriter): void {
  reader.next();
  if (!reader.isInteger) reply.bulkView(reader.view, reader.buf, reader.vStart, reader.vEnd);
  else if (Number.isSafeInteger(reader.integer)) reply.bulkNumber(reader.integer);
  else reply.bulkText(reader.integerText());
}

/** Options of LPOS. */
class PositionOptions {
  rank = 1;
  /** -1: the first match alone, answered as a number. */
  count = -1;
  /** 0 = all elements. */
  mostLooks = 0;

  /** False after an error reply. */
  read(args: Args, reply: ReplyWriter): boolean {
    for (let i = 3; i < args.count; i += 2) {
      const hasValue = i + 1 < args.count;
      if (hasValue && args.equalsIgnoreCase(i, 'rank')) {
        this.rank = rankArgument(args, i + 1, reply);
        if (Number.isNaN(this.rank)) return false;
        if (this.rank !== 0) continue;
        reply.error(RANK_ZERO);
      } else if (hasValue && args.equalsIgnoreCase(i, 'count')) {
        this.count = positive(args, i + 1, reply, "ERR COUNT can't be negative");
        if (!Number.isNaN(this.count)) continue;
      } else if (hasValue && args.equalsIgnoreCase(i, 'maxlen')) {
        this.mostLooks = positive(args, i + 1, reply, "ERR MAXLEN can't be negative");
        if (!Number.isNaN(this.mostLooks)) continue;
      } else {
        reply.error(ERR.SYNTAX);
      }
      return false;
    }
    return true;
  }
}

function positive(args: Args, index: number, reply: ReplyWriter, errorText: string): number {
  return atLeastArgument(args, index, 0, reply, errorText);
}

/** An int64 but the least one, near its value beyond ±2^53; NaN after an error reply. */
function rankArgument(args: Args, index: number, reply: ReplyWriter): number {
  const rank = parseInt64(args.buf, args.starts[index], args.ends[index]);
  if (rank === null || rank === -(2n ** 63n)) {
    if (rank === null) reply.error(ERR.NOT_INTEGER);
    else reply.error('ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807');
    return Number.NaN;
  }
  return Number(rank);
}

export function lpos(unit: Unit, args: Args, reply: ReplyWriter): void {
  const options = new PositionOptions();
  if (!options.read(args, reply) || !typedRead(unit, 1, TYPE_LIST, reply)) return;
  const { ks, entry } = unit;
  const single = options.count < 0;
  if (entry === 0) {
    if (single) reply.null();
    else reply.emptyArray();
    return;
  }
  const { lists } = ks.values;
  lists.open(ks.structure(entry), ks.encodingOf(entry));
  const backwards = options.rank < 0;
  const wanted = single ? 1 : options.count === 0 ? Number.POSITIVE_INFINITY : options.count;
  const { buf, starts, ends } = args;
  const length = lists.length();
  const most = options.mostLooks === 0 ? length : Math.min(options.mostLooks, length);
  const mark = reply.mark();
  let found = 0;
  let skip = Math.abs(options.rank) - 1;
  let more = lists.seek(backwards ? -1 : 0);
  for (let looked = 0; more && looked < most && found < wanted; looked++) {
    if (lists.equals(buf, starts[2], ends[2]) && skip-- <= 0) {
      reply.integer(backwards ? length - 1 - looked : looked);
      found++;
    }
    more = backwards ? lists.prev() : lists.next();
  }
  if (!single) reply.arrayBefore(mark, found);
  else if (found === 0) reply.null();
}
