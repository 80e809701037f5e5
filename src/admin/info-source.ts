/** What INFO asks of the thread that renders it; the thread's context has all of it. Everything is a plain read (R7). */
import type { ClientRecords } from './client-records.ts';
import type { CommandStats } from './command-stats.ts';
import type { ErrorStats } from './error-stats.ts';
import type { LatencyHistograms } from './latency-histograms.ts';
import type { ServerCounters } from './server-counters.ts';
import type { ServerSamples } from './server-samples.ts';
import type { SettingsStore } from './settings-store.ts';

/** Counts and sizes of one shard. */
export interface InfoSpace {
  readonly arena: { liveBytes(): number; usedPageBytes(): number; committedBytes(): number };
  count(db: number): number;
  deadlines(db: number): number;
}

/** Positions of one shard's journal. */
export interface InfoJournal {
  readonly enabled: boolean;
  head(): number;
  written(): number;
  safe(): number;
  fileBytes(): number;
}

export interface InfoSource {
  readonly settings: SettingsStore;
  readonly clients: ClientRecords;
  readonly commandStats: CommandStats;
  readonly errorStats: ErrorStats;
  readonly latencyHistograms: LatencyHistograms;
  readonly counters: ServerCounters;
  readonly samples: ServerSamples;
  readonly spaces: readonly InfoSpace[];
  readonly journals: readonly InfoJournal[];
  /** Words of SAVE. */
  readonly saves: Float64Array;
  /** Memory that snapshots need. */
  readonly pastGauge: { boundBytes(): number; timesFull(): number };
  readonly scripting: InfoScripts;
  readonly pushes: InfoPushes;
  readonly blocked: InfoBlocked;
  readonly shards: number;
  readonly workers: number;
  readonly databases: number;
  readonly startedMs: number;
  readonly runId: string;
  readonly executablePath: string;
  readonly configFile: string;
  readonly pid: number;
  readonly tcpPort: number;
  /** `port` 0: it has none. */
  readonly listeners: readonly { name: string; bind: string[]; port: number }[];
  readonly loading: boolean;
  /** How far the load is: its begin in unix ms, bytes of files in all, bytes replayed. */
  loadProgress(): { beganMs: number; totalBytes: number; loadedBytes: number };
  diskBroken(): boolean;
  /** Syncs of the journal that took longer than 2 s. */
  delayedSyncs(): number;
  /** CLIENT PAUSE: unix ms of its end (0: there is none), and whether all commands wait. */
  pauseState(): { endMs: number; all: boolean };
  clockMicros(): number;
  nowMs(): number;
}

/** Counts of scripts and functions, and bytes of their sources. */
export interface InfoScripts {
  figures(): { scripts: number; scriptBytes: number; libraries: number; libraryBytes: number; functions: number };
}

/** Counts of pub/sub and of client-side caching. */
export interface InfoPushes {
  channelCount(): number;
  patternCount(): number;
  shardChannelCount(): number;
  trackedKeys(): number;
  trackedItems(): number;
  trackedPrefixes(): number;
  trackingClients(): number;
}

/** Counts of keys that clients wait for. */
export interface InfoBlocked {
  keyCount(): number;
  /** Those whose end ends the waiting. */
  endCount(): number;
}

/** A command that commandstats has a line for: its name and the rows that count for it. */
export interface InfoCommand {
  name: string;
  rows: readonly number[];
}
