/**
 * The client's side of a thread: takes each parsed command through gate, route and execute, and keeps what cannot run now.
 *
 * A command is answered at once, or its session is parked: it waits for a latch at home, or it went through the ring to the
 * shard's owner. A parked session runs nothing further until it is answered, so every client sees its own order.
 *
 * Invariant 1: a parked session is in exactly one place: `waiting`, `forwarded`, or with a control action.
 * Invariant 2: waiting and forwarded commands pass the state part of the gate again before they run (R3).
 */
import type { RingReader, RingWriter } from '../../native-free-shm/ring.ts';
import type { Turn } from '../../native-free-shm/turn.ts';
import { COUNTER } from '../admin/server-counters.ts';
import type { SlowLogClient } from '../admin/slow-log.ts';
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import { REPLY_MODE } from '../commands/reply-mode.ts';
import { FLAG } from '../commands/spec.ts';
import {
  decodeForward,
  decodeServed,
  encodeForward,
  encodeReply,
  encodeServed,
  forwardMessageBytes,
  MESSAGE,
  replyBytesStart,
  replyMessageBytes,
  replyShard,
  replyShards,
  replyWrote,
} from '../messages/ring-messages.ts';
import type { PushHub } from '../pubsub/push-hub.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { PROCESS_BITS } from '../shard/world.ts';
import type { BlockedClients } from './blocked-clients.ts';
import { CommandRuns } from './command-run.ts';
import type { CommandTiming } from './command-timing.ts';
import { BUSY, DONE, type Executor, GATE, routeError, SEVERAL_SHARDS } from './executor.ts';
import { type GateFacts, isPaused, refuseByFlags, refuseByForm, refuseByState, refuseToSubscriber } from './gate.ts';
import type { PrivateBlocks } from './large-values.ts';
import { feedMonitors } from './monitor-feed.ts';
import { PausedCommands } from './paused-commands.ts';
import type { ReadyWaiters } from './ready-waiters.ts';
import { flagsWithScript } from './script-flags.ts';
import { Scripts } from './scripts.ts';
import type { ServerContext, Session } from './session.ts';
import type { Transaction } from './transaction.ts';
import {
  EXEC,
  endsTransaction,
  execRefused,
  isImmediate,
  Transactions,
  WATCH,
  WATCH_IN_MULTI,
} from './transactions.ts';

/** The command was answered into the reply writer. */
export const ANSWERED = 0;
/** The session is parked: its answer comes later. */
export const PARKED = 1;

/** The command has to wait until the script of this thread has ended; nothing was done. */
export const LATER = 3;
/** What runs while a script of this thread runs on and on, besides what is refused. */
const IN_SCRIPT: ReadonlySet<string> = new Set([
  ...['auth', 'hello', 'multi', 'exec', 'discard', 'shutdown'],
  ...['script|kill', 'function|kill', 'function|stats'],
]);

/** Inside MULTI: the command is none of those that are queued. */
const NOT_QUEUED = 2;

const CLIENT = COMMANDS.byName('client');
const COMMANDS_PROCESSED = COUNTER.commandsProcessed;

/** After so many failures a unit takes the process-wide turn (R2). */
const FAILURES_BEFORE_TURN = 8;
/** A forwarded command whose client has gone. */
const UNKNOWN_CLIENT: SlowLogClient = { addr: '', name: '' };
const REPLY_TOO_LONG = 'ERR the reply is too long to be passed on between threads';
/** Ring records handled before sockets get their turn again. */
const RECORDS_PER_POLL = 256;

/** A command that waits for latches on this thread: of a local session, or of another worker's (origin ≥ 0). */
interface Waiting {
  session: Session | null;
  origin: number;
  request: number;
  /** Shared record of the client. */
  record: number;
  row: CommandRow;
  args: Args;
  db: number;
  resp: 2 | 3;
  noTouch: boolean;
  /** The keys that it reads are tracked for its client. */
  tracks: boolean;
  attempts: number;
  /** What the command has brought in already. */
  privates: PrivateBlocks | null;
}

