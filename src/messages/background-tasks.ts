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
  /** By shard and database: table root and keys with a deadline at the moment of the cut. */
  roots: readonly (readonly number[])[];
  deadlines: readonly (readonly number[])[];
  packs: boolean;
  withChecksum: boolean;
  /** Names and values of the aux fields. */
  aux: readonly (readonly [string, string])[];
}

/** What became of a task; `problem` '' = it succeeded. */
export interface SaveResult {
  problem: string;
  keys: number;
  fileBytes: number;
  longestSliceMs: number;
  keptBytes: number;
}
