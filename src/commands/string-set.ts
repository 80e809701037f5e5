/** SET and its older forms: a whole value for a key. */
import { equalBytes } from '../../native-free-shm/bytes.ts';
import type { Unit } from '../dispatch/unit.ts';
import { KEEP_DEADLINE, NO_DEADLINE } from '../keyspace/entry.ts';
import { GENERIC_EVENT, STRING_EVENT } from '../keyspace/key-events.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { deadlineArgument, OPTION, SET_RULES, StringOptions } from './string-options.ts';
import { isStringOrAbsent, replyValue, store } from './string-value.ts';

const SET = STRING_EVENT.set;
const options = new StringOptions();

export function set(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (args.count !== 3) return setWithOptions(unit, args, reply);
  const h = unit.findWrite(1);
  store(unit, args, 1, 2, NO_DEADLINE, h);
  unit.changed(1, SET);
  reply.ok();
}

function setWithOptions(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!options.read(args, 3, SET_RULES)) return reply.error(ERR.SYNTAX);
  const { bits } = options;
  let deadline = (bits & OPTION.keepttl) !== 0 ? KEEP_DEADLINE : NO_DEADLINE;
  if (options.hasTime) {
    deadline = options.deadline(args, unit.nowMs, 'set', reply);
    if (Number.isNaN(deadline)) return;
  }
  const wantsOld = (bits & OPTION.get) !== 0;
  const h = wantsOld ? unit.findRead(1) : unit.findWrite(1);
  const needsString = (bits & (OPTION.get | OPTION.ifeq | OPTION.ifne)) !== 0;
  if (needsString && !isStringOrAbsent(unit.ks, h, reply)) return;
  const met = conditionMet(unit.ks, h, args, bits);
  if (wantsOld) replyValue(unit, h, reply);
  else if (met) reply.ok();
  else reply.null();
  if (met) setJournalled(unit, args, 2, deadline, h);
}

/** Does the present entry (0: none) meet NX, XX, IFEQ or IFNE? Without any of them the answer is yes. */
function conditionMet(ks: Keyspace, h: number, args: Args, bits: number): boolean {
  if ((bits & OPTION.nx) !== 0) return h === 0;
  if ((bits & OPTION.xx) !== 0) return h !== 0;
  if ((bits & OPTION.ifeq) !== 0) return h !== 0 && hasValue(ks, h, args, options.comparandArg);
  if ((bits & OPTION.ifne) !== 0) return h === 0 || !hasValue(ks, h, args, options.comparandArg);
  return true;
}

/** Is the string `h` equal to argument `index`? */
function hasValue(ks: Keyspace, h: number, args: Args, index: number): boolean {
  ks.value(h);
  const length = args.length(index);
  return ks.vEnd - ks.vStart === length && equalBytes(ks.vBuf, ks.vStart, args.buf, args.starts[index], length);
}

/**
 * Stores argument `valueArg` under key argument 1 and journals a plain SET with the absolute deadline. One that has passed
 * already removes the key: an expired value is never written (R22).
 */
function setJournalled(unit: Unit, args: Args, valueArg: number, deadline: number, h: number): void {
  if (deadline >= 0 && deadline <= unit.nowMs) {
    if (h === 0) return;
    unit.effectDelete(1);
    unit.ks.remove(unit.db, h);
    unit.changed(1, GENERIC_EVENT.del);
    return;
  }
  store(unit, args, 1, valueArg, deadline, h);
  unit.changed(1, SET);
  if (deadline >= 0) unit.changed(1, GENERIC_EVENT.expire, 0);
  const effect = unit.effect(1, deadline === NO_DEADLINE ? 3 : deadline === KEEP_DEADLINE ? 4 : 5);
  effect.argText('SET');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  effect.arg(args.buf, args.starts[valueArg], args.ends[valueArg]);
  if (deadline === NO_DEADLINE) return;
  if (deadline === KEEP_DEADLINE) return effect.argText('KEEPTTL');
  effect.argText('PXAT');
  effect.argNumber(deadline);
}

export function setnx(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (unit.findWrite(1) !== 0) return reply.integer(0);
  store(unit, args, 1, 2, NO_DEADLINE, 0);
  unit.changed(1, SET);
  reply.integer(1);
}

function setFor(unit: Unit, args: Args, reply: ReplyWriter, commandName: string, unitMs: number): void {
  const deadline = deadlineArgument(args, 2, unitMs, unit.nowMs, commandName, reply);
  if (Number.isNaN(deadline)) return;
  setJournalled(unit, args, 3, deadline, unit.findWrite(1));
  reply.ok();
}

export function setex(unit: Unit, args: Args, reply: ReplyWriter): void {
  setFor(unit, args, reply, 'setex', 1000);
}

export function psetex(unit: Unit, args: Args, reply: ReplyWriter): void {
  setFor(unit, args, reply, 'psetex', 1);
}

export function getset(unit: Unit, args: Args, reply: ReplyWriter): void {
  const h = unit.findRead(1);
  if (!isStringOrAbsent(unit.ks, h, reply)) return;
  replyValue(unit, h, reply);
  store(unit, args, 1, 2, NO_DEADLINE, h);
  unit.changed(1, SET);
}
