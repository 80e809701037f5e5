/** What the background pool is asked to do, and what it answers. */
import type { WorldMemory } from '../shard/world.ts';

/** One RDB file of a snapshot. */
export interface SaveFile {
  /** Shards in the order of writing. */
  shards: readonly number[];
  /** Folder, working name and final name. */
  folder: string;
  workingName: string;
  finalName: string;
}

/** Writes a snapshot, whose captures have begun, into RDB files: all or none of them are there in the end. */
export interface SaveTask {
  world: WorldMemory;
  /** Thread number of the pool's thread. */
  thread: number;
  files: readonly SaveFile[];
  /** See save-state.ts: how it goes, and whether it is to end. */
  saves: SharedArrayBuffer;
  /** By shard and database: table root and keys with a deadline at the moment of the cut. */
  roots: readonly (readonly number[])[];
  deadlines: readonly (readonly number[])[];
  /** Durability rules: keys with `none` are left out. '' for a file that is to hold everything. */
  rules: string;
  /** Codes of the libraries of functions at the cut (latin1); they stand in the file that has shard 0. */
  libraries: readonly string[];
  packs: boolean;
  withChecksum: boolean;
  /** Names and values of the aux fields. */
  aux: readonly (readonly [string, string])[];
}

/** Snapshots for practice; the one word of `ended` is not 0: no more of them. */
export interface RehearsalTask {
  ended: SharedArrayBuffer;
}

/** Syncs open files, then folders. */
export interface SyncTask {
  fds: readonly number[];
  folders: readonly string[];
}

/** What became of it; `errno` 0 = it succeeded, else `fd` failed (-1: a folder). */
export interface SyncResult {
  errno: number;
  fd: number;
}

/** Problem of a task that was asked to end. */
export const STOPPED = 'it was stopped';

/** What became of a task; `problem` '' = it succeeded. */
export interface SaveResult {
  problem: string;
  keys: number;
  fileBytes: number;
  longestSliceMs: number;
  keptBytes: number;
}
