/** What crosses threads through postMessage: start-up, hand-off, shutdown. One map for each direction; both ends import it. */
import type { Socket } from 'node:net';
import type { ClientRecordsMemory } from '../admin/client-records.ts';
import type { CommandStatsMemory } from '../admin/command-stats.ts';
import type { ErrorStatsMemory } from '../admin/error-stats.ts';
import type { LatencyHistogramsMemory } from '../admin/latency-histograms.ts';
import type { LogLevel } from '../admin/log.ts';
import type { ServerSamplesMemory } from '../admin/server-samples.ts';
import type { SettingsMemory } from '../admin/settings-store.ts';
import type { SlowLogMemory } from '../admin/slow-log.ts';
import type { JournalMemory } from '../journal/journal-memory.ts';
import type { SumShare } from '../persistence/rdb-file-reader.ts';
import type { RdbLoaded } from '../persistence/rdb-load.ts';
import type { ScanOrder } from '../persistence/recovery.ts';
import type { ScanResult } from '../persistence/scan.ts';
import type { PubsubMemory } from '../pubsub/pubsub-memory.ts';
import type { ScriptStoreMemory } from '../scripting/script-store.ts';
import type { WorldMemory } from '../shard/world.ts';

/** The first message to every worker. */
export interface ThreadStart {
  /** Thread number, see src/shard/world.ts. */
  thread: number;
  worker: number;
  /** The highest thread number in use. */
  threads: number;
  world: WorldMemory;
  settings: SettingsMemory;
  journal: JournalMemory;
  clients: ClientRecordsMemory;
  counters: SharedArrayBuffer;
  commandStats: CommandStatsMemory;
  errorStats: ErrorStatsMemory;
  samples: ServerSamplesMemory;
  latencyHistograms: LatencyHistogramsMemory;
  latencyEvents: SharedArrayBuffer;
  slowLog: SlowLogMemory;
  pubsub: PubsubMemory;
  scripts: ScriptStoreMemory;
  /** See save-state.ts. */
  saves: SharedArrayBuffer;
  /** rings[from][to] between workers. */
  rings: SharedArrayBuffer[][];
  /** Sockets deliver into a static buffer; false: plain `data` events. */
  staticReader: boolean;
  identity: Identity;
}

/** Facts of the process that never change. */
export interface Identity {
  pid: number;
  runId: string;
  startedMs: number;
  executablePath: string;
  configFile: string;
  tcpPort: number;
  listeners: { name: string; bind: string[]; port: number }[];
}

/** What is asked of the shutdown; `save` null: as the save points say. */
export interface ShutdownRequest {
  save: boolean | null;
  now: boolean;
  force: boolean;
}

/** Acceptor to worker. */
export type ToWorker =
  | { kind: 'client'; socket: Socket }
  | { kind: 'listen-unix'; path: string; mode: number }
  | { kind: 'scan'; order: ScanOrder }
  | ({ kind: 'replay' } & ReplayRequest)
  /** Loads the worker's own shards out of an RDB file. */
  | { kind: 'load-rdb'; path: string; keepsExpired: boolean; sumShare: SumShare }
  /** Loads all shards out of records of a Redis server. */
  | ({ kind: 'load-records' } & RecordsRequest)
  /** Answers a parked session: a whole RESP reply in latin1. */
  | { kind: 'answer'; session: number; reply: string }
  /** No unit changes anything any more: what other threads are to be told is sent, then `quiet`. */
  | { kind: 'quiesce' }
  /** May come twice; `now`: replies that wait for the disk are given up. */
  | { kind: 'stop'; now: boolean };

/** Worker to acceptor. */
export type FromWorker =
  | { kind: 'ready' }
  | { kind: 'scanned'; result: ScanResult }
  | { kind: 'replayed'; shard: number; commands: number }
  | { kind: 'rdb-loaded'; loaded: RdbLoaded }
  | { kind: 'records-loaded'; loaded: RecordsLoaded }
  /** The data is not what it should be: the process must end. */
  | { kind: 'load-failed'; message: string }
  | { kind: 'listening' }
  | { kind: 'listen-failed'; message: string }
  /** DEBUG RELOAD, and LOADAOF. */
  | { kind: 'reload'; worker: number; session: number; loadsAof: boolean }
  | { kind: 'save'; worker: number; session: number; how: SaveHow }
  | { kind: 'shutdown'; worker: number; session: number; request: ShutdownRequest }
  /** CLIENT PAUSE until unix ms `endMs`, and its end (`endMs` 0). */
  | { kind: 'pause'; worker: number; session: number; endMs: number; all: boolean }
  | { kind: 'quiet' }
  | { kind: 'stopped' }
  | { kind: 'log'; level: LogLevel; text: string };

/** SAVE, BGSAVE, BGSAVE SCHEDULE, BGREWRITEAOF. */
export type SaveHow = 'save' | 'bgsave' | 'schedule' | 'rewrite';

/** A shard's journal to be replayed by its owner: files in order, each up to byte `end`. */
export interface ReplayRequest {
  shard: number;
  files: { path: string; end: number }[];
}

/** Records of a Redis server from byte `from` of a file on. */
export interface RecordsRequest {
  path: string;
  from: number;
  /** It is the last file: its end may be torn. */
  mayBeTorn: boolean;
  /** Setting aof-load-truncated: a torn end is left out. */
  loadTruncated: boolean;
}

export interface RecordsLoaded {
  records: number;
  /** The file's bytes, and up to where they were loaded: the rest is a torn write. */
  size: number;
  loadedTo: number;
  /** Names of commands whose records were left out, each once. */
  leftOut: string[];
}
