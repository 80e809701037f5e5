/**
 * What concerns all journals of the process: is the disk in order, which policy has a shard, who waits for a safe position, and the
 * capture of heads that no transaction straddles. One object per thread; the words lie in the global area (journal-memory.ts).
 *
 * Invariant 1: who waits for a safe position registers *first* and reads the position *again* afterwards; the journal thread stores
 *              positions first and takes the set of waiters afterwards. Both by atomics: one of the two sees the other (R14).
 */
import { Doorbell } from '../../native-free-shm/doorbell.ts';
import { showProgress } from '../../native-free-shm/heartbeats.ts';
import { closeQuietly, errnoOf, errnoText, type Files } from '../env/files.ts';
import type { Journal } from './journal.ts';
import {
  exclusively,
  GLOBAL,
  giveBack,
  JOURNAL_STATE,
  type JournalMemory,
  JournalWords,
  POLICY,
  type Policy,
  SYNC_STATISTIC,
} from './journal-memory.ts';

/** A file that a journal goes on in. */
export interface RotatedFile {
  fd: number;
  salt: number;
  fileBytes: number;
}

export class JournalControl {
  readonly shards: number;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly words: JournalWords[] = [];
  private readonly bell: Doorbell;

  constructor(memory: JournalMemory) {
    this.shards = memory.shards;
    for (let shard = 0; shard < memory.shards; shard++) this.words.push(new JournalWords(memory, shard));
    this.i32 = new Int32Array(memory.control);
    this.f64 = new Float64Array(memory.control);
    this.bell = new Doorbell(this.i32, GLOBAL.bell);
  }

  /** Bits of JOURNAL_STATE; 0: all is well. One plain read, for the gate. */
  get state(): number {
    return this.i32[GLOBAL.state];
  }

  /** Why the state is not 0, in the system's words. */
  diskErrorText(): string {
    const errno = this.i32[GLOBAL.errno];
    return errno === 0 ? '' : errnoText(errno);
  }

  policy(shard: number): Policy {
    const words = this.words[shard];
    return words.i32[words.policy] as Policy;
  }

  /** Takes effect at once. To or from `none` only under the shard's latch: journalled or not is a fact of a whole unit (R3). */
  setPolicy(shard: number, policy: Policy): void {
    const words = this.words[shard];
    Atomics.store(words.i32, words.policy, policy);
  }

  /**
   * Asks for a sync round and registers thread `thread` (0..63) to be rung when it has moved safe positions. The caller reads
   * `Journal.safe()` after this call, and calls again after each ring while it still waits.
   */
  awaitSafe(thread: number): void {
    this.register(thread);
    this.requestSync();
  }

  /** Has thread `thread` rung at the end of the next round. */
  register(thread: number): void {
    Atomics.or(this.i32, GLOBAL.waiters + (thread >>> 5), 1 << (thread & 31));
  }

  /** The next round syncs this shard too, whatever its policy: before awaitSafe, for who waits for a position of it (R21, WAITAOF). */
  askFor(shard: number): void {
    const words = this.words[shard];
    if (words.i32[words.asked] === 0) Atomics.store(words.i32, words.asked, 1);
  }

  /** Do durability rules promise that keys of any shard reach stable storage? */
  setRulesPromise(promise: boolean): void {
    Atomics.store(this.i32, GLOBAL.rulesPromise, promise ? 1 : 0);
  }

  /**
   * Ends all journals; the caller holds all latches. What is published is written, synced and safe, the files are closed, the policies
   * are `none`. False: the disk refused, nothing is closed.
   */
  closeJournals(journals: readonly Journal[], files: Files): boolean {
    for (const journal of journals) {
      while (journal.undrained()) {
        if (journal.drain()) continue;
        if (this.state !== 0) return false;
        this.nap();
        showProgress(); // another thread is in the middle of its write
      }
    }
    let closed = false;
    exclusively(this.words, () => {
      if (this.state !== 0 || !this.words.every((words, shard) => this.syncNow(words, shard, files))) return;
      for (const words of this.words) closeOne(words, files);
      closed = true;
    });
    this.requestSync();
    return closed;
  }

  /**
   * Has all journals go on in other files from their heads on; the caller holds all latches. What is published is written to the old
   * files first, but not synced. `begin` makes a shard's new file, open, for records from `position` on; `name` gives it its place in
   * the shard's manifest. A shard whose file cannot be named goes on in the old one, and so do those behind it: each manifest says
   * where its shard's records are. Returns the heads, the old file numbers, which are the caller's to sync, and how many shards go on
   * in new files; null: the disk refused and nothing has changed. No safe position moves until the caller says `endRotation`: when
   * old and new files are on stable storage, the latter under their names.
   */
  rotateJournals(
    journals: readonly Journal[],
    begin: (shard: number, position: number) => RotatedFile,
    name: (shard: number) => void,
  ): { heads: number[]; oldFds: number[]; rotated: number } | null {
    for (const journal of journals) {
      while (journal.undrained()) {
        if (journal.drain()) continue;
        if (this.state !== 0) return null;
        this.nap();
        showProgress();
      }
    }
    while (Atomics.compareExchange(this.i32, GLOBAL.round, 0, 1) !== 0) this.nap();
    if (this.state !== 0) {
      giveBack(this.i32, GLOBAL.round);
      return null;
    }
    const heads = this.words.map((words) => words.loadHead());
    const oldFds = this.words.map((words) => words.i32[words.fd]);
    const made: RotatedFile[] = [];
    let rotated = 0;
    try {
      for (const head of heads) made.push(begin(made.length, head));
      for (; rotated < made.length; rotated++) name(rotated);
    } catch {
      // the room for a first line or for a name was not to be had: `rotated` says how far we came
      if (rotated === 0) {
        giveBack(this.i32, GLOBAL.round);
        return null;
      }
    }
    for (let shard = 0; shard < rotated; shard++) goOnIn(this.words[shard], made[shard]);
    return { heads, oldFds, rotated };
  }

