/**
 * What concerns all journals of the process: is the disk in order, which policy has a shard, who waits for a safe position, and the
 * capture of heads that no transaction straddles. One object per thread; the words lie in the global area (journal-memory.ts).
 *
 * Invariant 1: who waits for a safe position registers *first* and reads the position *again* afterwards; the journal thread stores
 *              positions first and takes the set of waiters afterwards. Both by atomics: one of the two sees the other (R14).
 */
import { Doorbell } from '../../native-free-shm/doorbell.ts';
import { errnoText } from '../env/files.ts';
import { GLOBAL, type JournalMemory, JournalWords, type Policy, SYNC_STATISTIC } from './journal-memory.ts';

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
    Atomics.or(this.i32, GLOBAL.waiters + (thread >>> 5), 1 << (thread & 31));
    this.requestSync();
  }

  requestSync(): void {
    if (Atomics.exchange(this.i32, GLOBAL.syncWanted, 1) === 0) this.bell.ring();
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
