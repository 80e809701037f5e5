/**
 * A round of the journal: capture, drain, sync, publish. The journal thread runs rounds; so does a worker whose clients wait for a safe
 * position, while syncs are fast: then the way to another thread and back costs more than the sync. One object per thread; who holds the
 * round word is in a round.
 *
 * Which files a round syncs, with H = captured heads, for each shard that has records behind its last sync:
 *   always      in every round · everysec, and all while durability rules promise something: once a second · no: never by itself ·
 *   any of them when somebody asks for it ·
 *   any of them as soon as a multi-shard transaction touched it since its last sync, while any shard promises always or everysec
 *
 * Invariant 1: safe positions only come from heads that no transaction straddles. A shard left out of a round has no transaction part
 *              between its last sync and H, so (H of the synced shards, last sync of the others) is straddled by none either: recovery
 *              after a loss of power finds a cut at or behind all safe positions (R17).
 * Invariant 2: safe moves after all syncs of the round succeeded.
 * Invariant 3: after a failed sync none is tried again and safe never moves (R20): the system may have dropped the bytes and forgotten.
 * Invariant 4: the waiters are taken after the round word is free. Who registers and then finds the word taken is rung by its holder;
 *              who finds it free has to ask for a round (R14). After a failed sync they are rung at once, and look at the state.
 */
import type { Clock } from '../env/clock.ts';
import type { Files } from '../env/files.ts';
import { Journal } from './journal.ts';
import { JournalControl } from './journal-control.ts';
import { GLOBAL, type JournalMemory, JournalWords, POLICY, SYNC_STATISTIC } from './journal-memory.ts';
import { SyncLanes } from './sync-lanes.ts';

/** Longer syncs count as delayed. */
const DELAYED_SYNC_MS = 2000;
/** A round whose syncs took longer than this is not a worker's business: it would keep its clients waiting. */
const FAST_SYNC_MS = 1;

export interface SyncRoundParts {
  memory: JournalMemory;
  files: Files;
  clock: Clock;
  /** Rings thread `thread`, which waits for a safe position. */
  ring: (thread: number) => void;
  /** A sync that replies wait for took so many milliseconds. */
  syncedForAlways?: (ms: number) => void;
}

export class SyncRound {
  readonly control: JournalControl;
  readonly journals: Journal[] = [];
  readonly words: JournalWords[] = [];
  private readonly parts: SyncRoundParts;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly lanes: SyncLanes;
  private readonly heads: Float64Array;
  /** By shard: 1 = somebody asked for this round. */
  private readonly asked: Uint8Array;
  private readonly bits = new BigInt64Array(1);
  private readonly bitsAsFloat = new Float64Array(this.bits.buffer);

  constructor(parts: SyncRoundParts) {
    this.parts = parts;
    const { memory } = parts;
    this.i32 = new Int32Array(memory.control);
    this.f64 = new Float64Array(memory.control);
    this.control = new JournalControl(memory);
    this.lanes = new SyncLanes(memory, parts.files);
    this.heads = new Float64Array(memory.shards);
    this.asked = new Uint8Array(memory.shards);
    for (let shard = 0; shard < memory.shards; shard++) {
      this.journals.push(new Journal(memory, shard, parts.files));
      this.words.push(new JournalWords(memory, shard));
    }
  }

  /** Waits for the round word, then runs a round. `all`: whatever the policy. False: not done, the state says why. */
  run(due: boolean, all: boolean): boolean {
    while (!this.take()) this.control.nap();
    return this.finish(due, all);
  }

  /**
   * Runs a round if the syncs have been fast lately and nobody else is in a round: for a worker, on its own thread, which waits for the
   * disk meanwhile. A disk that becomes slow all of a sudden keeps that one worker waiting once.
   */
  tryHere(): void {
    const last = this.f64[GLOBAL.statistics + SYNC_STATISTIC.lastSyncMs];
    if (last === 0 || last > FAST_SYNC_MS || this.control.state !== 0 || !this.take()) return;
    this.finish(false, false);
  }

  /** Is somebody in a round, who will ring those that have registered? */
  underWay(): boolean {
    return Atomics.load(this.i32, GLOBAL.round) !== 0;
  }

  /** Marks the end of every file, and syncs them; nobody appends any more. */
  seal(): void {
    while (!this.take()) this.control.nap();
    const sealed: number[] = [];
    for (let shard = 0; shard < this.journals.length; shard++)
      if (this.journals[shard].batches() > 0 && this.journals[shard].seal()) sealed.push(shard);
    this.sync(sealed);
    Atomics.store(this.i32, GLOBAL.round, 0);
  }

  /** Ends the lanes. */
  ringLanes(): void {
    this.lanes.ringAll();
  }

  private take(): boolean {
    return Atomics.compareExchange(this.i32, GLOBAL.round, 0, 1) === 0;
  }

