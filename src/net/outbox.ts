/**
 * When replies may leave. All connections of a thread write into one reply buffer; at the end of a connection's batch the
 * outbox either sends its range at once, or stages it until the journal bytes that the batch made or saw are in their files
 * (R18), or holds a copy until they are safe under their policy (R13).
 *
 *   reply buffer:  | range of connection a | range of connection b | … | pos          staged ranges, sent by `flush`
 *
 * Invariant 1: the outputs of one connection leave in the order in which they were made.
 * Invariant 2: while ranges are staged the reply buffer is neither rewound below them nor given away.
 */
import type { Executor } from '../dispatch/executor.ts';
import type { Journal } from '../journal/journal.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

/** Where the outbox sends a connection's bytes. */
export interface OutputSink {
  /** Writes buf[start, end) to the socket. True: the bytes were copied or sent, the buffer may be reused. */
  send(buf: Buffer, start: number, end: number): boolean;
  /** Ranges of this connection that are staged. */
  stagedOutputs: number;
  /** Outputs that wait for safe positions, oldest first. */
  readonly heldOutputs: HeldOutput[];
  readonly closed: boolean;
  /** Called when the last staged or held output has left. */
  released(): void;
}

export interface HeldOutput {
  bytes: Buffer;
  /** Pairs of shard and journal position that must be safe before the bytes leave. */
  stamps: number[];
}

interface Staged {
  sink: OutputSink;
  start: number;
  end: number;
  stamps: number[];
  /** The batch changed something. */
  wrote: boolean;
}

const NO_STAMPS: number[] = [];

export class Outbox {
  private readonly reply: ReplyWriter;
  private readonly executor: Executor;
  private readonly journals: readonly Journal[];
  private readonly diskBroken: () => boolean;
  private readonly schedule: (run: () => void) => void;
  private readonly isAlways: (shard: number) => boolean;
  private readonly awaitSafe: () => void;
  private readonly staged: Staged[] = [];
  private stagedCount = 0;
  private scheduled = false;
  /** Shards whose journals must be drained before the staged ranges leave. */
  private readonly drainNeeded: Uint8Array;
  private readonly holders = new Set<OutputSink>();

  constructor(parts: {
    reply: ReplyWriter;
    executor: Executor;
    journals: readonly Journal[];
    diskBroken: () => boolean;
    /** Runs a function in this thread's next turn of the event loop. */
    schedule: (run: () => void) => void;
    /** Has this shard the policy `always`? */
    isAlways: (shard: number) => boolean;
    /** Registers this thread with the journal thread for one ring when safe positions have moved (R14). */
    awaitSafe: () => void;
  }) {
    this.reply = parts.reply;
    this.executor = parts.executor;
    this.journals = parts.journals;
    this.diskBroken = parts.diskBroken;
    this.schedule = parts.schedule;
    this.isAlways = parts.isAlways;
    this.awaitSafe = parts.awaitSafe;
    this.drainNeeded = new Uint8Array(parts.journals.length);
  }

  /** Ends a connection's batch, whose output begins at `start` of the reply buffer. */
  endBatch(sink: OutputSink, start: number): void {
    const executor = this.executor;
    const reply = this.reply;
    let stamps = NO_STAMPS;
    let drain = false;
    for (let i = 0; i < executor.touchedCount; i++) {
      const shard = executor.touched[i];
      const journal = this.journals[shard];
      if (!journal.enabled) continue;
      if (journal.undrained()) {
        this.drainNeeded[shard] = 1;
        drain = true;
      }
      if (this.isAlways(shard) && journal.safe() < journal.head()) {
        if (stamps === NO_STAMPS) stamps = [];
        stamps.push(shard, journal.head());
      }
    }
    if (executor.touchedCount > 0)
      for (let shard = 0; shard < this.journals.length; shard++)
        if (this.journals[shard].enabled && this.journals[shard].undrained()) {
          this.drainNeeded[shard] = 1;
          drain = true;
        }
    const wrote = executor.wrote;
    executor.clearTouched();
    if (reply.pos === start) {
      if (drain) this.scheduleFlush();
      return;
    }
    if (this.stagedCount === 0 && !drain && stamps === NO_STAMPS && sink.heldOutputs.length === 0) {
      if (sink.send(reply.buf, start, reply.pos)) reply.rewind(start);
      else reply.takeOver();
      return;
    }
    this.stage(sink, start, stamps, wrote);
  }

