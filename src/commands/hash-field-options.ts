/** HGETDEL, HGETEX, HSETEX: fields read or set together with a change of their deadlines. */
import type { Hashes } from '../datatypes/hash-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { HASH_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { createHash, noteHash, replyValueAt, roomForPairs, writeHash } from './hash-access.ts';
import { fieldCount, fieldDeadline } from './hash-field-arguments.ts';
import { FieldOutcomes, giveDeadline, persistField, roomForDeadlines } from './hash-field-expiry.ts';
import { openNew, setPair } from './hash-write.ts';

const NOT_POSITIVE = 'ERR Number of fields must be a positive integer';
const NO_TIME = 0;
const TIMES: readonly [word: string, unitMs: number, isRelative: boolean][] = [
  ['ex', 1000, true],
  ['px', 1, true],
  ['exat', 1000, false],
  ['pxat', 1, false],
];
const NO_FIELD = -2;
const LAPSED = -3;
const DONE = 1;
const DELETED = 2;

const outcomes = new FieldOutcomes();

/** The options before FIELDS. */
class FieldOptions {
  /** Where FIELDS stands. */
  fieldsAt = 0;
  /** Unix ms, NO_TIME where none is given. */
  deadline = NO_TIME;
  persists = false;
  keeps = false;
  onlyNew = false;
  onlyPresent = false;

  /** Reads arguments from 2 on to FIELDS; `sets`: of HSETEX, else of HGETEX. False after an error reply. */
  read(unit: Unit, args: Args, sets: boolean, reply: ReplyWriter): boolean {
    this.deadline = NO_TIME;
    this.persists = this.keeps = this.onlyNew = this.onlyPresent = false;
    let i = 2;
    for (; i < args.count && !args.equalsIgnoreCase(i, 'fields'); i++) {
      const time = TIMES.find(([word]) => args.equalsIgnoreCase(i, word));
      if (time !== undefined) {
        if (this.hasLife()) return this.conflict(sets, reply);
        i++;
        if (!this.readTime(unit, args, i, time[1], time[2], sets, reply)) return false;
      } else if (!sets && args.equalsIgnoreCase(i, 'persist')) {
        if (this.hasLife()) return this.conflict(sets, reply);
        this.persists = true;
      } else if (sets && args.equalsIgnoreCase(i, 'keepttl')) {
        if (this.hasLife()) return this.conflict(sets, reply);
        this.keeps = true;
      } else if (sets && (args.equalsIgnoreCase(i, 'fnx') || args.equalsIgnoreCase(i, 'fxx'))) {
        if (!this.readCondition(args, i, reply)) return false;
      } else {
        reply.error(`ERR unknown argument: ${args.text(i)}`);
        return false;
      }
    }
    this.fieldsAt = i;
    return true;
  }

  private hasLife(): boolean {
    return this.deadline !== NO_TIME || this.persists || this.keeps;
  }

  private conflict(sets: boolean, reply: ReplyWriter): boolean {
    reply.error(`ERR Only one of EX, PX, EXAT, PXAT or ${sets ? 'KEEPTTL' : 'PERSIST'} arguments can be specified`);
    return false;
  }

  private readCondition(args: Args, i: number, reply: ReplyWriter): boolean {
    if (this.onlyNew || this.onlyPresent) {
      reply.error('ERR Only one of FXX or FNX arguments can be specified');
      return false;
    }
    this.onlyNew = args.equalsIgnoreCase(i, 'fnx');
    this.onlyPresent = !this.onlyNew;
    return true;
  }

  private readTime(
    unit: Unit,
    args: Args,
    i: number,
    unitMs: number,
    isRelative: boolean,
    sets: boolean,
    reply: ReplyWriter,
  ): boolean {
    if (i >= args.count) {
      reply.error('ERR missing expire time');
      return false;
    }
    const deadline = fieldDeadline(args, i, sets ? 'hsetex' : 'hgetex', isRelative ? unit.nowMs : 0, unitMs, reply);
    if (Number.isNaN(deadline)) return false;
    // the first millisecond of 1970 is as long ago as the second one
    this.deadline = Math.max(deadline, 1);
    return true;
  }
}

