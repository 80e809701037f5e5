/**
 * The ways in which the process ends: in order, because it was asked to; at once, because somebody insists or the data is still being
 * loaded; loudly, because a thread died or a bug showed.
 *
 *   in order    writes refused ─► snapshot, if any ─► no new connections ─► workers tell each other what they owe to each other's
 *               clients, send what they owe to their own, stop ─► journal sealed ─► 0
 *   at once     while loading ─► 0, the files stay as they are        a second signal ─► what is published is written ─► 1
 *   at once     while a script runs on and on ─► 0, what it did is not published
 *   loudly      what is published is written ─► 1
 *
 * Invariant 1: whatever the way, what was published to a journal is given to the system before the end, as far as it takes it.
 * Invariant 2: the event loop of the acceptor goes on while a shutdown waits, so that signals and deaths of threads are seen.
 */
import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../admin/log.ts';
import { SHUTDOWN_WORDS } from '../admin/settings-process.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { systemClock } from '../env/clock.ts';
import { JournalControl } from '../journal/journal-control.ts';
import { type JournalMemory, POLICY } from '../journal/journal-memory.ts';
import type { ShutdownRequest } from '../messages/thread-messages.ts';
import type { ShardAccess } from '../shard/shard-access.ts';
import { SHARD, STATE, type WorldMemory } from '../shard/world.ts';
import { underAllLatchesSoon } from './all-latches.ts';
import { crashReport } from './crash-report.ts';
import type { DataHome } from './data-home.ts';
import { WORKING_NAME } from './snapshots.ts';
import { stackOf } from './source-places.ts';
import type { Supervisor } from './supervisor.ts';

const JOURNAL_STOP_MS = 60_000;
/** `npm start` passes on the Ctrl-C that the server has got from the terminal already: under it a signal that comes so soon is an echo. */
const HAS_ECHO = process.env['npm_lifecycle_event'] === 'start';
const ECHO_MS = 1000;
const LOOK_EVERY_MS = 1;

export interface ShutdownParts {
  log: Log;
  settings: SettingsStore;
  access: ShardAccess;
  world: WorldMemory;
  journal: JournalMemory;
  home: DataHome;
  supervisor: Supervisor;
  /** A script runs for so long that others get BUSY. */
  isBusy: () => boolean;
  /** Takes a snapshot of everything; null, or why it failed. */
  save: () => Promise<string | null>;
  /** Ends the snapshot that is under way, of whatever kind. */
  stopSaving: () => Promise<void>;
  /** Closes the listening sockets. */
  stopListening: () => void;
}

export class Shutdown {
  private readonly parts: ShutdownParts;
  private readonly control: JournalControl;
  /** When the signal came whose shutdown is under way, or was refused for what lasts; steady ms. */
  private signalledMs = Number.NEGATIVE_INFINITY;
  private begun = false;
  /** All workers have stopped; null before a shutdown was begun. */
  private stopped: Promise<void> | null = null;
  /** SHUTDOWN FORCE: errors do not matter. */
  private forced = false;
  /** The journal's threads run, so that they can be asked for the last sync. */
  private served = false;

  constructor(parts: ShutdownParts) {
    this.parts = parts;
    this.control = new JournalControl(parts.journal);
  }

  /** Listens for signals, and for bugs that nobody caught. */
  watchProcess(): void {
    process.on('SIGTERM', () => this.onSignal('SIGTERM'));
    process.on('SIGINT', () => this.onSignal('SIGINT'));
    // as in Redis: a server outlives the terminal that it was started from
    process.on('SIGHUP', () => {});
    process.on('SIGABRT', this.onAbort);
    process.on('uncaughtException', (error) => this.die(stackOf(error)));
    process.on('unhandledRejection', (error) => this.die(stackOf(error)));
  }

  /** The data is loaded. */
  noteServing(): void {
    this.served = true;
  }

  private onSignal(name: 'SIGTERM' | 'SIGINT'): void {
    const { log, settings, access } = this.parts;
    const isFirst = this.signalledMs === Number.NEGATIVE_INFINITY;
    const nowMs = systemClock.steadyMs();
    if (HAS_ECHO && nowMs - this.signalledMs < ECHO_MS) return;
    if (!isFirst && (this.begun || this.control.state !== 0)) {
      log.line('warning', `Received ${name} again, exiting now without waiting for anything`);
      this.leave(1);
    }
    this.signalledMs = nowMs;
    if ((access.stateBits() & STATE.loading) !== 0) {
      log.line('warning', `Received ${name} during loading, exiting now`);
      void this.leaveWhileLoading();
      return;
    }
    log.line('warning', `Received ${name} scheduling shutdown...`);
    const bits = settings.number(name === 'SIGTERM' ? 'shutdown-on-sigterm' : 'shutdown-on-sigint');
    const has = (word: (typeof SHUTDOWN_WORDS)[number]) => (bits & (1 << SHUTDOWN_WORDS.indexOf(word))) !== 0;
    const save = has('save') ? true : has('nosave') ? false : null;
    void this.request({ save, now: has('now'), force: has('force') }, () => {});
  }

