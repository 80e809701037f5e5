/**
 * How long commands take: INFO commandstats and latencystats, SLOWLOG, the LATENCY events `command`, `fast-command` and
 * `command-unblocking`.
 *
 * Two readings of the clock cost as much as a small command, so not every call is timed:
 *
 *   exact    every call of a row that is not *quick* (Redis's flag `fast`, or O(1) by its documentation); every call that waited;
 *            the first WARM_CALLS of a quick row; every call at all while `slowlog-log-slower-than` is below ALL_BELOW_MICROS, or
 *            while the thread is alert
 *   sampled  one call in SAMPLE_EVERY of a quick row; it stands for the others in the statistics
 *   segment  the commands of a batch between two looks at the clock (Connection). What of its time no timed command took was taken
 *            by untimed ones, or by parsing. If that alone is more than SLOWLOG or LATENCY ask for, a quick command was slow: if it
 *            was the only one, it is noted; if not, nobody can tell which, and the thread is *alert* from now on for ALERT_MS: the
 *            next slow one is met exactly.
 *
 * Waiting for a latch or for another thread is not part of a command's time.
 *
 * Invariant 1: countdown[row] is how many further calls of the row go untimed; 0 for rows whose calls are all timed. The hot path
 *   is one decrement.
 * Invariant 2: exact calls stand for themselves alone and samples for the rest, so that slow calls, which are timed more often,
 *   do not pull the mean up.
 */
import type { CommandStats } from '../admin/command-stats.ts';
import type { LatencyEvent, LatencyEvents } from '../admin/latency-events.ts';
import type { LatencyHistograms } from '../admin/latency-histograms.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import type { SlowLog, SlowLogClient } from '../admin/slow-log.ts';
import type { CommandRow } from '../commands/command-table.ts';
import { isSecretArgument } from '../commands/secret-arguments.ts';
import { FLAG } from '../commands/spec.ts';
import type { Args } from '../resp/args.ts';

const SAMPLE_EVERY = 256;
const WARM_CALLS = 16;
const ALL_BELOW_MICROS = 1000;
const ALERT_MS = 2_000;

export interface TimingParts {
  readonly settings: SettingsStore;
  readonly commandStats: CommandStats;
  readonly latencyHistograms: LatencyHistograms;
  readonly latencyEvents: LatencyEvents;
  readonly slowLog: SlowLog;
  nowMs(): number;
}

function isQuick(row: CommandRow): boolean {
  return (row.flagBits & FLAG.fast) !== 0 || (row.run !== null && row.spec.complexity.startsWith('O(1)'));
}

function eventOf(row: CommandRow): LatencyEvent {
  return (row.flagBits & FLAG.fast) !== 0 ? 'fast-command' : 'command';
}

export class CommandTiming {
  readonly countdown: Int32Array;
  private readonly periods: Int32Array;
  private readonly warm: Uint8Array;
  private readonly quick: Uint8Array;
  private readonly rows: readonly CommandRow[];
  private readonly parts: TimingParts;
  private readonly steadyMs: () => number;
  private settingsEpoch = -1;
  private slowerThanMicros = -1;
  private maxEntries = 0;
  private latencyThresholdMs = 0;
  private isTracking = false;
  /** Every call is timed; null before the first choice. */
  private timesAll: boolean | null = null;
  private alertUntilMs = 0;
  /** Of the running segment: its begin, and what timed commands took of it. */
  private segmentBeganMs = 0;
  private segmentTimedMs = 0;
  private segmentCalls = 0;

  constructor(rows: readonly CommandRow[], parts: TimingParts, steadyMs: () => number) {
    this.rows = rows;
    this.parts = parts;
    this.steadyMs = steadyMs;
    this.countdown = new Int32Array(rows.length);
    this.periods = new Int32Array(rows.length);
    this.warm = new Uint8Array(rows.length).fill(WARM_CALLS);
    this.quick = Uint8Array.from(rows, (row) => (isQuick(row) ? 1 : 0));
    this.refresh();
  }

  /** Reads the settings again; the thread calls it when their epoch has moved. */
  refresh(): void {
    const { settings } = this.parts;
    this.settingsEpoch = settings.epoch;
    this.slowerThanMicros = settings.number('slowlog-log-slower-than');
    this.maxEntries = settings.number('slowlog-max-len');
    this.latencyThresholdMs = settings.number('latency-monitor-threshold');
    this.isTracking = settings.flag('latency-tracking');
    this.choosePeriods();
  }

  private choosePeriods(): void {
    const slow = this.slowerThanMicros;
    const all = (slow >= 0 && slow < ALL_BELOW_MICROS) || this.alertUntilMs > 0;
    if (all === this.timesAll) return;
    this.timesAll = all;
    for (let row = 0; row < this.periods.length; row++) {
      this.periods[row] = all || this.quick[row] === 0 ? 0 : SAMPLE_EVERY - 1;
      this.countdown[row] = 0;
    }
  }

