/**
 * Serves the clients that wait for keys which a unit has changed: at the unit's end, under its latches, first come first served (R10).
 * Each client is served by a unit of its own that runs under the latches which are held already: it takes its command from the queue, claims
 * the client, runs the command's handler and publishes its effects; what that changes may make other waiters ready.
 *
 *   unit publishes ──► ready: the keys somebody waits for ──► serve: per key, waiter after waiter ──► the unit's latches are released
 *   a waiter needs another shard's latch (BLMOVE): tried for some microseconds; else its shard is *settling* (INTEREST.settling): no other
 *   unit runs there until this thread has both latches (`settle`, from the thread's loop, holding nothing while it waits)
 *
 * The bit was chosen over taking all latches that any waiter of the shard might need before a write: those who write other keys of the shard
 * then have nothing to do with BLMOVE. It costs them one test of a word that they read anyway.
 *
 * Invariant 1: between a unit's change and the serving of its waiters no other unit sees the key: nobody can steal.
 * Invariant 2: a client is claimed after it is known that the command will be answered, and before anything changes.
 * Invariant 3: a claimed client gets a SERVED; it is sent after the latches are released (R4).
 * Invariant 4: INTEREST.settling of a shard is set exactly while `SHARD.settlers` counts a thread that has unserved waiters there.
 */

import type { ClientRecords } from '../admin/client-records.ts';
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import { TYPE_LIST, TYPE_SORTED_SET, TYPE_STREAM } from '../keyspace/entry.ts';
import { SERVED_KIND, type Served } from '../messages/ring-messages.ts';
import { Args } from '../resp/args.ts';
import { ReplyWriter } from '../resp/reply-writer.ts';
import { REQUEST_OPTION, WAITER_KIND, type WaiterQueues, type WaiterRequest } from '../shard/waiter-queues.ts';
import { INTEREST, SHARD, SHARD_F64 } from '../shard/world.ts';
import { type Executor, OUT_OF_ROOM } from './executor.ts';
import { LargeValues } from './large-values.ts';
import type { Unit } from './unit.ts';

/** As long as a unit tries to get the latch of another shard while it holds its own, in microseconds. */
const TRY_MICROS = 20;
/** After so many failures `settle` takes the process-wide turn (R2). */
const FAILURES_BEFORE_TURN = 8;
const FIRST_REPLY_BYTES = 4096;

/** The type of a key for which waiters of a kind are served. */
const TYPE_OF_KIND: readonly number[] = [0, TYPE_LIST, TYPE_SORTED_SET, TYPE_STREAM, TYPE_STREAM];
const ABSENT = -1;

// outcomes of serving one waiter
const SERVED = 0;
const SKIPPED = 1;
const UNSETTLED = 2;

export class ReadyWaiters {
  private readonly executor: Executor;
  private readonly unit: Unit;
  private readonly queues: readonly WaiterQueues[];
  private readonly clients: ClientRecords;
  private readonly outgoing: Served[];
  private readonly steadyMs: () => number;
  private readonly shards: number;
  /** Entries to serve, with their shards; those before `head` have been. */
  private readonly readyShards: number[] = [];
  private readonly readyEntries: number[] = [];
  private head = 0;
  private serving = false;
  /** Latched shards: the unit's, and those that were taken for waiters. */
  private readonly latched: Uint8Array;
  private readonly extra: number[] = [];
  /** Entries with a waiter that needs a latch which was busy, and the shards that are needed. */
  private unsettledShards: number[] = [];
  private unsettledEntries: number[] = [];
  private readonly needed: Uint8Array;
  /** Shards that are settling because of this thread. */
  private readonly settling: Uint8Array;
  private attempts = 0;
  private readonly args = new Args();
  private readonly reply = new ReplyWriter(FIRST_REPLY_BYTES);
  private readonly large = new LargeValues();
  private readonly who: WaiterRequest = {
    ...{ place: 0, ticket: 0, worker: 0, rowId: 0, db: 0, options: 0, record: 0, sessionId: 0 },
  };

  constructor(parts: {
    executor: Executor;
    /** By shard. */
    queues: readonly WaiterQueues[];
    clients: ClientRecords;
    /** Takes what clients are to be told. */
    outgoing: Served[];
    steadyMs: () => number;
  }) {
    this.executor = parts.executor;
    this.unit = parts.executor.unit;
    this.queues = parts.queues;
    this.clients = parts.clients;
    this.outgoing = parts.outgoing;
    this.steadyMs = parts.steadyMs;
    this.shards = parts.queues.length;
    this.latched = new Uint8Array(this.shards);
    this.needed = new Uint8Array(this.shards);
    this.settling = new Uint8Array(this.shards);
  }

  // ---- what is ready

