/**
 * SCAN, KEYS, RANDOMKEY: commands that meet keys without being told their names.
 *
 * A cursor is one number: shard * 2^32 + cursor of the shard's table (reversed binary, see HashTable.scan). A walk covers
 * shard after shard; a key that exists from its first to its last call is returned at least once.
 */
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import type { Unit } from '../dispatch/unit.ts';
import { TYPE_NAMES } from '../keyspace/entry.ts';
import { globMatch } from '../keyspace/glob.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { SHARD_CHOICE } from './spec.ts';

const SHARD_STEP = 4294967296;
const STAR = 42;
const DEFAULT_COUNT = 10;
/** A walk looks at no more than this many buckets for each key it was asked for, so that sparse tables end a call as well. */
const BUCKETS_PER_KEY = 10;
/** Databases up to this size may be walked by one call, under all latches. */
const SMALL_DATABASE_KEYS = 1024;
const MAX_CURSOR = 0xffffffffffffffffn;
const CURSOR_FORM = /^[+-]?\d+$/;

/** What a call asks for; one per thread, for a unit runs at a time. */
class ScanRequest {
  cursor = 0;
  count = DEFAULT_COUNT;
  /** Argument index of the pattern and of the type name, 0 where absent. */
  pattern = 0;
  type = 0;

  /** Reads the options; the error text, or null. */
  parse(args: Args): string | null {
    this.count = DEFAULT_COUNT;
    this.pattern = 0;
    this.type = 0;
    this.cursor = parseCursor(args);
    if (Number.isNaN(this.cursor)) return 'ERR invalid cursor';
    for (let i = 2; i < args.count; i += 2) {
      if (i + 1 >= args.count) return ERR.SYNTAX;
      if (args.equalsIgnoreCase(i, 'count')) {
        this.count = parseInteger(args.buf, args.starts[i + 1], args.ends[i + 1]);
        if (Number.isNaN(this.count)) return ERR.NOT_INTEGER;
        if (this.count < 1) return ERR.SYNTAX;
      } else if (args.equalsIgnoreCase(i, 'match')) {
        // a lone star is no filter
        this.pattern = args.length(i + 1) === 1 && args.buf[args.starts[i + 1]] === STAR ? 0 : i + 1;
      } else if (args.equalsIgnoreCase(i, 'type')) {
        this.type = i + 1;
      } else {
        return ERR.SYNTAX;
      }
    }
    return null;
  }
}

const request = new ScanRequest();

/** The cursor argument; NaN where it is no unsigned 64-bit number. A foreign number is a place behind the last shard. */
function parseCursor(args: Args): number {
  const cursor = parseInteger(args.buf, args.starts[1], args.ends[1]);
  if (cursor >= 0) return cursor;
  const text = args.text(1);
  if (!CURSOR_FORM.test(text)) return Number.NaN;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (value > MAX_CURSOR || value < -MAX_CURSOR) return Number.NaN;
  return Number(BigInt.asUintN(64, value));
}

/** Which shard a SCAN call visits: that of its cursor, or all where the whole database is about a call's worth of keys. */
export function scanShard(args: Args, spaces: readonly Keyspace[], db: number): number {
  if (request.parse(args) !== null) return 0;
  const shard = Math.floor(request.cursor / SHARD_STEP);
  if (shard >= spaces.length) return 0;
  let keys = 0;
  for (const ks of spaces) keys += ks.count(db);
  return keys <= Math.min(2 * request.count, SMALL_DATABASE_KEYS) ? SHARD_CHOICE.all : shard;
}

/** Entries of the bucket under the cursor. */
const bucket: number[] = [];
const collect = (entry: number): void => {
  bucket.push(entry);
};

function matches(ks: Keyspace, h: number, args: Args, pattern: number): boolean {
  ks.key(h);
  return globMatch(args.buf, args.starts[pattern], args.ends[pattern], ks.kBuf, ks.kStart, ks.kEnd, false);
}

function wanted(ks: Keyspace, h: number, args: Args): boolean {
  if (request.type !== 0 && !args.equalsIgnoreCase(request.type, TYPE_NAMES[ks.typeOf(h)])) return false;
  return request.pattern === 0 || matches(ks, h, args, request.pattern);
}

