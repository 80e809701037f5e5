/**
 * One client connection on its worker: bytes in, commands through the dispatcher, replies out through the outbox.
 *
 * Input arrives in the thread's one read buffer and is parsed there; only a partial frame, or the rest of a pipeline that
 * cannot go on, is copied into a buffer of the connection's own (R15).
 *
 * A connection stands still (`standsStill`), neither read nor served, while its command is parked, or while more than
 * OUTPUT_PAUSE_BYTES of its output are owed. One batch makes at most BATCH_OUTPUT_BYTES and the reply that passes them, and takes
 * BATCH_MS and what 64 commands take besides; the rest of its input is served in later turns of the event loop.
 *
 * Invariant 1: owed output is bounded by OUTPUT_PAUSE_BYTES + BATCH_OUTPUT_BYTES and one reply, whatever the client sends.
 * Invariant 2: who stands still has an event under way that looks again: the answer of the command, the journal's ring
 *   (`released`), or the kernel taking the last pending byte (`onDrain`); `behind` alone has an immediate.
 */
import type { Socket } from 'node:net';
import type { ClientRecords } from '../admin/client-records.ts';
import { COUNTER } from '../admin/server-counters.ts';
import type { CommandTiming } from '../dispatch/command-timing.ts';
import { ANSWERED, type Dispatcher, LATER } from '../dispatch/dispatcher.ts';
import type { Executor } from '../dispatch/executor.ts';
import type { LookAhead } from '../dispatch/look-ahead.ts';
import type { Peer, Session } from '../dispatch/session.ts';
import { ALL_SHARDS } from '../pubsub/event-log.ts';
import type { PushHub } from '../pubsub/push-hub.ts';
import type { SharedPushes } from '../pubsub/push-listener.ts';
import { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { NEED_MORE, PROTOCOL_ERROR, RequestReader } from '../resp/request-reader.ts';
import { type ConnectionLimits, OUTPUT_CLASS, type OutputLimit } from './connection-limits.ts';
import type { InputBuffers } from './input-buffers.ts';
import type { HeldOutput, Outbox, OutputSink } from './outbox.ts';
import { readNow } from './socket-adoption.ts';
import { SocketWriter } from './socket-writer.ts';

/** Commands between two looks at the clock inside one batch (R9: batches longer than a millisecond read it again). */
const COMMANDS_PER_CLOCK = 64;
/** Output that the kernel has not taken; beyond it the connection is not read until it drains. */
const OUTPUT_PAUSE_BYTES = 1 << 20;
/** Output after which a batch ends, though there is more input. */
const BATCH_OUTPUT_BYTES = 1 << 20;
/** Time after which it ends: others are not to wait for one client's pipeline of ten thousand commands. */
const BATCH_MS = 4;
/** A buffer of kept input that is longer gives way to a shorter one when half of it is used up. */
const KEPT_INPUT_BYTES = 64 * 1024;
/** So much input is taken from a client that waits in a blocking command, before it is read no further. */
const BLOCKED_INPUT_BYTES = 64 * 1024;

const NO_ARGS = new Args(0);

/** What connections share with their thread. */
export interface ConnectionThread {
  readonly dispatcher: Dispatcher;
  readonly outbox: Outbox;
  readonly executor: Pick<Executor, 'touch' | 'touched'>;
  readonly pushes: PushHub;
  readonly reply: ReplyWriter;
  readonly ahead: LookAhead;
  readonly counters: Float64Array;
  readonly limits: ConnectionLimits;
  readonly inputs: InputBuffers;
  readonly records: ClientRecords;
  readonly timing: Pick<CommandTiming, 'openSegment' | 'closeSegment'>;
  /** Reads the clock for a batch, tells the executor, and brings `limits` up to date; unix ms. */
  readClock(): number;
  /** The connection is gone: gives back what the thread keeps of it. */
  forget(connection: Connection): void;
  /** Says of a connection, by its line of CLIENT LIST, why it is closed. */
  logClosing(connection: Connection, before: string, after: string): void;
}

export class Connection implements Peer, OutputSink {
  readonly session: Session;
  readonly heldOutputs: HeldOutput[] = [];
  stagedOutputs = 0;
  owedBytes = 0;
  closed = false;
  /** Which output limits hold for it: a place of OUTPUT_CLASS. */
  outputClass: number = OUTPUT_CLASS.normal;
  private readonly socket: Socket;
  private readonly writer: SocketWriter;
  private readonly thread: ConnectionThread;
  private readonly reader: RequestReader;
  /** Input that has not been parsed yet: input[inputStart, inputEnd). */
  private input: Buffer | null = null;
  private inputStart = 0;
  private inputEnd = 0;
  private ending = false;
  private ended = false;
  private inputEnded = false;
  private running = false;
  /** Too much output is owed. */
  private draining = false;
  /** The input may hold whole commands that were not served for lack of room for their output. */
  private behind = false;
  private goOnScheduled = false;
  /** Arguments of the command that is parked, in bytes. */
  private waitingBytes = 0;
  /** Since when the output is beyond the soft limit, unix ms; 0: it is not. */
  private overSoftSinceMs = 0;
  /** Of the pending output, what the kernel had not taken when `sweep` looked. */
  private unsentBytes = 0;
  /** Pushes that have not gone to the outbox: bytes pushed[0, pushedBytes), and the shards whose effects they show. */
  private pushed: Buffer | null = null;
  private pushedBytes = 0;
  private readonly pushedShards = new Set<number>();
  /** Steady ms. */
  private batchBeganMs = 0;
  /** In place of these: pushes that others get, too. Its range is [sharedStart, sharedStart + pushedBytes). */
  private shared: SharedPushes | null = null;
  private sharedStart = 0;
  /** The shared record shows that buffers are not empty. */
  private sizesNoted = false;
  /** The command that ran last; its arguments are there until the batch ends. */
  private lastArgs = NO_ARGS;

  constructor(socket: Socket, session: Session, thread: ConnectionThread) {
    this.socket = socket;
    this.writer = new SocketWriter(socket, () => this.relieve());
    this.session = session;
    this.thread = thread;
    this.reader = new RequestReader();
    session.peer = this;
  }

  /** Takes bytes of the read buffer; false: stop reading until resumed. */
  onBytes(buf: Buffer, start: number, end: number): boolean {
    const { counters } = this.thread;
    counters[COUNTER.netInputBytes] += end - start;
    counters[COUNTER.readsProcessed]++;
    if (this.ending || this.closed) return false;
    if (this.standsStill) {
      // the socket had these bytes before it was told to stop
      this.append(buf, start, end);
      this.behind = true;
      return this.reads;
    }
    if (this.input === null) this.run(buf, start, end);
    else if (this.completes(start, end)) this.run(buf, this.putInFront(buf, start), end);
    else {
      this.append(buf, start, end);
      this.runKept();
    }
    this.endIfDone();
    return this.reads;
  }

  /** The frame that was cut may be whole with buf[start, end), and what is kept of it has room in front of that. */
  private completes(start: number, end: number): boolean {
    const kept = this.inputBytes;
    return kept <= start && kept + end - start >= this.reader.needBytes;
  }

  /** Moves the kept input in front of buf[start …), so that nothing of a long pipeline need be copied but that; where it begins now. */
  private putInFront(buf: Buffer, start: number): number {
    const { input } = this;
    if (input === null) return start;
    const at = start - this.inputBytes;
    input.copy(buf, at, this.inputStart, this.inputEnd);
    this.dropInput(input);
    return at;
  }

  private dropInput(input: Buffer): void {
    this.input = null;
    this.thread.inputs.give(input);
  }

  /** Nothing may run: the command before is not answered, or too much output is owed, or this is the end. */
  private get standsStill(): boolean {
    return this.session.parked || this.draining || this.ending || this.closed;
  }

  private get paused(): boolean {
    return this.behind || this.standsStill;
  }

  /**
   * Input is taken. From a client that waits in a blocking command it is, up to a bound (R15), though nothing of it runs: the end of its
   * connection must be seen, or it would be served with what nobody gets.
   */
  private get reads(): boolean {
    if (this.session.blocked === null) return !this.paused;
    return !this.draining && !this.ending && !this.closed && this.inputBytes < BLOCKED_INPUT_BYTES;
  }

  /** The peer sent its last byte: what it asked for is still answered. */
  onEnd(): void {
    this.inputEnded = true;
    this.endIfDone();
  }

  /** The command that waited for something else, unread, waits in blocking now. */
  waits(): void {
    this.endIfDone();
    if (this.reads) this.socket.resume();
  }

  private endIfDone(): void {
    // as in Redis: who has said its last word is not waited for
    if (this.inputEnded && this.session.blocked !== null) return this.close();
    if (this.ending || (this.inputEnded && !this.session.parked && !this.behind)) this.endAfterOutput();
  }

  onClose(): void {
    if (this.closed) return;
    this.closed = true;
    this.session.peer = null;
    this.input = null;
    this.thread.forget(this);
  }

  /** Runs the commands of buf[pos, end) and keeps what is left over. */
  private run(buf: Buffer, pos: number, end: number): void {
    const { thread, session } = this;
    // what was pushed before these commands came leaves before their replies
    if (session.isSubscriber || session.tracking !== null) thread.pushes.catchUp();
    if (this.closed) return;
    const start = thread.reply.pos;
    session.nowMs = thread.readClock();
    this.behind = false;
    this.batchBeganMs = thread.timing.openSegment(thread.counters[COUNTER.commandsProcessed]);
    const ahead = thread.ahead.take();
    const next = this.commands(buf, pos, end, ahead);
    thread.reply.most = Number.POSITIVE_INFINITY;
    ahead.giveBack();
    this.closeSegment(next === end);
    thread.records.touch(session.record, session.nowMs, session.lastRow, session.db);
    if (next < end) this.keep(buf, next, end);
    else if (buf === this.input) this.dropInput(buf);
    // what MULTI has queued counts as input
    if (session.multi !== null && session.multi.bytes + this.inputBytes > thread.limits.queryBytes)
      this.closeOverInput();
    this.endBatch(start);
    thread.dispatcher.publish();
  }

  /** The hot loop: parse and dispatch until the input, or this connection's right to go on, is used up. */
  private commands(buf: Buffer, pos: number, end: number, ahead: LookAhead): number {
    const { dispatcher, reply, limits } = this.thread;
    const { session, reader } = this;
    const open = !limits.passwordSet;
    const room = this.hardRoom();
    let stopAt = reply.pos + Math.min(BATCH_OUTPUT_BYTES, room);
    reply.most = reply.pos + room;
    let untilClock = COMMANDS_PER_CLOCK;
    reader.maxBulkBytes = limits.bulkBytes;
    reader.authenticated = open || session.authenticated;
    reply.resp = session.resp;
    while (pos < end) {
      const next = ahead.read(reader, buf, pos, end, session.db);
      if (next < 0) {
        if (next === PROTOCOL_ERROR) this.protocolError();
        return next === NEED_MORE ? pos : end;
      }
      for (let i = 0; i < ahead.count; i++) {
        if (untilClock <= 0) {
          if (this.nextSegment()) stopAt = -1;
          untilClock = COMMANDS_PER_CLOCK;
        }
        const ran = i + 1 < ahead.count ? dispatcher.runs.run(session, ahead, i, stopAt) : 0;
        if (ran > 1) i += ran - 1;
        const args = ahead.args[i];
        pos = ahead.ends[i];
        if (args.count === 0) continue;
        untilClock -= ran === 0 ? 1 : ran;
        this.lastArgs = args;
        if (ran === 0 && dispatcher.dispatchRow(session, ahead.rows[i], args) !== ANSWERED) {
          this.waitingBytes = args.ends[args.count - 1] - args.starts[0];
          return pos;
        }
        if (session.closeAfterReply) {
          this.ending = true;
          return end;
        }
        if (reply.pos > stopAt) {
          this.behind = pos < end;
          return pos;
        }
      }
      reader.authenticated = open || session.authenticated;
    }
    return pos;
  }

  /**
   * A script of this thread runs on and on, and this connection is not its own: serves what has come by now and sends the replies at
   * once. What has to wait for the end of the script is kept, and nothing is read behind it.
   */
  serveInScript(buf: Buffer, args: Args): void {
    const { session, thread, reader } = this;
    const owes = this.owesOutput || this.writer.pendingBytes > 0 || this.pushedBytes > 0;
    if (this.paused || owes || session.isExecuting || this.input !== null || this.inputEnded) return;
    const end = readNow(this.socket, buf);
    if (end === 0) return;
    thread.counters[COUNTER.netInputBytes] += end;
    const { reply } = thread;
    const kept = reply.resp;
    const mark = reply.mark();
    reader.maxBulkBytes = thread.limits.bulkBytes;
    let pos = 0;
    for (let waits = false; pos < end && !waits; ) {
      reader.authenticated = !thread.limits.passwordSet || session.authenticated;
      reply.resp = session.resp;
      const next = reader.read(buf, pos, end, args);
      if (next === PROTOCOL_ERROR) this.protocolError();
      if (next < 0) break;
      const outcome = args.count === 0 ? ANSWERED : thread.dispatcher.dispatchInScript(session, args);
      if (outcome !== LATER) pos = next;
      waits = outcome !== ANSWERED;
    }
    const answer = Buffer.from(reply.buf.subarray(mark, reply.pos));
    reply.rewind(mark);
    reply.resp = kept;
    if (answer.length > 0) this.send(answer, 0, answer.length);
    if (pos === end || this.closed) return;
    this.keep(buf, pos, end);
    this.behind = true;
    this.scheduleGoOn();
  }

  /** Looks at the clock inside a batch; true: it has gone on for long enough. */
  private nextSegment(): boolean {
    const { thread } = this;
    this.session.nowMs = thread.readClock();
    this.closeSegment(false);
    return thread.timing.openSegment(thread.counters[COUNTER.commandsProcessed]) - this.batchBeganMs > BATCH_MS;
  }

  /** A stretch of commands between two looks at the clock has ended; `whole`: the arguments of the last one are still there. */
  private closeSegment(whole: boolean): void {
    const { thread, session } = this;
    const row = whole ? session.lastRow : -1;
    thread.timing.closeSegment(thread.counters[COUNTER.commandsProcessed], row, this.lastArgs, session);
  }

  /** Ends a batch whose output begins at `start` of the reply buffer: it leaves, or the connection does. `isLate` as in Outbox. */
  private endBatch(start: number, isLate = false): void {
    const { reply, outbox } = this.thread;
    const made = reply.pos - start;
    if (made > 0 && made > this.hardRoom()) {
      reply.rewind(start);
      this.closeOverOutput();
    }
    outbox.endBatch(this, start, isLate);
    this.noteOutput();
    if (this.behind) this.scheduleGoOn();
  }

  private get outputLimit(): OutputLimit {
    return this.thread.limits.output[this.session.isSubscriber ? OUTPUT_CLASS.pubsub : this.outputClass];
  }

  /** Output that may be added before the hard limit is passed; may be negative. */
  private hardRoom(): number {
    return this.outputLimit.hardBytes - this.outputBytes;
  }

  /** After output was added: is it too much? */
  private noteOutput(): void {
    const outputBytes = this.owedBytes + this.writer.pendingBytes;
    if (outputBytes > OUTPUT_PAUSE_BYTES) this.draining = true;
    if (outputBytes > 0 || this.overSoftSinceMs !== 0) this.checkSoftLimit(this.session.nowMs);
    if (outputBytes > 0 || this.input !== null || this.waitingBytes > 0 || this.sizesNoted) this.noteSizes();
  }

  private checkSoftLimit(nowMs: number): void {
    const limit = this.outputLimit;
    if (this.outputBytes <= limit.softBytes) this.overSoftSinceMs = 0;
    else if (this.overSoftSinceMs === 0) this.overSoftSinceMs = nowMs;
    else if (nowMs - this.overSoftSinceMs > limit.softMs) this.closeOverOutput();
  }

  private closeOverOutput(): void {
    if (this.closed) return;
    this.noteSizes();
    this.thread.counters[COUNTER.outputLimitDisconnections]++;
    this.thread.logClosing(this, 'Client ', ' closed for overcoming of output buffer limits.');
    this.close();
  }

  /** What CLIENT LIST shows of the buffers. */
  private noteSizes(): void {
    if (this.closed) return;
    const { outputBytes, waitingBytes } = this;
    const queryBytes = this.inputBytes;
    const queryFreeBytes = this.input === null ? 0 : this.input.length - queryBytes;
    const totalBytes = queryBytes + queryFreeBytes + waitingBytes + outputBytes;
    const sizes = { queryBytes, queryFreeBytes, argumentBytes: waitingBytes, outputBytes, totalBytes };
    this.thread.records.buffers(this.session.record, sizes);
    this.sizesNoted = totalBytes > 0;
  }

  private protocolError(): void {
    this.thread.counters[COUNTER.protocolErrors]++;
    this.thread.reply.error(`ERR ${this.reader.error}`);
    this.ending = true;
  }

  /** Copies what is left of a batch into the connection's own buffer. */
  private keep(buf: Buffer, start: number, end: number): void {
    const length = end - start;
    const { needBytes } = this.reader;
    if (buf === this.input) {
      this.inputStart = start;
      // what was long is used up: a rest that waits should not hold on to its memory
      if (needBytes > 0 || buf.length <= KEPT_INPUT_BYTES || length > buf.length >>> 1) return;
    }
    const room = Math.max(length, Math.min(needBytes, this.thread.limits.queryBytes));
    const input = this.thread.inputs.take(room, this.behind);
    buf.copy(input, 0, start, end);
    if (buf === this.input) this.dropInput(buf);
    this.input = input;
    this.inputStart = 0;
    this.inputEnd = length;
    if (length + this.waitingBytes > this.thread.limits.queryBytes) this.closeOverInput();
  }

  /** Adds bytes to the kept input; closes the connection where there are too many. */
  private append(buf: Buffer, start: number, end: number): void {
    const kept = this.inputBytes;
    const length = end - start;
    if (kept + length + this.waitingBytes > this.thread.limits.queryBytes) {
      this.closeOverInput();
      return;
    }
    let into = this.input;
    if (into === null || this.inputEnd + length > into.length) {
      const next = into !== null && kept + length <= into.length ? into : this.roomFor(kept, length);
      if (into !== null) into.copy(next, 0, this.inputStart, this.inputEnd);
      into = this.input = next;
      this.inputStart = 0;
      this.inputEnd = kept;
    }
    buf.copy(into, this.inputEnd, start, end);
    this.inputEnd += length;
  }

  /** A buffer for `kept` bytes and `length` more: of the frame's size where that is known, else growing by doubling. */
  private roomFor(kept: number, length: number): Buffer {
    const old = this.input === null ? 0 : this.input.length;
    const needed = Math.min(this.reader.needBytes, this.thread.limits.queryBytes);
    return Buffer.allocUnsafeSlow(Math.max(kept + length, needed, kept * 2 > old ? old * 2 : old));
  }

  private closeOverInput(): void {
    if (this.closed) return;
    this.noteSizes();
    this.thread.counters[COUNTER.inputLimitDisconnections]++;
    this.thread.logClosing(this, 'Closing client that reached max query buffer length: ', '');
    this.close();
  }

  private runKept(): void {
    if (this.input !== null && !this.closed) this.run(this.input, this.inputStart, this.inputEnd);
  }

  /** The answer of a parked command. */
  complete(answer: Buffer): void {
    if (this.closed) return;
    const { spliced } = this.session;
    const replyBytes = spliced === null ? answer : spliced.fill(answer);
    if (replyBytes === null) return;
    this.session.spliced = null;
    const { reply } = this.thread;
    const start = reply.pos;
    reply.raw(replyBytes, 0, replyBytes.length);
    this.session.parked = false;
    this.waitingBytes = 0;
    if (this.session.closeAfterReply) this.ending = true;
    this.takePushed();
    this.endBatch(start, true);
    this.carryOn();
  }

  /** PushPeer: pushes are gathered, and leave together. */
  push(bytes: Buffer, start: number, end: number, shard: number): void {
    if (this.closed || this.ending) return;
    if (shard !== -1) this.pushedShards.add(shard);
    if (this.shared !== null) this.copyShared();
    const length = end - start;
    const needed = this.pushedBytes + length;
    if (this.pushed === null || this.pushed.length < needed) {
      const into = Buffer.allocUnsafe(Math.max(needed, this.pushedBytes * 2));
      this.pushed?.copy(into, 0, 0, this.pushedBytes);
      this.pushed = into;
    }
    bytes.copy(this.pushed, this.pushedBytes, start, end);
    this.pushedBytes = needed;
    if (this.hardRoom() < 0) this.closeOverOutput();
  }

  pushShared(pushes: SharedPushes, start: number, end: number): void {
    if (this.closed || this.ending) return;
    if (this.pushedBytes === 0) {
      this.shared = pushes;
      this.sharedStart = start;
    } else if (this.shared !== pushes || this.sharedStart + this.pushedBytes !== start) {
      this.push(pushes.buf, start, end, -1);
      return;
    }
    this.pushedBytes += end - start;
    if (this.hardRoom() < 0) this.closeOverOutput();
  }

  /** What is shared goes into bytes of its own: others come behind it, or it has to wait. */
  private copyShared(): void {
    const { shared, sharedStart, pushedBytes } = this;
    if (shared === null) return;
    this.shared = null;
    this.pushedBytes = 0;
    this.push(shared.buf, sharedStart, sharedStart + pushedBytes, -1);
  }

  flushPushes(): void {
    // a reply that is still owed may show what these pushes take back: they leave behind it (R13)
    if (this.session.parked && !this.session.waitsUnserved) return this.copyShared();
    if (this.closed || this.pushedBytes === 0) return;
    this.session.nowMs = this.thread.readClock();
    if (this.shared !== null) return this.flushShared(this.shared);
    const start = this.thread.reply.pos;
    this.takePushed();
    this.endBatch(start);
  }

  private flushShared(shared: SharedPushes): void {
    const { sharedStart, pushedBytes } = this;
    this.shared = null;
    this.pushedBytes = 0;
    this.thread.outbox.endShared(this, shared, sharedStart, sharedStart + pushedBytes);
    this.noteOutput();
    if (this.behind) this.scheduleGoOn();
  }

  /** Puts the pushes behind what is in the reply buffer, and the shards whose effects they show to those of the batch. */
  private takePushed(): void {
    this.copyShared();
    const { pushed, pushedShards } = this;
    if (pushed === null) return;
    const { reply, executor } = this.thread;
    reply.raw(pushed, 0, this.pushedBytes);
    this.pushed = null;
    this.pushedBytes = 0;
    if (pushedShards.has(ALL_SHARDS)) for (let i = 0; i < executor.touched.length; i++) pushedShards.add(i);
    for (const shard of pushedShards) if (shard >= 0) executor.touch(shard);
    pushedShards.clear();
  }

  /** Goes on after a pause: first with the kept input, then with the socket. */
  private carryOn(): void {
    if (this.running || this.closed) return;
    this.running = true;
    if (!this.standsStill) this.runKept();
    this.running = false;
    if (this.closed) return;
    this.endIfDone();
    if (this.reads) this.socket.resume();
  }

  /** Output has left: goes on if too much of it was the reason to stand still. The kernel's taking is a sign of life, too. */
  private relieve(): void {
    if (this.closed || !this.draining) return;
    this.session.nowMs = this.thread.readClock();
    if (this.outputBytes > OUTPUT_PAUSE_BYTES) return;
    this.draining = false;
    this.overSoftSinceMs = 0;
    // later: whoever sent the output is not finished with the others
    this.scheduleGoOn();
  }

  private scheduleGoOn(): void {
    if (this.goOnScheduled || this.draining) return;
    this.goOnScheduled = true;
    setImmediate(this.awaitTurn);
  }

  /** What is set while sockets are read runs in the same turn of the event loop, before any other socket is: so goes on a turn later. */
  private readonly awaitTurn = (): void => {
    setImmediate(this.goOn);
  };

  private readonly goOn = (): void => {
    this.goOnScheduled = false;
    this.carryOn();
  };

  /** OutputSink: writes to the socket; true when the kernel took everything at once. */
  send(buf: Buffer, start: number, end: number): boolean {
    this.thread.counters[COUNTER.netOutputBytes] += end - start;
    this.thread.counters[COUNTER.writesProcessed]++;
    return this.writer.write(buf, start, end);
  }

  released(): void {
    if (this.closed) return;
    this.noteOutput();
    if (this.ending) this.endAfterOutput();
    else this.relieve();
  }

  /** A few times a second: closes what was idle or slow for too long, and notes the sizes of buffers. */
  sweep(nowMs: number, timeoutSeconds: number): void {
    const { session } = this;
    const pending = this.writer.unsentBytes;
    // a client that takes its output is not idle, however slowly it does so
    if (pending !== this.unsentBytes) session.nowMs = Math.max(session.nowMs, nowMs);
    this.unsentBytes = pending;
    if (timeoutSeconds > 0 && !session.parked && !session.isSubscriber && nowMs - session.nowMs > timeoutSeconds * 1000)
      return this.close();
    // the limits may be others by now
    if (this.hardRoom() < 0) this.closeOverOutput();
    else this.checkSoftLimit(nowMs);
    this.noteSizes();
  }

  /** Closes once everything owed has left; `released` calls again where something has not yet. */
  private endAfterOutput(): void {
    this.ending = true;
    if (this.closed || this.ended) return;
    // the peer need not say that it has finished: what it still sends is of no interest, and its silence must not keep us
    if (this.owesOutput) return;
    this.ended = true;
    this.socket.end(() => this.close());
  }

  /** Closes at once, without the output still owed. */
  close(): void {
    // forgotten first: whoever sees the connection end finds it in no list any more
    this.onClose();
    this.socket.destroy();
  }

  /** Closes after the output is written: CLIENT KILL by another client, shutdown. */
  end(): void {
    this.endAfterOutput();
  }

  get owesOutput(): boolean {
    return this.heldOutputs.length > 0 || this.stagedOutputs > 0;
  }

  /** Bytes of input that no command has used yet. */
  private get inputBytes(): number {
    return this.input === null ? 0 : this.inputEnd - this.inputStart;
  }

  /** Bytes of output that the kernel has not taken, or that wait for a journal. */
  private get outputBytes(): number {
    return this.writer.pendingBytes + this.owedBytes + this.pushedBytes;
  }
}
