/**
 * When replies may leave. All connections of a thread write into one reply buffer; at the end of a connection's batch the
 * outbox stages its range until the event loop has served whoever sent something, and until the journal bytes that the batch made
 * or saw are in their files (R18), or holds a copy until they are safe under their policy (R13). Writing to all of them one after the
 * other wakes a process with many clients once; writing to each as soon as it is served costs it, and the write, a wake-up per client.
 *
 *   reply buffer:  | range of connection a | range of connection b | … | pos          staged ranges, sent by `flush`
 *
 * Invariant 1: the outputs of one connection leave in the order in which they were made.
 * Invariant 2: while ranges are staged the reply buffer is neither rewound below them nor given away.
 */
import type { Executor } from '../dispatch/executor.ts';
import type { Journal } from '../journal/journal.ts';
import type { SharedPushes } from '../pubsub/push-listener.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

/** Where the outbox sends a connection's bytes. */
export interface OutputSink {
  /** Writes buf[start, end) to the socket. True: the bytes were copied or sent, the buffer may be reused. */
  send(buf: Buffer, start: number, end: number): boolean;
  /** Ranges of this connection that are staged. */
  stagedOutputs: number;
  /** Bytes of its staged and held outputs. */
  owedBytes: number;
  /** Outputs that wait for safe positions, oldest first. */
  readonly heldOutputs: HeldOutput[];
  readonly closed: boolean;
  /** Ends the connection at once, without what it is owed. */
  close(): void;
  /** Called after staged or held outputs have left, or staged ones are held now. Must not write into the reply buffer. */
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
/** An output as long as this leaves at once: what it costs is its copying. */
const LONG_OUTPUT_BYTES = 32 * 1024;
/** More than this is not staged without a reason: it would fall out of the caches. */
const MOST_STAGED_BYTES = 128 * 1024;
/** So many outputs share a sync well enough: no more are waited for. */
const MOST_GATHERED = 64;

export class Outbox {
  private readonly reply: ReplyWriter;
  private readonly executor: Executor;
  private readonly journals: readonly Journal[];
  private readonly diskBroken: () => boolean;
  private readonly syncFailed: () => boolean;
  private readonly schedule: (run: () => void) => void;
  private readonly isAlways: (shard: number) => boolean;
  private readonly awaitSafe: (stamps: readonly number[]) => void;
  private readonly syncHere: () => void;
  private readonly staged: Staged[] = [];
  private stagedCount = 0;
  /** Staged ranges that are sent in front of the others: nothing else of their connections was staged. */
  private readonly firsts: Staged[] = [];
  private firstCount = 0;
  private scheduled = false;
  /** Shared bytes that are in the reply buffer, and where. */
  private shared: SharedPushes | null = null;
  private sharedVersion = 0;
  private sharedAt = 0;
  /** Shards whose journals must be drained before the staged ranges leave. */
  private readonly drainNeeded: Uint8Array;
  private drainsNeeded = 0;
  /** Something is staged that must be safe before it leaves. */
  private waitingStaged = false;
  /** Outputs that were staged when a sync was put off last, and how often it was. */
  private gathered = 0;
  private gatherTurns = 0;
  private readonly mostGatherTurns: number;
  /** While another thread writes a journal: the position that must be in the file, -1 before it was looked at. */
  private readonly drainTo: Float64Array;
  private readonly holders = new Set<OutputSink>();

  constructor(parts: {
    reply: ReplyWriter;
    executor: Executor;
    journals: readonly Journal[];
    diskBroken: () => boolean;
    /** A sync has failed: safe positions never move again (R20). */
    syncFailed: () => boolean;
    /** Runs a function in this thread's next turn of the event loop. */
    schedule: (run: () => void) => void;
    /** Has this shard the policy `always`? */
    isAlways: (shard: number) => boolean;
    /** Registers this thread with the journal thread for one ring when safe positions of these shards have moved (R14). */
    awaitSafe: (stamps: readonly number[]) => void;
    /** Makes what is published safe on this thread, if that is fast and nobody else is at it. */
    syncHere: () => void;
    /** For so many turns a sync is put off while they bring more outputs that wait for it. */
    mostGatherTurns: number;
  }) {
    this.reply = parts.reply;
    this.executor = parts.executor;
    this.journals = parts.journals;
    this.diskBroken = parts.diskBroken;
    this.syncFailed = parts.syncFailed;
    this.schedule = parts.schedule;
    this.isAlways = parts.isAlways;
    this.awaitSafe = parts.awaitSafe;
    this.syncHere = parts.syncHere;
    this.mostGatherTurns = parts.mostGatherTurns;
    this.drainNeeded = new Uint8Array(parts.journals.length);
    this.drainTo = new Float64Array(parts.journals.length);
  }