export function scan(unit: Unit, args: Args, reply: ReplyWriter): void {
  const error = request.parse(args);
  if (error !== null) return reply.error(error);
  const entries: number[] = [];
  const owners: Keyspace[] = [];
  let shard = Math.floor(request.cursor / SHARD_STEP);
  let place = request.cursor % SHARD_STEP;
  let sampled = 0;
  let buckets = request.count * BUCKETS_PER_KEY;
  while (shard < unit.shards && unit.holds(shard)) {
    const ks = unit.spaceOf(shard);
    bucket.length = 0;
    place = ks.scan(unit.db, place, collect);
    sampled += bucket.length;
    for (const h of bucket) {
      if (unit.isExpired(ks, h)) {
        unit.expireNow(ks, unit.db, h);
      } else if (wanted(ks, h, args)) {
        entries.push(h);
        owners.push(ks);
      }
    }
    if (place === 0) shard++;
    if (sampled >= request.count || --buckets <= 0) break;
  }
  reply.array(2);
  reply.bulkText(String(shard >= unit.shards ? 0 : shard * SHARD_STEP + place));
  reply.array(entries.length);
  for (let i = 0; i < entries.length; i++) replyKey(reply, owners[i], entries[i]);
}

function replyKey(reply: ReplyWriter, ks: Keyspace, h: number): void {
  ks.key(h);
  reply.bulk(ks.kBuf, ks.kStart, ks.kEnd);
}

/** Calls `visit` for every entry of a database in the shards that the unit holds; `visit` must not change anything. */
export function forEachEntry(unit: Unit, db: number, visit: (ks: Keyspace, h: number) => void): void {
  for (let i = 0; i < unit.heldCount; i++) {
    const ks = unit.spaceOf(unit.held[i]);
    const visitEntry = (h: number): void => {
      visit(ks, h);
      showProgress();
    };
    let cursor = 0;
    do {
      cursor = ks.scan(db, cursor, visitEntry);
      showProgress();
    } while (cursor !== 0);
  }
}

export function keys(unit: Unit, args: Args, reply: ReplyWriter): void {
  const isAll = args.length(1) === 1 && args.buf[args.starts[1]] === STAR;
  const entries: number[] = [];
  const owners: Keyspace[] = [];
  forEachEntry(unit, unit.db, (ks, h) => {
    if (unit.isExpired(ks, h) || !(isAll || matches(ks, h, args, 1))) return;
    entries.push(h);
    owners.push(ks);
  });
  reply.array(entries.length);
  for (let i = 0; i < entries.length; i++) {
    replyKey(reply, owners[i], entries[i]);
    showProgress();
  }
}

/** A shard chosen with a chance that is proportional to its keys; null where all are empty. */
function randomShard(unit: Unit): Keyspace | null {
  let total = 0;
  for (let i = 0; i < unit.heldCount; i++) total += unit.spaceOf(unit.held[i]).count(unit.db);
  if (total === 0) return null;
  let place = Math.floor((unit.random32() / SHARD_STEP) * total);
  for (let i = 0; i < unit.heldCount; i++) {
    const ks = unit.spaceOf(unit.held[i]);
    place -= ks.count(unit.db);
    if (place < 0) return ks;
  }
  return null;
}

export function randomkey(unit: Unit, _args: Args, reply: ReplyWriter): void {
  for (;;) {
    const ks = randomShard(unit);
    if (ks === null) return reply.null();
    const h = ks.randomEntry(unit.db, unit.random32);
    if (!unit.isExpired(ks, h)) return replyKey(reply, ks, h);
    // each round removes a key, or the look at all of them ends it
    if (!unit.expireNow(ks, unit.db, h)) return anyLiveKey(unit, reply);
  }
}

/** For RANDOMKEY while expired keys cannot be removed: some key that has not expired. */
function anyLiveKey(unit: Unit, reply: ReplyWriter): void {
  let seen = 0;
  let chosen = 0;
  let owner = unit.ks;
  forEachEntry(unit, unit.db, (ks, h) => {
    if (unit.isExpired(ks, h) || unit.random32() % ++seen !== 0) return;
    chosen = h;
    owner = ks;
  });
  if (chosen === 0) reply.null();
  else replyKey(reply, owner, chosen);
}
