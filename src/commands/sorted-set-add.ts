/** ZADD and ZINCRBY. */
import { MAX_MEMBER_BYTES } from '../datatypes/sorted-set-index.ts';
import { ADD_FLAG, ADD_RESULT } from '../datatypes/sorted-set-value.ts';
import type { Unit } from '../dispatch/unit.ts';
import { NO_DEADLINE, TYPE_SORTED_SET } from '../keyspace/entry.ts';
import { SORTED_SET_EVENT } from '../keyspace/key-events.ts';
import type { Args } from '../resp/args.ts';
import { parseFloatStrict } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { reserveMembers } from './sorted-set-store.ts';
import { typedWrite } from './typed-entry.ts';

const { increment: INCREMENT, onlyNew: ONLY_NEW, onlyPresent: ONLY_PRESENT } = ADD_FLAG;
const { onlyGreater: ONLY_GREATER, onlyLess: ONLY_LESS } = ADD_FLAG;
const { refused: REFUSED, updated: UPDATED, added: ADDED, notANumber: NOT_A_NUMBER } = ADD_RESULT;
/** Reply flag beside the ADD_FLAGs: count changed members, too. */
export const CHANGED = 1 << 16;

const NOT_A_NUMBER_ERROR = 'ERR resulting score is not a number (NaN)';
const MEMBER_TOO_LONG = `ERR member is too long: ${MAX_MEMBER_BYTES} bytes at most`;

/** Scores of the running command, by pair. */
let scores = new Float64Array(256);

/** The flag that argument `i` stands for, 0 where it is no option. */
function optionAt(args: Args, i: number): number {
  if (args.length(i) > 4) return 0;
  if (args.equalsIgnoreCase(i, 'nx')) return ONLY_NEW;
  if (args.equalsIgnoreCase(i, 'xx')) return ONLY_PRESENT;
  if (args.equalsIgnoreCase(i, 'ch')) return CHANGED;
  if (args.equalsIgnoreCase(i, 'incr')) return INCREMENT;
  if (args.equalsIgnoreCase(i, 'gt')) return ONLY_GREATER;
  return args.equalsIgnoreCase(i, 'lt') ? ONLY_LESS : 0;
}

function isDigitOrSign(byte: number): boolean {
  return byte <= 57 && byte >= 43;
}

export function zadd(unit: Unit, args: Args, reply: ReplyWriter): void {
  let flags = 0;
  let first = 2;
  for (; first < args.count && !isDigitOrSign(args.buf[args.starts[first]]); first++) {
    const option = optionAt(args, first);
    if (option === 0) break;
    flags |= option;
  }
  const pairs = (args.count - first) >> 1;
  if (pairs === 0 || (args.count - first) % 2 !== 0) return reply.error(ERR.SYNTAX);
  const error = conflictOf(flags, pairs);
  if (error !== null) return reply.error(error);
  addPairs(unit, args, first, pairs, flags, reply);
}

function conflictOf(flags: number, pairs: number): string | null {
  const has = (both: number): boolean => (flags & both) === both;
  if (has(ONLY_NEW | ONLY_PRESENT)) return 'ERR XX and NX options at the same time are not compatible';
  if (has(ONLY_GREATER | ONLY_NEW) || has(ONLY_LESS | ONLY_NEW) || has(ONLY_GREATER | ONLY_LESS))
    return 'ERR GT, LT, and/or NX options at the same time are not compatible';
  if (has(INCREMENT) && pairs > 1) return 'ERR INCR option supports a single increment-element pair';
  return null;
}

export function zincrby(unit: Unit, args: Args, reply: ReplyWriter): void {
  addPairs(unit, args, 2, 1, INCREMENT, reply);
}

/** Adds the pairs of score and member from argument `first` on. */
function addPairs(unit: Unit, args: Args, first: number, pairs: number, flags: number, reply: ReplyWriter): void {
  const room = roomForScores(pairs);
  for (let i = 0; i < pairs; i++) {
    const arg = first + i * 2;
    const score = parseFloatStrict(args.buf, args.starts[arg], args.ends[arg]);
    if (Number.isNaN(score)) return reply.error(ERR.NOT_FLOAT);
    room[i] = score;
  }
  addScored(unit, args, first + 1, 2, pairs, flags, reply);
}

/** Room for the scores of so many pairs, for `addScored`. */
export function roomForScores(pairs: number): Float64Array {
  if (scores.length < pairs) scores = new Float64Array(pairs * 2);
  return scores;
}

/**
 * Adds the members first, first + step … with the scores that the caller has filled in to the set at key argument 1, by ADD_FLAGs
 * and CHANGED, and answers.
 */
export function addScored(
  unit: Unit,
  args: Args,
  first: number,
  step: number,
  pairs: number,
  flags: number,
  reply: ReplyWriter,
): void {
  if (!lengthsFit(args, first, step, reply) || !typedWrite(unit, 1, TYPE_SORTED_SET, reply)) return;
  let { ks, entry } = unit;
  const sets = ks.values.sortedSets;
  if (entry === 0 && (flags & ONLY_PRESENT) !== 0) {
    if ((flags & INCREMENT) !== 0) reply.null();
    else reply.integer(0);
    return;
  }
  const bytes = args.ends[args.count - 1] - args.starts[first];
  if (!reserveMembers(unit, pairs, bytes, reply)) return;
  if (entry === 0) {
    sets.create(pairs, args.length(first));
  } else {
    sets.expect(ks.structure(entry), ks.encodingOf(entry), pairs);
  }
  let added = 0;
  let updated = 0;
  let result: number = REFUSED;
  for (let i = 0; i < pairs; i++) {
    const member = first + i * step;
    const { buf, starts, ends } = args;
    result = sets.add(sets.root, sets.encoding, buf, starts[member], ends[member], scores[i], flags);
    if (result === ADDED) added++;
    else if (result === UPDATED) updated++;
  }
  if (entry === 0) entry = unit.entry = createAt(unit, args);
  else ks.setStructure(entry, sets.root, sets.encoding);
  if (added + updated > 0) {
    const event = (flags & INCREMENT) !== 0 ? SORTED_SET_EVENT.zincr : SORTED_SET_EVENT.zadd;
    unit.changed(1, event, added + updated);
  }
  if ((flags & INCREMENT) === 0) reply.integer((flags & CHANGED) !== 0 ? added + updated : added);
  else if (result === NOT_A_NUMBER) reply.error(NOT_A_NUMBER_ERROR);
  else if (result === REFUSED) reply.null();
  else reply.double(sets.score);
}

/** False after the reply that a member is too long. */
function lengthsFit(args: Args, first: number, step: number, reply: ReplyWriter): boolean {
  for (let arg = first; arg < args.count; arg += step) {
    if (args.length(arg) <= MAX_MEMBER_BYTES) continue;
    reply.error(MEMBER_TOO_LONG);
    return false;
  }
  return true;
}

/** Makes the set in the registers the value of the absent key. */
function createAt(unit: Unit, args: Args): number {
  const { ks } = unit;
  const { root, encoding } = ks.values.sortedSets;
  const { buf, starts, ends } = args;
  const hash = unit.hashOf(1);
  return ks.createStructure(unit.db, hash, buf, starts[1], ends[1], TYPE_SORTED_SET, root, encoding, NO_DEADLINE, 0);
}