/** Rings between this worker and the others; entries of this worker itself are null. */
export interface WorkerRings {
  readonly worker: number;
  readonly to: readonly (RingWriter | null)[];
  readonly from: readonly (RingReader | null)[];
  /** Rings this worker's own bell. */
  ringSelf(): void;
}

export class Dispatcher {
  private readonly server: ServerContext;
  private readonly executor: Executor;
  private readonly facts: GateFacts;
  private readonly rings: WorkerRings;
  private readonly turn: Turn;
  private readonly reply: ReplyWriter;
  private readonly pushes: PushHub;
  private readonly counters: Float64Array;
  private readonly timing: CommandTiming;
  /** By row: calls until the next that is timed (CommandTiming). */
  private readonly untimedCalls: Int32Array;
  private readonly paused: PausedCommands;
  private readonly transactions: Transactions;
  readonly scripts: Scripts;
  /** For commands of a pipeline that go together. */
  readonly runs: CommandRuns;
  private readonly blocked: BlockedClients;
  private readonly ready: ReadyWaiters;
  private readonly ownerOf: Int32Array;
  /** All foreign single-shard commands go to the owner (setting cross-shard). */
  ringMode = false;
  /** maxmemory is set. */
  memoryBounded = false;
  private waiting: Waiting[] = [];
  /** Which of them asks for the turn, or has it; or the waiters that are to be served. */
  private turnItem: Waiting | ReadyWaiters | null = null;
  private forwarded: (Session | null)[] = [];
  private readonly freeRequests: number[] = [];
  /** Messages that found their ring full, by worker, in order. */
  private readonly outgoing: Buffer[][];
  private readonly outgoingKinds: number[][];
  private readonly unrung: Uint8Array;
  /** Worker whose ring is being drained. */
  private origin = 0;
  /** Something began to wait in this batch: this thread must poll once to register it. */
  private selfRing = false;
  /** Clients that waited are being told so. */
  private telling = false;

  constructor(parts: {
    server: ServerContext;
    executor: Executor;
    facts: GateFacts;
    rings: WorkerRings;
    turn: Turn;
    reply: ReplyWriter;
    counters: Float64Array;
    timing: CommandTiming;
    ready: ReadyWaiters;
    workers: number;
  }) {
    this.server = parts.server;
    this.executor = parts.executor;
    this.facts = parts.facts;
    this.rings = parts.rings;
    this.turn = parts.turn;
    this.reply = parts.reply;
    this.pushes = parts.server.pushes;
    this.executor.unit.reads = this.pushes.reads;
    this.counters = parts.counters;
    this.paused = new PausedCommands(parts.counters);
    this.timing = parts.timing;
    this.transactions = new Transactions(parts);
    const { several } = this.transactions;
    this.scripts = new Scripts({ ...parts, several, runtime: parts.server.scripting });
    this.transactions.scripts = this.scripts;
    this.blocked = parts.server.blocked;
    this.ready = parts.ready;
    this.blocked.attach({ ...parts, finish: (session, row, start) => this.finish(session, row, start) });
    this.untimedCalls = parts.timing.countdown;
    const { commandStats } = parts.server;
    this.runs = new CommandRuns({ ...parts, commandStats, host: this });
    this.ownerOf = Int32Array.from({ length: parts.server.shards }, (_, shard) => shard % parts.workers);
    this.outgoing = Array.from({ length: parts.workers }, () => []);
    this.outgoingKinds = Array.from({ length: parts.workers }, () => []);
    this.unrung = new Uint8Array(parts.workers);
  }

  /** Runs one command of a session. ANSWERED: the reply is in the writer; PARKED: it comes through the session's peer. */
  dispatch(session: Session, args: Args): number {
    return this.dispatchRow(session, COMMANDS.lookup(args), args);
  }

