/**
 * What a connection is for the commands: its identity and state, and what it may ask of its thread and of the process.
 * Knows no socket: the connection (src/net) gives it a `Peer` to act upon.
 */
import type { ClientRecords } from '../admin/client-records.ts';
import type { CommandStats } from '../admin/command-stats.ts';
import type { ErrorStats } from '../admin/error-stats.ts';
import type { ServerCounters } from '../admin/server-counters.ts';
import type { ServerSamples } from '../admin/server-samples.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { REPLY_MODE } from '../commands/reply-mode.ts';
import type { Journal } from '../journal/journal.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';

/** Actions that reach beyond the thread; none of them waits (R7). */
export interface Control {
  /** Asks for shutdown; answers only where it was refused. `save` null: as the save points say. */
  shutdown(session: Session, how: { save: boolean | null; now: boolean; force: boolean }): void;
  shutdownPending(): boolean;
  /** False where no shutdown is in progress. */
  abortShutdown(): boolean;
  /** Restarts the data from the journal files, then answers the parked session. */
  reload(session: Session): void;
  setActiveExpire(on: boolean): void;
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

/** The thread as session commands see it; one object per thread. */
export interface ServerContext {
  readonly settings: SettingsStore;
  readonly clients: ClientRecords;
  readonly commandStats: CommandStats;
  readonly errorStats: ErrorStats;
  readonly counters: ServerCounters;
  readonly samples: ServerSamples;
  /** By shard, for plain reads without a latch: counts and sizes. */
  readonly spaces: readonly Keyspace[];
  readonly journals: readonly Journal[];
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
  readonly loading: boolean;
  /** How far the load is: its begin in unix ms, bytes of files in all, bytes replayed. */
  loadProgress(): { beganMs: number; totalBytes: number; loadedBytes: number };
  diskBroken(): boolean;
  /** Wall clock in microseconds and milliseconds. */
  clockMicros(): number;
  nowMs(): number;
  /** Wakes a worker so that it looks at its clients' kill words. */
  ringWorker(worker: number): void;
}

/** What a session asks of its connection. */
export interface Peer {
  /** Continues after a parked command was answered; `replyBytes` is that answer. */
  complete(replyBytes: Buffer): void;
  close(): void;
}

export class Session {
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
  peer: Peer | null = null;

  constructor(server: ServerContext, id: number, authenticated: boolean) {
    this.server = server;
    this.id = id;
    this.authenticated = authenticated;
  }

  park(): void {
    this.parked = true;
  }

  /** RESET: the state of a fresh connection. */
  reset(): void {
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
