/**
 * The clients that wait for keys of one shard (BLPOP and its kin), in the order of their coming. In the arena of the interest table, under
 * the shard's latch only (R10). What a client waits with stands here whole, so that any thread can serve it.
 *
 *   request   word 0 first waiter | 1 place of the client's claim word | 2 its ticket | 3 its worker | 4 command row | 5 database | 6 options
 *             7 client record | 8..9 session id, low and high | 10 arguments | lengths of the arguments | their bytes
 *   waiter    word 0 entry | 1 next | 2 previous | 3 request | 4 next waiter of the request | 5 kind | 6 it is in the queue | 7 free
 *
 *   entry ──first──► waiter ◄──► waiter ◄──► waiter ◄──last── entry      one queue per key
 *
 * A client that waits for keys of several shards has a request in each of them, and one waiter per key.
 *
 * Invariant 1: a request and its waiters are given back by the client's own thread; or by the thread that has served it, which says so.
 *              Whoever else meets one whose ticket is not good any more takes it out of the queue, no more.
 * Invariant 2: INTEREST.waiters is set exactly while a queue of the shard is not empty.
 * Invariant 3: ENTRY_STATE holds READY while the entry is to be served at the end of the unit that holds the latch, and counts those
 *              waiters that also end their waiting when the key is gone (kind `group`).
 */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { Args } from '../resp/args.ts';
import {
  DB,
  ENTRY_STATE,
  FIRST_WAITER,
  type InterestTable,
  LARGEST_BLOCK_BYTES,
  LAST_WAITER,
} from './interest-table.ts';
import { INTEREST, SHARD } from './world.ts';

/** What the key must hold so that the client can be served; `group`: a stream, or else the client gets an error. */
export const WAITER_KIND = { list: 1, sortedSet: 2, stream: 3, group: 4 } as const;
/** Options of a request. */
export const REQUEST_OPTION = { resp3: 1, noTouch: 2, tracks: 4 } as const;

const OFFSET_MASK = 0x3ffffff;
const HEADER_WORDS = 11;
const WAITER_BYTES = 32;
const READY = 1;
const ONE_GROUP_WAITER = 2;
const TWO_32 = 2 ** 32;

// request
const FIRST_OF_REQUEST = 0;
const PLACE = 1;
const TICKET = 2;
const WORKER = 3;
const ROW = 4;
const REQUEST_DB = 5;
const OPTIONS = 6;
const RECORD = 7;
const ID_LOW = 8;
const ID_HIGH = 9;
const ARGC = 10;

// waiter
const ENTRY = 0;
const NEXT = 1;
const PREVIOUS = 2;
const REQUEST = 3;
const NEXT_OF_REQUEST = 4;
const KIND = 5;
const QUEUED = 6;

/** Who waits, and with which command; the arguments apart. */
export interface WaiterRequest {
  /** Place and ticket of the claim word. */
  place: number;
  ticket: number;
  worker: number;
  rowId: number;
  db: number;
  /** Bits of REQUEST_OPTION. */
  options: number;
  record: number;
  sessionId: number;
}

export class WaiterQueues {
  readonly table: InterestTable;
  private readonly arena: Arena;
  /** Root words of the numbers of waiters, of keys waited for, and of keys whose end is waited for. */
  private readonly waiters: number;

  constructor(table: InterestTable) {
    this.table = table;
    this.arena = table.arena;
    this.waiters = table.ks.databases + 1;
  }

  // ---- figures; plain reads

  waiterCount(): number {
    return this.table.roots[this.waiters];
  }

  /** Keys that somebody waits for. */
  keyCount(): number {
    return this.table.roots[this.waiters + 1];
  }

  /** Keys whose end would end somebody's waiting. */
  endCount(): number {
    return this.table.roots[this.waiters + 2];
  }

  // ---- the client's thread