  /** As dispatch, for those who know the row of the command; null: there is none. */
  dispatchRow(session: Session, row: CommandRow | null, args: Args): number {
    const reply = this.reply;
    const start = reply.pos;
    // the common case in one line; refuseByForm and refuseByState say what it means
    if (
      row === null ||
      !row.isPlain ||
      !session.authenticated ||
      session.multi !== null ||
      !row.arityFits(args.count)
    ) {
      const refusal = refuseByForm(session, row, args);
      if (refusal !== null || row === null) return this.refuse(session, row, refusal!, start);
      if (session.multi !== null) {
        const outcome = this.inMulti(session, session.multi, row, args, start);
        if (outcome !== NOT_QUEUED) return outcome;
      }
      this.executor.unit.session = session;
    }
    const bits = this.facts.stateBits();
    if (bits !== 0 || this.memoryBounded) {
      const refusal = refuseByState(row, this.facts, bits);
      if (refusal !== null) return this.refuse(session, row, refusal, start);
      if (isPaused(row.flagBits, bits) && isPaused(this.flagsOf(row, args), bits)) {
        this.paused.add(session, args, bits);
        return PARKED;
      }
    }
    if (session.isSubscriber) {
      const refusal = refuseToSubscriber(session, row);
      if (refusal !== null) return this.refuse(session, row, refusal, start);
    }
    this.counters[COMMANDS_PROCESSED]++;
    session.lastRow = row.id;
    const began = --this.untimedCalls[row.id] < 0 ? this.timing.begin(row.id) : 0;
    if (this.pushes.log.anyMonitor) feedMonitors(this.pushes.log, session, row, args);
    if (row.session !== null) {
      if (row.isScript) return this.runScript(session, row, args, bits, began, start);
      row.session(session, args, reply);
      if (session.tracking !== null && session.multi === null && row.parent !== CLIENT) session.tracking.caching = null;
      if (session.blocked !== null) return PARKED;
      if (began !== 0) this.timing.end(row, args, began, session);
      if (session.parked) {
        this.server.commandStats.called(row.id, 0, false);
        return PARKED;
      }
      return this.finish(session, row, start);
    }
    this.pushes.reads.begin(session, session.tracking !== null && this.takesTracks(session));
    const shard = this.executor.route(row, args, session.db);
    if (shard < SEVERAL_SHARDS) return this.refuse(session, row, routeError(shard), start);
    if (this.ringMode && shard >= 0 && this.ownerOf[shard] !== this.rings.worker && !row.atHome)
      return this.forward(session, row, args, shard);
    this.executor.gateBits = bits & PROCESS_BITS;
    const outcome = this.executor.execute(row, args, reply, session.db, session.noTouch);
    if (outcome === DONE) {
      if (row.atHome && session.blocked !== null) return PARKED;
      if (began !== 0) this.timing.end(row, args, began, session);
      return this.finish(session, row, start);
    }
    if (outcome === GATE) return this.wait(session, row, args);
    if (shard < 0 || this.ownerOf[shard] === this.rings.worker || row.atHome) return this.wait(session, row, args);
    return this.forward(session, row, args, shard);
  }

  /** RunHost. */
  letsRun(shard: number): boolean {
    const isOwn = !this.ringMode || this.ownerOf[shard] === this.rings.worker;
    return isOwn && !this.memoryBounded && !this.pushes.log.anyMonitor;
  }

  /** RunHost. */
  countFailure(row: CommandRow, start: number): void {
    this.server.commandStats.called(row.id, 0, true);
    this.countError(start);
  }

  /** Serves a command while a script of this thread runs on and on: BUSY, if it is not among the few that may run. */
  dispatchInScript(session: Session, args: Args): number {
    const row = COMMANDS.lookup(args);
    const mayRun = row !== null && (row === EXEC || (row.flagBits & FLAG.allow_busy) !== 0);
    // to give up what is watched takes latches
    if (mayRun && (!IN_SCRIPT.has(row.fullName) || session.watched.length > 0)) return LATER;
    const { unit } = this.executor;
    const running = unit.session;
    const outcome = this.dispatchRow(session, row, args);
    unit.session = running;
    return outcome;
  }

  /** The flags of a command, and what a script says of itself. */
  private flagsOf(row: CommandRow, args: Args): number {
    return flagsWithScript(this.server.scripting, row, args);
  }