  /** A call of `row` that is to be timed begins: the row's countdown went below 0. The moment to hand to `end`. */
  begin(row: number): number {
    this.recount(row);
    return this.steadyMs();
  }

  /** As `begin`, for who reads the clock by `now`; `ended` follows. */
  recount(row: number): void {
    if (this.warm[row] > 0) {
      this.warm[row]--;
      this.countdown[row] = 0;
    } else {
      this.countdown[row] = this.periods[row];
    }
  }

  /** The call ended whose `begin` gave `began`. */
  end(row: CommandRow, args: Args, began: number, client: SlowLogClient): void {
    this.ended(row, args, this.steadyMs() - began, this.isExact(row.id), client);
  }

  /** The same, where it is known that it took `ms`; `exact`: what `isExact` said when it began. */
  ended(row: CommandRow, args: Args, ms: number, exact: boolean, client: SlowLogClient): void {
    this.segmentTimedMs += ms;
    this.note(row, args, ms, exact, client);
  }

  /** Does the timed call of the row that has just begun stand for itself alone? */
  isExact(row: number): boolean {
    return this.countdown[row] === 0;
  }

  /** As `end`, for a call out of a script: SLOWLOG shows the script. */
  endNested(row: CommandRow, began: number): void {
    const micros = (this.steadyMs() - began) * 1000;
    const exact = this.countdown[row.id] === 0;
    this.parts.commandStats.timed(row.id, micros, exact);
    if (this.isTracking) this.parts.latencyHistograms.add(row.id, micros, exact ? 1 : SAMPLE_EVERY);
  }

  /** Now, for a call that waited: `endWaited` takes it as its begin. */
  now(): number {
    return this.steadyMs();
  }

  /** As `end`, for a call that waited or came from another thread; each of them is timed. */
  endWaited(row: CommandRow, args: Args, began: number, client: SlowLogClient): void {
    this.note(row, args, this.steadyMs() - began, true, client);
  }

  /** As `end`, for a command that waited in blocking; it took `ms` to serve it. */
  endUnblocked(row: CommandRow, args: Args, ms: number, client: SlowLogClient): void {
    this.note(row, args, ms, true, client, 'command-unblocking');
  }

  private note(
    row: CommandRow,
    args: Args,
    ms: number,
    exact: boolean,
    client: SlowLogClient,
    event = eventOf(row),
  ): void {
    const { parts } = this;
    const micros = ms * 1000;
    parts.commandStats.timed(row.id, micros, exact);
    // CONFIG SET of the very settings counts from its own end on, as in Redis
    if (parts.settings.epoch !== this.settingsEpoch) this.refresh();
    if (this.isTracking) parts.latencyHistograms.add(row.id, micros, exact ? 1 : SAMPLE_EVERY);
    this.noteSlow(row, args, ms, client, event);
  }

  private noteSlow(row: CommandRow, args: Args, ms: number, client: SlowLogClient, event = eventOf(row)): void {
    const { parts } = this;
    const micros = ms * 1000;
    const noted = this.slowerThanMicros >= 0 && Math.floor(micros) >= this.slowerThanMicros;
    if (noted && (row.flagBits & FLAG.skip_slowlog) === 0) {
      const isSecret = (arg: number): boolean => isSecretArgument(row, args, arg);
      parts.slowLog.add(args, isSecret, micros, parts.nowMs(), client, this.maxEntries);
    }
    if (this.latencyThresholdMs > 0 && ms >= this.latencyThresholdMs) {
      parts.latencyEvents.add(event, ms, parts.nowMs());
    }
  }

  /** A batch, or a part of one, begins; `calls`: commands that this thread has run so far. Returns the time, steady ms. */
  openSegment(calls: number): number {
    this.segmentCalls = calls;
    this.segmentTimedMs = 0;
    return (this.segmentBeganMs = this.steadyMs());
  }

  /** It ended; `row` is the id of its last command if `args` still holds that one, else -1. */
  closeSegment(calls: number, row: number, args: Args, client: SlowLogClient): void {
    const now = this.steadyMs();
    if (this.alertUntilMs > 0 && now >= this.alertUntilMs) {
      this.alertUntilMs = 0;
      this.choosePeriods();
    }
    const untimedMs = now - this.segmentBeganMs - this.segmentTimedMs;
    const slowMs = this.slowerThanMicros < 0 ? Number.POSITIVE_INFINITY : this.slowerThanMicros / 1000;
    const lateMs = this.latencyThresholdMs > 0 ? this.latencyThresholdMs : Number.POSITIVE_INFINITY;
    if (untimedMs < slowMs && untimedMs < lateMs) return;
    // everything was timed: the time went into reading input
    if (this.timesAll || calls === this.segmentCalls) return;
    if (calls - this.segmentCalls === 1 && row >= 0) {
      if (this.segmentTimedMs === 0) this.noteSlow(this.rows[row], args, untimedMs, client);
      return;
    }
    this.alertUntilMs = now + ALERT_MS;
    this.choosePeriods();
  }
}
