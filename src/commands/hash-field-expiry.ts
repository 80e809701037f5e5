/**
 * Deadlines of single fields: HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HPERSIST, HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME.
 *
 * Replies, one number per field: -2 there is no such field, -1 it has no deadline, 0 a condition is not met, 1 done, 2 deleted
 * because the time is over. Journalled as HPEXPIREAT, HPERSIST and HDEL of the fields that they changed.
 */
import { NO_FIELD_DEADLINE } from '../datatypes/hash-fields.ts';
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { HASH_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { noteHash, readHash, writeHash } from './hash-access.ts';
import { fieldCount, fieldDeadline } from './hash-field-arguments.ts';

const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;
const NO_FIELD = -2;
const NO_DEADLINE_SET = -1;
const NOT_MET = 0;
const DONE = 1;
const DELETED = 2;
const NOT_POSITIVE = 'ERR Number of fields must be a positive integer';
const NOT_POSITIVE_EXPIRE = 'ERR Parameter `numFields` should be greater than 0';

/** What became of each field, by its place among the arguments; used by one command at a time. */
export class FieldOutcomes {
  private codes = new Int8Array(64);
  private count = 0;

  open(count: number): void {
    if (this.codes.length < count) this.codes = new Int8Array(count * 2);
    this.count = count;
  }

  put(index: number, code: number): void {
    this.codes[index] = code;
  }

  at(index: number): number {
    return this.codes[index];
  }

  /** Fields with this outcome. */
  howMany(code: number): number {
    let many = 0;
    for (let i = 0; i < this.count; i++) if (this.codes[i] === code) many++;
    return many;
  }

  /** Journals `NAME key [deadline] [FIELDS n] field …` for the fields with this outcome, the arguments in steps of `step`. */
  journal(unit: Unit, args: Args, name: string, deadline: number, code: number, first: number, step: number): void {
    const many = this.howMany(code);
    if (many === 0) return;
    const isPlain = name === 'HDEL';
    const effect = unit.effect(1, 2 + many + (deadline >= 0 ? 1 : 0) + (isPlain ? 0 : 2));
    effect.argText(name);
    effect.arg(args.buf, args.starts[1], args.ends[1]);
    if (deadline >= 0) effect.argNumber(deadline);
    if (!isPlain) {
      effect.argText('FIELDS');
      effect.argNumber(many);
    }
    for (let i = 0; i < this.count; i++) {
      const arg = first + i * step;
      if (this.codes[i] === code) effect.arg(args.buf, args.starts[arg], args.ends[arg]);
    }
  }
}

const outcomes = new FieldOutcomes();

/** The condition at argument 3, or 0. */
function conditionOf(args: Args): number {
  if (args.equalsIgnoreCase(3, 'nx')) return NX;
  if (args.equalsIgnoreCase(3, 'xx')) return XX;
  if (args.equalsIgnoreCase(3, 'gt')) return GT;
  return args.equalsIgnoreCase(3, 'lt') ? LT : 0;
}

/** No deadline counts as an infinitely late one. */
function isAllowed(condition: number, deadline: number, present: number): boolean {
  switch (condition) {
    case NX:
      return present === NO_FIELD_DEADLINE;
    case XX:
      return present !== NO_FIELD_DEADLINE;
    case GT:
      return present !== NO_FIELD_DEADLINE && deadline > present;
    case LT:
      return present === NO_FIELD_DEADLINE || deadline < present;
  }
  return true;
}

function expireFields(unit: Unit, args: Args, reply: ReplyWriter, name: string, baseMs: number, unitMs: number): void {
  if (!writeHash(unit, reply)) return;
  const deadline = fieldDeadline(args, 2, name, baseMs, unitMs, reply);
  if (Number.isNaN(deadline)) return;
  const condition = conditionOf(args);
  const at = condition === 0 ? 3 : 4;
  const count = fieldCount(args, at, 1, NOT_POSITIVE_EXPIRE, reply);
  if (count === 0) return;
  if (unit.entry === 0) return replyMissing(count, reply);
  const { hashes } = unit.ks.values;
  if (!roomForDeadlines(unit, hashes, count, reply)) return;
  outcomes.open(count);
  const first = at + 2;
  for (let i = 0; i < count; i++) {
    outcomes.put(i, expireField(unit, hashes, args, first + i, deadline, condition));
  }
  const done = outcomes.howMany(DONE);
  const deleted = outcomes.howMany(DELETED);
  if (done > 0) unit.changed(1, HASH_EVENT.hexpire, done);
  if (deleted > 0) unit.changed(1, HASH_EVENT.hdel, deleted);
  if (done + deleted > 0) noteHash(unit);
  outcomes.journal(unit, args, 'HPEXPIREAT', deadline, DONE, first, 1);
  outcomes.journal(unit, args, 'HDEL', -1, DELETED, first, 1);
  replyOutcomes(count, reply);
}

/** Room for so many deadlines in the open hash, which may have to change its form; false after an error reply. */
export function roomForDeadlines(unit: Unit, hashes: Hashes, count: number, reply: ReplyWriter): boolean {
  // each field that gets a deadline moves to a longer block
  if (unit.reserve(hashes.growthBytes(count, hashes.embeddedBytes(count)))) return true;
  reply.error(ERR.OOM);
  return false;
}

function expireField(unit: Unit, hashes: Hashes, args: Args, arg: number, deadline: number, condition: number): number {
  const place = hashes.find(args.buf, args.starts[arg], args.ends[arg]);
  if (place === 0) return NO_FIELD;
  if (!isAllowed(condition, deadline, hashes.deadlineAt(place))) return NOT_MET;
  return giveDeadline(unit, hashes, args, arg, place, deadline);
}

/** Gives the field of argument `arg`, which is at `place`, a deadline; deletes it if that is over. */
export function giveDeadline(
  unit: Unit,
  hashes: Hashes,
  args: Args,
  arg: number,
  place: number,
  deadline: number,
): number {
  if (deadline <= unit.nowMs) {
    hashes.remove(place);
    return DELETED;
  }
  if (hashes.canBeTimed()) {
    hashes.setDeadline(place, deadline);
  } else {
    hashes.makeTimed();
    hashes.setDeadline(hashes.find(args.buf, args.starts[arg], args.ends[arg]), deadline);
  }
  return DONE;
}

function replyMissing(count: number, reply: ReplyWriter): void {
  reply.array(count);
  for (let i = 0; i < count; i++) reply.integer(NO_FIELD);
}

function replyOutcomes(count: number, reply: ReplyWriter): void {
  reply.array(count);
  for (let i = 0; i < count; i++) reply.integer(outcomes.at(i));
}

export function hexpire(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireFields(unit, args, reply, 'hexpire', unit.nowMs, 1000);
}

export function hpexpire(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireFields(unit, args, reply, 'hpexpire', unit.nowMs, 1);
}

export function hexpireat(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireFields(unit, args, reply, 'hexpireat', 0, 1000);
}

export function hpexpireat(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireFields(unit, args, reply, 'hpexpireat', 0, 1);
}

export function hpersist(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!writeHash(unit, reply)) return;
  const count = fieldCount(args, 2, 1, NOT_POSITIVE, reply);
  if (count === 0) return;
  if (unit.entry === 0) return replyMissing(count, reply);
  const { hashes } = unit.ks.values;
  if (!roomForDeadlines(unit, hashes, count, reply)) return;
  outcomes.open(count);
  for (let i = 0; i < count; i++) outcomes.put(i, persistField(hashes, args, 4 + i));
  const done = outcomes.howMany(DONE);
  if (done > 0) {
    unit.changed(1, HASH_EVENT.hpersist, done);
    noteHash(unit);
    outcomes.journal(unit, args, 'HPERSIST', -1, DONE, 4, 1);
  }
  replyOutcomes(count, reply);
}

