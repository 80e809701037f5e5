/** The EXPIRE and TTL families and PERSIST. Deadlines are journalled as absolute times; one in the past is a removal. */
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { GENERIC_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import { parseInt64, parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR, invalidExpireTime } from './errors.ts';

const NX = 1;
const XX = 2;
const GT = 4;
const LT = 8;
const CONDITIONS: readonly [word: string, bit: number][] = [
  ['nx', NX],
  ['xx', XX],
  ['gt', GT],
  ['lt', LT],
];

/** Reads the conditions from argument 3 on: their bits, or -1 after an error reply. */
function parseConditions(args: Args, reply: ReplyWriter): number {
  let bits = 0;
  for (let i = 3; i < args.count; i++) {
    const condition = CONDITIONS.find(([word]) => args.equalsIgnoreCase(i, word));
    if (condition === undefined) {
      reply.error(`ERR Unsupported option ${args.text(i)}`);
      return -1;
    }
    bits |= condition[1];
  }
  if ((bits & NX) !== 0 && bits !== NX) {
    reply.error('ERR NX and XX, GT or LT options at the same time are not compatible');
    return -1;
  }
  if ((bits & GT) !== 0 && (bits & LT) !== 0) {
    reply.error('ERR GT and LT options at the same time are not compatible');
    return -1;
  }
  return bits;
}

/** Does a new deadline meet the conditions, given the present one? No deadline counts as an infinitely late one. */
function allowed(conditions: number, deadline: number, present: number): boolean {
  if ((conditions & NX) !== 0 && present !== NO_DEADLINE) return false;
  if ((conditions & XX) !== 0 && present === NO_DEADLINE) return false;
  if ((conditions & GT) !== 0 && (present === NO_DEADLINE || deadline <= present)) return false;
  if ((conditions & LT) !== 0 && present !== NO_DEADLINE && deadline >= present) return false;
  return true;
}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** The deadline in unix ms that argument 2 names, or NaN after an error reply. */
function parseDeadline(args: Args, name: string, baseMs: number, unitMs: number, reply: ReplyWriter): number {
  const given = parseInteger(args.buf, args.starts[2], args.ends[2]);
  const deadline = given * unitMs + baseMs;
  return Number.isSafeInteger(deadline) ? deadline : parseBigDeadline(args, name, baseMs, unitMs, reply);
}

/**
 * Redis counts in 64 bits, Skein keeps 53 of them: a deadline behind the year 287396 becomes the last one that can be kept,
 * one that 64 bits cannot hold is an error, as in Redis.
 */
function parseBigDeadline(args: Args, name: string, baseMs: number, unitMs: number, reply: ReplyWriter): number {
  const given = parseInt64(args.buf, args.starts[2], args.ends[2]);
  if (given === null) {
    reply.error(ERR.NOT_INTEGER);
    return Number.NaN;
  }
  const span = given * BigInt(unitMs);
  if (span > INT64_MAX - BigInt(baseMs) || span < INT64_MIN) {
    reply.error(invalidExpireTime(name));
    return Number.NaN;
  }
  return given < 0n ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}

function expireGeneric(unit: Unit, args: Args, reply: ReplyWriter, name: string, baseMs: number, unitMs: number): void {
  const conditions = parseConditions(args, reply);
  if (conditions < 0) return;
  const deadline = parseDeadline(args, name, baseMs, unitMs, reply);
  if (Number.isNaN(deadline)) return;
  const h = unit.findWrite(1);
  if (h === 0 || !allowed(conditions, deadline, unit.ks.deadlineOf(h))) return reply.integer(0);
  if (deadline <= unit.nowMs) {
    unit.effectDelete(1);
    unit.ks.remove(unit.db, h);
    unit.changed(1, GENERIC_EVENT.del);
  } else {
    unit.ks.setDeadline(unit.db, h, deadline);
    unit.changed(1, GENERIC_EVENT.expire);
    const effect = unit.effect(1, 3);
    effect.argText('PEXPIREAT');
    effect.arg(args.buf, args.starts[1], args.ends[1]);
    effect.argNumber(deadline);
  }
  reply.integer(1);
}

export function expire(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireGeneric(unit, args, reply, 'expire', unit.nowMs, 1000);
}

export function pexpire(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireGeneric(unit, args, reply, 'pexpire', unit.nowMs, 1);
}

export function expireat(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireGeneric(unit, args, reply, 'expireat', 0, 1000);
}

export function pexpireat(unit: Unit, args: Args, reply: ReplyWriter): void {
  expireGeneric(unit, args, reply, 'pexpireat', 0, 1);
}

/** Seconds, rounded to the nearest as Redis rounds them. */
function seconds(ms: number): number {
  return Math.floor((ms + 500) / 1000);
}

/** The deadline of key argument 1: NO_DEADLINE, or -2 where there is no key. */
function deadlineOfKey(unit: Unit): number {
  const h = unit.findPeek(1);
  return h === 0 ? -2 : unit.ks.deadlineOf(h);
}

export function ttl(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const deadline = deadlineOfKey(unit);
  reply.integer(deadline < 0 ? deadline : seconds(deadline - unit.nowMs));
}

export function pttl(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const deadline = deadlineOfKey(unit);
  reply.integer(deadline < 0 ? deadline : deadline - unit.nowMs);
}

export function expiretime(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const deadline = deadlineOfKey(unit);
  reply.integer(deadline < 0 ? deadline : seconds(deadline));
}

export function pexpiretime(unit: Unit, _args: Args, reply: ReplyWriter): void {
  reply.integer(deadlineOfKey(unit));
}

export function persist(unit: Unit, _args: Args, reply: ReplyWriter): void {
  const h = unit.findWrite(1);
  if (h === 0 || unit.ks.deadlineOf(h) === NO_DEADLINE) return reply.integer(0);
  unit.ks.setDeadline(unit.db, h, NO_DEADLINE);
  unit.changed(1, GENERIC_EVENT.persist);
  reply.integer(1);
}
