/** PFADD, PFCOUNT, PFMERGE. What changes is worked out in private memory; dense values are changed in place. */
import {
  denseRegister,
  ElementPlace,
  forgetCardinality,
  HeightHistogram,
  isDense,
  isHyperLogLog,
  REGISTERS,
  raiseToDense,
  rememberCardinality,
  rememberedCardinality,
  setDenseRegister,
} from '../datatypes/hyper-log-log.ts';
import { HyperLogLogScratch } from '../datatypes/hyper-log-log-scratch.ts';
import {
  addSparse,
  MAX_SPARSE_BYTES,
  RAISE,
  raiseToSparse,
  sparseRegister,
} from '../datatypes/hyper-log-log-sparse.ts';
import type { Unit } from '../dispatch/unit.ts';
import { KEEP_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import { STRING_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { storeBytes, stretch } from './string-value.ts';

export const DAMAGED = 'INVALIDOBJ Corrupted HLL object detected';
const NOT_ONE = 'WRONGTYPE Key is not a valid HyperLogLog string value.';

const place = new ElementPlace();
const scratch = new HyperLogLogScratch();
const histogram = new HeightHistogram();
const heights = new Uint8Array(REGISTERS);

/** Is the entry `h` a HyperLogLog, as far as its header tells? Then the v registers cover it; otherwise answers the error. */
export function openHyperLogLog(ks: Keyspace, h: number, reply: ReplyWriter): boolean {
  if (ks.typeOf(h) !== TYPE_STRING) {
    reply.error(ERR.WRONGTYPE);
    return false;
  }
  ks.value(h);
  if (isHyperLogLog(ks.vBuf, ks.vStart, ks.vEnd)) return true;
  reply.error(NOT_ONE);
  return false;
}

// ---- PFADD

export function pfadd(unit: Unit, args: Args, reply: ReplyWriter): void {
  const h = unit.findWrite(1);
  const { ks } = unit;
  if (h !== 0 && !openHyperLogLog(ks, h, reply)) return;
  let outcome: number;
  if (h === 0) {
    scratch.clear();
    outcome = addToScratch(unit, args, 2);
    if (outcome === RAISE.kept) outcome = RAISE.raised;
    storeScratch(unit, 1, 0);
  } else if (isDense(ks.vBuf, ks.vStart)) {
    outcome = addToDense(unit, args, h);
  } else {
    outcome = addToSparse(unit, args, h);
  }
  if (outcome === RAISE.damaged) return reply.error(DAMAGED);
  if (outcome === RAISE.raised) unit.changed(1, STRING_EVENT.pfadd);
  reply.integer(outcome === RAISE.raised ? 1 : 0);
}

/** Raises what the elements from argument `first` on raise; a RAISE. */
function addToScratch(unit: Unit, args: Args, first: number): number {
  const most = unit.ks.values.limits.hllSparseMaxBytes;
  let outcome: number = RAISE.kept;
  for (let i = first; i < args.count; i++) {
    place.locate(args.buf, args.starts[i], args.ends[i]);
    const one = scratch.raise(place.index, place.height, most);
    if (one === RAISE.damaged) return one;
    if (one === RAISE.raised) outcome = one;
  }
  return outcome;
}

/** Makes what stands in the scratch the value of key argument `arg`, its cardinality unknown. */
function storeScratch(unit: Unit, arg: number, old: number): void {
  scratch.forgetCardinality();
  storeBytes(unit, arg, scratch.buf, scratch.length, KEEP_DEADLINE, old, true);
}

function addToDense(unit: Unit, args: Args, h: number): number {
  const { ks } = unit;
  let outcome: number = RAISE.kept;
  for (let i = 2; i < args.count; i++) {
    place.locate(args.buf, args.starts[i], args.ends[i]);
    if (denseRegister(ks.vBuf, ks.vStart, place.index) >= place.height) continue;
    if (outcome === RAISE.kept) {
      stretch(unit, 1, h, ks.vEnd - ks.vStart);
      forgetCardinality(ks.vBuf, ks.vStart);
      outcome = RAISE.raised;
    }
    setDenseRegister(ks.vBuf, ks.vStart, place.index, place.height);
  }
  return outcome;
}

function addToSparse(unit: Unit, args: Args, h: number): number {
  const { ks } = unit;
  const { buf, starts, ends, count } = args;
  // most elements raise nothing: the value is copied for the first that does
  for (let i = 2; i < count; i++) {
    place.locate(buf, starts[i], ends[i]);
    const height = sparseRegister(ks.vBuf, ks.vStart, ks.vEnd, place.index);
    if (height >= place.height) continue;
    if (height < 0 || !scratch.load(ks.vBuf, ks.vStart, ks.vEnd)) return RAISE.damaged;
    const outcome = addToScratch(unit, args, i);
    if (outcome === RAISE.raised) storeScratch(unit, 1, h);
    return outcome;
  }
  return RAISE.kept;
}

// ---- PFCOUNT

export function pfcount(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count > 2) return countUnion(unit, args, reply);
  const h = unit.findRead(1);
  const { ks } = unit;
  if (h === 0) return reply.integer(0);
  if (!openHyperLogLog(ks, h, reply)) return;
  const known = rememberedCardinality(ks.vBuf, ks.vStart);
  if (known >= 0) return replyCardinality(known, reply);
  histogram.clear();
  if (isDense(ks.vBuf, ks.vStart)) histogram.addDense(ks.vBuf, ks.vStart);
  else if (!addSparse(histogram, ks.vBuf, ks.vStart, ks.vEnd)) return reply.error(DAMAGED);
  const cardinality = histogram.cardinality();
  remember(unit, h, cardinality);
  replyCardinality(cardinality, reply);
}

/** Beyond 2^53 only made-up registers get; beyond 2^63 they are as good as there. */
function replyCardinality(cardinality: number, reply: ReplyWriter): void {
  if (Number.isSafeInteger(cardinality)) reply.integer(cardinality);
  else reply.bigInteger(BigInt.asIntN(64, BigInt(Math.min(cardinality, 2 ** 63))));
}

/**
 * Writes the cardinality into the value, and has the command journalled for it: the bytes are to be the same after a replay. A
 * reading command may allocate nothing and must not wait for the journal; then the value stays as it is.
 */
function remember(unit: Unit, h: number, cardinality: number): void {
  const { ks } = unit;
  if (!Number.isSafeInteger(cardinality) || ks.vEnd - ks.vStart > MAX_SPARSE_BYTES) return;
  const journal = unit.journals[ks.shard];
  if (journal.enabled && journal.backlogFull()) return;
  const block = ks.largeBlock(h);
  ks.arena.willChange(block === 0 ? h : block);
  rememberCardinality(ks.vBuf, ks.vStart, cardinality);
  unit.dirty++;
}

/** Raises `heights` to those of the value that the v registers cover; false: it is damaged. */
function raiseHeights(ks: Keyspace): boolean {
  if (!isDense(ks.vBuf, ks.vStart)) return raiseToSparse(heights, ks.vBuf, ks.vStart, ks.vEnd);
  raiseToDense(heights, ks.vBuf, ks.vStart);
  return true;
}

function countUnion(unit: Unit, args: Args, reply: ReplyWriter): void {
  heights.fill(0);
  for (let i = 1; i < args.count; i++) {
    const h = unit.findRead(i);
    if (h === 0) continue;
    if (!openHyperLogLog(unit.ks, h, reply)) return;
    if (!raiseHeights(unit.ks)) return reply.error(DAMAGED);
  }
  histogram.clear();
  histogram.addHeights(heights);
  replyCardinality(histogram.cardinality(), reply);
}

// ---- PFMERGE

export function pfmerge(unit: Unit, args: Args, reply: ReplyWriter): void {
  heights.fill(0);
  let wantsDense = false;
  for (let i = 1; i < args.count; i++) {
    const h = unit.findRead(i);
    const { ks } = unit;
    if (h === 0) continue;
    if (!openHyperLogLog(ks, h, reply)) return;
    if (isDense(ks.vBuf, ks.vStart)) wantsDense = true;
    if (!raiseHeights(ks)) return reply.error(DAMAGED);
  }
  const old = unit.findWrite(1);
  const { ks } = unit;
  scratch.clear();
  if (old !== 0) {
    ks.value(old);
    if (!scratch.load(ks.vBuf, ks.vStart, ks.vEnd)) return reply.error(DAMAGED);
  }
  if (wantsDense && !scratch.makeDense()) return reply.error(DAMAGED);
  const most = ks.values.limits.hllSparseMaxBytes;
  for (let i = 0; i < REGISTERS; i++) {
    if (heights[i] === 0) continue;
    if (scratch.raise(i, heights[i], most) === RAISE.damaged) return reply.error(DAMAGED);
  }
  storeScratch(unit, 1, old);
  unit.changed(1, STRING_EVENT.pfadd);
  if (unit.heldCount > 1) unit.effectValue(1);
  reply.ok();
}
