/** PFDEBUG and PFSELFTEST. */

import {
  denseRegister,
  ElementPlace,
  HeightHistogram,
  isDense,
  REGISTERS,
  setDenseRegister,
} from '../datatypes/hyper-log-log.ts';
import { HyperLogLogScratch } from '../datatypes/hyper-log-log-scratch.ts';
import { RunWalk } from '../datatypes/hyper-log-log-sparse.ts';
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import { KEEP_DEADLINE } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { DAMAGED, openHyperLogLog } from './hyper-log-log-update.ts';
import { storeBytes } from './string-value.ts';

const scratch = new HyperLogLogScratch();
const walk = new RunWalk();

export function pfdebug(unit: Unit, args: Args, reply: ReplyWriter): void {
  const h = unit.findWrite(2);
  const { ks } = unit;
  if (h === 0) return reply.error('ERR The specified key does not exist');
  if (!openHyperLogLog(ks, h, reply)) return;
  if (args.equalsIgnoreCase(1, 'getreg')) return replyRegisters(unit, h, reply);
  if (args.equalsIgnoreCase(1, 'decode')) return replyRuns(ks, reply);
  if (args.equalsIgnoreCase(1, 'encoding')) return reply.simple(isDense(ks.vBuf, ks.vStart) ? 'dense' : 'sparse');
  if (args.equalsIgnoreCase(1, 'todense')) {
    const isSparse = !isDense(ks.vBuf, ks.vStart);
    if (isSparse && !makeDense(unit, h, reply)) return;
    return reply.integer(isSparse ? 1 : 0);
  }
  reply.error(`ERR Unknown PFDEBUG subcommand '${args.text(1)}'`);
}

/** Gives the value the dense form; false after an error reply. */
function makeDense(unit: Unit, h: number, reply: ReplyWriter): boolean {
  const { ks } = unit;
  if (!scratch.load(ks.vBuf, ks.vStart, ks.vEnd) || !scratch.makeDense()) {
    reply.error(DAMAGED);
    return false;
  }
  storeBytes(unit, 2, scratch.buf, scratch.length, KEEP_DEADLINE, h, true);
  // a change that Redis has no event for
  unit.dirty++;
  const { args } = unit;
  unit.noteChange(ks, unit.db, args.buf, args.starts[2], args.ends[2], null);
  return true;
}

function replyRegisters(unit: Unit, h: number, reply: ReplyWriter): void {
  const { ks } = unit;
  if (isDense(ks.vBuf, ks.vStart)) scratch.load(ks.vBuf, ks.vStart, ks.vEnd);
  else if (!makeDense(unit, h, reply)) return;
  reply.array(REGISTERS);
  for (let i = 0; i < REGISTERS; i++) reply.integer(denseRegister(scratch.buf, 0, i));
}

function replyRuns(ks: Keyspace, reply: ReplyWriter): void {
  if (isDense(ks.vBuf, ks.vStart)) return reply.error('ERR HLL encoding is not sparse');
  const runs: string[] = [];
  walk.start(ks.vBuf, ks.vStart, ks.vEnd);
  while (walk.next()) {
    if (walk.height > 0) runs.push(`v:${walk.height},${walk.length}`);
    else runs.push(`${walk.bytes === 1 ? 'z' : 'Z'}:${walk.length}`);
  }
  reply.bulkText(runs.join(' '));
}

const TESTED_REGISTERS = 20_000;
const TESTED_ELEMENTS = 100_000;
/** Five times the standard error of so many registers. */
const TOLERANCE = (5 * 1.04) / Math.sqrt(REGISTERS);

/** The dense form against an array, and the estimate against known numbers of elements. */
export function pfselftest(_session: Session, _args: Args, reply: ReplyWriter): void {
  const model = new Uint8Array(REGISTERS);
  scratch.clear();
  scratch.makeDense();
  let seed = 1;
  for (let i = 0; i < TESTED_REGISTERS; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const index = seed >>> 18;
    model[index] = (seed >>> 4) & 63;
    setDenseRegister(scratch.buf, 0, index, model[index]);
  }
  for (let i = 0; i < REGISTERS; i++) {
    const height = denseRegister(scratch.buf, 0, i);
    if (height !== model[i]) return reply.error(`TESTFAILED Register ${i} should be ${model[i]} but is ${height}`);
  }
  const error = wrongEstimate();
  if (error === null) reply.ok();
  else reply.error(error);
}

function wrongEstimate(): string | null {
  const element = Buffer.alloc(8);
  const place = new ElementPlace();
  const histogram = new HeightHistogram();
  scratch.clear();
  for (let i = 1; i <= TESTED_ELEMENTS; i++) {
    element.writeUInt32LE(i, 0);
    place.locate(element, 0, element.length);
    scratch.raise(place.index, place.height, 0);
    if (i % (TESTED_ELEMENTS / 10) !== 0) continue;
    histogram.clear();
    histogram.addDense(scratch.buf, 0);
    const told = histogram.cardinality();
    if (Math.abs(told - i) > TOLERANCE * i) return `TESTFAILED ${i} elements are told to be ${told}`;
  }
  return null;
}
