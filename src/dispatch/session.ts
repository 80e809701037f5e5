/**
 * What a connection is for the commands: its identity and state, and what it may ask of its thread and of the process.
 * Knows no socket: the connection (src/net) gives it a `Peer` to act upon.
 */
import type { PastGauge } from '../../native-free-shm/past-gauge.ts';
import type { ClientRecords } from '../admin/client-records.ts';
import type { CommandStats } from '../admin/command-stats.ts';
import type { ErrorStats } from '../admin/error-stats.ts';
import type { LatencyEvents } from '../admin/latency-events.ts';
import type { LatencyHistograms } from '../admin/latency-histograms.ts';
import type { ServerCounters } from '../admin/server-counters.ts';
import type { ServerSamples } from '../admin/server-samples.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import type { SlowLog } from '../admin/slow-log.ts';
import { REPLY_MODE } from '../commands/reply-mode.ts';
import type { Journal } from '../journal/journal.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { PushHub } from '../pubsub/push-hub.ts';
import type { Listener, PushPeer, Subscriptions } from '../pubsub/push-listener.ts';
import type { Tracking } from '../pubsub/tracking-clients.ts';
import type { ScriptRuntime } from '../scripting/script-runtime.ts';
import type { BlockedClients, BlockedCommand } from './blocked-clients.ts';
import { endTransaction, newTransaction, type Transaction } from './transaction.ts';
import type { SplicedReply } from './transactions.ts';
import type { WatchedKey, Watches } from './watches.ts';

/** Actions that reach beyond the thread; none of them waits (R7). */
export interface Control {
  /** Asks for shutdown; answers only where it was refused. `save` null: as the save points say. */
  shutdown(session: Session, how: { save: boolean | null; now: boolean; force: boolean }): void;
  shutdownPending(): boolean;
  /** False where no shutdown is in progress. */
  abortShutdown(): boolean;
  /** Restarts the data from the journal files, then answers the parked session. */
  reload(session: Session, loadsAof: boolean): void;
  /** SAVE, BGSAVE and BGREWRITEAOF; answers the parked session. */
  save(session: Session, how: 'save' | 'bgsave' | 'schedule' | 'rewrite'): void;
  /** CLIENT PAUSE until unix ms `endMs`, or its end (0). Parks the session, which is answered when that holds everywhere. */
  pause(session: Session, endMs: number, all: boolean): void;
  setActiveExpire(on: boolean): void;
  /** RESTORE takes payloads whatever their checksums say. */
  skipChecksums(on: boolean): void;
  /** Blocks this thread (DEBUG SLEEP); holds no latch. */
  sleepSync(ms: number): void;
  /** The real path of a folder, relative ones taken from `base`; null if there is none. */
  directory(base: string, path: string): string | null;
  log(text: string): void;
  /** CONFIG REWRITE: null, or the error. */
  rewriteConfig(): string | null;
  /** After CONFIG SET changed these settings; null, or why the change could not be carried out. */
  settingsChanged(names: readonly string[]): string | null;
  /** DEBUG SEGFAULT and its like: ends the process loudly. */
  crash(kind: 'segfault' | 'panic' | 'restart' | 'oom'): void;
}

/** CLIENT PAUSE as far as it is in force. */
export interface PauseState {
  /** Unix ms of its end; 0: there is none. */
  endMs: number;
  /** All commands wait, not only what may change something. */
  all: boolean;
}

/** The thread as session commands see it; one object per thread. */
export interface ServerContext {
  readonly settings: SettingsStore;
  readonly clients: ClientRecords;
  readonly commandStats: CommandStats;
  readonly errorStats: ErrorStats;
  readonly latencyHistograms: LatencyHistograms;
  readonly latencyEvents: LatencyEvents;
  readonly slowLog: SlowLog;
  readonly counters: ServerCounters;
  readonly samples: ServerSamples;
  /** By shard, for plain reads without a latch: counts and sizes. */
  readonly spaces: readonly Keyspace[];
  readonly journals: readonly Journal[];
  /** Words of SAVE. */
  readonly saves: Float64Array;
  readonly scripting: ScriptRuntime;
  readonly pastGauge: PastGauge;
  readonly watches: Watches;
  readonly blocked: BlockedClients;
  readonly shards: number;
  readonly workers: number;
  readonly databases: number;
  /** This thread's number. */
  readonly thread: number;
  readonly startedMs: number;
  /** 40 hexadecimal digits, new at every start. */
  readonly runId: string;
  readonly executablePath: string;
  /** '' where there is none. */
  readonly configFile: string;
  readonly pid: number;
  readonly tcpPort: number;
  readonly listeners: readonly { name: string; bind: string[]; port: number }[];
  readonly control: Control;
  /** Pub/sub, client-side caching and MONITOR of this thread. */
  readonly pushes: PushHub;
  readonly loading: boolean;
  /** How far the load is: its begin in unix ms, bytes of files in all, bytes replayed. */
  loadProgress(): { beganMs: number; totalBytes: number; loadedBytes: number };
  diskBroken(): boolean;
  /** Syncs of the journal that took longer than 2 s. */
  delayedSyncs(): number;
  /** What CLIENT PAUSE says now; a plain read. */
  pauseState(): PauseState;
  /** A clock that does not jump, in ms. */
  steadyMs(): number;
  /** Wall clock in microseconds and milliseconds. */
  clockMicros(): number;
  nowMs(): number;
  /** Wakes a worker so that it looks at its clients' kill words. */
  ringWorker(worker: number): void;
}

