/**
 * Neighbouring commands of a pipeline, each of a single key: those of the same shard under its latch taken once. What the gate, the
 * latch and a unit's beginning ask is asked once for all of them: the answers cannot change while the latch is held (R3). But for the
 * state word: a unit that fills a snapshot's memory changes it itself, so it is looked at again behind each.
 *
 * Only what can neither wait nor be refused goes this way: plain commands of one key whose arguments are short, of a client without
 * transaction, subscriptions or tracking, on a server where nobody listens. Everything else goes through `Dispatcher.dispatchRow`,
 * command by command.
 *
 * Invariant 1: each command is a unit of its own: it reserves, journals and publishes as if it were alone, and sees the same time as the
 *              others of its batch.
 * Invariant 2: a run ends before the next command when somebody waits for the latch or wants it, when a long value is to be copied, and
 *              when the journal cannot follow: nothing is written, copied at length or waited for under the latch.
 * Invariant 3: a run has no more commands than are read ahead together, so it never outlives the batch; where commands may take long,
 *              all of which are timed, it ends behind the one that passes MOST_MS.
 */
import type { CommandStats } from '../admin/command-stats.ts';
import { COUNTER } from '../admin/server-counters.ts';
import type { CommandRow } from '../commands/command-table.ts';
import { REPLY_MODE } from '../commands/reply-mode.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import type { CommandTiming } from './command-timing.ts';
import { type Executor, OUT_OF_ROOM, SPIN_MICROS } from './executor.ts';
import type { GateFacts } from './gate.ts';
import { type LookAhead, MOST_COMMANDS } from './look-ahead.ts';
import type { Session } from './session.ts';
import type { Unit } from './unit.ts';

const COMMANDS_PROCESSED = COUNTER.commandsProcessed;
/** Longer arguments go alone: what a command costs under the latch grows with them. */
const MOST_BYTES = 1024;
/** So long the latch is kept over commands that are timed, in milliseconds: no longer than others spin for it. */
const MOST_MS = SPIN_MICROS / 1000;
const MINUS = 45;
/** Of a command that was not timed. */
const UNTIMED = -1;

/** What the dispatcher adds. */
export interface RunHost {
  /** Nobody watches commands as they come, and neither memory nor the way to this shard is restricted. */
  letsRun(shard: number): boolean;
  /** After a command that answered an error, without latches. */
  countFailure(row: CommandRow, start: number): void;
}

export class CommandRuns {
  private readonly executor: Executor;
  private readonly unit: Unit;
  private readonly facts: GateFacts;
  private readonly reply: ReplyWriter;
  private readonly counters: Float64Array;
  private readonly commandStats: CommandStats;
  private readonly timing: CommandTiming;
  /** By row: calls until the next that is timed. */
  private readonly untimedCalls: Int32Array;
  private readonly host: RunHost;
  /** By place among the commands read ahead: how long it took, in milliseconds. */
  private readonly took = new Float64Array(MOST_COMMANDS);
  /** The same for what `CommandTiming.isExact` said. */
  private readonly exact = new Uint8Array(MOST_COMMANDS);
  /** The next command may be tried, too. */
  private goesOn = false;
  /** When the first timed command under the latch began, and the last one ended; 0: there was none, or another came behind it. */
  private firstBeganMs = 0;
  private lastEndedMs = 0;

  constructor(parts: {
    executor: Executor;
    facts: GateFacts;
    reply: ReplyWriter;
    counters: Float64Array;
    commandStats: CommandStats;
    timing: CommandTiming;
    host: RunHost;
  }) {
    this.executor = parts.executor;
    this.unit = parts.executor.unit;
    this.facts = parts.facts;
    this.reply = parts.reply;
    this.counters = parts.counters;
    this.commandStats = parts.commandStats;
    this.timing = parts.timing;
    this.untimedCalls = parts.timing.countdown;
    this.host = parts.host;
  }

  /**
   * Runs command `from` of those read ahead, which has one behind it, and as many more as go with it, until the replies pass `stopAt`.
   * Returns how many it ran; 0: not even the first, or it has no company; it is to be dispatched as usual.
   */
  run(session: Session, ahead: LookAhead, from: number, stopAt: number): number {
    const { rows, args: all, count } = ahead;
    if (!this.goes(rows[from], all[from]) || !this.goes(rows[from + 1], all[from + 1]) || !this.mayRun(session))
      return 0;
    let i = from;
    do {
      const shard = all[i].keyShard;
      if (!this.host.letsRun(shard) || !this.open(session, shard, all[i])) break;
      i = this.underLatch(session, ahead, i, stopAt, shard);
    } while (this.goesOn && i < count && this.goes(rows[i], all[i]));
    return i - from;
  }

