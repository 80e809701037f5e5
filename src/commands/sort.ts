/**
 * SORT and SORT_RO over lists, sets and sorted sets. Elements and weights are copied into private memory, sorted there, and the
 * result is answered or becomes a list.
 */
import { ScoreCollector } from '../datatypes/score-collector.ts';
import { compareBytes } from '../datatypes/score-range.ts';
import { SetCursor } from '../datatypes/set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_LIST, TYPE_SET, TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { GENERIC_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import { parseFloatStrict } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { SortPattern } from './sort-pattern.ts';
import { SortRequest } from './sort-request.ts';

const NOT_NUMBERS = "ERR One or more scores can't be converted into double";
const LARGEST_OWN_BLOCK_BYTES = 128 * 1024;
const BLANK = 32;

const request = new SortRequest();
const by = new SortPattern();
const gets: SortPattern[] = [];
const cursor = new SetCursor();
/** The elements; their scores are what they are sorted by. */
const elements = new ScoreCollector();
/** By element, for BY with ALPHA: the weights; score 0: there is none. */
const weights = new ScoreCollector();
const results = new ScoreCollector();
/** The places of `elements` that are wanted, in order: order[from … to - 1]. */
let order: Uint32Array = new Uint32Array(0);
let from = 0;
let to = 0;

export function sort(unit: Unit, args: Args, reply: ReplyWriter): void {
  sortElements(unit, args, true, reply);
}

export function sortReadOnly(unit: Unit, args: Args, reply: ReplyWriter): void {
  sortElements(unit, args, false, reply);
}

function sortElements(unit: Unit, args: Args, mayStore: boolean, reply: ReplyWriter): void {
  if (!request.parse(args, mayStore, reply)) return;
  const h = unit.findRead(1);
  const { ks } = unit;
  const type = h === 0 ? TYPE_LIST : ks.typeOf(h);
  if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_SORTED_SET) return reply.error(ERR.WRONGTYPE);
  let { isUnsorted, isAlpha, by: byArg } = request;
  if (isUnsorted && type === TYPE_SET && (request.store !== 0 || unit.inScript)) {
    // a set has no order of its own: what is stored, or what a script sees, must not depend on chance
    isUnsorted = false;
    isAlpha = true;
    byArg = 0;
  }
  elements.clear();
  if (h !== 0) load(ks, h, type, isUnsorted && request.isDescending && type !== TYPE_SET);
  limit(elements.count);
  order = elements.inGivenOrder();
  if (!isUnsorted && !putInOrder(unit, args, byArg, isAlpha)) return reply.error(NOT_NUMBERS);
  for (let i = 0; i < request.gets.length; i++) {
    if (gets.length === i) gets.push(new SortPattern());
    gets[i].read(args, request.gets[i]);
  }
  if (request.store === 0) replyResult(unit, reply);
  else storeResult(unit, args, reply);
}

/** Copies the elements of entry `h`, in their own order or, where they have one, backwards. */
function load(ks: Keyspace, h: number, type: number, isBackwards: boolean): void {
  const root = ks.structure(h);
  const encoding = ks.encodingOf(h);
  if (type === TYPE_SET) {
    for (let more = cursor.open(ks.values.sets, root, encoding); more; more = cursor.next())
      elements.append(cursor.mBuf, cursor.mStart, cursor.mEnd, 0);
  } else if (type === TYPE_LIST) {
    const { lists } = ks.values;
    lists.open(root, encoding);
    for (let more = lists.seek(isBackwards ? -1 : 0); more; more = isBackwards ? lists.prev() : lists.next()) {
      lists.load();
      elements.append(lists.list.vBuf, lists.list.vStart, lists.list.vEnd, 0);
    }
  } else {
    const { sortedSets } = ks.values;
    let more = sortedSets.seekRank(root, encoding, isBackwards ? sortedSets.count(root, encoding) - 1 : 0);
    for (; more; more = isBackwards ? sortedSets.prev() : sortedSets.next()) {
      sortedSets.loadMember();
      elements.append(sortedSets.mBuf, sortedSets.mStart, sortedSets.mEnd, 0);
    }
  }
}

/** Works out from … to among `count` elements. */
function limit(count: number): void {
  from = Math.min(Math.max(request.start, 0), count);
  to = request.count < 0 ? count : Math.min(from + request.count, count);
}