  /** A key of a held shard was changed: who waits for it is served at the end of the unit. */
  changed(shard: number, db: number, hash: number, buf: Buffer, start: number, end: number): void {
    const queues = this.queues[shard];
    const entry = queues.entryOf(db, hash, buf, start, end);
    if (entry !== 0) this.ready(shard, entry);
  }

  private ready(shard: number, entry: number): void {
    if (!this.queues[shard].markReady(entry)) return;
    this.readyShards.push(shard);
    this.readyEntries.push(entry);
  }

  /** A database is about to be emptied, or to change places with another: true if somebody waits in it. */
  changedAll(shard: number, db: number): boolean {
    const { table } = this.queues[shard];
    table.collect(db);
    let any = false;
    for (const entry of table.found) {
      if (this.queues[shard].first(entry) === 0) continue;
      this.ready(shard, entry);
      any = true;
    }
    return any;
  }

  // ---- serving

  /** Under the latches of unit.held, whose effects are published: serves all who can be. */
  serve(): void {
    const { unit, executor } = this;
    if (this.serving || this.head === this.readyEntries.length) return;
    this.serving = true;
    const held = unit.held.slice(0, unit.heldCount);
    const { large, several, mayBlock, nowMs } = unit;
    for (const shard of held) this.latched[shard] = 1;
    unit.large = this.large;
    unit.several = unit.mayBlock = false;
    unit.serving = true;
    while (this.head < this.readyEntries.length) {
      const at = this.head++;
      this.serveKey(this.readyShards[at], this.readyEntries[at], nowMs);
    }
    this.head = this.readyShards.length = this.readyEntries.length = 0;
    this.noteSettling();
    unit.serving = false;
    unit.large = large;
    unit.several = several;
    unit.mayBlock = mayBlock;
    for (const shard of held) this.latched[shard] = 0;
    for (const shard of this.extra) {
      this.latched[shard] = 0;
      executor.latches[shard].release();
    }
    this.extra.length = 0;
    unit.held.set(held);
    unit.heldCount = held.length;
    this.serving = false;
  }

  private serveKey(shard: number, entry: number, nowMs: number): void {
    const queues = this.queues[shard];
    const { ks } = queues.table;
    for (let waiter = queues.first(entry); waiter !== 0; ) {
      const h = queues.keyOf(entry, nowMs);
      const type = h === 0 ? ABSENT : ks.typeOf(h);
      if (type === ABSENT && !queues.isEndAwaited(entry)) break;
      const next = queues.next(waiter);
      const kind = queues.kindOf(waiter);
      if (kind === WAITER_KIND.group || TYPE_OF_KIND[kind] === type) {
        if (this.serveWaiter(shard, waiter) === UNSETTLED) {
          // the others wait behind this one
          this.unsettledShards.push(shard);
          this.unsettledEntries.push(entry);
          return;
        }
      }
      waiter = next;
    }
    queues.unmarkReady(entry);
  }

  private serveWaiter(shard: number, waiter: number): number {
    const { executor, unit, who, args, reply } = this;
    const queues = this.queues[shard];
    const request = queues.requestOf(waiter);
    queues.load(request, who);
    if (!this.clients.isClaimable(who.place, who.ticket)) {
      queues.unlink(waiter);
      return SKIPPED;
    }
    const row = COMMANDS.rows[who.rowId];
    queues.loadArgs(request, args);
    executor.route(row, args, who.db);
    if (!this.latchFor(row)) return UNSETTLED;
    this.begin();
    reply.rewind(0);
    reply.resp = (who.options & REQUEST_OPTION.resp3) !== 0 ? 3 : 2;
    const isReady = row.spec.isReady;
    if (isReady !== undefined && !isReady(unit, args)) {
      // it may have met keys whose time is over
      unit.commit(null);
      return SKIPPED;
    }
    if (!this.clients.claim(who.place, who.ticket)) {
      queues.unlink(waiter);
      return SKIPPED;
    }
    const began = this.steadyMs();
    this.run(row);
    const ranMs = this.steadyMs() - began;
    const own = Array.from(unit.held.subarray(0, unit.heldCount));
    this.outgoing.push({
      worker: who.worker,
      sessionId: who.sessionId,
      ticket: who.ticket,
      kind: SERVED_KIND.reply,
      droppedShard: shard,
      wrote: row.isWrite,
      ranMs,
      shards: own,
      reply: Buffer.from(reply.buf.subarray(0, reply.pos)),
    });
    queues.drop(request);
    return SERVED;
  }