  private runScript(session: Session, row: CommandRow, args: Args, bits: number, began: number, start: number): number {
    this.pushes.reads.begin(session, session.tracking !== null && this.takesTracks(session));
    this.executor.gateBits = bits & PROCESS_BITS;
    if (this.scripts.run(session, row, args, this.reply, false, false) !== DONE) return this.wait(session, row, args);
    if (began !== 0) this.timing.end(row, args, began, session);
    return this.finish(session, row, start);
  }

  /** Are the keys of the session's command to be tracked? What CLIENT CACHING said is used up. */
  private takesTracks(session: Session): boolean {
    const { tracks } = session;
    session.tracking!.caching = null;
    return tracks;
  }

  /** A command between MULTI and EXEC, the latter included. NOT_QUEUED: it runs now, as anywhere. */
  private inMulti(session: Session, transaction: Transaction, row: CommandRow, args: Args, start: number): number {
    const bits = this.facts.stateBits();
    // the common case; nothing of what follows concerns it
    if (bits === 0 && !this.memoryBounded && row.isPlain && row.run !== null) {
      return this.queue(session, transaction, row, args, row.flagBits, start);
    }
    const flags = row === EXEC ? transaction.gateFlags(row) : this.flagsOf(row, args);
    const refusal = refuseByFlags(endsTransaction(row) ? flags : flags | FLAG.denyoom, this.facts, bits);
    if (refusal !== null) return this.refuse(session, row, refusal, start);
    if (isPaused(flags, bits)) {
      this.paused.add(session, args, bits);
      return PARKED;
    }
    if (row === EXEC) return this.exec(session, transaction, args, bits, start);
    if (isImmediate(row) && row !== WATCH) return NOT_QUEUED;
    session.lastRow = row.id;
    if (row === WATCH) {
      this.counters[COMMANDS_PROCESSED]++;
      this.reply.error(WATCH_IN_MULTI);
      return this.finish(session, row, start);
    }
    return this.queue(session, transaction, row, args, flags, start);
  }

  private queue(
    session: Session,
    multi: Transaction,
    row: CommandRow,
    args: Args,
    flags: number,
    start: number,
  ): number {
    session.lastRow = row.id;
    this.transactions.queue(session, multi, row, args, flags);
    if (session.replyMode !== REPLY_MODE.on) this.applyReplyMode(session, start);
    return ANSWERED;
  }

  private exec(session: Session, transaction: Transaction, args: Args, bits: number, start: number): number {
    this.counters[COMMANDS_PROCESSED]++;
    session.lastRow = EXEC.id;
    const began = --this.untimedCalls[EXEC.id] < 0 ? this.timing.begin(EXEC.id) : 0;
    this.executor.gateBits = bits & PROCESS_BITS;
    this.pushes.reads.begin(session, session.tracks);
    if (this.transactions.run(session, transaction, false, false) !== DONE) return this.wait(session, EXEC, args);
    if (began !== 0) this.timing.end(EXEC, args, began, session);
    if (session.tracking !== null) session.tracking.caching = null;
    if (this.pushes.log.anyMonitor) feedMonitors(this.pushes.log, session, EXEC, args);
    const outcome = this.finish(session, EXEC, start);
    if (session.spliced === null) return outcome;
    session.park();
    return PARKED;
  }

  /** After a command ran: statistics, and what CLIENT REPLY says of its reply. */
  private finish(session: Session, row: CommandRow, start: number): number {
    const reply = this.reply;
    const failed = reply.pos > start && reply.buf[start] === 45;
    this.server.commandStats.called(row.id, 0, failed);
    if (failed && !(row.isScript && this.scripts.isErrorCounted)) this.countError(start);
    if (session.replyMode !== REPLY_MODE.on) this.applyReplyMode(session, start);
    return ANSWERED;
  }

  private countError(start: number): void {
    const buf = this.reply.buf;
    let end = start + 1;
    while (end < this.reply.pos && buf[end] !== 13) end++;
    this.server.errorStats.count(buf, start + 1, end);
  }

