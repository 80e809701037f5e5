/**
 * The clients of one thread that wait in a blocking command: how they begin to, and how that ends (R10).
 *
 *   handler finds nothing ──► block: a ticket, requests in the queues of the keys' shards ──► the session is parked
 *   whoever takes the claim word (a serving unit of any thread, the timeout, CLIENT UNBLOCK, the client's end) ends the waiting:
 *   a serving thread or CLIENT UNBLOCK by a SERVED message, the client's own thread at once
 *
 * Invariant 1: a blocked session is parked and in no other place than here.
 * Invariant 2: the claim word is taken before anything is answered; whose claim fails leaves the client alone. A SERVED comes for every
 *              claim that another thread took, also if the client has gone meanwhile: it says which requests are left to be given back.
 * Invariant 3: requests are given back under the latch of their shard; what is left because that was busy wakes nobody.
 */
import type { Latch } from '../../native-free-shm/latch.ts';
import { CLIENT_FLAG, type ClientRecords } from '../admin/client-records.ts';
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import { SERVED_KIND, type Served } from '../messages/ring-messages.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { REQUEST_OPTION, type WaiterQueues, type WaiterRequest } from '../shard/waiter-queues.ts';
import type { CommandTiming } from './command-timing.ts';
import { DeadlineQueue, type Due } from './deadline-queue.ts';
import type { Executor } from './executor.ts';
import type { Session } from './session.ts';
import type { Unit } from './unit.ts';

export const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';
/** For ever. */
const NEVER_MS = Number.POSITIVE_INFINITY;

/** A request in the queues of a shard. */
interface ShardRequest {
  readonly shard: number;
  readonly request: number;
}

/** Positions of journals that somebody waits for. */
export interface AwaitedJournals {
  /** Pairs of shard and position: these shards are synced soon, whatever their policy. */
  readonly stamps: readonly number[];
  areSafe(): boolean;
}

/** A command that waits, of a client of this thread. */
export interface BlockedCommand extends Due {
  readonly session: Session;
  readonly row: CommandRow;
  readonly args: Args;
  readonly ticket: number;
  requests: ShardRequest[];
  /** Answers the command that has waited long enough. */
  readonly timedOut: (reply: ReplyWriter) => void;
  /** For what is no key; looked at when the journal thread rings. */
  readonly awaited: AwaitedJournals | null;
}

/** What answers clients: the thread's dispatcher and what it works with. */
export interface BlockedAnswers {
  readonly executor: Executor;
  readonly reply: ReplyWriter;
  readonly timing: CommandTiming;
  /** Statistics of a command that ended, and what CLIENT REPLY says of its reply, which begins at `start`. */
  finish(session: Session, row: CommandRow, start: number): void;
}

/** A waiting that ended without a unit. */
const NO_UNIT: Pick<Served, 'shards' | 'wrote' | 'ranMs'> = { shards: [], wrote: false, ranMs: 0 };

const nothing = (reply: ReplyWriter): void => reply.nullArray();

export class BlockedClients {
  /** By shard. */
  readonly queues: readonly WaiterQueues[];
  /** Ends of waitings that other threads are to be told, or this one, outside of units. */
  readonly outgoing: Served[] = [];
  private readonly latches: readonly Latch[];
  private readonly clients: ClientRecords;
  private readonly worker: number;
  private readonly nowMs: () => number;
  private readonly schedule: (atMs: number) => void;
  private answers: BlockedAnswers | null = null;
  /** By session id; gone clients too, while a SERVED is on its way. */
  private readonly blocked = new Map<number, BlockedCommand>();
  private readonly deadlines = new DeadlineQueue<BlockedCommand>();
  /** When `expire` will be called, unix ms. */
  private scheduledMs = NEVER_MS;
  /** Commands with `awaited`. */
  private readonly asking = new Set<BlockedCommand>();
  /** Requests that wake nobody any more. */
  private left: ShardRequest[] = [];

  constructor(parts: {
    queues: readonly WaiterQueues[];
    latches: readonly Latch[];
    clients: ClientRecords;
    /** This thread's worker number. */
    worker: number;
    nowMs: () => number;
    /** Has `expire` called at this unix ms, or somewhat later; a later call stands for the earlier ones. */
    schedule: (atMs: number) => void;
  }) {
    this.queues = parts.queues;
    this.latches = parts.latches;
    this.clients = parts.clients;
    this.worker = parts.worker;
    this.nowMs = parts.nowMs;
    this.schedule = parts.schedule;
  }

  attach(answers: BlockedAnswers): void {
    this.answers = answers;
  }

