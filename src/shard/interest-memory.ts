/** The shared memory in which a shard keeps who is interested in its keys; what is in it: interest-table.ts. */
import { type ArenaMemory, createArenaMemory } from '../../native-free-shm/arena.ts';

/** Address room for the interests in one shard; committed as it is used. */
const INTEREST_ARENA_BYTES = 64 << 20;
/** Root words behind those of the databases: numbers of watches, of waiters, of keys that are waited for, in two ways. */
const COUNTS = 4;

export interface InterestMemory {
  roots: SharedArrayBuffer;
  arena: ArenaMemory;
}

export function createInterestMemory(databases: number): InterestMemory {
  return {
    roots: new SharedArrayBuffer((databases + COUNTS) * 4),
    arena: createArenaMemory(INTEREST_ARENA_BYTES),
  };
}