/** Takes the deadline of the field of argument `arg` away. */
export function persistField(hashes: Hashes, args: Args, arg: number): number {
  const place = hashes.find(args.buf, args.starts[arg], args.ends[arg]);
  if (place === 0) return NO_FIELD;
  if (hashes.deadlineAt(place) === NO_FIELD_DEADLINE) return NO_DEADLINE_SET;
  hashes.setDeadline(place, NO_FIELD_DEADLINE);
  return DONE;
}

/** `baseMs`: what the times are counted from. */
function replyTimes(unit: Unit, args: Args, reply: ReplyWriter, baseMs: number, unitMs: number): void {
  if (!readHash(unit, reply)) return;
  const count = fieldCount(args, 2, 1, NOT_POSITIVE, reply);
  if (count === 0) return;
  if (unit.entry === 0) return replyMissing(count, reply);
  const { hashes } = unit.ks.values;
  reply.array(count);
  for (let i = 4; i < 4 + count; i++) {
    const place = hashes.find(args.buf, args.starts[i], args.ends[i]);
    const deadline = place === 0 ? NO_FIELD : hashes.deadlineAt(place);
    // seconds are rounded up
    reply.integer(deadline < 0 ? deadline : Math.ceil((deadline - baseMs) / unitMs));
  }
}

export function httl(unit: Unit, args: Args, reply: ReplyWriter): void {
  replyTimes(unit, args, reply, unit.nowMs, 1000);
}

export function hpttl(unit: Unit, args: Args, reply: ReplyWriter): void {
  replyTimes(unit, args, reply, unit.nowMs, 1);
}

export function hexpiretime(unit: Unit, args: Args, reply: ReplyWriter): void {
  replyTimes(unit, args, reply, 0, 1000);
}

export function hpexpiretime(unit: Unit, args: Args, reply: ReplyWriter): void {
  replyTimes(unit, args, reply, 0, 1);
}