  // ---- figures for INFO, over all workers; plain reads

  /** Keys that clients wait for. */
  keyCount(): number {
    return this.queues.reduce((sum, queues) => sum + queues.keyCount(), 0);
  }

  /** Keys whose end ends somebody's waiting. */
  endCount(): number {
    return this.queues.reduce((sum, queues) => sum + queues.endCount(), 0);
  }

  // ---- the beginning

  /**
   * Under the latches of all its keys: the unit's session waits for keys first … first + keys - 1 of `args`, which has the routed
   * arguments or takes their place. `timeoutMs` 0: for ever. False: there is no room.
   */
  block(unit: Unit, args: Args, first: number, keys: number, kind: number, timeoutMs: number): boolean {
    const session = unit.session!;
    const ticket = this.clients.newClaimTicket(session.record);
    const requests: ShardRequest[] = [];
    const who = this.requestOf(unit, session, ticket);
    for (let arg = first; arg < first + keys; arg++) {
      if (this.waitFor(unit, args, arg, kind, who, requests)) continue;
      this.clients.claim(who.place, ticket);
      for (const { shard, request } of requests) this.queues[shard].drop(request);
      return false;
    }
    this.enter(session, args.copyOwned(), ticket, requests, timeoutMs, nothing, null);
    return true;
  }

  private requestOf(unit: Unit, session: Session, ticket: number): WaiterRequest {
    const { record, id, resp, noTouch, lastRow } = session;
    const options =
      (resp === 3 ? REQUEST_OPTION.resp3 : 0) |
      (noTouch ? REQUEST_OPTION.noTouch : 0) |
      (unit.reads !== null && unit.reads.readerWorker >= 0 ? REQUEST_OPTION.tracks : 0);
    const place = this.clients.claimPlace(record);
    return { place, ticket, worker: this.worker, rowId: lastRow, db: unit.db, options, record, sessionId: id };
  }

  private waitFor(
    unit: Unit,
    args: Args,
    arg: number,
    kind: number,
    who: WaiterRequest,
    requests: ShardRequest[],
  ): boolean {
    const shard = unit.shardOfArg[arg];
    const queues = this.queues[shard];
    let own = requests.find((request) => request.shard === shard);
    if (own === undefined) {
      const request = queues.request(who, args);
      if (request === 0) return false;
      own = { shard, request };
      requests.push(own);
    }
    return queues.wait(own.request, unit.db, unit.hashOf(arg), args.buf, args.starts[arg], args.ends[arg], kind);
  }

  /** A command that waits for something that is no key (WAIT, WAITAOF): for its timeout, or for safe positions of journals. */
  blockUntil(
    session: Session,
    args: Args,
    timeoutMs: number,
    answer: (reply: ReplyWriter) => void,
    awaited: AwaitedJournals | null,
    reply: ReplyWriter,
  ): void {
    if (awaited !== null) {
      // registered first, then looked at again (R14)
      this.answers!.executor.awaitJournal(awaited.stamps);
      if (awaited.areSafe()) return answer(reply);
    }
    const ticket = this.clients.newClaimTicket(session.record);
    this.enter(session, args.copyOwned(), ticket, [], timeoutMs, answer, awaited);
  }

  private enter(
    session: Session,
    args: Args,
    ticket: number,
    requests: ShardRequest[],
    timeoutMs: number,
    timedOut: (reply: ReplyWriter) => void,
    awaited: AwaitedJournals | null,
  ): void {
    const deadlineMs = timeoutMs === 0 ? NEVER_MS : this.nowMs() + timeoutMs;
    const row = COMMANDS.rows[session.lastRow];
    const command = { session, row, args, ticket, requests, timedOut, awaited, deadlineMs, place: -1 };
    session.blocked = command;
    session.park();
    this.clients.setFlag(session.record, CLIENT_FLAG.waiting, true);
    this.blocked.set(session.id, command);
    if (awaited !== null) this.asking.add(command);
    if (deadlineMs === NEVER_MS) return;
    this.deadlines.add(command);
    this.reschedule();
  }

  private reschedule(): void {
    const { first } = this.deadlines;
    if (first === undefined || first.deadlineMs >= this.scheduledMs) return;
    this.scheduledMs = first.deadlineMs;
    this.schedule(first.deadlineMs);
  }

  // ---- the end, as this thread brings it about; outside of units

  /** Ends the waiting of those whose time is over. */
  expire(): void {
    const now = this.nowMs();
    this.scheduledMs = NEVER_MS;
    for (let due = this.deadlines.first; due !== undefined && due.deadlineMs <= now; due = this.deadlines.first) {
      this.deadlines.remove(due);
      if (this.claim(due)) this.answer(due, due.timedOut, NO_UNIT);
    }
    this.reschedule();
  }