  /**
   * Narrows unit.held to what is latched of it. A command that needs all of its shards has missing latches tried; false: one was busy, and
   * its shards are noted as needed.
   */
  private latchFor(row: CommandRow): boolean {
    const { unit, executor, latched, extra } = this;
    const before = extra.length;
    let count = 0;
    for (let i = 0; i < unit.heldCount; i++) {
      const shard = unit.held[i];
      if (latched[shard] === 0) {
        if (row.spec.needsAllKeys !== true) continue;
        if (!this.tryLatch(shard)) {
          this.giveBackFrom(before);
          for (let k = 0; k < unit.heldCount; k++) this.needed[unit.held[k]] = 1;
          return false;
        }
        executor.touch(shard);
      }
      unit.held[count++] = shard;
    }
    unit.heldCount = count;
    return true;
  }

  private tryLatch(shard: number): boolean {
    const latch = this.executor.latches[shard];
    if (!latch.acquireSpin(TRY_MICROS)) return false;
    if (this.isSettling(shard)) {
      latch.release();
      return false;
    }
    this.latched[shard] = 1;
    this.extra.push(shard);
    return true;
  }

  private giveBackFrom(before: number): void {
    while (this.extra.length > before) {
      const shard = this.extra.pop()!;
      this.latched[shard] = 0;
      this.executor.latches[shard].release();
    }
  }

  /** Begins the unit that serves: its time is not before that of its shards (R9). */
  private begin(): void {
    const { executor, unit, args, reply, who } = this;
    let now = unit.nowMs;
    for (let i = 0; i < unit.heldCount; i++) now = Math.max(now, executor.f64s[unit.held[i]][SHARD_F64.newestMs]);
    unit.begin(args, reply, who.db, now, (who.options & REQUEST_OPTION.noTouch) !== 0);
    executor.enterShards(now);
    unit.reads?.beginForwarded(who.record, who.worker, (who.options & REQUEST_OPTION.tracks) !== 0);
  }

  private run(row: CommandRow): void {
    const { executor, unit, args, reply } = this;
    const mutations = executor.mutations();
    try {
      if ((unit.writes = row.isWrite) && !executor.reserve(row, args)) reply.error(OUT_OF_ROOM);
      else row.run!(unit, args, reply);
      if (unit.dirty > 0 && !unit.namesEffects) throw new Error(`${row.fullName} changed something unnamed`);
      if (unit.reads !== null && unit.reads.readerWorker >= 0) executor.noteReads(row, args, unit.reads);
      if (unit.commit(null)) executor.wrote = true;
    } catch (error) {
      if (executor.mutations() !== mutations || unit.namesEffects) executor.poison(error);
      this.large.dropReplies();
      executor.answerFailure(error, reply, 0, row);
    }
    if (this.large.active) this.large.finish(reply);
  }

  // ---- settling

  private isSettling(shard: number): boolean {
    return (this.unit.headerWords[shard][SHARD.interest] & INTEREST.settling) !== 0 && this.settling[shard] === 0;
  }

  /** Under the latches: the shards with unsettled entries are settling from now on, the others no more. */
  private noteSettling(): void {
    const { unsettledShards, settling, unit } = this;
    for (let shard = 0; shard < this.shards; shard++) {
      if (this.latched[shard] === 0) continue;
      const is = unsettledShards.includes(shard) ? 1 : 0;
      if (is === settling[shard]) continue;
      settling[shard] = is;
      const words = unit.headerWords[shard];
      words[SHARD.settlers] += is === 1 ? 1 : -1;
      if (words[SHARD.settlers] === 0) words[SHARD.interest] &= ~INTEREST.settling;
      else words[SHARD.interest] |= INTEREST.settling;
    }
  }

  /** There are waiters whom only `settle` can serve. */
  get isUnsettled(): boolean {
    return this.unsettledEntries.length > 0;
  }

  /**
   * Outside of units: tries to get all latches that are needed, and serves. False: some was busy, and this thread will be rung. `mayTurn`:
   * after several failures it may ask for the right of way (R2).
   */
  settle(mayTurn: boolean): boolean {
    const { unit, executor, needed, settling } = this;
    let count = 0;
    for (let shard = 0; shard < this.shards; shard++) {
      if (needed[shard] !== 0 || settling[shard] !== 0) unit.held[count++] = shard;
    }
    unit.heldCount = count;
    if (!executor.acquireWaiting(mayTurn && ++this.attempts > FAILURES_BEFORE_TURN)) return false;
    this.attempts = 0;
    let now = executor.clockMs;
    for (let i = 0; i < count; i++) {
      now = Math.max(now, executor.f64s[unit.held[i]][SHARD_F64.newestMs]);
      executor.touch(unit.held[i]);
    }
    unit.begin(this.args, this.reply, 0, now, true);
    this.readyShards.push(...this.unsettledShards);
    this.readyEntries.push(...this.unsettledEntries);
    this.unsettledShards = [];
    this.unsettledEntries = [];
    needed.fill(0);
    this.serve();
    for (let i = 0; i < unit.heldCount; i++) executor.latches[unit.held[i]].release();
    return !this.isUnsettled;
  }
}
