/**
 * MULTI … EXEC on a client's own thread: queueing, and the one unit in which everything queued runs.
 *
 *   collect the shards of all commands and of all watched keys ──► latch them, ascending, all or none ──► watches broken? null
 *   ──► end the watches ──► run command after command ──► publish as one transaction, tell listeners, release
 *
 * Invariant 1: what waits for latches holds none and has changed nothing; it collects again when it tries again (R2, R3).
 * Invariant 2: nothing inside waits. What a command asks of other threads (BGSAVE, DEBUG RELOAD) is done after the latches are
 *              released, and the answer is put where it belongs when it comes (SplicedReply).
 */
import { COUNTER } from '../admin/server-counters.ts';
import { COMMANDS, type CommandRow } from '../commands/command-table.ts';
import { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { CommandTiming } from './command-timing.ts';
import { DONE, type Executor } from './executor.ts';
import { feedMonitors } from './monitor-feed.ts';
import type { Scripts } from './scripts.ts';
import type { ServerContext, Session } from './session.ts';
import { SeveralCommands } from './several-commands.ts';
import type { Transaction } from './transaction.ts';

export const EXEC = COMMANDS.byName('exec')!;
export const WATCH = COMMANDS.byName('watch')!;
/** What MULTI does not queue. */
const IMMEDIATE: ReadonlySet<CommandRow> = new Set(
  ['multi', 'exec', 'discard', 'watch', 'quit', 'reset'].map((name) => COMMANDS.byName(name)!),
);
/** What also works where a command may take no memory, for it ends the transaction. */
const ENDING: ReadonlySet<CommandRow> = new Set(
  ['exec', 'discard', 'quit', 'reset'].map((name) => COMMANDS.byName(name)!),
);

const NO_BYTES = Buffer.alloc(0);

export const EXECABORT = 'EXECABORT Transaction discarded because of previous errors.';
export const WATCH_IN_MULTI = 'ERR WATCH inside MULTI is not allowed';

/** The text of a refusal of EXEC itself. */
export function execRefused(refusal: string): string {
  return `EXECABORT Transaction discarded because of: ${refusal.replace(/^ERR /, '')}`;
}

export function isImmediate(row: CommandRow): boolean {
  return IMMEDIATE.has(row);
}

/** In MULTI whatever is queued takes memory. */
export function endsTransaction(row: CommandRow): boolean {
  return ENDING.has(row);
}

/** A reply with gaps for the answers that come from other threads, in order. */
export class SplicedReply {
  private whole: Buffer;
  private readonly pieces: Buffer[];

  /** `pieces`: what stands before, between and behind the gaps. */
  constructor(pieces: Buffer[]) {
    this.whole = pieces[0];
    this.pieces = pieces.slice(1);
  }

  /** Puts an answer into the next gap; null: another one is open. */
  fill(answer: Buffer): Buffer | null {
    this.whole = Buffer.concat([this.whole, answer, this.pieces.shift()!]);
    return this.pieces.length === 0 ? this.whole : null;
  }
}

export class Transactions {
  private readonly server: ServerContext;
  private readonly executor: Executor;
  readonly several: SeveralCommands;
  /** Who runs scripts; set when it is made. */
  scripts: Scripts | null = null;
  private readonly reply: ReplyWriter;
  private readonly timing: CommandTiming;
  private readonly counters: Float64Array;
  /** The command that EXEC runs. */
  private readonly args = new Args();
  /** Where in the reply of the running EXEC an answer from another thread belongs. */
  private readonly gaps: number[] = [];

  constructor(parts: {
    server: ServerContext;
    executor: Executor;
    reply: ReplyWriter;
    timing: CommandTiming;
    counters: Float64Array;
  }) {
    this.server = parts.server;
    this.executor = parts.executor;
    this.several = new SeveralCommands(parts.executor);
    this.reply = parts.reply;
    this.timing = parts.timing;
    this.counters = parts.counters;
  }

  /** `flags`: the command's, and those of the script that it runs. */
  queue(session: Session, transaction: Transaction, row: CommandRow, args: Args, flags: number): void {
    this.several.markShards(row, args, transaction.shards);
    transaction.queue(row, args, flags);
    // the next command of these arguments is another one
    args.located = 0;
    this.server.clients.setQueued(session.record, transaction.count, transaction.bytes);
    this.reply.queued();
  }

  /**
   * EXEC. DONE: the reply is in the writer (or `session.spliced` completes it); BUSY, GATE: as Executor.execute, nothing happened.
   * `waits`, `turn`: as in Executor.latchCollected.
   */
  run(session: Session, transaction: Transaction, waits: boolean, turn: boolean): number {
    const { executor, several, reply } = this;
    const { watches } = this.server;
    if (transaction.aborted) {
      session.leave();
      reply.error(EXECABORT);
      return DONE;
    }
    this.collect(session, transaction);
    const outcome = several.latchCollected(reply, transaction.writes, waits, turn);
    if (outcome !== DONE) return outcome;
    const mark = reply.pos;
    const broken = watches.broken(session, executor.unit.nowMs);
    watches.endLatched(session);
    if (broken) {
      reply.nullArray();
      several.abandon();
    } else {
      this.runAll(session, transaction);
      several.end(reply, EXEC, mark);
      session.applyDeferredSettings();
      if (this.gaps.length > 0) this.takeOut(session, mark);
    }
    session.endMulti();
    return DONE;
  }

  private collect(session: Session, transaction: Transaction): void {
    const { several } = this;
    several.beginCollecting();
    for (const { shard } of session.watched) several.collectShard(shard);
    several.collectMarked(transaction.shards);
  }

  private runAll(session: Session, transaction: Transaction): void {
    const { executor, reply } = this;
    const { args } = this;
    const { rows } = transaction;
    const parked = session.parked;
    let at = 0;
    this.gaps.length = 0;
    session.isExecuting = true;
    executor.unit.several = rows.length > 1;
    executor.unit.session = session;
    reply.array(rows.length);
    for (let i = 0; i < rows.length; i++) {
      session.parked = false;
      const start = reply.pos;
      at = transaction.load(at, args);
      this.runCommand(session, rows[i], args);
      if (session.parked && reply.pos === start) this.gaps.push(start);
    }
    session.parked = parked;
    session.isExecuting = false;
    // what was long is not kept
    args.buf = NO_BYTES;
    args.shrink(0);
  }

  private runCommand(session: Session, row: CommandRow, args: Args): void {
    const { several, reply, timing } = this;
    const start = reply.pos;
    const began = --timing.countdown[row.id] < 0 ? timing.begin(row.id) : 0;
    this.counters[COUNTER.commandsProcessed]++;
    const { log } = this.server.pushes;
    if (log.anyMonitor) feedMonitors(log, session, row, args);
    if (row.isScript) {
      this.scripts!.runInside(session, row, args, reply);
    } else if (row.session !== null) {
      row.session(session, args, reply);
      // CLIENT TRACKING and CACHING hold for the commands behind them
      this.server.pushes.reads.begin(session, session.tracks);
    } else if (several.runNested(row, args, reply, session.db, session.noTouch) !== DONE) {
      throw new Error(`${row.fullName} reached for a shard that EXEC did not collect`);
    }
    if (began !== 0) timing.end(row, args, began, session);
    const failed = reply.pos > start && reply.buf[start] === 45;
    this.server.commandStats.called(row.id, 0, failed);
    if (!failed || (row.isScript && this.scripts!.isErrorCounted)) return;
    let end = start + 1;
    while (end < reply.pos && reply.buf[end] !== 13) end++;
    this.server.errorStats.count(reply.buf, start + 1, end);
  }

  /** Takes a reply with gaps out of the writer; the session waits for what is missing. */
  private takeOut(session: Session, mark: number): void {
    const { reply } = this;
    const edges = [mark, ...this.gaps, reply.pos];
    const pieces = edges.slice(1).map((edge, i) => Buffer.from(reply.buf.subarray(edges[i], edge)));
    this.gaps.length = 0;
    reply.rewind(mark);
    session.spliced = new SplicedReply(pieces);
  }
}
