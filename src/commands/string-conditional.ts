/** DELIFEQ, DELEX, MSETEX: strings are deleted or set where a condition is met. */
import { equalBytes } from '../../native-free-shm/bytes.ts';
import type { Unit } from '../dispatch/unit.ts';
import { KEEP_DEADLINE, NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import { GENERIC_EVENT, STRING_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { OPTION, SET_RULES, StringOptions } from './string-options.ts';
import { isStringOrAbsent, store } from './string-value.ts';

const NOT_A_STRING = 'ERR Key should be of string type if conditions are specified';
const NO_CONDITION = 'ERR Invalid condition. Use IFEQ or IFNE';

/** Is the string `h` equal to argument `arg`? */
function hasValue(unit: Unit, h: number, args: Args, arg: number): boolean {
  const { ks } = unit;
  const length = args.length(arg);
  if (ks.valueBytes(h) !== length) return false;
  ks.value(h);
  return equalBytes(ks.vBuf, ks.vStart, args.buf, args.starts[arg], length);
}

/** Removes the key; the condition may not hold where this is replayed, so that is journalled. */
function remove(unit: Unit, h: number, reply: ReplyWriter): void {
  unit.effectDelete(1);
  unit.ks.remove(unit.db, h);
  unit.changed(1, GENERIC_EVENT.del);
  reply.integer(1);
}

export function delifeq(unit: Unit, args: Args, reply: ReplyWriter): void {
  const h = unit.findWrite(1);
  if (!isStringOrAbsent(unit.ks, h, reply)) return;
  if (h === 0 || !hasValue(unit, h, args, 2)) return reply.integer(0);
  remove(unit, h, reply);
}

export function delex(unit: Unit, args: Args, reply: ReplyWriter): void {
  const hasCondition = args.count > 2;
  if (hasCondition && args.count !== 4) return reply.error("ERR wrong number of arguments for 'delex' command");
  const h = unit.findWrite(1);
  if (h === 0) return reply.integer(0);
  if (hasCondition) {
    if (unit.ks.typeOf(h) !== TYPE_STRING) return reply.error(NOT_A_STRING);
    const wantsEqual = args.equalsIgnoreCase(2, 'ifeq');
    if (!wantsEqual && !args.equalsIgnoreCase(2, 'ifne')) return reply.error(NO_CONDITION);
    if (hasValue(unit, h, args, 3) !== wantsEqual) return reply.integer(0);
  }
  remove(unit, h, reply);
}

// ---- MSETEX

const WITHOUT: readonly string[] = ['get', 'ifeq', 'ifne'];
const MSETEX_RULES = SET_RULES.filter(({ word }) => !WITHOUT.includes(word));
const MOST_KEYS = 2 ** 31 - 1;
const FIRST_KEY = 2;
/** So few pairs surely fit into the room that every writing unit has besides its arguments. */
const FEW_PAIRS = 4096;
/** Header, rounding and place in the table of a new entry, beyond its key and value. */
const ENTRY_BYTES = 96;
/** Growth of tables and heaps by pages. */
const TABLE_SLACK_BYTES = 1 << 20;

const options = new StringOptions();

export function msetex(unit: Unit, args: Args, reply: ReplyWriter): void {
  const keys = parseInteger(args.buf, args.starts[1], args.ends[1]);
  if (!(keys >= 1 && keys <= MOST_KEYS)) return reply.error('ERR invalid numkeys value');
  const end = FIRST_KEY + keys * 2;
  if (end > args.count) return reply.error('ERR wrong number of key-value pairs');
  if (!options.read(args, end, MSETEX_RULES)) return reply.error(ERR.SYNTAX);
  const { bits } = options;
  let deadline = (bits & OPTION.keepttl) !== 0 ? KEEP_DEADLINE : NO_DEADLINE;
  if (options.hasTime) {
    deadline = options.deadline(args, unit.nowMs, 'msetex', reply);
    if (Number.isNaN(deadline)) return;
  }
  if ((bits & (OPTION.nx | OPTION.xx)) !== 0) {
    const wanted = (bits & OPTION.xx) !== 0;
    for (let i = FIRST_KEY; i < end; i += 2) if ((unit.findWrite(i) !== 0) !== wanted) return reply.integer(0);
  }
  if (!roomForPairs(unit, args, end, reply)) return;
  for (let i = FIRST_KEY; i < end; i += 2) setPair(unit, args, i, deadline);
  reply.integer(1);
}

/** Makes room for all pairs in every shard (R4); otherwise answers OOM. */
function roomForPairs(unit: Unit, args: Args, end: number, reply: ReplyWriter): boolean {
  if (end <= FEW_PAIRS * 2) return true;
  const needed = new Float64Array(unit.shards);
  for (let i = FIRST_KEY; i < end; i += 2) {
    needed[unit.space(i).shard] += args.length(i) + args.length(i + 1) + ENTRY_BYTES;
  }
  for (let shard = 0; shard < needed.length; shard++) {
    if (needed[shard] === 0 || unit.spaceOf(shard).reserve(needed[shard] + TABLE_SLACK_BYTES)) continue;
    reply.error(ERR.OOM);
    return false;
  }
  return true;
}

/** Sets the key at argument `i`; one whose deadline has passed is removed: an expired value is never written (R22). */
function setPair(unit: Unit, args: Args, i: number, deadline: number): void {
  const { buf, starts, ends } = args;
  const h = unit.findWrite(i);
  if (deadline >= 0 && deadline <= unit.nowMs) {
    if (h === 0) return;
    unit.effectDelete(i);
    unit.ks.remove(unit.db, h);
    unit.changed(i, GENERIC_EVENT.del);
    return;
  }
  store(unit, args, i, i + 1, deadline, h);
  unit.changed(i, STRING_EVENT.set);
  if (deadline >= 0) unit.changed(i, GENERIC_EVENT.expire, 0);
  const effect = unit.effect(i, deadline === NO_DEADLINE ? 3 : deadline === KEEP_DEADLINE ? 4 : 5);
  effect.argText('SET');
  effect.arg(buf, starts[i], ends[i]);
  effect.arg(buf, starts[i + 1], ends[i + 1]);
  if (deadline === NO_DEADLINE) return;
  if (deadline === KEEP_DEADLINE) return effect.argText('KEEPTTL');
  effect.argText('PXAT');
  effect.argNumber(deadline);
}
