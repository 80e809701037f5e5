/**
 * All shared memory of the process, made by the acceptor before any other thread starts and posted to each of them.
 *
 *   process words (Int32)    state bits, turn, per-thread heartbeats and doorbells      one for the process
 *   shard header             latch, poison, newest time                                 one per shard
 *   shard roots              table and heap roots per database, dropped tables          one per shard
 *   shard arena              data                                                        one per shard
 *   shard interest           watches, waiters, tracked reads and their arena             one per shard
 *
 * A shard is described completely by this memory (any thread may serve any key); sockets, timers and files are not here.
 */

import { type ArenaMemory, createArenaMemory } from '../../native-free-shm/arena.ts';
import { DOORBELL_WORDS } from '../../native-free-shm/doorbell.ts';
import { HEARTBEAT_WORDS } from '../../native-free-shm/heartbeats.ts';
import { createOldBlocksMemory, type OldBlocksMemory } from '../../native-free-shm/old-blocks.ts';
import { PAST_GAUGE_WORDS } from '../../native-free-shm/past-gauge.ts';
import { TURN_WORDS } from '../../native-free-shm/turn.ts';
import { rootsBytes } from '../keyspace/keyspace.ts';
import { createInterestMemory, type InterestMemory } from './interest-memory.ts';

/** Thread numbers are 1..63; areas per thread have a place for each. */
const THREAD_NUMBERS = 64;

/** The longest durability rules, in bytes. */
export const RULES_TEXT_BYTES = 4092;

/** Words of the process area; areas of native-free-shm begin on cache lines. */
export const PROCESS = {
  /** Bits of STATE: why commands are refused, read by the gate and again under the latch (R3). */
  state: 0,
  /** 1 while DEBUG SET-SKIP-CHECKSUM-VALIDATION 1 is in force. */
  checksumsSkipped: 1,
  /** 1 while DEBUG SET-ACTIVE-EXPIRE 0 is in force. */
  expiryPaused: 2,
  /** Bits of NOTIFY: who wants to hear of changes whatever their keys are. Changed under all latches. */
  notify: 3,
  /** Durability rules (R21): how often they were set, and whether there are any (rules-text.ts). Changed under all latches. */
  durabilityRules: 6,
  /** Which place of a data set this process has turned to last (folder-claim.ts), 0 = none. */
  claimedPlace: 7,
  /** What is done with the files of the data set as a whole (net/data-set-turn.ts), 0 = nothing. Taken by compare-exchange. */
  dataSetTurn: 8,
  /** Float64 over two words: unix ms at which CLIENT PAUSE ends, 0 = there is none. Acceptor. */
  pauseEndMs: 4,
  /** Turn of units that could not get their latches (R2). */
  turn: 16,
  /** One doorbell per thread number. */
  doorbells: 16 + TURN_WORDS,
  /** One heartbeat line per thread number. */
  heartbeats: 16 + TURN_WORDS + DOORBELL_WORDS * THREAD_NUMBERS,
  /** One word per thread number: connections that this worker has closed, wraps. */
  finished: 16 + TURN_WORDS + (DOORBELL_WORDS + HEARTBEAT_WORDS) * THREAD_NUMBERS,
  /** Memory that snapshots need, see native-free-shm/past-gauge.ts. */
  pastGauge: 16 + TURN_WORDS + (DOORBELL_WORDS + HEARTBEAT_WORDS + 1) * THREAD_NUMBERS,
  /** Length and bytes of the durability rules in force, see rules-text.ts. */
  rulesText: 16 + TURN_WORDS + (DOORBELL_WORDS + HEARTBEAT_WORDS + 1) * THREAD_NUMBERS + PAST_GAUGE_WORDS,
  /** All places of data sets that this process has claimed, CLAIMS at most; 0 behind them. */
  claims:
    16 +
    TURN_WORDS +
    (DOORBELL_WORDS + HEARTBEAT_WORDS + 1) * THREAD_NUMBERS +
    PAST_GAUGE_WORDS +
    1 +
    RULES_TEXT_BYTES / 4,
} as const;
/** So many places are remembered: a journal that goes through more folders cannot go back to the later ones. */
export const CLAIMS = 64;
const PROCESS_WORDS = PROCESS.claims + CLAIMS;

/** Thread number of the acceptor; worker i has FIRST_WORKER + i, the journal thread the number behind the workers. */
export const ACCEPTOR = 1;
export const FIRST_WORKER = 2;
/** As many workers as thread numbers allow. */
export const MAX_WORKERS = 60;