  /**
   * Ends a connection's batch, whose output begins at `start` of the reply buffer. `isLate`: it answers somebody who has waited since an
   * earlier turn, so it leaves in front of what this turn asked for. A served BLPOP would else wait for the reply of the push, and
   * for the waking of whoever pushed.
   */
  endBatch(sink: OutputSink, start: number, isLate = false): void {
    const executor = this.executor;
    const reply = this.reply;
    const wrote = executor.wrote;
    const stamps = executor.touchedCount === 0 ? NO_STAMPS : this.lookAtTouched();
    if (reply.pos === start) return;
    const free = this.drainsNeeded === 0 && stamps === NO_STAMPS && sink.heldOutputs.length === 0;
    if (free && this.stagedCount + this.firstCount === 0 && reply.pos - start >= LONG_OUTPUT_BYTES) {
      if (sink.send(reply.buf, start, reply.pos)) reply.rewind(start);
      else reply.takeOver();
      return;
    }
    this.stage(sink, start, reply.pos, stamps, wrote, isLate && sink.stagedOutputs === 0);
    if (free && reply.pos > MOST_STAGED_BYTES) this.sendStaged();
  }

  /**
   * Stages a range of bytes that other connections get as well, and that show no effect: they come into the reply buffer once. Nothing
   * was written there since the last batch ended.
   */
  endShared(sink: OutputSink, pushes: SharedPushes, start: number, end: number): void {
    const { reply } = this;
    if (this.shared !== pushes || this.sharedVersion !== pushes.version) {
      this.shared = pushes;
      this.sharedVersion = pushes.version;
      this.sharedAt = reply.pos;
      reply.raw(pushes.buf, 0, pushes.pos);
    }
    this.stage(sink, this.sharedAt + start, this.sharedAt + end, NO_STAMPS, false, false);
  }

  /**
   * Notes what must be drained before the batch's output leaves, and forgets what it touched. Returns pairs of shard and position
   * that must be safe.
   */
  private lookAtTouched(): number[] {
    const executor = this.executor;
    let stamps = NO_STAMPS;
    let enabled = false;
    for (let i = 0; i < executor.touchedCount; i++) {
      const shard = executor.touched[i];
      const journal = this.journals[shard];
      if (!journal.enabled) continue;
      enabled = true;
      if (journal.undrained()) this.needDrain(shard);
      if (this.mustWait(shard) && journal.safe() < journal.head()) {
        if (stamps === NO_STAMPS) stamps = [];
        stamps.push(shard, journal.head());
      }
    }
    executor.clearTouched();
    // what stands in a touched journal behind the part of a transaction is lost with the transaction's other parts
    if (enabled && this.journals[0].partsUndrained()) this.needAllDrained();
    if (this.drainsNeeded > 0) this.scheduleFlush();
    return stamps;
  }

  /** Did the batch touch something of this shard that must be on stable storage first? */
  private mustWait(shard: number): boolean {
    const { rules } = this.executor.unit;
    if (rules === null) return this.isAlways(shard);
    return this.executor.waits[shard] !== 0 && (rules.hasAlways || this.isAlways(shard));
  }

  private needAllDrained(): void {
    for (let shard = 0; shard < this.journals.length; shard++) {
      const journal = this.journals[shard];
      if (journal.enabled && journal.undrained()) this.needDrain(shard);
    }
  }

  private needDrain(shard: number): void {
    this.drainTo[shard] = -1;
    if (this.drainNeeded[shard] !== 0) return;
    this.drainNeeded[shard] = 1;
    this.drainsNeeded++;
  }

