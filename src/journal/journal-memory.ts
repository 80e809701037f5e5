/**
 * Shared memory of all journals: control words, and per shard a chain of blocks with the record bytes that are not yet in the file.
 *
 *   control   global words 4 KiB │ shard 0 area │ shard 1 area │ …
 *   area      lines of 64 bytes, one writer each (SHARD_BYTE below) │ part ring │ block table │ free blocks
 *   chain     segments of at most 1 GiB, each a row of blocks; untouched blocks cost no memory
 *
 * A position counts record bytes of one shard since the data set was made; it needs 53 bits. The byte at position p lies in
 * block table[floor(p / blockBytes) mod blocks], at offset p mod blockBytes: any reader finds any byte without a cursor.
 *
 *                     floor                       written              head      staged end
 *   blocks  ───────────┬────────────────────────────┬───────────────────┬──────────┬──────────────
 *           reusable   │ in the file, not recycled  │ to be drained     │ a unit   │ free
 *
 * Invariant 1: safe ≤ synced ≤ written ≤ head, and each of them only grows while the journal is open.
 * Invariant 2: head, written, synced and safe are ends of units: no record and no unit is ever seen in part.
 * Invariant 3: the block of a position in [written, head) is neither recycled nor changed.
 * Invariant 4: the appender line and the chain line are read and written under the shard's latch only, except HEAD_LOW.
 * Invariant 5: head − written stays below 2^32, so that 32 published bits of the head name it.
 */

import { showProgress } from '../../native-free-shm/heartbeats.ts';

export const GLOBAL_BYTES = 4096;
const DATA_OFFSET = 1024;

/** Int32 words of the global area. */
export const GLOBAL = {
  /** Multi-shard publications begun and ended; equal when none is under way. Any publisher, atomically. */
  txBegun: 0,
  txEnded: 16,
  /** Parts of multi-shard transactions that were published, ever, and those that are in their files; both wrap. */
  partsPublished: 17,
  partsWritten: 112,
  /** STATE bits: why writes are refused. */
  state: 32,
  /** System error number behind the state, and the shard it was seen in. */
  errno: 33,
  brokenShard: 34,
  /** 1: somebody waits for a safe position, a round is wanted. */
  syncWanted: 48,
  /** 1: the journal thread shall finish, 2: it has finished. */
  stop: 49,
  /** Thread numbers that wait for a safe position: bit sets of 0..31 and 32..63. */
  waiters: 64,
  /** Always 0: threads nap here. */
  napping: 50,
  /** 1: some thread is in a round, or a journal is being opened or closed. Taken by compare-exchange. */
  round: 51,
  /** 1: durability rules promise stable storage for keys of any shard (R21). */
  rulesPromise: 52,
  /** Doorbell of the journal thread, see native-free-shm/doorbell.ts. */
  bell: 80,
  /** Float64 index of the statistics below. */
  statistics: 96,
  /** How many sync lanes there are by now, and 1: somebody in a round could use them. See sync-lanes.ts. */
  lanesRunning: 53,
  lanesWanted: 54,
  /** Words of the sync lanes. */
  lanes: 256,
} as const;
export const LANE_WORDS = 32;
export const MAX_LANES = 16;

/** Float64 words behind GLOBAL.statistics, written by whoever is in a round. */
export const SYNC_STATISTIC = { rounds: 0, syncs: 1, lastSyncMs: 2, longestSyncMs: 3, delayedSyncs: 4 } as const;

/** Bits of the journal's state word. */
export const JOURNAL_STATE = {
  /** A write to a journal file failed; it is tried again, the bytes are kept. */
  writeFailed: 1,
  /** A sync failed: writes are refused until everything is in new files (journal-renewal.ts), or until a restart. */
  syncFailed: 2,
} as const;

/** When a shard's journal reaches stable storage. `none`: it is not journalled at all. */
export const POLICY = { none: 0, no: 1, everysec: 2, always: 3 } as const;
export type Policy = (typeof POLICY)[keyof typeof POLICY];

/** Byte offsets in a shard's area. */
const SHARD_BYTE = {
  // appender, under the latch
  headLow: 0,
  db: 4,
  head: 8,
  unsyncedSince: 16,
  partHead: 24,
  epoch: 28,
  // chain, under the latch
  floorBlock: 64,
  topBlock: 72,
  freeCount: 80,
  freshCount: 84,
  // drainer, under the drain word: 0 free, 1 taken, 2 taken and somebody waits for a notify
  drain: 128,
  writtenLow: 132,
  written: 136,
  fileBytes: 144,
  lastPart: 152,
  batches: 160,
  fd: 168,
  salt: 172,
  partTail: 176,
  writeError: 180,
  // journal thread
  safe: 192,
  synced: 200,
  syncingSince: 208,
  // facts that change rarely
  policy: 256,
  // 1: somebody waits for a safe position of this shard, whatever its policy; taken by the journal thread
  asked: 320,
} as const;