  private applyReplyMode(session: Session, start: number): void {
    if (session.answersByPush) {
      session.answersByPush = false;
      return;
    }
    if (session.replyMode === REPLY_MODE.skipNext) {
      session.replyMode = REPLY_MODE.skipping;
      return;
    }
    this.reply.rewind(start);
    if (session.replyMode === REPLY_MODE.skipping) session.replyMode = REPLY_MODE.on;
  }

  private refuse(session: Session, row: CommandRow | null, text: string, start: number): number {
    this.reply.error(row === EXEC ? execRefused(text) : text);
    if (row === EXEC) session.leave();
    else if (session.multi !== null) session.multi.aborted = true;
    this.countError(start);
    if (row !== null) this.server.commandStats.rejected(row.id);
    if (session.replyMode !== REPLY_MODE.on) this.applyReplyMode(session, start);
    return ANSWERED;
  }

  private wait(session: Session, row: CommandRow, args: Args): number {
    session.park();
    this.waiting.push({
      session,
      origin: -1,
      request: -1,
      record: session.record,
      row,
      args: args.copyOwned(),
      db: session.db,
      resp: session.resp,
      noTouch: session.noTouch,
      tracks: this.pushes.reads.readerWorker >= 0,
      attempts: 0,
      privates: this.executor.unit.large.leave(),
    });
    this.selfRing = true;
    return PARKED;
  }

  private forward(session: Session, row: CommandRow, args: Args, shard: number): number {
    const owner = this.ownerOf[shard];
    // what fits into no message waits here: any thread may run it
    if (forwardMessageBytes(args) > this.rings.to[owner]!.maxMessageBytes) return this.wait(session, row, args);
    const { reads } = this.pushes;
    const tracks = reads.readerWorker >= 0;
    if (tracks) this.executor.rememberReads(row, args, reads, session);
    // the owner brings the values in by itself
    this.executor.unit.large.dropPrivates();
    session.park();
    this.counters[COUNTER.forwardedCommands]++;
    const request = this.freeRequests.pop() ?? this.forwarded.length;
    this.forwarded[request] = session;
    const message = encodeForward(request, row.id, session, tracks, args);
    this.send(owner, MESSAGE.forward, message);
    return PARKED;
  }

  /** Writes a message to a worker's ring, or keeps it until there is room; `publish` makes it visible. */
  private send(worker: number, kind: number, message: Buffer): void {
    this.unrung[worker] = 1;
    const queue = this.outgoing[worker];
    if (queue.length === 0 && this.rings.to[worker]!.tryWrite(kind, message, 0, message.length)) return;
    queue.push(message);
    this.outgoingKinds[worker].push(kind);
  }

  /** Tells whom it concerns that clients wait no more. Those of this thread go on at once, one after the other. */
  private tellServed(): void {
    const { outgoing } = this.blocked;
    if (outgoing.length === 0 || this.telling) return;
    this.telling = true;
    for (let i = 0; i < outgoing.length; i++) {
      const served = outgoing[i];
      if (served.worker === this.rings.worker) this.blocked.deliver(served);
      else this.send(served.worker, MESSAGE.served, encodeServed(served));
    }
    outgoing.length = 0;
    this.telling = false;
  }

  /** End of a batch: makes the messages written since visible and wakes their readers, one ring per worker. */
  publish(): void {
    this.tellServed();
    if (this.ready.isUnsettled) this.selfRing = true;
    if (this.selfRing) {
      this.selfRing = false;
      this.rings.ringSelf();
    }
    this.pushes.log.ringListeners();
    for (let worker = 0; worker < this.unrung.length; worker++) {
      if (this.unrung[worker] === 0) continue;
      this.unrung[worker] = 0;
      this.rings.to[worker]!.publish();
    }
  }

  /** Handles what other threads sent and retries what waits; called when the doorbell rang. True: more to do. */
  poll(): boolean {
    for (let worker = 0; worker < this.rings.from.length; worker++) {
      this.origin = worker;
      this.rings.from[worker]?.drain(this.onRecord, RECORDS_PER_POLL);
      this.flushOutgoing(worker);
    }
    this.retryWaiting();
    this.paused.resume(this.facts.stateBits(), this.resumePaused);
    this.publish();
    return this.moreToRead();
  }

