/** LPUSH, RPUSH, LPUSHX, RPUSHX, LINSERT, LSET: what puts elements into a list. */
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_LIST } from '../keyspace/entry.ts';
import { LIST_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { pushEvent } from './list-end.ts';
import { typedWrite } from './typed-entry.ts';

const INDEX_OUT_OF_RANGE = 'ERR index out of range';
/** What the room of every unit covers without asking. */
const SMALL_GROWTH_BYTES = 640 * 1024;

/**
 * Adds bytes at an end of the list under key argument `arg`, whose entry is `h` (0: it is created). The bytes must not lie in
 * that list, the room must be there.
 */
export function pushBytes(
  unit: Unit,
  arg: number,
  h: number,
  buf: Buffer,
  start: number,
  end: number,
  atTail: boolean,
): void {
  const ks = unit.space(arg);
  const { lists } = ks.values;
  if (h === 0) lists.create(1, end - start, lists.elementBytes(buf, start, end));
  else lists.open(ks.structure(h), ks.encodingOf(h));
  lists.expect(1, end - start);
  lists.push(!atTail, buf, start, end);
  link(unit, arg, h);
}

/** Gives the key the list in the registers. */
function link(unit: Unit, arg: number, h: number): void {
  const ks = unit.space(arg);
  const { lists } = ks.values;
  if (h !== 0) return ks.setStructure(h, lists.root, lists.encoding);
  const { buf, starts, ends } = unit.args;
  const { root, encoding } = lists;
  ks.createStructure(unit.db, unit.hashOf(arg), buf, starts[arg], ends[arg], TYPE_LIST, root, encoding, NO_DEADLINE, 0);
}

function push(unit: Unit, args: Args, reply: ReplyWriter, atTail: boolean, onlyPresent: boolean): void {
  if (!typedWrite(unit, 1, TYPE_LIST, reply)) return;
  const h = unit.entry;
  if (h === 0 && onlyPresent) return reply.integer(0);
  const { ks } = unit;
  const { lists } = ks.values;
  const elements = args.count - 2;
  let bytes = 0;
  for (let i = 2; i < args.count; i++) bytes += args.length(i);
  if (!roomFor(unit, elements, bytes, reply)) return;
  const { buf, starts, ends } = args;
  if (h === 0) lists.create(elements, bytes, bytes + elements * 2);
  else lists.open(ks.structure(h), ks.encodingOf(h));
  lists.expect(elements, bytes);
  for (let i = 2; i < args.count; i++) lists.push(!atTail, buf, starts[i], ends[i]);
  if (h === 0 && elements > 1) lists.cutNew();
  const count = lists.length();
  link(unit, 1, h);
  unit.changed(1, pushEvent(atTail), elements);
  reply.integer(count);
}

/** Room for so many more elements; false after an error reply. */
function roomFor(unit: Unit, elements: number, bytes: number, reply: ReplyWriter): boolean {
  const need = unit.ks.values.lists.growthBytes(elements, bytes);
  if (need <= SMALL_GROWTH_BYTES || unit.reserve(need)) return true;
  reply.error(ERR.OOM);
  return false;
}

export function lpush(unit: Unit, args: Args, reply: ReplyWriter): void {
  push(unit, args, reply, false, false);
}

export function rpush(unit: Unit, args: Args, reply: ReplyWriter): void {
  push(unit, args, reply, true, false);
}

export function lpushx(unit: Unit, args: Args, reply: ReplyWriter): void {
  push(unit, args, reply, false, true);
}

export function rpushx(unit: Unit, args: Args, reply: ReplyWriter): void {
  push(unit, args, reply, true, true);
}

export function linsert(unit: Unit, args: Args, reply: ReplyWriter): void {
  const behind = args.equalsIgnoreCase(2, 'after');
  if (!behind && !args.equalsIgnoreCase(2, 'before')) return reply.error(ERR.SYNTAX);
  if (!typedWrite(unit, 1, TYPE_LIST, reply)) return;
  const h = unit.entry;
  if (h === 0) return reply.integer(0);
  const { ks } = unit;
  const { lists } = ks.values;
  const { buf, starts, ends } = args;
  if (!roomFor(unit, 1, args.length(4), reply)) return;
  lists.open(ks.structure(h), ks.encodingOf(h));
  lists.expect(1, args.length(4));
  ks.setStructure(h, lists.root, lists.encoding);
  lists.seek(0);
  if (!lists.find(buf, starts[3], ends[3])) return reply.integer(-1);
  lists.insert(behind, buf, starts[4], ends[4]);
  ks.setStructure(h, lists.root, lists.encoding);
  unit.changed(1, LIST_EVENT.linsert);
  reply.integer(lists.length());
}

export function lset(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!typedWrite(unit, 1, TYPE_LIST, reply)) return;
  const h = unit.entry;
  if (h === 0) return reply.error(ERR.NO_SUCH_KEY);
  const index = longArgument(args, 2, reply);
  if (Number.isNaN(index)) return;
  const { ks } = unit;
  const { lists } = ks.values;
  const count = lists.count(ks.structure(h), ks.encodingOf(h));
  if (index >= count || index < -count) return reply.error(INDEX_OUT_OF_RANGE);
  if (!roomFor(unit, 1, args.length(3), reply)) return;
  const { buf, starts, ends } = args;
  lists.open(ks.structure(h), ks.encodingOf(h));
  lists.expect(0, args.length(3));
  lists.seek(index);
  lists.replace(buf, starts[3], ends[3]);
  lists.settle();
  ks.setStructure(h, lists.root, lists.encoding);
  unit.changed(1, LIST_EVENT.lset);
  reply.ok();
}
