/**
 * SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD. What is stored is gathered in private memory first; only then a key changes.
 */
import { ScoreCollector } from '../datatypes/score-collector.ts';
import { SET_ENCODING, SetCursor, type Sets } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_SET } from '../keyspace/entry.ts';
import { type KeyEvent, SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { replyMembers } from './set-read.ts';
import { storeMembers } from './set-store.ts';
import { atLeastArgument } from './sorted-set-arguments.ts';

/** Where the members that were found go. */
const SINK = { reply: 0, collector: 1, nowhere: 2 } as const;

/** One input; absent ones have no members. */
class SetInput {
  sets: Sets | null = null;
  root = 0;
  encoding = 0;
  count = 0;
}

const collector = new ScoreCollector();
const cursor = new SetCursor();
const pool: SetInput[] = [];
/** The inputs of the running command, in its order. */
const inputs: SetInput[] = [];
let found = 0;

/** Looks up the keys that are the arguments first … last; false after an error reply. */
function openInputs(unit: Unit, first: number, last: number, reply: ReplyWriter): boolean {
  inputs.length = 0;
  for (let arg = first; arg <= last; arg++) {
    const h = unit.findRead(arg);
    const { ks } = unit;
    if (h !== 0 && ks.typeOf(h) !== TYPE_SET) {
      reply.error(ERR.WRONGTYPE);
      return false;
    }
    const place = arg - first;
    if (pool.length === place) pool.push(new SetInput());
    const input = pool[place];
    input.sets = ks.values.sets;
    input.count = 0;
    if (h !== 0) {
      input.root = ks.structure(h);
      input.encoding = ks.encodingOf(h);
      input.count = input.sets.count(input.root, input.encoding);
    }
    inputs.push(input);
  }
  return true;
}

function openCursor(input: SetInput): boolean {
  return input.count > 0 && cursor.open(input.sets!, input.root, input.encoding);
}

function holdsMember(input: SetInput): boolean {
  return input.count > 0 && input.sets!.hasMember(input.root, input.encoding, cursor);
}

function keep(sink: number, reply: ReplyWriter): void {
  found++;
  if (sink === SINK.reply) reply.bulkView(cursor.mView, cursor.mBuf, cursor.mStart, cursor.mEnd);
  else if (sink === SINK.collector) collector.append(cursor.mBuf, cursor.mStart, cursor.mEnd, 0);
}

/** Finds the members that all inputs have, up to `limit` (0: all). */
function intersect(sink: number, limit: number, reply: ReplyWriter): void {
  inputs.sort(bySize);
  if (inputs[0].count === 0) return;
  for (let more = openCursor(inputs[0]); more; more = cursor.next()) {
    let other = 1;
    while (other < inputs.length && holdsMember(inputs[other])) other++;
    if (other < inputs.length) continue;
    keep(sink, reply);
    if (found === limit) return;
  }
}

function bySize(a: SetInput, b: SetInput): number {
  return a.count - b.count;
}

/** Finds the members of the first input that no other has. */
function subtract(sink: number, reply: ReplyWriter): void {
  for (let more = openCursor(inputs[0]); more; more = cursor.next()) {
    let other = 1;
    while (other < inputs.length && !holdsMember(inputs[other])) other++;
    if (other === inputs.length) keep(sink, reply);
  }
}

/** Collects the members of all inputs, each once. */
function unite(): void {
  for (const input of inputs) {
    for (let more = openCursor(input); more; more = cursor.next()) {
      if (collector.find(input.sets!.hasher, cursor.mBuf, cursor.mStart, cursor.mEnd) >= 0) continue;
      collector.addMissing(cursor.mBuf, cursor.mStart, cursor.mEnd, 0);
      found++;
    }
  }
}

function begin(): void {
  collector.clear();
  found = 0;
}

export function sinter(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!openInputs(unit, 1, args.count - 1, reply)) return;
  begin();
  const mark = reply.mark();
  intersect(SINK.reply, 0, reply);
  reply.setBefore(mark, found);
}

export function sdiff(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!openInputs(unit, 1, args.count - 1, reply)) return;
  begin();
  const mark = reply.mark();
  subtract(SINK.reply, reply);
  reply.setBefore(mark, found);
}

export function sunion(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!openInputs(unit, 1, args.count - 1, reply)) return;
  begin();
  const filled = inputs.filter((input) => input.count > 0);
  if (filled.length === 1) return replyMembers(filled[0].sets!, filled[0].root, filled[0].encoding, reply);
  unite();
  const { bytes, starts, lengths } = collector;
  reply.set(found);
  for (let i = 0; i < found; i++) reply.bulk(bytes, starts[i], starts[i] + lengths[i]);
}

export function sintercard(unit: Unit, args: Args, reply: ReplyWriter): void {
  const keys = atLeastArgument(args, 1, 1, reply, 'ERR numkeys should be greater than 0');
  if (Number.isNaN(keys)) return;
  if (keys > args.count - 2) return reply.error("ERR Number of keys can't be greater than number of args");
  let limit = 0;
  for (let i = 2 + keys; i < args.count; i += 2) {
    if (i + 1 >= args.count || !args.equalsIgnoreCase(i, 'limit')) return reply.error(ERR.SYNTAX);
    limit = atLeastArgument(args, i + 1, 0, reply, "ERR LIMIT can't be negative");
    if (Number.isNaN(limit)) return;
  }
  if (!openInputs(unit, 2, 1 + keys, reply)) return;
  begin();
  intersect(SINK.nowhere, limit, reply);
  reply.integer(found);
}

/** Stores what was collected under key argument 1, beginning in the form `encoding`. */
function store(unit: Unit, encoding: number, isIntegers: boolean, event: KeyEvent, reply: ReplyWriter): void {
  storeMembers(unit, 1, collector, encoding, isIntegers, event, reply);
}

export function sinterstore(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!openInputs(unit, 2, args.count - 1, reply)) return;
  begin();
  intersect(SINK.collector, 0, reply);
  // as the smallest input is, so the result begins
  const isIntegers = inputs[0].count > 0 && inputs[0].encoding === SET_ENCODING.integers;
  const encoding = isIntegers ? SET_ENCODING.integers : SET_ENCODING.list;
  store(unit, encoding, allIntegers(inputs[0].sets!), SET_EVENT.sinterstore, reply);
}

/** Are all collected members integers? */
function allIntegers(sets: Sets): boolean {
  const { bytes, starts, lengths, count } = collector;
  let i = 0;
  while (i < count && sets.integers.probeText(bytes, starts[i], starts[i] + lengths[i])) i++;
  return i === count;
}

export function sunionstore(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!openInputs(unit, 2, args.count - 1, reply)) return;
  begin();
  unite();
  store(unit, SET_ENCODING.integers, false, SET_EVENT.sunionstore, reply);
}

export function sdiffstore(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!openInputs(unit, 2, args.count - 1, reply)) return;
  begin();
  subtract(SINK.collector, reply);
  store(unit, SET_ENCODING.integers, false, SET_EVENT.sdiffstore, reply);
}