  private moreToRead(): boolean {
    for (const reader of this.rings.from) if (reader?.pending()) return true;
    return false;
  }

  private flushOutgoing(worker: number): void {
    const queue = this.outgoing[worker];
    const kinds = this.outgoingKinds[worker];
    let sent = 0;
    while (sent < queue.length && this.rings.to[worker]!.tryWrite(kinds[sent], queue[sent], 0, queue[sent].length))
      sent++;
    if (sent === 0) return;
    queue.splice(0, sent);
    kinds.splice(0, sent);
    this.unrung[worker] = 1;
  }

  private readonly onRecord = (kind: number, buf: Buffer, start: number, end: number): void => {
    if (kind === MESSAGE.reply) {
      const request = buf.readUInt32LE(start);
      const session = this.forwarded[request];
      this.forwarded[request] = null;
      this.freeRequests.push(request);
      if (session !== null) this.answerForwarded(session, buf, start, end);
      return;
    }
    if (kind === MESSAGE.served) {
      this.blocked.deliver(decodeServed(this.rings.worker, buf, start, end));
      return;
    }
    const message = decodeForward(buf, start, end);
    const item: Waiting = {
      session: null,
      origin: this.origin,
      request: message.request,
      record: message.record,
      row: COMMANDS.rows[message.rowId],
      args: message.args,
      db: message.db,
      resp: message.resp,
      noTouch: message.noTouch,
      tracks: message.tracks,
      attempts: 0,
      privates: null,
    };
    this.waiting.push(item);
  };

  /** The owner has run a session's command: its reply counts and leaves as if it had run here. */
  private answerForwarded(session: Session, buf: Buffer, start: number, end: number): void {
    const { reply, executor } = this;
    if (session.peer === null) return;
    for (let i = replyShards(buf, start) - 1; i >= 0; i--) executor.touch(replyShard(buf, start, i));
    if (replyWrote(buf, start)) executor.wrote = true;
    const mark = reply.mark();
    reply.raw(buf, replyBytesStart(buf, start), end);
    this.finish(session, COMMANDS.rows[session.lastRow], mark);
    const bytes = Buffer.from(reply.buf.subarray(mark, reply.pos));
    reply.rewind(mark);
    session.peer.complete(bytes);
  }

  private retryWaiting(): void {
    if (this.ready.isUnsettled) this.settleWaiters();
    if (this.waiting.length > 0) {
      const items = this.waiting;
      this.waiting = [];
      for (const item of items) if (!this.attempt(item)) this.waiting.push(item);
    }
    // a place in the line of the turn cannot be given back before the turn has come
    if (this.turnItem === null && this.turn.mine()) this.turn.end();
  }

  /** Serves waiters for which latches of several shards are needed, if those can be had now. */
  private settleWaiters(): void {
    const { ready } = this;
    this.executor.clockMs = this.server.nowMs();
    const mayTurn = this.turnItem === null || this.turnItem === ready;
    if (mayTurn) this.turnItem = ready;
    if (ready.settle(mayTurn) || !this.turn.requested()) this.turnItem = null;
  }

  /** The pause of a session's command is over: it begins anew. */
  private readonly resumePaused = (session: Session, args: Args): void => {
    const { reply } = this;
    this.executor.clockMs = session.nowMs = this.server.nowMs();
    const start = reply.mark();
    const kept = reply.resp;
    reply.resp = session.resp;
    const outcome = this.dispatch(session, args);
    reply.resp = kept;
    if (outcome === PARKED) {
      if (session.blocked !== null) session.peer?.waits();
      return;
    }
    const bytes = Buffer.from(reply.buf.subarray(start, reply.pos));
    reply.rewind(start);
    session.peer?.complete(bytes);
  };

