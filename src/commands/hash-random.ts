/** HRANDFIELD. Distinct fields are drawn from all places where many are wanted, else one by one until they differ. */
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { readHash, replyValueAt } from './hash-access.ts';
import { drawnCount, drawRepeatedly } from './repeated-draws.ts';

const LIST = 0;
const RANDOM_STEPS = 2 ** 32;
/** Wanted fewer than one of so many, distinct fields are drawn one by one. */
const SPARSE = 3;

/** Places to draw from; of one call. */
const places: number[] = [];

export function hrandfield(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count === 2) return replyOne(unit, reply);
  const count = drawnCount(args, 'withvalues', reply);
  const withValues = args.count === 4;
  if (Number.isNaN(count) || !readHash(unit, reply)) return;
  if (unit.entry === 0 || count === 0) return reply.emptyArray();
  const { hashes } = unit.ks.values;
  const live = hashes.liveFields();
  if (live === 0) return reply.emptyArray();
  if (count < 0) replyRepeated(unit, hashes, -count, withValues, reply);
  else replyDistinct(unit, hashes, live, Math.min(count, live), withValues, reply);
}

function replyOne(unit: Unit, reply: ReplyWriter): void {
  if (!readHash(unit, reply)) return;
  const { hashes } = unit.ks.values;
  if (unit.entry === 0 || hashes.liveFields() === 0) return reply.null();
  if (hashes.hasLapsed()) gather(hashes);
  else places.length = 0;
  replyField(unit, hashes, draw(unit, hashes), false, reply);
}

function randomBelow(unit: Unit, n: number): number {
  return Math.floor((unit.random32() / RANDOM_STEPS) * n);
}

/** Fills `places` with those of all fields that are not lapsed. */
function gather(hashes: Hashes): void {
  places.length = 0;
  for (hashes.rewind(); hashes.next(); ) places.push(hashes.at);
}

/** A random place: out of `places`, or out of all where that is empty. */
function draw(unit: Unit, hashes: Hashes): number {
  return places.length === 0 ? hashes.randomPlace(unit.random32) : places[randomBelow(unit, places.length)];
}

function replyField(unit: Unit, hashes: Hashes, place: number, withValues: boolean, reply: ReplyWriter): void {
  if (withValues && reply.resp === 3) reply.array(2);
  hashes.loadField(place);
  reply.bulkView(hashes.fView, hashes.fBuf, hashes.fStart, hashes.fEnd);
  if (withValues) replyValueAt(unit, hashes, place, reply);
}

function openReply(count: number, withValues: boolean, reply: ReplyWriter): void {
  reply.array(withValues && reply.resp === 2 ? count * 2 : count);
}

/** `count` fields, each drawn from all. */
function replyRepeated(unit: Unit, hashes: Hashes, count: number, withValues: boolean, reply: ReplyWriter): void {
  if (hashes.encoding === LIST || hashes.hasLapsed()) gather(hashes);
  else places.length = 0;
  const mark = reply.mark();
  openReply(count, withValues, reply);
  drawRepeatedly(reply, mark, count, () => replyField(unit, hashes, draw(unit, hashes), withValues, reply));
}

/** `count` different fields out of `live`. */
function replyDistinct(
  unit: Unit,
  hashes: Hashes,
  live: number,
  count: number,
  withValues: boolean,
  reply: ReplyWriter,
): void {
  openReply(count, withValues, reply);
  if (count === live) {
    for (hashes.rewind(); hashes.next(); ) replyField(unit, hashes, hashes.at, withValues, reply);
  } else if (hashes.encoding !== LIST && count * SPARSE < live && !hashes.hasLapsed()) {
    replySparse(unit, hashes, count, withValues, reply);
  } else {
    gather(hashes);
    for (let i = 0; i < count; i++) {
      const chosen = i + randomBelow(unit, live - i);
      const place = places[chosen];
      places[chosen] = places[i];
      replyField(unit, hashes, place, withValues, reply);
    }
  }
}

function replySparse(unit: Unit, hashes: Hashes, count: number, withValues: boolean, reply: ReplyWriter): void {
  const drawn = new Set<number>();
  while (drawn.size < count) {
    const place = hashes.randomPlace(unit.random32);
    if (drawn.has(place)) continue;
    drawn.add(place);
    replyField(unit, hashes, place, withValues, reply);
  }
}