const options = new FieldOptions();

/** Answers the value of each of `count` fields from argument `first` on; their outcomes say whether they are there. */
function replyValues(unit: Unit, args: Args, first: number, count: number, reply: ReplyWriter): void {
  const { hashes } = unit.ks.values;
  reply.array(count);
  for (let i = first; i < first + count; i++) {
    const place = unit.entry === 0 ? 0 : hashes.find(args.buf, args.starts[i], args.ends[i]);
    if (place === 0) reply.null();
    else replyValueAt(unit, hashes, place, reply);
  }
}

export function hgetdel(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!writeHash(unit, reply)) return;
  const count = fieldCount(args, 2, 1, NOT_POSITIVE, reply);
  if (count === 0) return;
  if (unit.entry === 0) return replyValues(unit, args, 4, count, reply);
  const { hashes } = unit.ks.values;
  outcomes.open(count);
  reply.array(count);
  for (let i = 0; i < count; i++) {
    // one that is named twice is gone the second time
    const place = hashes.find(args.buf, args.starts[4 + i], args.ends[4 + i]);
    outcomes.put(i, place === 0 ? NO_FIELD : DELETED);
    if (place === 0) {
      reply.null();
    } else {
      replyValueAt(unit, hashes, place, reply);
      hashes.remove(place);
    }
  }
  noteDeleted(unit, args, 4, 1);
}

/** Events, journal and the hash itself after the fields whose outcome is DELETED have been removed. */
function noteDeleted(unit: Unit, args: Args, first: number, step: number): void {
  const deleted = outcomes.howMany(DELETED);
  if (deleted === 0) return;
  unit.changed(1, HASH_EVENT.hdel, deleted);
  noteHash(unit);
  outcomes.journal(unit, args, 'HDEL', -1, DELETED, first, step);
}

export function hgetex(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!writeHash(unit, reply) || !options.read(unit, args, false, reply)) return;
  const count = fieldCount(args, options.fieldsAt, 1, NOT_POSITIVE, reply);
  if (count === 0) return;
  const first = options.fieldsAt + 2;
  const { deadline, persists } = options;
  const changes = unit.entry !== 0 && (deadline !== NO_TIME || persists);
  const { hashes } = unit.ks.values;
  if (changes && !roomForDeadlines(unit, hashes, count, reply)) return;
  replyValues(unit, args, first, count, reply);
  if (!changes) return;
  outcomes.open(count);
  for (let i = 0; i < count; i++) outcomes.put(i, changeLife(unit, hashes, args, first + i, deadline));
  noteLives(unit, args, deadline, first, 1);
}

/** Gives the field of argument `arg` a deadline, or takes it away (NO_TIME). */
function changeLife(unit: Unit, hashes: Hashes, args: Args, arg: number, deadline: number): number {
  if (deadline === NO_TIME) return persistField(hashes, args, arg);
  const place = hashes.find(args.buf, args.starts[arg], args.ends[arg]);
  return place === 0 ? NO_FIELD : giveDeadline(unit, hashes, args, arg, place, deadline);
}

/** Events and journal of fields whose deadlines have changed, by their outcomes. */
function noteLives(unit: Unit, args: Args, deadline: number, first: number, step: number): void {
  const done = outcomes.howMany(DONE);
  const persists = deadline === NO_TIME;
  if (done > 0) {
    unit.changed(1, persists ? HASH_EVENT.hpersist : HASH_EVENT.hexpire, done);
    const name = persists ? 'HPERSIST' : 'HPEXPIREAT';
    outcomes.journal(unit, args, name, persists ? -1 : deadline, DONE, first, step);
  }
  if (outcomes.howMany(DELETED) > 0) noteDeleted(unit, args, first, step);
  else if (done > 0) noteHash(unit);
}