  /** Ends the waiting of those whose journals are safe by now. */
  ask(): void {
    if (this.asking.size === 0) return;
    this.endSafe();
    if (this.asking.size === 0) return;
    // registered first, then looked at again (R14)
    this.answers!.executor.awaitJournal([...this.asking].flatMap(({ awaited }) => awaited!.stamps));
    this.endSafe();
  }

  private endSafe(): void {
    for (const command of this.asking) {
      if (command.awaited!.areSafe() && this.claim(command)) this.answer(command, command.timedOut, NO_UNIT);
    }
  }

  /** False: somebody else has ended the waiting, and a SERVED is on its way. */
  private claim({ session, ticket }: BlockedCommand): boolean {
    return this.clients.claim(this.clients.claimPlace(session.record), ticket);
  }

  /** The end of the connection. */
  leave(session: Session): void {
    const { blocked } = session;
    if (blocked === null) return;
    session.blocked = null;
    this.deadlines.remove(blocked);
    this.asking.delete(blocked);
    if (!this.claim(blocked)) return;
    this.forget(blocked);
  }

  private forget(command: BlockedCommand): void {
    this.blocked.delete(command.session.id);
    this.left.push(...command.requests);
    this.tidy();
  }

  /** Gives back what was left, where the latch is free. */
  tidy(): void {
    if (this.left.length === 0) return;
    const { left } = this;
    this.left = [];
    for (const one of left) {
      const latch = this.latches[one.shard];
      if (latch.tryAcquire()) {
        this.queues[one.shard].drop(one.request);
        latch.release();
      } else {
        this.left.push(one);
      }
    }
  }

  // ---- the end, as another thread or a serving unit of this one brings it about

  /** CLIENT UNBLOCK, on any thread: false if the client of this record, whose id it is, does not wait. */
  unblock(record: number, id: number, withError: boolean): boolean {
    const { clients } = this;
    const ticket = clients.claimTicket(record);
    // a record that is another client's by now has had a newer ticket
    if ((ticket & 1) !== 0 || clients.read(record)?.id !== id) return false;
    if (!clients.claim(clients.claimPlace(record), ticket)) return false;
    const kind = withError ? SERVED_KIND.error : SERVED_KIND.timeout;
    const worker = clients.workerOf(record);
    const reply = Buffer.alloc(0);
    this.outgoing.push({
      worker,
      sessionId: id,
      ticket,
      kind,
      droppedShard: -1,
      wrote: false,
      ranMs: 0,
      shards: [],
      reply,
    });
    return true;
  }

  /** A waiting of this thread's client was ended. */
  deliver(served: Served): void {
    const command = this.blocked.get(served.sessionId);
    if (command === undefined || command.ticket !== served.ticket) {
      throw new Error(`client ${served.sessionId} was served, and does not wait`);
    }
    command.requests = command.requests.filter(({ shard }) => shard !== served.droppedShard);
    const { reply } = served;
    if (served.kind === SERVED_KIND.timeout) this.answer(command, command.timedOut, NO_UNIT);
    else if (served.kind === SERVED_KIND.error) this.answer(command, (to) => to.error(UNBLOCKED), NO_UNIT);
    else this.answer(command, (to) => to.raw(reply, 0, reply.length), served);
  }

  /** Answers a command that waits no more. `served`: the unit that its reply shows (R13), and how long that took. */
  private answer(
    command: BlockedCommand,
    write: (reply: ReplyWriter) => void,
    { shards, wrote, ranMs }: Pick<Served, 'shards' | 'wrote' | 'ranMs'>,
  ): void {
    const { session, row, args } = command;
    const { executor, reply, timing, finish } = this.answers!;
    this.deadlines.remove(command);
    this.asking.delete(command);
    this.forget(command);
    session.blocked = null;
    if (session.peer === null) return;
    this.clients.setFlag(session.record, CLIENT_FLAG.waiting, false);
    for (const shard of shards) executor.touch(shard);
    if (wrote) executor.wrote = true;
    const start = reply.mark();
    const kept = reply.resp;
    reply.resp = session.resp;
    write(reply);
    timing.endUnblocked(row, args, ranMs, session);
    finish(session, row, start);
    const bytes = Buffer.from(reply.buf.subarray(start, reply.pos));
    reply.rewind(start);
    reply.resp = kept;
    session.peer.complete(bytes);
  }
}