  private stage(sink: OutputSink, start: number, stamps: number[], wrote: boolean): void {
    const slot = this.stagedCount++;
    sink.stagedOutputs++;
    if (slot === this.staged.length) this.staged.push({ sink, start, end: this.reply.pos, stamps, wrote });
    else {
      const staged = this.staged[slot];
      staged.sink = sink;
      staged.start = start;
      staged.end = this.reply.pos;
      staged.stamps = stamps;
      staged.wrote = wrote;
    }
    this.scheduleFlush();
  }

  private scheduleFlush(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(this.flush);
  }

  /** Drains the journals that staged outputs depend on, then sends or holds these. */
  readonly flush = (): void => {
    this.scheduled = false;
    if (!this.drain()) {
      this.scheduleFlush();
      return;
    }
    const refused = this.refusedByDisk();
    const reply = this.reply;
    let reusable = true;
    for (let i = 0; i < this.stagedCount; i++) {
      const { sink, start, end, wrote } = this.staged[i];
      const stamps = wrote && refused !== NO_STAMPS ? [...this.staged[i].stamps, ...refused] : this.staged[i].stamps;
      sink.stagedOutputs--;
      if (sink.closed) continue;
      if (sink.heldOutputs.length > 0 || !this.areSafe(stamps)) this.hold(sink, start, end, stamps);
      else if (!sink.send(reply.buf, start, end)) reusable = false;
    }
    const count = this.stagedCount;
    this.stagedCount = 0;
    if (reusable) reply.rewind(0);
    else reply.takeOver();
    for (let i = 0; i < count; i++) {
      const sink = this.staged[i].sink;
      if (sink.stagedOutputs === 0 && sink.heldOutputs.length === 0) sink.released();
    }
  };

  /**
   * Positions that a broken disk has not taken: outputs of batches that wrote wait for them (R18), those of batches that only
   * read do not.
   */
  private refusedByDisk(): number[] {
    if (!this.diskBroken()) return NO_STAMPS;
    const stamps: number[] = [];
    for (const journal of this.journals) {
      if (journal.enabled && journal.undrained()) stamps.push(journal.shard, journal.head());
    }
    return stamps;
  }

  /** False: a journal could not be drained now; a broken disk does not hold the outputs of reads back. */
  private drain(): boolean {
    let done = true;
    for (let shard = 0; shard < this.drainNeeded.length; shard++) {
      if (this.drainNeeded[shard] === 0) continue;
      const journal = this.journals[shard];
      if (journal.drain() && !journal.undrained()) this.drainNeeded[shard] = 0;
      else if (this.diskBroken()) this.drainNeeded[shard] = 0;
      else done = false;
    }
    return done;
  }

  private areSafe(stamps: number[]): boolean {
    for (let i = 0; i < stamps.length; i += 2) {
      const journal = this.journals[stamps[i]];
      if ((this.isAlways(stamps[i]) ? journal.safe() : journal.written()) < stamps[i + 1]) return false;
    }
    return true;
  }

  private hold(sink: OutputSink, start: number, end: number, stamps: number[]): void {
    sink.heldOutputs.push({ bytes: Buffer.from(this.reply.buf.subarray(start, end)), stamps });
    this.holders.add(sink);
    this.awaitSafe();
    // registered first, then looked again (R14): the positions may have moved meanwhile
    if (this.areSafe(stamps)) this.scheduleRelease();
  }

  private releaseScheduled = false;

  private scheduleRelease(): void {
    if (this.releaseScheduled) return;
    this.releaseScheduled = true;
    this.schedule(this.release);
  }

  /** Sends held outputs whose positions are safe by now; called when the journal thread rang. */
  readonly release = (): void => {
    this.releaseScheduled = false;
    if (this.holders.size === 0) return;
    this.releaseSafe();
    if (this.holders.size === 0) return;
    this.awaitSafe();
    this.releaseSafe();
  };

  private releaseSafe(): void {
    for (const sink of this.holders) {
      const queue = sink.heldOutputs;
      let sent = 0;
      while (sent < queue.length && (sink.closed || this.areSafe(queue[sent].stamps))) {
        if (!sink.closed) sink.send(queue[sent].bytes, 0, queue[sent].bytes.length);
        sent++;
      }
      queue.splice(0, sent);
      if (queue.length > 0) continue;
      this.holders.delete(sink);
      if (sink.stagedOutputs === 0) sink.released();
    }
  }
}
