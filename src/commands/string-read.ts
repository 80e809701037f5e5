/** Commands that read a string, and those that read it and change its life: GET, STRLEN, GETRANGE, GETEX, GETDEL. */
import type { Unit } from '../dispatch/unit.ts';
import { MAX_LATCHED_COPY_BYTES, NO_DEADLINE, TYPE_STRING } from '../keyspace/entry.ts';
import { GENERIC_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { GETEX_RULES, OPTION, StringOptions } from './string-options.ts';
import { isStringOrAbsent, replyBytes, replyValue } from './string-value.ts';

const options = new StringOptions();
// a constant of this module is an immediate in compiled code
const MAX_LATCHED_BYTES = MAX_LATCHED_COPY_BYTES;

export function get(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findRead(1);
  if (h === 0) return reply.null();
  const ks = unit.ks;
  if (ks.typeOf(h) !== TYPE_STRING) return reply.error(ERR.WRONGTYPE);
  ks.value(h);
  // replyBytes without the call: this is the hottest line of all
  if (ks.vEnd - ks.vStart > MAX_LATCHED_BYTES) unit.large.reply(ks, h, ks.vStart, ks.vEnd, reply);
  else reply.bulkView(ks.vView, ks.vBuf, ks.vStart, ks.vEnd);
}

export function strlen(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findRead(1);
  if (!isStringOrAbsent(unit.ks, h, reply)) return;
  reply.integer(h === 0 ? 0 : unit.ks.valueBytes(h));
}

/** GETRANGE, and SUBSTR, its older name. */
export function getrange(unit: Unit, args: Args, reply: ReplyWriter): void {
  const from = longArgument(args, 2, reply);
  if (Number.isNaN(from)) return;
  const to = longArgument(args, 3, reply);
  if (Number.isNaN(to)) return;
  const h = unit.findRead(1);
  const ks = unit.ks;
  if (!isStringOrAbsent(ks, h, reply)) return;
  // two places before the end that are in the wrong order stay so, even where both lie before the start
  if (h === 0 || (from < 0 && to < 0 && from > to)) return reply.bulkText('');
  ks.value(h);
  const length = ks.vEnd - ks.vStart;
  const first = Math.max(from < 0 ? from + length : from, 0);
  const last = Math.min(Math.max(to < 0 ? to + length : to, 0), length - 1);
  if (first > last) return reply.bulkText('');
  replyBytes(unit, h, ks.vStart + first, ks.vStart + last + 1, reply);
}

export function getex(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!options.read(args, 2, GETEX_RULES)) return reply.error(ERR.SYNTAX);
  const h = unit.findRead(1);
  if (h === 0) return reply.null();
  if (!isStringOrAbsent(unit.ks, h, reply)) return;
  if (options.hasTime) {
    const deadline = options.deadline(args, unit.nowMs, 'getex', reply);
    if (Number.isNaN(deadline)) return;
    replyValue(unit, h, reply);
    return expireAt(unit, args, h, deadline);
  }
  replyValue(unit, h, reply);
  if ((options.bits & OPTION.persist) !== 0) persistKey(unit, args, h);
}

/** Sets the deadline of key argument 1, or removes the key if that has passed. */
function expireAt(unit: Unit, args: Args, h: number, deadline: number): void {
  if (deadline <= unit.nowMs) {
    unit.effectDelete(1);
    unit.ks.remove(unit.db, h);
    unit.changed(1, GENERIC_EVENT.del);
    return;
  }
  unit.ks.setDeadline(unit.db, h, deadline);
  unit.changed(1, GENERIC_EVENT.expire);
  const effect = unit.effect(1, 3);
  effect.argText('PEXPIREAT');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  effect.argNumber(deadline);
}

function persistKey(unit: Unit, args: Args, h: number): void {
  if (unit.ks.deadlineOf(h) === NO_DEADLINE) return;
  unit.ks.setDeadline(unit.db, h, NO_DEADLINE);
  unit.changed(1, GENERIC_EVENT.persist);
  const effect = unit.effect(1, 2);
  effect.argText('PERSIST');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
}

export function getdel(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findRead(1);
  if (!isStringOrAbsent(unit.ks, h, reply)) return;
  replyValue(unit, h, reply);
  if (h === 0) return;
  unit.effectDelete(1);
  unit.ks.remove(unit.db, h);
  unit.changed(1, GENERIC_EVENT.del);
}