  /** Runs a waiting command if its latches can be had now; false: it goes on waiting and this thread will be rung. */
  private attempt(item: Waiting): boolean {
    const executor = this.executor;
    const { large } = executor.unit;
    large.use(item.privates);
    if (item.session !== null && item.session.peer === null) {
      large.dropPrivates();
      this.leaveTurn(item);
      return true;
    }
    const reply = this.reply;
    executor.clockMs = this.server.nowMs();
    const start = reply.mark();
    const kept = reply.resp;
    reply.resp = item.resp;
    const outcome = this.run(item);
    reply.resp = kept;
    if (outcome === GATE) this.selfRing = true;
    if (outcome !== DONE) {
      item.privates = large.leave();
      return false;
    }
    this.leaveTurn(item);
    this.answer(item, start);
    return true;
  }

  /** Gate and execution of a waiting command; an outcome of `execute`. */
  private run(item: Waiting): number {
    const { executor, reply } = this;
    const bits = this.facts.stateBits();
    const transaction = item.row === EXEC ? item.session!.multi : null;
    const flags = transaction === null ? this.flagsOf(item.row, item.args) : transaction.gateFlags(item.row);
    executor.gateBits = bits & PROCESS_BITS;
    const refusal =
      transaction === null ? refuseByState(item.row, this.facts, bits) : refuseByFlags(flags, this.facts, bits);
    if (refusal !== null) {
      executor.unit.large.dropPrivates();
      reply.error(transaction === null ? refusal : execRefused(refusal));
      if (transaction !== null) item.session!.leave();
      return DONE;
    }
    // the end of the pause rings
    if (isPaused(flags, bits)) {
      this.leaveTurn(item);
      return BUSY;
    }
    if (item.session !== null) this.pushes.reads.begin(item.session, item.tracks);
    else this.pushes.reads.beginForwarded(item.record, item.origin, item.tracks);
    const turn = ++item.attempts > FAILURES_BEFORE_TURN && (this.turnItem === null || this.turnItem === item);
    if (turn) this.turnItem = item;
    const began = this.timing.now();
    const outcome =
      transaction === null ? this.runAlone(item, turn) : this.transactions.run(item.session!, transaction, true, turn);
    if (outcome === DONE) this.timing.endWaited(item.row, item.args, began, this.clientOf(item));
    if (turn && !this.turn.requested()) this.turnItem = null;
    return outcome;
  }

  private runAlone(item: Waiting, turn: boolean): number {
    const { executor } = this;
    const { row, args, db } = item;
    executor.unit.session = item.session;
    if (row.isScript) return this.scripts.run(item.session!, row, args, this.reply, true, turn);
    executor.route(row, args, db);
    return executor.executeWaiting(row, args, this.reply, db, item.noTouch, turn);
  }

  /** Whose command it is, for SLOWLOG. */
  private clientOf(item: Waiting): SlowLogClient {
    if (item.session !== null) return item.session;
    return this.server.clients.read(item.record) ?? UNKNOWN_CLIENT;
  }

  /** A unit that waits no more: the thread's place in the line of the turn is for another one. */
  private leaveTurn(item: Waiting): void {
    if (this.turnItem === item) this.turnItem = null;
  }

  private answer(item: Waiting, start: number): void {
    if (item.session === null) return this.answerOrigin(item, start);
    if (item.session.blocked !== null) return item.session.peer?.waits();
    const reply = this.reply;
    this.finish(item.session, item.row, start);
    // the rest of the answer comes from other threads
    if (item.session.spliced !== null) return;
    const bytes = Buffer.from(reply.buf.subarray(start, reply.pos));
    reply.rewind(start);
    item.session.peer?.complete(bytes);
  }

  /** The reply leaves through the other worker's outbox, which waits for what it shows. */
  private answerOrigin(item: Waiting, start: number): void {
    const { executor, reply } = this;
    const { touched, touchedCount, wrote } = executor;
    const most = this.rings.to[item.origin]!.maxMessageBytes;
    if (replyMessageBytes(touchedCount, reply.pos - start) > most) {
      reply.rewind(start);
      reply.error(REPLY_TOO_LONG);
    }
    const message = encodeReply(item.request, touched, touchedCount, wrote, reply.buf, start, reply.pos);
    reply.rewind(start);
    executor.clearTouched();
    this.send(item.origin, MESSAGE.reply, message);
  }
}