/** Multi-shard parts per shard that may be published and not yet drained. */
export const PART_RING = 4096;
/** Float64 words of one part in the ring: its start, the start of its mark lines. */
export const PART_WORDS = 2;

export interface JournalMemory {
  control: SharedArrayBuffer;
  chains: SharedArrayBuffer[][];
  shards: number;
  blockBytes: number;
  blocks: number;
  backlogBytes: number;
  /** Number of the first shard in the files; 0 but for the private journals that write base files. */
  firstShard: number;
  /** Threads that sync beside the journal thread. */
  lanes: number;
}

export interface JournalMemoryOptions {
  /** Bytes of a block, a power of two. */
  blockBytes?: number;
  /** Most record bytes of one shard that may be in memory; a multiple of the block. One unit must fit in. */
  chainBytes?: number;
  /** From so many undrained bytes of a shard on the gate holds writes back. */
  backlogBytes?: number;
  firstShard?: number;
  lanes?: number;
}

const SEGMENT_BYTES = 2 ** 30;

/** Makes the memory of `shards` journals, all closed; lazily committed. */
export function createJournalMemory(shards: number, options: JournalMemoryOptions = {}): JournalMemory {
  const blockBytes = options.blockBytes ?? 256 * 1024;
  const chainBytes = options.chainBytes ?? 2 * SEGMENT_BYTES;
  const backlogBytes = options.backlogBytes ?? 64 * 1024 * 1024;
  if ((blockBytes & (blockBytes - 1)) !== 0 || blockBytes < 64 || blockBytes > SEGMENT_BYTES)
    throw new RangeError(`a journal block of ${blockBytes} bytes`);
  if (chainBytes % blockBytes !== 0 || chainBytes >= 2 ** 32)
    throw new RangeError(`a journal chain of ${chainBytes} bytes`);
  const { firstShard = 0, lanes = 0 } = options;
  if (lanes > MAX_LANES) throw new RangeError(`${lanes} sync lanes, at most ${MAX_LANES}`);
  const blocks = chainBytes / blockBytes;
  const chains: SharedArrayBuffer[][] = [];
  for (let shard = 0; shard < shards; shard++) {
    const segments: SharedArrayBuffer[] = [];
    for (let at = 0; at < chainBytes; at += SEGMENT_BYTES)
      segments.push(new SharedArrayBuffer(Math.min(SEGMENT_BYTES, chainBytes - at)));
    chains.push(segments);
  }
  const control = new SharedArrayBuffer(GLOBAL_BYTES + shards * areaBytes(blocks));
  const memory: JournalMemory = { control, chains, shards, blockBytes, blocks, backlogBytes, firstShard, lanes };
  for (let shard = 0; shard < shards; shard++) {
    const words = new JournalWords(memory, shard);
    words.i32[words.fd] = -1;
  }
  return memory;
}