  private finish(due: boolean, all: boolean): boolean {
    const done = this.roundAlone(due, all);
    Atomics.store(this.i32, GLOBAL.round, 0);
    if (done) this.ringWaiters();
    else this.control.ringJournalThread();
    return done;
  }

  private roundAlone(due: boolean, all: boolean): boolean {
    this.statistic(SYNC_STATISTIC.rounds, 1);
    this.takeAges();
    this.takeAsked();
    this.control.captureHeads(this.heads);
    for (let shard = 0; shard < this.journals.length; shard++) if (!this.drainTo(shard)) return false;
    const dirty: number[] = [];
    const promised = this.promised();
    for (let shard = 0; shard < this.journals.length; shard++)
      if (this.needsSync(shard, due, all, promised)) dirty.push(shard);
    if (!this.sync(dirty)) return false;
    for (const shard of dirty) this.publish(shard);
    return true;
  }

  /** Moves the age of unsynced records aside *before* the heads are captured (journal.ts, Invariant 4). */
  private takeAges(): void {
    for (const { f64, i64, unsyncedSince, syncingSince } of this.words) {
      if (f64[unsyncedSince] === 0) continue;
      this.bits[0] = Atomics.exchange(i64, unsyncedSince, 0n);
      if (f64[syncingSince] === 0) f64[syncingSince] = this.bitsAsFloat[0];
    }
  }

  /** Who asks later is served by a later round. */
  private takeAsked(): void {
    for (let shard = 0; shard < this.words.length; shard++) {
      const { i32, asked } = this.words[shard];
      this.asked[shard] = i32[asked] === 0 ? 0 : Atomics.exchange(i32, asked, 0);
    }
  }

  /** Sees that the file has everything before the captured head. Another drainer is waited for: it is inside one write. */
  private drainTo(shard: number): boolean {
    const journal = this.journals[shard];
    const words = this.words[shard];
    while (journal.written() < this.heads[shard]) {
      if (words.i32[words.fd] < 0) return true;
      if (journal.drain()) continue;
      if (words.i32[words.writeError] !== 0) return false;
      this.control.nap();
    }
    return true;
  }

  private promised(): boolean {
    if (this.i32[GLOBAL.rulesPromise] !== 0 || this.asked.includes(1)) return true;
    for (const { i32, policy } of this.words) if (i32[policy] >= POLICY.everysec) return true;
    return false;
  }

  private needsSync(shard: number, due: boolean, all: boolean, promised: boolean): boolean {
    const words = this.words[shard];
    const syncedTo = words.loadPosition(words.synced);
    if (this.heads[shard] <= syncedTo) {
      // The age was set by a unit whose records an earlier round had captured already.
      words.f64[words.syncingSince] = 0;
      return false;
    }
    if (words.i32[words.fd] < 0) return false;
    if (all || this.asked[shard] !== 0) return true;
    const policy = words.i32[words.policy];
    const inSeconds = policy === POLICY.everysec || this.i32[GLOBAL.rulesPromise] !== 0;
    if (policy === POLICY.always || (inSeconds && due)) return true;
    return promised && words.loadPosition(words.lastPart) >= syncedTo;
  }

  /** Syncs the files of these shards. False: one failed, the state says so for good. */
  private sync(shards: readonly number[]): boolean {
    if (shards.length === 0) return true;
    const { clock } = this.parts;
    const begin = clock.steadyMs();
    const failed = this.lanes.sync(shards.map((shard) => this.words[shard].i32[this.words[shard].fd]));
    if (failed >= 0) {
      this.control.reportSyncFailure(shards[failed], this.lanes.errno);
      // who registers from now on sees the state
      this.ringWaiters();
      return false;
    }
    const took = clock.steadyMs() - begin;
    const always = shards.some((shard) => this.words[shard].i32[this.words[shard].policy] === POLICY.always);
    if (always) this.parts.syncedForAlways?.(took);
    this.statistic(SYNC_STATISTIC.syncs, shards.length);
    if (took > DELAYED_SYNC_MS) this.statistic(SYNC_STATISTIC.delayedSyncs, 1);
    const at = GLOBAL.statistics;
    this.f64[at + SYNC_STATISTIC.lastSyncMs] = took;
    if (took > this.f64[at + SYNC_STATISTIC.longestSyncMs]) this.f64[at + SYNC_STATISTIC.longestSyncMs] = took;
    return true;
  }

  private publish(shard: number): void {
    const words = this.words[shard];
    words.f64[words.syncingSince] = 0;
    words.storePosition(words.synced, this.heads[shard]);
    words.storePosition(words.safe, this.heads[shard]);
  }

  private ringWaiters(): void {
    for (let word = 0; word < 2; word++) {
      let set = Atomics.exchange(this.i32, GLOBAL.waiters + word, 0);
      while (set !== 0) {
        const bit = 31 - Math.clz32(set);
        set &= ~(1 << bit);
        this.parts.ring(word * 32 + bit);
      }
    }
  }

  private statistic(word: number, add: number): void {
    this.f64[GLOBAL.statistics + word] += add;
  }
}
