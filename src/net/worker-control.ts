/** What a worker's sessions may ask beyond their thread, and what the worker knows of journal and disk. */
import { resolve } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { ClientRecords } from '../admin/client-records.ts';
import { Log, type LogLevel } from '../admin/log.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import type { Control, Session } from '../dispatch/session.ts';
import { systemClock } from '../env/clock.ts';
import { systemFiles } from '../env/files.ts';
import type { Journal } from '../journal/journal.ts';
import { JournalControl } from '../journal/journal-control.ts';
import { JOURNAL_STATE, POLICY } from '../journal/journal-memory.ts';
import { SyncRound } from '../journal/sync-round.ts';
import type { FromWorker, SaveHow, ShutdownRequest, ThreadStart } from '../messages/thread-messages.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { PROCESS, STATE } from '../shard/world.ts';
import { realDirectory, rewriteConfigFile } from './config-file.ts';
import { crashReport } from './crash-report.ts';
import { logSink } from './log-sink.ts';
import { applySettings } from './settings-effects.ts';
import { stackOf } from './source-places.ts';

export class WorkerControl implements Control {
  readonly journal: JournalControl;
  private readonly rounds: SyncRound;
  private readonly start: ThreadStart;
  private readonly port: MessagePort;
  private readonly access: ShardAccess;
  private readonly settings: SettingsStore;

  /** `syncedForAlways`: a sync that replies wait for took so many milliseconds on this thread. */
  constructor(
    start: ThreadStart,
    port: MessagePort,
    access: ShardAccess,
    settings: SettingsStore,
    syncedForAlways: (ms: number) => void,
  ) {
    this.start = start;
    this.port = port;
    this.access = access;
    this.settings = settings;
    this.journal = new JournalControl(start.journal);
    this.rounds = new SyncRound({
      memory: start.journal,
      files: systemFiles,
      clock: systemClock,
      ring: (thread) => {
        if (thread !== start.thread) access.doorbells[thread].ring();
      },
      syncedForAlways,
    });
    access.heartbeats.attachProgress(start.thread);
  }

  private send(message: FromWorker): void {
    this.port.postMessage(message);
  }

  logAt(level: LogLevel, text: string): void {
    this.send({ kind: 'log', level, text });
  }

  log(text: string): void {
    this.logAt('notice', text);
  }

  // ---- Control ----

  shutdown(session: Session, request: ShutdownRequest): void {
    session.park();
    this.send({ kind: 'shutdown', worker: this.start.worker, session: session.id, request });
  }

  shutdownPending(): boolean {
    return (this.access.stateBits() & STATE.shuttingDown) !== 0;
  }

  /** A shutdown waits for nothing that could be given up, so there never is one to abort. */
  abortShutdown(): boolean {
    return false;
  }

  reload(session: Session, loadsAof: boolean): void {
    session.park();
    this.send({ kind: 'reload', worker: this.start.worker, session: session.id, loadsAof });
  }

  save(session: Session, how: SaveHow): void {
    session.park();
    this.send({ kind: 'save', worker: this.start.worker, session: session.id, how });
  }

  pause(session: Session, endMs: number, all: boolean): void {
    session.park();
    this.send({ kind: 'pause', worker: this.start.worker, session: session.id, endMs, all });
  }

  setActiveExpire(on: boolean): void {
    Atomics.store(this.access.process, PROCESS.expiryPaused, on ? 0 : 1);
  }

  skipChecksums(on: boolean): void {
    Atomics.store(this.access.process, PROCESS.checksumsSkipped, on ? 1 : 0);
  }

  sleepSync(ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  }

  directory(base: string, path: string): string | null {
    return realDirectory(resolve(base, path));
  }

  rewriteConfig(): string | null {
    return rewriteConfigFile(this.start.identity.configFile, this.settings);
  }

  settingsChanged(names: readonly string[]): string | null {
    const { settings, access, journal } = this;
    return applySettings(names, {
      settings,
      access,
      journal,
      journalMemory: this.start.journal,
      saves: new Float64Array(this.start.saves),
      clients: () => new ClientRecords(this.start.clients, -1).count(),
    });
  }

  crash(kind: 'segfault' | 'panic' | 'restart' | 'oom'): void {
    const error = new Error(`DEBUG ${kind.toUpperCase()}`);
    if (kind !== 'segfault') this.die(error);
    // the end that was asked for: by that signal, as whoever supervises the process sees it
    this.report(stackOf(new Error(`crashed by signal: SIGSEGV, for ${error.message}`)));
    process.kill(process.pid, 'SIGSEGV');
  }

  private report(text: string): void {
    if (!this.settings.flag('crash-log-enabled')) return;
    const log = new Log(process.pid, systemClock.wallMs, logSink(this.settings.path('logfile')));
    log.line('warning', crashReport(`worker ${this.start.worker}: ${text}`, this.access, this.start.world));
  }

  /** Ends the process loudly: this thread cannot go on, and half a server must not (R5). */
  die(error: unknown): never {
    const text = stackOf(error);
    this.report(text);
    process.stderr.write(`worker ${this.start.worker} failed and ends the process: ${text}\n`);
    process.exit(1);
  }

  // ---- journal and disk ----

  isAlways(shard: number): boolean {
    return this.journal.policy(shard) === POLICY.always;
  }

  /** `stamps`: pairs of shard and position. */
  awaitSafe(stamps: readonly number[] = []): void {
    for (let i = 0; i < stamps.length; i += 2) this.journal.askFor(stamps[i]);
    // a worker in a round rings those that registered before it ended; they can have the next one themselves
    this.journal.register(this.start.thread);
    if (stamps.length > 0 || !this.rounds.underWay()) this.journal.requestSync();
  }

  /** Makes what is published safe, on this thread, if that is fast and nobody else is at it. */
  syncHere(): void {
    this.rounds.tryHere();
  }

  diskBroken(): boolean {
    return this.journal.state !== 0;
  }

  /** A sync has failed: what is not safe by now never will be. */
  syncFailed(): boolean {
    return (this.journal.state & JOURNAL_STATE.syncFailed) !== 0;
  }

  /** The journal's state as bits of the process state. */
  journalStateBits(): number {
    return this.journal.state === 0 ? 0 : STATE.diskBroken;
  }

  /** Writes what upkeep journalled. */
  drainAll(journals: readonly Journal[]): void {
    for (const journal of journals) if (journal.enabled && journal.undrained()) journal.drain();
  }
}