  /**
   * After rotateJournals: safe positions may move again. `heads`, where everything before them is on stable storage, become safe: no
   * transaction straddles them. Null: a sync failed, and was reported.
   */
  endRotation(heads: readonly number[] | null): void {
    heads?.forEach((head, shard) => {
      const words = this.words[shard];
      words.storePosition(words.synced, head);
      words.storePosition(words.safe, head);
    });
    giveBack(this.i32, GLOBAL.round);
    this.requestSync();
  }

  /** Syncs the file of a shard, whose latch is held. False: the disk refused, and was reported. No safe position moves. */
  syncFile(shard: number, files: Files): boolean {
    return this.state === 0 && this.syncNow(this.words[shard], shard, files);
  }

  private syncNow(words: JournalWords, shard: number, files: Files): boolean {
    const fd = words.i32[words.fd];
    if (fd < 0) return true;
    try {
      files.syncData(fd);
      return true;
    } catch (error) {
      this.reportSyncFailure(shard, errnoOf(error));
      return false;
    }
  }

  /** A sync failed: nothing is synced any more, writes are refused (R20). */
  reportSyncFailure(shard: number, errno: number): void {
    Atomics.store(this.i32, GLOBAL.errno, errno);
    Atomics.store(this.i32, GLOBAL.brokenShard, shard);
    Atomics.or(this.i32, GLOBAL.state, JOURNAL_STATE.syncFailed);
  }

  requestSync(): void {
    if (Atomics.exchange(this.i32, GLOBAL.syncWanted, 1) === 0) this.bell.ring();
  }

  /** All journals go on in other files, which hold everything: what has failed before is over. The caller holds all latches. */
  renewed(): void {
    Atomics.store(this.i32, GLOBAL.state, 0);
    this.requestSync();
  }

  /** There is something for the journal thread to look at: the disk refused. */
  ringJournalThread(): void {
    this.bell.ring();
  }

  /** Process-wide statistic of the journal thread. */
  statistic(name: keyof typeof SYNC_STATISTIC): number {
    return this.f64[GLOBAL.statistics + SYNC_STATISTIC[name]];
  }

  /** Sum of the bytes of all files. */
  fileBytes(): number {
    let sum = 0;
    for (const words of this.words) sum += words.f64[words.fileBytes];
    return sum;
  }

  /** Asks the journal thread to write and sync everything and to end; it answers with `stopped()`. Nobody appends any more. */
  stop(): void {
    Atomics.store(this.i32, GLOBAL.stop, 1);
    this.bell.ring();
  }

  stopped(): boolean {
    return Atomics.load(this.i32, GLOBAL.stop) === 2;
  }

  /**
   * Heads of all shards at a moment when no multi-shard transaction was half published. Retries while one is under way: that takes
   * well under a microsecond, unless its thread lost the core.
   */
  captureHeads(heads: Float64Array): void {
    const { i32, words } = this;
    for (let tries = 1; ; tries++) {
      const ended = Atomics.load(i32, GLOBAL.txEnded);
      if (Atomics.load(i32, GLOBAL.txBegun) === ended) {
        for (let shard = 0; shard < words.length; shard++) heads[shard] = words[shard].loadHead();
        if (Atomics.load(i32, GLOBAL.txBegun) === ended) return;
      }
      if ((tries & 63) === 0) this.nap();
    }
  }

  /** Gives the core away for a moment. Only for the journal thread and for the acceptor at start and end. */
  nap(): void {
    Atomics.wait(this.i32, GLOBAL.napping, 0, 0.05);
  }
}

function goOnIn(words: JournalWords, file: RotatedFile): void {
  words.i32[words.db] = -1;
  words.i32[words.fd] = file.fd;
  words.i32[words.salt] = file.salt | 0;
  words.f64[words.fileBytes] = file.fileBytes;
}

function closeOne(words: JournalWords, files: Files): void {
  const fd = words.i32[words.fd];
  const head = words.loadHead();
  words.storePosition(words.synced, head);
  words.storePosition(words.safe, head);
  words.i32[words.fd] = -1;
  Atomics.store(words.i32, words.policy, POLICY.none);
  if (fd >= 0) closeQuietly(files, fd);
}