  /** Notes a request; its handle, 0 where there is no room. */
  request(who: WaiterRequest, args: Args): number {
    const { table, arena } = this;
    let bytes = (HEADER_WORDS + args.count) * 4;
    for (let i = 0; i < args.count; i++) bytes += args.length(i);
    if (!arena.reserve(bytes, Math.max(bytes, LARGEST_BLOCK_BYTES))) return 0;
    const h = arena.allocate(bytes);
    table.setWord(h, FIRST_OF_REQUEST, 0);
    table.setWord(h, PLACE, who.place);
    table.setWord(h, TICKET, who.ticket);
    table.setWord(h, WORKER, who.worker);
    table.setWord(h, ROW, who.rowId);
    table.setWord(h, REQUEST_DB, who.db);
    table.setWord(h, OPTIONS, who.options);
    table.setWord(h, RECORD, who.record);
    table.setWord(h, ID_LOW, (who.sessionId % TWO_32) | 0);
    table.setWord(h, ID_HIGH, Math.floor(who.sessionId / TWO_32));
    table.setWord(h, ARGC, args.count);
    const to = arena.buf[h >>> 26];
    let at = ((h & OFFSET_MASK) << 4) + (HEADER_WORDS + args.count) * 4;
    for (let i = 0; i < args.count; i++) {
      table.setWord(h, HEADER_WORDS + i, args.length(i));
      at += args.buf.copy(to, at, args.starts[i], args.ends[i]);
    }
    return h;
  }

  /** The request waits for this key from now on, behind all others; false: there is no room. */
  wait(request: number, db: number, hash: number, buf: Buffer, start: number, end: number, kind: number): boolean {
    const { table, arena } = this;
    const entry = table.open(db, hash, buf, start, end);
    if (entry === 0) return false;
    if (!arena.reserve(WAITER_BYTES)) {
      table.closeIfIdle(entry);
      return false;
    }
    const waiter = arena.allocate(WAITER_BYTES);
    const last = table.word(entry, LAST_WAITER);
    table.setWord(waiter, ENTRY, entry);
    table.setWord(waiter, NEXT, 0);
    table.setWord(waiter, PREVIOUS, last);
    table.setWord(waiter, REQUEST, request);
    table.setWord(waiter, NEXT_OF_REQUEST, table.word(request, FIRST_OF_REQUEST));
    table.setWord(waiter, KIND, kind);
    table.setWord(waiter, QUEUED, 1);
    table.setWord(request, FIRST_OF_REQUEST, waiter);
    if (last !== 0) table.setWord(last, NEXT, waiter);
    else table.setWord(entry, FIRST_WAITER, waiter);
    table.setWord(entry, LAST_WAITER, waiter);
    this.count(entry, kind, last === 0, 1);
    table.header[SHARD.interest] |= INTEREST.waiters;
    return true;
  }

  /** Keeps the figures: a waiter of this kind came (by = 1) or went (-1); `alone`: the queue was, or is now, empty without it. */
  private count(entry: number, kind: number, alone: boolean, by: number): void {
    const { table, waiters } = this;
    table.roots[waiters] += by;
    if (alone) table.roots[waiters + 1] += by;
    if (kind !== WAITER_KIND.group) return;
    const before = table.word(entry, ENTRY_STATE);
    const after = before + ONE_GROUP_WAITER * by;
    table.setWord(entry, ENTRY_STATE, after);
    if ((by > 0 ? before : after) < ONE_GROUP_WAITER) table.roots[waiters + 2] += by;
  }

  /** Takes a waiter out of its queue. */
  unlink(waiter: number): void {
    const { table } = this;
    if (table.word(waiter, QUEUED) === 0) return;
    table.setWord(waiter, QUEUED, 0);
    const entry = table.word(waiter, ENTRY);
    const next = table.word(waiter, NEXT);
    const previous = table.word(waiter, PREVIOUS);
    table.setWord(next !== 0 ? next : entry, next !== 0 ? PREVIOUS : LAST_WAITER, previous);
    table.setWord(previous !== 0 ? previous : entry, previous !== 0 ? NEXT : FIRST_WAITER, next);
    this.count(entry, table.word(waiter, KIND), next === 0 && previous === 0, -1);
    if (table.roots[this.waiters] === 0) table.header[SHARD.interest] &= ~INTEREST.waiters;
    table.closeIfIdle(entry);
  }

