/**
 * One client connection on its worker: bytes in, commands through the dispatcher, replies out through the outbox.
 *
 * Input arrives in the thread's one read buffer and is parsed there; only a partial frame, or the rest of a pipeline whose
 * command is parked, is copied into a buffer of the connection's own (R15).
 */
import type { Socket } from 'node:net';
import { COUNTER } from '../admin/server-counters.ts';
import { ANSWERED, type Dispatcher } from '../dispatch/dispatcher.ts';
import type { Peer, Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { NEED_MORE, PROTOCOL_ERROR, RequestReader } from '../resp/request-reader.ts';
import type { HeldOutput, Outbox, OutputSink } from './outbox.ts';
import { SocketWriter } from './socket-writer.ts';

/** Commands between two looks at the clock inside one batch (R9: batches longer than a millisecond read it again). */
const COMMANDS_PER_CLOCK = 64;
/** Output that the kernel has not taken; beyond it the connection is not read until it drains. */
const OUTPUT_PAUSE_BYTES = 1 << 20;
const KEPT_INPUT_BYTES = 64 * 1024;

/** What connections share with their thread. */
export interface ConnectionThread {
  readonly dispatcher: Dispatcher;
  readonly outbox: Outbox;
  readonly reply: ReplyWriter;
  readonly args: Args;
  readonly counters: Float64Array;
  /** Reads the clock for a batch and tells the executor; unix ms. */
  readClock(): number;
  /** client-query-buffer-limit and proto-max-bulk-len in bytes. */
  queryBufferLimit(): number;
  maxBulkBytes(): number;
  /** The connection is gone: gives back what the thread keeps of it. */
  forget(connection: Connection): void;
  /** Once per batch: what CLIENT LIST shows. */
  noteBatch(connection: Connection, nowMs: number): void;
  log(text: string): void;
}

export class Connection implements Peer, OutputSink {
  readonly session: Session;
  readonly heldOutputs: HeldOutput[] = [];
  stagedOutputs = 0;
  closed = false;
  private readonly socket: Socket;
  private readonly writer: SocketWriter;
  private readonly thread: ConnectionThread;
  private readonly reader: RequestReader;
  /** Input that has not been parsed yet: input[inputStart, inputEnd). */
  private input: Buffer | null = null;
  private inputStart = 0;
  private inputEnd = 0;
  private ending = false;
  private inputEnded = false;
  private running = false;
  private draining = false;

  constructor(socket: Socket, session: Session, thread: ConnectionThread) {
    this.socket = socket;
    this.writer = new SocketWriter(socket, () => this.onDrain());
    this.session = session;
    this.thread = thread;
    this.reader = new RequestReader();
    this.reader.authenticated = session.authenticated;
    this.reader.maxBulkBytes = thread.maxBulkBytes();
    session.peer = this;
  }

  /** Takes `length` bytes of the read buffer; false: stop reading until resumed. */
  onBytes(buf: Buffer, length: number): boolean {
    this.thread.counters[COUNTER.netInputBytes] += length;
    this.thread.counters[COUNTER.readsProcessed]++;
    if (this.input !== null) {
      this.append(buf, 0, length);
      if (!this.session.parked) this.runKept();
    } else {
      this.run(buf, 0, length);
    }
    return !this.paused;
  }

  get paused(): boolean {
    return this.session.parked || this.draining || this.ending || this.closed;
  }

  /** The peer sent its last byte: what it asked for is still answered. */
  onEnd(): void {
    this.inputEnded = true;
    if (!this.session.parked) this.endAfterOutput();
  }

  onClose(): void {
    if (this.closed) return;
    this.closed = true;
    this.session.peer = null;
    this.input = null;
    this.thread.forget(this);
  }

  private onDrain(): void {
    if (!this.draining) return;
    this.draining = false;
    this.carryOn();
  }

  /** Runs the commands of buf[pos, end) and keeps what is left over. */
  private run(buf: Buffer, pos: number, end: number): void {
    const thread = this.thread;
    const session = this.session;
    const reply = thread.reply;
    const start = reply.pos;
    const next = this.commands(buf, pos, end);
    if (this.closed) return;
    if (next < end) this.keep(buf, next, end);
    else if (buf === this.input) this.dropInput();
    thread.noteBatch(this, session.nowMs);
    thread.outbox.endBatch(this, start);
    thread.dispatcher.publish();
    if (this.ending || (this.inputEnded && !session.parked)) this.endAfterOutput();
  }

  /** The hot loop: parse and dispatch until the input, or this connection's right to go on, is used up. */
  private commands(buf: Buffer, pos: number, end: number): number {
    const { dispatcher, args, reply } = this.thread;
    const { session, reader } = this;
    let untilClock = 0;
    reply.resp = session.resp;
    while (pos < end) {
      const next = reader.read(buf, pos, end, args);
      if (next < 0) {
        if (next === PROTOCOL_ERROR) this.protocolError();
        return next === NEED_MORE ? pos : end;
      }
      pos = next;
      if (args.count === 0) continue;
      if (untilClock-- === 0) {
        session.nowMs = this.thread.readClock();
        untilClock = COMMANDS_PER_CLOCK;
      }
      if (dispatcher.dispatch(session, args) !== ANSWERED) return pos;
      if (session.closeAfterReply) {
        this.ending = true;
        return end;
      }
      reader.authenticated = session.authenticated;
    }
    return pos;
  }

  private protocolError(): void {
    this.thread.counters[COUNTER.protocolErrors]++;
    this.thread.reply.error(`ERR ${this.reader.error}`);
    this.ending = true;
  }

  /** Copies what is left of a batch into the connection's own buffer. */
  private keep(buf: Buffer, start: number, end: number): void {
    if (buf === this.input) {
      this.inputStart = start;
      return;
    }
    const length = end - start;
    const room = Math.max(length, Math.min(this.reader.needBytes, this.thread.queryBufferLimit()), 512);
    this.input = Buffer.allocUnsafeSlow(room);
    buf.copy(this.input, 0, start, end);
    this.inputStart = 0;
    this.inputEnd = length;
  }

  private append(buf: Buffer, start: number, end: number): void {
    const kept = this.inputEnd - this.inputStart;
    const length = end - start;
    if (kept + length > this.thread.queryBufferLimit()) {
      this.thread.counters[COUNTER.inputLimitDisconnections]++;
      this.thread.log(
        `Closing client that reached max query buffer length: id=${this.session.id} addr=${this.session.addr}`,
      );
      this.close();
      return;
    }
    let into = this.input!;
    if (this.inputEnd + length > into.length) {
      const room = Math.max(
        kept + length,
        this.reader.needBytes,
        kept * 2 > into.length ? into.length * 2 : into.length,
      );
      const next = kept + length <= into.length ? into : Buffer.allocUnsafeSlow(room);
      into.copy(next, 0, this.inputStart, this.inputEnd);
      into = this.input = next;
      this.inputStart = 0;
      this.inputEnd = kept;
    }
    buf.copy(into, this.inputEnd, start, end);
    this.inputEnd += length;
  }

  private dropInput(): void {
    if (this.input !== null && this.input.length <= KEPT_INPUT_BYTES) {
      this.inputStart = this.inputEnd = 0;
    }
    this.input = null;
  }

  private runKept(): void {
    if (this.input !== null && !this.closed) this.run(this.input, this.inputStart, this.inputEnd);
  }

  /** The answer of a parked command. */
  complete(replyBytes: Buffer): void {
    if (this.closed) return;
    const { reply, outbox } = this.thread;
    const start = reply.pos;
    reply.raw(replyBytes, 0, replyBytes.length);
    this.session.parked = false;
    outbox.endBatch(this, start);
    if (this.session.closeAfterReply) this.ending = true;
    this.carryOn();
  }

  /** Goes on after a pause: first with the kept input, then with the socket. */
  private carryOn(): void {
    if (this.running || this.closed) return;
    this.running = true;
    if (!this.paused) this.runKept();
    this.running = false;
    if (this.ending || (this.inputEnded && !this.session.parked)) this.endAfterOutput();
    else if (!this.paused) this.socket.resume();
  }

  /** OutputSink: writes to the socket; true when the kernel took everything at once. */
  send(buf: Buffer, start: number, end: number): boolean {
    this.thread.counters[COUNTER.netOutputBytes] += end - start;
    this.thread.counters[COUNTER.writesProcessed]++;
    if (this.writer.write(buf, start, end)) return true;
    if (this.writer.pendingBytes > OUTPUT_PAUSE_BYTES) this.draining = true;
    return false;
  }

  released(): void {
    if (this.ending) this.endAfterOutput();
  }

  /** Closes once everything owed has left; `released` calls again where something has not yet. */
  private endAfterOutput(): void {
    this.ending = true;
    // the peer need not say that it has finished: what it still sends is of no interest, and its silence must not keep us
    if (this.heldOutputs.length === 0 && this.stagedOutputs === 0) this.socket.end(() => this.close());
  }

  /** Closes at once, without the output still owed. */
  close(): void {
    this.socket.destroy();
    this.onClose();
  }

  /** Closes after the output is written: CLIENT KILL by another client, shutdown. */
  end(): void {
    this.endAfterOutput();
  }

  get owesOutput(): boolean {
    return this.heldOutputs.length > 0 || this.stagedOutputs > 0;
  }

  /** Bytes of input that no command has used yet. */
  get inputBytes(): number {
    return this.input === null ? 0 : this.inputEnd - this.inputStart;
  }

  /** Bytes of output that the kernel has not taken, or that wait for safe positions. */
  get outputBytes(): number {
    let bytes = this.writer.pendingBytes;
    for (const held of this.heldOutputs) bytes += held.bytes.length;
    return bytes;
  }

  /** Memory of this connection's buffers, in bytes. */
  get memoryBytes(): number {
    return (this.input === null ? 0 : this.input.length) + this.outputBytes;
  }
}