  private stage(
    sink: OutputSink,
    start: number,
    end: number,
    stamps: number[],
    wrote: boolean,
    isFirst: boolean,
  ): void {
    const list = isFirst ? this.firsts : this.staged;
    const slot = isFirst ? this.firstCount++ : this.stagedCount++;
    sink.stagedOutputs++;
    sink.owedBytes += end - start;
    if (stamps !== NO_STAMPS) this.waitingStaged = true;
    if (slot === list.length) list.push({ sink, start, end, stamps, wrote });
    else {
      const staged = list[slot];
      staged.sink = sink;
      staged.start = start;
      staged.end = end;
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

  /** Runs the drains of `flush`, where somebody wants to know how long they take (LATENCY). */
  watchDrain: ((drain: () => number) => number) | null = null;

  /** Drains the journals that staged outputs depend on, then sends or holds these. */
  readonly flush = (): void => {
    this.scheduled = false;
    if (this.waitingStaged && !this.isRuled) {
      if (this.gathersMore()) return;
      this.syncHere();
    }
    this.waitingStaged = false;
    const busy = this.watchDrain === null ? this.drain() : this.watchDrain(this.drain);
    if (busy >= 0) {
      this.flushAfter(busy);
      return;
    }
    this.sendStaged();
  };

  /**
   * A sync costs as much as a dozen commands: while each turn of the event loop brings more outputs that wait for it, it is put off, for a few
   * turns. Without this two halves of the clients take turns, each waiting for the other half's sync.
   */
  private gathersMore(): boolean {
    const count = this.stagedCount + this.firstCount;
    if (count > this.gathered && count < MOST_GATHERED && this.gatherTurns < this.mostGatherTurns) {
      this.gathered = count;
      this.gatherTurns++;
      this.scheduleFlush();
      return true;
    }
    this.gathered = 0;
    this.gatherTurns = 0;
    return false;
  }

  /** A script runs on and on in this turn: copies of what is staged leave now. The reply buffer stays as it is. */
  sendInScript(): void {
    if (this.stagedCount + this.firstCount === 0 || this.drain() >= 0) return;
    for (let i = 0; i < this.firstCount; i++) if (!this.sendCopy(this.firsts[i])) return;
    for (let i = 0; i < this.stagedCount; i++) if (!this.sendCopy(this.staged[i])) return;
  }

  /** False: it has to wait, and what comes behind it as well. */
  private sendCopy(one: Staged): boolean {
    const { sink, start, end, stamps, wrote } = one;
    if (start === end) return true;
    if (sink.heldOutputs.length > 0 || !this.areSafe(stamps) || (wrote && this.diskBroken())) return false;
    one.end = start;
    sink.stagedOutputs--;
    sink.owedBytes -= end - start;
    if (!sink.closed) sink.send(Buffer.from(this.reply.buf.subarray(start, end)), 0, end - start);
    return true;
  }

  /** Sends or holds what is staged; nothing of it needs a drain. */
  private sendStaged(): void {
    const refused = this.refusedByDisk();
    const firsts = this.firstCount;
    const count = this.stagedCount;
    let reusable = firsts === 0 || this.sendAll(this.firsts, firsts, refused);
    if (!this.sendAll(this.staged, count, refused)) reusable = false;
    this.firstCount = this.stagedCount = 0;
    this.shared = null;
    if (reusable) this.reply.rewind(0);
    else this.reply.takeOver();
    for (let i = 0; i < firsts; i++) this.firsts[i].sink.released();
    for (let i = 0; i < count; i++) this.staged[i].sink.released();
  }

  /** False: somebody still needs the reply buffer. */
  private sendAll(list: readonly Staged[], count: number, refused: number[]): boolean {
    const reply = this.reply;
    let reusable = true;
    for (let i = 0; i < count; i++) {
      const { sink, start, end, wrote } = list[i];
      // it has left already
      if (start === end) continue;
      const stamps = wrote && refused !== NO_STAMPS ? [...list[i].stamps, ...refused] : list[i].stamps;
      sink.stagedOutputs--;
      sink.owedBytes -= end - start;
      if (sink.closed) continue;
      if (sink.heldOutputs.length > 0 || !this.areSafe(stamps)) this.hold(sink, start, end, stamps);
      else if (!sink.send(reply.buf, start, end)) reusable = false;
    }
    return reusable;
  }

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

  /**
   * Writes what the staged outputs need. Returns a shard that another thread is writing, or -1 when all is written. A broken disk
   * does not hold the outputs of reads back.
   */
  private readonly drain = (): number => {
    let busy = -1;
    if (this.drainsNeeded === 0) return busy;
    for (let shard = 0; shard < this.drainNeeded.length; shard++) {
      if (this.drainNeeded[shard] === 0) continue;
      const journal = this.journals[shard];
      if (journal.drain() || this.isWritten(journal, shard) || this.diskBroken()) {
        this.drainNeeded[shard] = 0;
        this.drainsNeeded--;
      } else busy = shard;
    }
    return busy;
  };

  /** Has another thread written what stood in the journal when this was first asked? It may never find the journal empty. */
  private isWritten(journal: Journal, shard: number): boolean {
    if (this.drainTo[shard] < 0) this.drainTo[shard] = journal.head();
    return journal.written() >= this.drainTo[shard];
  }

  /** Flushes when the thread that writes this shard's journal has finished: until then this one sleeps, or serves others. */
  private flushAfter(shard: number): void {
    const free = this.journals[shard].whenDrainFree();
    if (free === null) {
      this.scheduleFlush();
      return;
    }
    this.scheduled = true;
    free.then(this.flush);
  }

  private areSafe(stamps: number[]): boolean {
    for (let i = 0; i < stamps.length; i += 2) {
      const journal = this.journals[stamps[i]];
      if ((this.mustBeSafe(stamps[i]) ? journal.safe() : journal.written()) < stamps[i + 1]) return false;
    }
    return true;
  }

  /** Is a position of this shard reached when it is synced, not when it is written? */
  private mustBeSafe(shard: number): boolean {
    return this.isRuled || this.isAlways(shard);
  }

  /** May shards have to be safe that are not `always`? */
  private get isRuled(): boolean {
    return this.executor.unit.rules?.hasAlways === true;
  }

  private hold(sink: OutputSink, start: number, end: number, stamps: number[]): void {
    sink.heldOutputs.push({ bytes: Buffer.from(this.reply.buf.subarray(start, end)), stamps });
    sink.owedBytes += end - start;
    this.holders.add(sink);
    this.awaitSafe(this.isRuled ? stamps : NO_STAMPS);
    // registered first, then looked again (R14): the positions may have moved meanwhile
    if (this.areSafe(stamps) || this.syncFailed()) this.scheduleRelease();
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
    if (this.holders.size > 0 && !this.isRuled) {
      this.syncHere();
      this.releaseSafe();
    }
    if (this.holders.size === 0) return;
    this.awaitSafe(this.isRuled ? [...this.holders].flatMap(({ heldOutputs }) => heldOutputs[0].stamps) : NO_STAMPS);
    this.releaseSafe();
    if (this.syncFailed()) this.closeLost();
  };

  /**
   * After a failed sync nobody knows what became of the records that outputs wait for, and nobody will: their clients learn that by the end
   * of the connection, instead of waiting for ever. Outputs that only have to be written are not concerned.
   */
  private closeLost(): void {
    for (const sink of this.holders) {
      const { stamps } = sink.heldOutputs[0];
      for (let i = 0; i < stamps.length; i += 2) {
        if (this.mustBeSafe(stamps[i]) && this.journals[stamps[i]].safe() < stamps[i + 1] && !sink.closed) sink.close();
      }
    }
    this.releaseSafe();
  }

  private releaseSafe(): void {
    for (const sink of this.holders) {
      const queue = sink.heldOutputs;
      let sent = 0;
      while (sent < queue.length && (sink.closed || this.areSafe(queue[sent].stamps))) {
        const { bytes } = queue[sent++];
        sink.owedBytes -= bytes.length;
        if (!sink.closed) sink.send(bytes, 0, bytes.length);
      }
      if (sent === 0) continue;
      queue.splice(0, sent);
      if (queue.length === 0) this.holders.delete(sink);
      sink.released();
    }
  }
}