  /** Ends a request: gives it and its waiters back. */
  drop(request: number): void {
    const { table, arena } = this;
    let waiter = table.word(request, FIRST_OF_REQUEST);
    while (waiter !== 0) {
      const next = table.word(waiter, NEXT_OF_REQUEST);
      this.unlink(waiter);
      arena.release(waiter);
      waiter = next;
    }
    arena.release(request);
  }

  // ---- the serving thread

  /** The entry of a key that somebody waits for, 0: nobody does. */
  entryOf(db: number, hash: number, buf: Buffer, start: number, end: number): number {
    const entry = this.table.find(db, hash, buf, start, end);
    return entry === 0 || this.table.word(entry, FIRST_WAITER) === 0 ? 0 : entry;
  }

  /** The entry is to be served; false: that is known. */
  markReady(entry: number): boolean {
    const state = this.table.word(entry, ENTRY_STATE);
    if ((state & READY) !== 0) return false;
    this.table.setWord(entry, ENTRY_STATE, state | READY);
    return true;
  }

  /** The entry has been served. */
  unmarkReady(entry: number): void {
    this.table.setWord(entry, ENTRY_STATE, this.table.word(entry, ENTRY_STATE) & ~READY);
    this.table.closeIfIdle(entry);
  }

  /** Does the end of the key end somebody's waiting? */
  isEndAwaited(entry: number): boolean {
    return this.table.word(entry, ENTRY_STATE) >= ONE_GROUP_WAITER;
  }

  /** The entry's key in the keyspace, 0 if it is absent or its time is over. */
  keyOf(entry: number, nowMs: number): number {
    const { ks } = this.table;
    const h = this.table.keyOf(entry, this.table.word(entry, DB));
    if (h === 0) return 0;
    const deadline = ks.deadlineOf(h);
    return deadline >= 0 && deadline <= nowMs ? 0 : h;
  }

  first(entry: number): number {
    return this.table.word(entry, FIRST_WAITER);
  }

  /** The next waiter in the queue that belongs to another request. */
  next(waiter: number): number {
    const { table } = this;
    const request = table.word(waiter, REQUEST);
    do waiter = table.word(waiter, NEXT);
    while (waiter !== 0 && table.word(waiter, REQUEST) === request);
    return waiter;
  }

  kindOf(waiter: number): number {
    return this.table.word(waiter, KIND);
  }

  requestOf(waiter: number): number {
    return this.table.word(waiter, REQUEST);
  }

  /** Fills in who waits. */
  load(request: number, who: WaiterRequest): void {
    const { table } = this;
    who.place = table.word(request, PLACE);
    who.ticket = table.word(request, TICKET);
    who.worker = table.word(request, WORKER);
    who.rowId = table.word(request, ROW);
    who.db = table.word(request, REQUEST_DB);
    who.options = table.word(request, OPTIONS);
    who.record = table.word(request, RECORD);
    who.sessionId = table.word(request, ID_HIGH) * TWO_32 + (table.word(request, ID_LOW) >>> 0);
  }

  /** The arguments, in the arena itself: they are there until the request is dropped. */
  loadArgs(request: number, args: Args): void {
    const { table } = this;
    const count = table.word(request, ARGC);
    args.grow(count);
    args.buf = this.arena.buf[request >>> 26];
    args.count = count;
    args.frameStart = args.frameEnd = -1;
    args.located = 0;
    let at = ((request & OFFSET_MASK) << 4) + (HEADER_WORDS + count) * 4;
    for (let i = 0; i < count; i++) {
      args.starts[i] = at;
      at += table.word(request, HEADER_WORDS + i);
      args.ends[i] = at;
    }
  }
}