function areaBytes(blocks: number): number {
  return roundUp(DATA_OFFSET + PART_RING * PART_WORDS * 8 + blocks * 8, 4096);
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** A thread's views of one shard's area: three typed arrays and the index of each word in its array. */
export class JournalWords {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  // Int32
  readonly headLow: number;
  readonly db: number;
  readonly partHead: number;
  readonly epoch: number;
  readonly freeCount: number;
  readonly freshCount: number;
  readonly drain: number;
  readonly writtenLow: number;
  readonly fd: number;
  readonly salt: number;
  readonly partTail: number;
  readonly writeError: number;
  readonly policy: number;
  readonly asked: number;
  readonly blockTable: number;
  readonly freeBlocks: number;
  // Float64
  readonly head: number;
  readonly unsyncedSince: number;
  readonly floorBlock: number;
  readonly topBlock: number;
  readonly fileBytes: number;
  readonly batches: number;
  readonly syncingSince: number;
  readonly parts: number;
  // BigInt64
  readonly written: number;
  readonly lastPart: number;
  readonly safe: number;
  readonly synced: number;

  constructor(memory: JournalMemory, shard: number) {
    if (!(shard >= 0 && shard < memory.shards)) throw new RangeError(`no journal of shard ${shard}`);
    this.i32 = new Int32Array(memory.control);
    this.f64 = new Float64Array(memory.control);
    this.i64 = new BigInt64Array(memory.control);
    const base = GLOBAL_BYTES + shard * areaBytes(memory.blocks);
    const word = (byte: number): number => (base + byte) / 4;
    const long = (byte: number): number => (base + byte) / 8;
    this.headLow = word(SHARD_BYTE.headLow);
    this.db = word(SHARD_BYTE.db);
    this.partHead = word(SHARD_BYTE.partHead);
    this.epoch = word(SHARD_BYTE.epoch);
    this.freeCount = word(SHARD_BYTE.freeCount);
    this.freshCount = word(SHARD_BYTE.freshCount);
    this.drain = word(SHARD_BYTE.drain);
    this.writtenLow = word(SHARD_BYTE.writtenLow);
    this.fd = word(SHARD_BYTE.fd);
    this.salt = word(SHARD_BYTE.salt);
    this.partTail = word(SHARD_BYTE.partTail);
    this.writeError = word(SHARD_BYTE.writeError);
    this.policy = word(SHARD_BYTE.policy);
    this.asked = word(SHARD_BYTE.asked);
    this.blockTable = word(DATA_OFFSET + PART_RING * PART_WORDS * 8);
    this.freeBlocks = this.blockTable + memory.blocks;
    this.head = long(SHARD_BYTE.head);
    this.unsyncedSince = long(SHARD_BYTE.unsyncedSince);
    this.floorBlock = long(SHARD_BYTE.floorBlock);
    this.topBlock = long(SHARD_BYTE.topBlock);
    this.fileBytes = long(SHARD_BYTE.fileBytes);
    this.batches = long(SHARD_BYTE.batches);
    this.syncingSince = long(SHARD_BYTE.syncingSince);
    this.parts = long(DATA_OFFSET);
    this.written = long(SHARD_BYTE.written);
    this.lastPart = long(SHARD_BYTE.lastPart);
    this.safe = long(SHARD_BYTE.safe);
    this.synced = long(SHARD_BYTE.synced);
  }

  /** A position that another thread may be moving: never torn, and what was done before it was stored is visible. */
  loadPosition(index: number): number {
    return Number(Atomics.load(this.i64, index));
  }

  storePosition(index: number, position: number): void {
    Atomics.store(this.i64, index, BigInt(position));
  }

  /**
   * The head as any thread may ask for it, without the latch. All bytes before it are visible to the caller.
   * `written` is loaded first: the head is never behind it, so 32 bits say how far it is ahead (Invariant 5).
   */
  loadHead(): number {
    const written = this.loadPosition(this.written);
    return written + ((Atomics.load(this.i32, this.headLow) - (written | 0)) >>> 0);
  }
}

/** Where a shard's journal begins when it is opened. */
export interface JournalStart {
  /** Position of the next record byte; everything before it is in the file and on stable storage. */
  position: number;
  /** File number and bytes in the file, the place of the next batch. */
  fd: number;
  fileBytes: number;
  /** Salt of the file's checksums. */
  salt: number;
  policy: Policy;
}

/**
 * Runs `change` while neither the journal thread is in a round nor anybody drains these shards. Waits for them (at most for a sync): for the
 * acceptor, and for settings that change what a journal is.
 */
export function exclusively(shards: readonly JournalWords[], change: () => void): void {
  const { i32 } = shards[0];
  const words = [GLOBAL.round as number, ...shards.map(({ drain }) => drain)];
  for (const word of words)
    while (Atomics.compareExchange(i32, word, 0, 1) !== 0) {
      Atomics.wait(i32, GLOBAL.napping, 0, 0.05);
      showProgress(); // it is the disk that we wait for
    }
  try {
    change();
  } finally {
    for (const word of words) giveBack(i32, word);
  }
}

/** Frees a drain word (or the round word) and wakes those who wait for that (Journal.whenDrainFree). */
export function giveBack(i32: Int32Array, word: number): void {
  if (Atomics.exchange(i32, word, 0) === 2) Atomics.notify(i32, word);
}

/**
 * Opens a shard's journal: before other threads use it, or under the shard's latch with everything drained. To a shard that was open
 * before, give a position that is not behind its head: held replies carry positions.
 */
export function openJournal(memory: JournalMemory, shard: number, start: JournalStart): void {
  const words = new JournalWords(memory, shard);
  exclusively([words], () => setStart(memory, words, start));
}

function setStart(memory: JournalMemory, words: JournalWords, start: JournalStart): void {
  const { i32, f64 } = words;
  const block = Math.floor(start.position / memory.blockBytes);
  i32[words.db] = -1;
  f64[words.head] = start.position;
  f64[words.unsyncedSince] = 0;
  f64[words.syncingSince] = 0;
  Atomics.add(i32, GLOBAL.partsWritten, i32[words.partHead] - i32[words.partTail]);
  i32[words.partTail] = i32[words.partHead];
  i32[words.epoch]++;
  f64[words.floorBlock] = block;
  f64[words.topBlock] = block - 1;
  i32[words.freeCount] = 0;
  i32[words.freshCount] = 0;
  i32[words.fd] = start.fd;
  i32[words.salt] = start.salt | 0;
  i32[words.writeError] = 0;
  f64[words.fileBytes] = start.fileBytes;
  i32[words.policy] = start.policy;
  words.storePosition(words.lastPart, -1);
  words.storePosition(words.synced, start.position);
  words.storePosition(words.safe, start.position);
  words.storePosition(words.written, start.position);
  Atomics.store(i32, words.writtenLow, start.position | 0);
  Atomics.store(i32, words.headLow, start.position | 0);
}