  /** Those from `from` on that need this shard, whose latch is held, and which is then given back. Returns the place behind them. */
  private underLatch(session: Session, ahead: LookAhead, from: number, stopAt: number, shard: number): number {
    const { rows, args: all, count } = ahead;
    const { executor, unit, reply, commandStats } = this;
    const latch = executor.latches[shard];
    let i = from;
    let failed = false;
    let goesOn = false;
    let start = reply.pos;
    this.firstBeganMs = this.lastEndedMs = 0;
    do {
      const row = rows[i]!;
      goesOn = !row.isWrite || !this.mayLag(shard);
      if (!goesOn) break;
      start = reply.pos;
      if (--this.untimedCalls[row.id] < 0) {
        this.stepTimed(shard, row, all[i], i);
      } else {
        this.step(shard, row, all[i]);
        this.took[i] = UNTIMED;
        this.lastEndedMs = 0;
      }
      i++;
      failed = reply.pos > start && reply.buf[start] === MINUS;
      if (!failed) commandStats.called(row.id, 0, false);
      goesOn =
        !failed &&
        !unit.large.active &&
        !latch.isSought() &&
        executor.isStateKept() &&
        this.lastEndedMs - this.firstBeganMs <= MOST_MS &&
        reply.pos <= stopAt;
    } while (goesOn && i < count && all[i].keyShard === shard && this.goes(rows[i], all[i]));
    latch.release();
    this.goesOn = goesOn;
    if (i > from) this.finish(session, ahead, from, i, start, failed);
    return i;
  }

  /** Without the latch: what is said of commands from … to - 1, whose last one's reply began at `start`. */
  private finish(session: Session, ahead: LookAhead, from: number, to: number, start: number, failed: boolean): void {
    const { rows, args } = ahead;
    const last = rows[to - 1]!;
    this.counters[COMMANDS_PROCESSED] += to - from;
    session.lastRow = last.id;
    if (this.unit.large.active) this.executor.finishLarge(this.reply, start, last);
    if (failed) this.host.countFailure(last, start);
    for (let i = from; i < to; i++) {
      if (this.took[i] !== UNTIMED) this.timing.ended(rows[i]!, args[i], this.took[i], this.exact[i] === 1, session);
    }
  }

  /** Can this command be part of a run? */
  private goes(row: CommandRow | null, args: Args): boolean {
    return (
      row?.goesInRuns === true &&
      args.located !== 0 &&
      args.ends[args.count - 1] - args.starts[0] <= MOST_BYTES &&
      row.arityFits(args.count)
    );
  }

  /** What the gate asks of a session and of the server. */
  private mayRun(session: Session): boolean {
    return (
      session.authenticated &&
      session.multi === null &&
      session.tracking === null &&
      !session.isSubscriber &&
      session.replyMode === REPLY_MODE.on &&
      this.facts.stateBits() === 0
    );
  }

  /** Takes the latch and begins the units. False: it is busy, or somebody listens here; nothing is held and nothing has happened. */
  private open(session: Session, shard: number, args: Args): boolean {
    const { executor, unit } = this;
    unit.held[0] = shard;
    unit.heldCount = 1;
    executor.gateBits = 0;
    if (!executor.latches[shard].tryAcquire()) return false;
    if (!executor.stateHolds()) return false;
    const now = executor.enterOne(shard);
    unit.begin(args, this.reply, session.db, now, session.noTouch);
    if (unit.rules !== null || unit.listening !== 0) {
      executor.latches[shard].release();
      return false;
    }
    unit.reads?.begin(session, false);
    executor.touch(shard);
    return true;
  }

  /** A write might have to wait for the journal: this is found out, and waited for, without the latch. */
  private mayLag(shard: number): boolean {
    const journal = this.unit.journals[shard];
    return journal.enabled && (journal.backlogFull() || journal.syncLate(this.executor.clockMs));
  }

  /** As step, for a command that is to be timed; what this says is told when the latch has been given back. */
  private stepTimed(shard: number, row: CommandRow, args: Args, place: number): void {
    const { timing } = this;
    timing.recount(row.id);
    this.exact[place] = timing.isExact(row.id) ? 1 : 0;
    const began = this.lastEndedMs === 0 ? timing.now() : this.lastEndedMs;
    if (this.firstBeganMs === 0) this.firstBeganMs = began;
    this.step(shard, row, args);
    this.lastEndedMs = timing.now();
    this.took[place] = this.lastEndedMs - began;
  }

  /** One command, a unit under the latch that is held. */
  private step(shard: number, row: CommandRow, args: Args): void {
    const { executor, unit, reply } = this;
    const { arena } = unit.spaces[shard];
    unit.hashes[row.firstKey] = args.keyHash;
    unit.shardOfArg[row.firstKey] = shard;
    unit.again(args);
    const start = reply.pos;
    const mutations = arena.mutations;
    try {
      if ((unit.writes = row.isWrite) && !executor.reserve(row, args)) reply.error(OUT_OF_ROOM);
      else row.run!(unit, args, reply);
      if (unit.commit(row)) executor.wrote = true;
    } catch (error) {
      executor.handleFailure(error, arena.mutations !== mutations, reply, start, row);
    }
  }
}