/** What a session asks of its connection. */
export interface Peer extends PushPeer {
  /** Continues after a parked command was answered; `replyBytes` is that answer. */
  complete(replyBytes: Buffer): void;
  /** A parked command waits in blocking now: the end of the connection must be noticed while it does. */
  waits(): void;
  close(): void;
}

export class Session implements Listener {
  readonly server: ServerContext;
  readonly id: number;
  /** Index of the shared record that CLIENT LIST shows. */
  record = -1;
  db = 0;
  resp: 2 | 3 = 2;
  authenticated: boolean;
  user = 'default';
  name = '';
  libName = '';
  libVersion = '';
  addr = '';
  laddr = '';
  isUnixSocket = false;
  createdMs = 0;
  /** Clock of the running batch. */
  nowMs = 0;
  /** Row id of the last command, -1 before the first. */
  lastRow = -1;
  /** A REPLY_MODE number. */
  replyMode: number = REPLY_MODE.on;
  noEvict = false;
  noTouch = false;
  closeAfterReply = false;
  /** The running command will be answered later; nothing further is read from this connection until then. */
  parked = false;
  subscriptions: Subscriptions | null = null;
  isSubscriber = false;
  isMonitor = false;
  /** CLIENT TRACKING; null: off. */
  tracking: Tracking | null = null;
  /** The running command answers by pushes, which CLIENT REPLY does not keep back. */
  answersByPush = false;
  peer: Peer | null = null;
  /** What MULTI has queued; null outside of MULTI. */
  multi: Transaction | null = null;
  /** EXEC runs the queued commands. */
  isExecuting = false;
  /** The command with which it waits (BLPOP and its kin). */
  blocked: BlockedCommand | null = null;
  /** The reply of an EXEC, while answers from other threads are missing in it. */
  spliced: SplicedReply | null = null;
  /** Settings that the running EXEC has changed: what that has to bring about may need all latches, so it comes after its end. */
  private changedSettings: string[] = [];
  /** What WATCH has listed, and under which ticket. */
  watched: WatchedKey[] = [];
  watchTicket = 0;

  constructor(server: ServerContext, id: number, authenticated: boolean) {
    this.server = server;
    this.id = id;
    this.authenticated = authenticated;
  }

  /** The keys that the next command reads are to be tracked. */
  get tracks(): boolean {
    const { tracking } = this;
    if (tracking === null || tracking.broadcast) return false;
    return tracking.optIn ? tracking.caching === true : tracking.caching !== false;
  }

  /** It waits in a blocking command, and nobody has served it: no reply is under way that pushes could overtake. */
  get waitsUnserved(): boolean {
    const { blocked, server, record } = this;
    return blocked !== null && server.clients.claimTicket(record) === blocked.ticket;
  }

  park(): void {
    this.parked = true;
  }

  /** False: there is a MULTI already. */
  beginMulti(): boolean {
    if (this.multi !== null) return false;
    this.multi = newTransaction();
    this.server.clients.setQueued(this.record, 0, 0);
    return true;
  }

  /** Forgets what is queued; the watches stay. */
  endMulti(): void {
    const { multi } = this;
    if (multi === null) return;
    this.multi = null;
    // what EXEC runs at this moment (CLIENT KILL of itself) is for nobody else
    if (!this.isExecuting) endTransaction(multi);
    this.server.clients.setQueued(this.record, -1, 0);
  }

  /** Inside EXEC, in place of Control.settingsChanged. */
  deferSettings(names: readonly string[]): null {
    this.changedSettings.push(...names);
    return null;
  }

  /** After EXEC has released its latches. What cannot be brought about is logged, for CONFIG SET has been answered. */
  applyDeferredSettings(): void {
    if (this.changedSettings.length === 0) return;
    const names = this.changedSettings;
    this.changedSettings = [];
    const { control } = this.server;
    const problem = control.settingsChanged(names);
    if (problem !== null) control.log(`CONFIG SET inside MULTI: ${problem}`);
  }

  /** The end of the connection, and of all that it has begun. */
  leave(): void {
    this.endMulti();
    this.server.watches.end(this);
    this.server.blocked.leave(this);
  }

  /** RESET: the state of a fresh connection. */
  reset(): void {
    this.leave();
    this.db = 0;
    this.resp = 2;
    this.name = '';
    this.user = 'default';
    this.authenticated = this.server.settings.text('requirepass') === '';
    this.replyMode = REPLY_MODE.on;
    this.noEvict = false;
    this.noTouch = false;
  }
}