  /** Ends in order. `refuse` is called with a reply where that is not possible, nothing else ever is: who asked sees the end. */
  async request(request: ShutdownRequest, refuse: (reply: string) => void): Promise<void> {
    const { log, access, supervisor } = this.parts;
    if ((access.stateBits() & STATE.loading) !== 0) return this.leaveWhileLoading();
    if (this.parts.isBusy()) this.leaveWhileBusy();
    this.forced = this.forced || request.force;
    if (this.begun) {
      if (request.now || request.force) supervisor.broadcast({ kind: 'stop', now: true });
      return;
    }
    if (this.control.state !== 0 && !request.force) {
      log.line(
        'warning',
        'The journal cannot be written; shutdown is refused. Use SHUTDOWN FORCE, or repeat the signal, to lose what is not on disk.',
      );
      refuse('-ERR Errors trying to SHUTDOWN. Check logs.\r\n');
      return;
    }
    this.begun = true;
    // from now on: a second request may have them stop before the first one says so
    this.stopped ??= supervisor.nextOfAll('stopped');
    log.line('warning', 'User requested shutdown...');
    await underAllLatchesSoon(access, () => access.setState(STATE.shuttingDown, true));
    await this.parts.stopSaving();
    if (!(await this.saved(request))) {
      refuse('-ERR Errors trying to SHUTDOWN. Check logs.\r\n');
      return;
    }
    this.parts.stopListening();
    await this.quiesce();
    supervisor.broadcast({ kind: 'stop', now: request.now || this.forced });
    await this.stopped;
    await this.finish();
  }

  /** Who serves a client of another worker tells that worker after its unit's end: no worker stops before all have been told. */
  private async quiesce(): Promise<void> {
    const { supervisor } = this.parts;
    const quiet = supervisor.nextOfAll('quiet');
    supervisor.broadcast({ kind: 'quiesce' });
    await quiet;
  }

  /**
   * Takes the snapshot that was asked for, or that the save points promise where no journal holds everything. False: it failed,
   * and the server goes on.
   */
  private async saved(request: ShutdownRequest): Promise<boolean> {
    const { settings, access, log, save } = this.parts;
    const wanted = request.save ?? (settings.text('save') !== '' && this.control.policy(0) === POLICY.none);
    if (!wanted) return true;
    log.line('notice', 'Saving the final RDB snapshot before exiting.');
    const problem = await save();
    if (problem === null || this.forced) return true;
    log.line('warning', "Error trying to save the DB, can't exit.");
    await underAllLatchesSoon(access, () => access.setState(STATE.shuttingDown, false));
    this.begun = false;
    this.signalledMs = Number.NEGATIVE_INFINITY;
    return false;
  }

  /** Nobody appends any more: the last bytes go to the disk, then the process ends. */
  private async finish(): Promise<never> {
    const clean = await this.stopJournal();
    this.parts.log.line(
      'warning',
      clean ? 'Skein is now ready to exit, bye bye...' : 'The journal could not be written to its end',
    );
    this.removeFiles();
    process.exit(clean || this.forced ? 0 : 1);
  }

  /** Has everything written and synced by the journal thread; false: it could not. */
  private async stopJournal(): Promise<boolean> {
    const { control } = this;
    this.parts.supervisor.expectJournalEnd();
    control.stop();
    const endMs = systemClock.steadyMs() + JOURNAL_STOP_MS;
    while (!control.stopped() && systemClock.steadyMs() < endMs) await pause(LOOK_EVERY_MS);
    return control.stopped() && control.state === 0;
  }

  /**
   * At the start nothing has been appended yet, so there is nothing to write. A reload (DEBUG RELOAD) began with everything in the files;
   * only the last sync is owed.
   */
  private async leaveWhileLoading(): Promise<void> {
    if (this.begun) return;
    this.begun = true;
    if (this.served) await this.finish();
    this.removeFiles();
    process.exit(0);
  }

  /**
   * A script holds its latches and perhaps never gives them back: nothing is waited for. What it did is not published, so it never
   * was. Of clients only SHUTDOWN NOSAVE comes here.
   */
  private leaveWhileBusy(): never {
    this.parts.log.line('warning', 'A script is busy: exiting now, without waiting for its end');
    return this.leave(0);
  }

  private leave(code: number): never {
    // whoever sees its connection end finds nobody listening
    this.parts.stopListening();
    this.parts.home.writeOut(this.parts.journal);
    this.removeFiles();
    process.exit(code);
  }

  private removeFiles(): void {
    const { settings } = this.parts;
    const snapshot = `${settings.path('dir')}/${WORKING_NAME}`;
    for (const path of [settings.path('pidfile'), settings.path('unixsocket'), snapshot]) {
      try {
        if (path !== '') rmSync(path, { force: true });
      } catch {
        // somebody put something else there: no reason to stay
      }
    }
  }

  /** The process goes on only if every shard is whole: one that a unit left half changed ends it (R5). */
  checkShards(): void {
    const shard = this.poisoned();
    if (shard >= 0) this.die(`shard ${shard} was left half changed`);
  }

  private poisoned(): number {
    return this.parts.access.headers.findIndex((header) => Atomics.load(header.i32, SHARD.poisoned) !== 0);
  }

  /** A thread died or a bug showed: ends the whole process loudly, after what was published is in its files. */
  die(text: string): never {
    const shard = this.poisoned();
    const shown = `SKEIN BUG: ${shard < 0 ? '' : `(shard ${shard} was left half changed) `}${text}`;
    this.report(shown);
    process.stderr.write(`=== ${shown}\n`);
    this.parts.home.writeOut(this.parts.journal);
    process.exit(1);
  }

  private report(error: string): void {
    const { log, settings, access, world } = this.parts;
    const isWanted = settings.flag('crash-log-enabled');
    log.line('warning', isWanted ? crashReport(error, access, world) : `=== ${error.split('\n', 1)[0]}`);
  }

  /** Somebody aborts the process from outside, perhaps for a core dump: it says so, saves what it can, and gives them that. */
  private readonly onAbort = (): void => {
    this.report(stackOf(new Error('Skein crashed by signal: SIGABRT')));
    this.parts.home.writeOut(this.parts.journal);
    process.off('SIGABRT', this.onAbort);
    process.kill(process.pid, 'SIGABRT');
  };
}