/** Sorts `order`; false: something to be sorted by is no number. */
function putInOrder(unit: Unit, args: Args, byArg: number, isAlpha: boolean): boolean {
  weights.clear();
  if (byArg !== 0) by.read(args, byArg);
  const { starts, lengths, scores, count } = elements;
  for (let i = 0; i < count; i++) {
    let { bytes } = elements;
    let start = starts[i];
    let end = start + lengths[i];
    if (byArg !== 0) {
      const isThere = by.look(unit, bytes, start, end);
      if (isAlpha) {
        if (isThere) weights.append(by.vBuf, by.vStart, by.vEnd, 1);
        else weights.append(bytes, 0, 0, 0);
      }
      if (!isThere) continue;
      bytes = by.vBuf;
      start = by.vStart;
      end = by.vEnd;
    }
    if (isAlpha) continue;
    scores[i] = numberIn(bytes, start, end);
    if (Number.isNaN(scores[i])) return false;
  }
  const compare = !isAlpha ? compareScores : byArg === 0 ? compareElements : compareWeights;
  const sign = request.isDescending ? -1 : 1;
  order.sort((a, b) => sign * compare(a, b));
  return true;
}

/** The number in bytes[start, end) as C's strtod reads it: blanks before it are allowed, and nothing at all is 0. */
function numberIn(bytes: Buffer, start: number, end: number): number {
  for (let i = start; i < end; i++) if (bytes[i] === 0) end = i;
  if (start === end) return 0;
  while (start < end && (bytes[start] === BLANK || (bytes[start] >= 9 && bytes[start] <= 13))) start++;
  return parseFloatStrict(bytes, start, end);
}

function compareElements(a: number, b: number): number {
  const { bytes, starts, lengths } = elements;
  return compareBytes(bytes, starts[a], starts[a] + lengths[a], bytes, starts[b], starts[b] + lengths[b]);
}

function compareScores(a: number, b: number): number {
  const { scores } = elements;
  if (scores[a] < scores[b]) return -1;
  return scores[a] > scores[b] ? 1 : compareElements(a, b);
}

/** Elements without a weight come first. */
function compareWeights(a: number, b: number): number {
  const { bytes, starts, lengths, scores } = weights;
  if (scores[a] !== scores[b]) return scores[a] - scores[b];
  return compareBytes(bytes, starts[a], starts[a] + lengths[a], bytes, starts[b], starts[b] + lengths[b]);
}

function replyResult(unit: Unit, reply: ReplyWriter): void {
  const { bytes, starts, lengths } = elements;
  const each = request.gets.length;
  reply.array((to - from) * Math.max(each, 1));
  for (let i = from; i < to; i++) {
    const start = starts[order[i]];
    const end = start + lengths[order[i]];
    if (each === 0) reply.bulk(bytes, start, end);
    for (let k = 0; k < each; k++) {
      const get = gets[k];
      if (get.look(unit, bytes, start, end)) reply.bulk(get.vBuf, get.vStart, get.vEnd);
      else reply.null();
    }
  }
}

/** Gathers the result; what GET does not find is the empty string. */
function gather(unit: Unit): void {
  const { bytes, starts, lengths } = elements;
  const each = request.gets.length;
  results.clear();
  for (let i = from; i < to; i++) {
    const start = starts[order[i]];
    const end = start + lengths[order[i]];
    if (each === 0) results.append(bytes, start, end, 0);
    for (let k = 0; k < each; k++) {
      const get = gets[k];
      if (get.look(unit, bytes, start, end)) results.append(get.vBuf, get.vStart, get.vEnd, 0);
      else results.append(bytes, 0, 0, 0);
    }
  }
}

/** Makes the result the list at the key of STORE. What it was made of may lie anywhere, so its value is journalled. */
function storeResult(unit: Unit, args: Args, reply: ReplyWriter): void {
  gather(unit);
  const { count, memberBytes, bytes, starts, lengths } = results;
  const arg = request.store;
  const old = unit.findWrite(arg);
  const { ks } = unit;
  if (count === 0) {
    reply.integer(0);
    if (old === 0) return;
    ks.remove(unit.db, old);
    unit.changed(arg, GENERIC_EVENT.del);
    return unit.effectValue(arg);
  }
  const { lists } = ks.values;
  const largest = results.longestBytes() * 2 + LARGEST_OWN_BLOCK_BYTES;
  const needed = lists.growthBytes(count, memberBytes) + LARGEST_OWN_BLOCK_BYTES;
  if (!ks.reserve(needed, Math.min(largest, needed))) return reply.error(ERR.OOM);
  let listBytes = 0;
  for (let i = 0; i < count; i++) listBytes += lists.elementBytes(bytes, starts[i], starts[i] + lengths[i]);
  lists.create(count, memberBytes, listBytes);
  lists.expect(count, memberBytes);
  for (let i = 0; i < count; i++) lists.push(false, bytes, starts[i], starts[i] + lengths[i]);
  lists.settle();
  const { buf, starts: keyStarts, ends } = args;
  const hash = unit.hashOf(arg);
  const { root, encoding } = lists;
  ks.createStructure(
    ...([unit.db, hash, buf, keyStarts[arg], ends[arg], TYPE_LIST, root, encoding, NO_DEADLINE, old] as const),
  );
  unit.changed(arg, GENERIC_EVENT.sortstore, count);
  unit.effectValue(arg);
  reply.integer(count);
}