/** Bits of the process state word. */
export const STATE = {
  loading: 1,
  /** An AOF write or fsync failed: writes are refused with MISCONF. */
  diskBroken: 2,
  shuttingDown: 4,
  /** CLIENT PAUSE WRITE: what may change something waits, and keys do not expire away. */
  pausedWrites: 8,
  /** CLIENT PAUSE ALL: every command waits. */
  pausedAll: 16,
  /** The last background snapshot failed: with stop-writes-on-bgsave-error writes are refused with MISCONF. */
  saveFailed: 32,
  /** What a snapshot has to keep takes all the memory that it may: writes wait (R8). Set by any thread, cleared where there is room. */
  snapshotFull: 64,
  /** Another thread runs a script, or a function, for longer than busy-reply-threshold. Each worker finds that out by itself. */
  scriptBusy: 128,
  functionBusy: 256,
} as const;
/** Bits that lie in the process state word itself; `diskBroken` is the journal's to say. */
export const PROCESS_BITS =
  STATE.loading | STATE.shuttingDown | STATE.pausedWrites | STATE.pausedAll | STATE.saveFailed | STATE.snapshotFull;
/** Most commands are refused: a script runs for long. */
export const BUSY_BITS = STATE.scriptBusy | STATE.functionBusy;
/** Clients are paused: some commands wait, and nothing is removed because its time has come. */
export const PAUSE_BITS = STATE.pausedWrites | STATE.pausedAll;
/** Some commands wait. */
export const WAIT_BITS = PAUSE_BITS | STATE.snapshotFull;

/**
 * Bits of the shard word `interest`: somebody waits for, watches or tracks a key of this shard. `settling`: a waiter is to be served
 * for which another shard is needed, whose latch was busy; until then no unit runs here but the one that serves (R10).
 */
export const INTEREST = { waiters: 1, watches: 2, tracking: 4, settling: 32 } as const;
/** Bits of the process word `notify`, above those of INTEREST: a unit reads both as one number. */
export const NOTIFY = { keyspaceEvents: 8, monitors: 16 } as const;

/** Int32 words of a shard header. */
export const SHARD = {
  /** Latch and its waiting set, see native-free-shm/latch.ts: 16 words, a cache line of its own. */
  latch: 0,
  /** 1: a unit changed something and then failed (R5). Its latch stays taken; the acceptor ends the process. */
  poisoned: 32,
  /** Bits of INTEREST. Set by who registers, cleared when the last one leaves; both under the latch. */
  interest: 48,
  /** How many threads have waiters to serve here while INTEREST.settling is set. Under the latch. */
  settlers: 49,
} as const;
const SHARD_INT_WORDS = 256;
/** Float64 words of a shard header, behind the Int32 words. */
export const SHARD_F64 = {
  /** Newest time of any unit, unix ms (R9). */
  newestMs: 0,
  /** While the shard is loaded: begin in unix ms, bytes to replay, bytes replayed. Acceptor; the last one by the owner. */
  loadBeganMs: 1,
  loadTotalBytes: 2,
  loadedBytes: 3,
} as const;
const SHARD_F64_WORDS = 32;

export interface ShardMemory {
  header: SharedArrayBuffer;
  roots: SharedArrayBuffer;
  arena: ArenaMemory;
  /** Who is interested in its keys. */
  interest: InterestMemory;
  /** What blocks of the arena held when a snapshot was taken. */
  past: OldBlocksMemory;
}

export interface WorldMemory {
  process: SharedArrayBuffer;
  shards: ShardMemory[];
  /** Key of the keyspace hash. */
  hashKey: [number, number];
  workers: number;
  databases: number;
}

export interface WorldOptions {
  shards: number;
  workers: number;
  databases: number;
  /** Address room of one shard's arena in bytes. */
  arenaBytes: number;
  hashKey: [number, number];
}

/** Creates the memory of a process; lazily committed, so its size costs nothing until it is used. */
export function createWorldMemory(options: WorldOptions): WorldMemory {
  const shards: ShardMemory[] = [];
  for (let i = 0; i < options.shards; i++) {
    shards.push({
      header: new SharedArrayBuffer(SHARD_INT_WORDS * 4 + SHARD_F64_WORDS * 8),
      roots: new SharedArrayBuffer(rootsBytes(options.databases)),
      arena: createArenaMemory(options.arenaBytes),
      interest: createInterestMemory(options.databases),
      past: createOldBlocksMemory(Math.ceil(options.arenaBytes / 2)),
    });
  }
  return {
    process: new SharedArrayBuffer(PROCESS_WORDS * 4),
    shards,
    hashKey: options.hashKey,
    workers: options.workers,
    databases: options.databases,
  };
}

/** A thread's views of a shard header. */
export class ShardHeader {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  constructor(header: SharedArrayBuffer) {
    this.i32 = new Int32Array(header, 0, SHARD_INT_WORDS);
    this.f64 = new Float64Array(header, SHARD_INT_WORDS * 4, SHARD_F64_WORDS);
  }
}