export function hsetex(unit: Unit, args: Args, reply: ReplyWriter): void {
  if (!writeHash(unit, reply) || !options.read(unit, args, true, reply)) return;
  const pairs = fieldCount(args, options.fieldsAt, 2, NOT_POSITIVE, reply);
  if (pairs === 0) return;
  const first = options.fieldsAt + 2;
  const { deadline, keeps } = options;
  const { hashes } = unit.ks.values;
  if (!conditionHolds(unit, hashes, args, first, pairs)) return reply.integer(0);
  const isOver = deadline !== NO_TIME && deadline <= unit.nowMs;
  if (isOver && unit.entry === 0) return reply.integer(1);
  if (!isOver && !roomForPairs(unit, args, first, 2, pairs, reply)) return;
  if (deadline !== NO_TIME && unit.entry !== 0 && !roomForDeadlines(unit, hashes, pairs, reply)) return;
  outcomes.open(pairs);
  if (isOver) deletePairs(unit, hashes, args, first, pairs);
  else setPairs(unit, hashes, args, first, pairs, deadline, keeps);
  reply.integer(1);
}

function conditionHolds(unit: Unit, hashes: Hashes, args: Args, first: number, pairs: number): boolean {
  if (!options.onlyNew && !options.onlyPresent) return true;
  for (let i = first; i < first + pairs * 2; i += 2) {
    const isPresent = unit.entry !== 0 && hashes.find(args.buf, args.starts[i], args.ends[i]) !== 0;
    if (isPresent !== options.onlyPresent) return false;
  }
  return true;
}

/** What is set with a time that is over is not there afterwards. */
function deletePairs(unit: Unit, hashes: Hashes, args: Args, first: number, pairs: number): void {
  for (let i = 0; i < pairs; i++) {
    const arg = first + i * 2;
    const place = hashes.find(args.buf, args.starts[arg], args.ends[arg]);
    outcomes.put(i, place === 0 ? NO_FIELD : DELETED);
    if (place !== 0) hashes.remove(place);
  }
  noteDeleted(unit, args, first, 2);
}

function setPairs(
  unit: Unit,
  hashes: Hashes,
  args: Args,
  first: number,
  pairs: number,
  deadline: number,
  keeps: boolean,
): void {
  if (unit.entry === 0) openNew(unit, hashes, args, first, pairs);
  else hashes.expect(pairs);
  if (deadline !== NO_TIME) hashes.makeTimed();
  for (let i = 0; i < pairs; i++) {
    const arg = first + i * 2;
    const { buf, starts, ends } = args;
    const present = keeps ? hashes.locate(buf, starts[arg], ends[arg]) : 0;
    outcomes.put(i, present !== 0 && hashes.isLapsed(present) ? LAPSED : DONE);
    setPair(unit, hashes, args, arg, arg + 1, keeps);
    if (deadline !== NO_TIME) hashes.setDeadline(hashes.locate(buf, starts[arg], ends[arg]), deadline);
  }
  if (unit.entry === 0) createHash(unit, args);
  noteHash(unit);
  unit.changed(1, HASH_EVENT.hset, pairs);
  if (deadline !== NO_TIME) unit.changed(1, HASH_EVENT.hexpire, 0);
  journalPairs(unit, args, first, pairs, deadline, keeps);
}

/** HSETEX without conditions and with an absolute time. A replay keeps the deadlines of lapsed fields: they are taken away. */
function journalPairs(unit: Unit, args: Args, first: number, pairs: number, deadline: number, keeps: boolean): void {
  const isTimed = deadline !== NO_TIME;
  const effect = unit.effect(1, 4 + pairs * 2 + (isTimed ? 2 : keeps ? 1 : 0));
  effect.argText('HSETEX');
  effect.arg(args.buf, args.starts[1], args.ends[1]);
  if (isTimed) {
    effect.argText('PXAT');
    effect.argNumber(deadline);
  } else if (keeps) {
    effect.argText('KEEPTTL');
  }
  effect.argText('FIELDS');
  effect.argNumber(pairs);
  for (let i = first; i < first + pairs * 2; i++) effect.arg(args.buf, args.starts[i], args.ends[i]);
  outcomes.journal(unit, args, 'HPERSIST', -1, LAPSED, first, 2);
}
