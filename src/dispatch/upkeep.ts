/**
 * The owner's tick: what a shard needs without any client asking. Runs in latched slices that skip a turn where the latch is
 * busy: expiry in order of the deadlines, freeing of dropped tables, rehashing of tables that nobody touches.
 */
import type { Latch } from '../../native-free-shm/latch.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { INTEREST, PROCESS, SHARD, SHARD_F64, type ShardHeader, STATE, WAIT_BITS } from '../shard/world.ts';
import type { Unit } from './unit.ts';

/** Entries removed, or buckets walked, while the latch is held once. */
const STEPS_PER_SLICE = 32;
/** A tick stops after this long and says that there is more. */
const TICK_BUDGET_MS = 1;

export class Upkeep {
  private readonly unit: Unit;
  private readonly latches: readonly Latch[];
  private readonly headers: readonly ShardHeader[];
  private readonly owns: (shard: number) => boolean;
  private readonly isAbandoned: (shard: number, nowMs: number) => boolean;
  /** The shard that this tick begins with. */
  private first = 0;
  private readonly process: Int32Array;
  private readonly args: Args;
  private readonly reply: ReplyWriter;
  private readonly steadyMs: () => number;

  constructor(parts: {
    unit: Unit;
    latches: readonly Latch[];
    headers: readonly ShardHeader[];
    /** Does this thread own the shard? */
    owns: (shard: number) => boolean;
    /** Does its owner not come round to it (R30)? */
    isAbandoned: (shard: number, nowMs: number) => boolean;
    /** Process words. */
    process: Int32Array;
    args: Args;
    reply: ReplyWriter;
    steadyMs: () => number;
  }) {
    this.unit = parts.unit;
    this.latches = parts.latches;
    this.headers = parts.headers;
    this.owns = parts.owns;
    this.isAbandoned = parts.isAbandoned;
    this.process = parts.process;
    this.args = parts.args;
    this.reply = parts.reply;
    this.steadyMs = parts.steadyMs;
  }

  /** One tick over the owned and the abandoned shards at unix time `nowMs`; true: there is more to do right away. */
  tick(nowMs: number): boolean {
    const endMs = this.steadyMs() + TICK_BUDGET_MS;
    let more = false;
    // each tick begins with another shard, or the first one could use up every tick
    const shards = this.latches.length;
    this.first = (this.first + 1) % shards;
    for (let i = 0; i < shards; i++) {
      const shard = (this.first + i) % shards;
      if (!this.owns(shard) && !this.isAbandoned(shard, nowMs)) continue;
      let again = true;
      while (again && this.steadyMs() < endMs) again = this.slice(shard, nowMs);
      more = more || again;
    }
    return more;
  }

  /** One latched slice of a shard; true: there is more. A busy latch says nothing about that: false. */
  private slice(shard: number, nowMs: number): boolean {
    // while records are replayed no time passes: what they make expire at their end must not expire before
    if ((this.process[PROCESS.state] & STATE.loading) !== 0) return false;
    const latch = this.latches[shard];
    if (!latch.tryAcquire()) return false;
    // what waiters are to be served with must not expire before
    if ((this.headers[shard].i32[SHARD.interest] & INTEREST.settling) !== 0) {
      latch.release();
      return false;
    }
    const f64 = this.headers[shard].f64;
    const now = Math.max(nowMs, f64[SHARD_F64.newestMs]);
    f64[SHARD_F64.newestMs] = now;
    const expired = this.expire(shard, now);
    const ks = this.unit.spaces[shard];
    // a snapshot would keep all of it
    const freed = !ks.arena.capturing() && ks.freeDropped(STEPS_PER_SLICE);
    ks.arena.freeOrphans();
    const rehashed = this.rehash(shard);
    const evicted = this.evictTracked(shard);
    latch.release();
    return expired || freed || rehashed || evicted;
  }

  /** Gives up keys of client-side caching beyond what the settings allow; true: a slice's worth. */
  private evictTracked(shard: number): boolean {
    const { reads } = this.unit;
    if (reads === null) return false;
    let evicted = 0;
    while (evicted < STEPS_PER_SLICE && reads.evict(shard)) evicted++;
    return evicted === STEPS_PER_SLICE;
  }

  /** Removes keys and fields whose time has come, earliest first. */
  private expire(shard: number, now: number): boolean {
    const state = this.process[PROCESS.state];
    if (this.process[PROCESS.expiryPaused] !== 0 || (state & (STATE.loading | WAIT_BITS)) !== 0) return false;
    const unit = this.unit;
    const ks = unit.spaces[shard];
    unit.held[0] = shard;
    unit.heldCount = 1;
    unit.begin(this.args, this.reply, 0, now, true);
    unit.writes = false;
    let steps = STEPS_PER_SLICE;
    for (let db = 0; db < ks.databases && steps > 0; db++) {
      while (steps > 0 && ks.firstDeadline(db) <= now) {
        // the journal cannot follow: the rest is for a later tick, not for one at once
        if (!unit.expireNow(ks, db, ks.firstExpiring(db))) return this.expired(false);
        steps--;
      }
      while (steps > 0 && ks.fieldDeadlines.firstDeadline(db) <= now) {
        const fields = unit.expireFields(ks, db, steps);
        if (fields === 0) return this.expired(false);
        steps -= fields;
      }
    }
    return this.expired(steps === 0);
  }

  private expired(more: boolean): boolean {
    this.unit.commit(null);
    return more;
  }

  private rehash(shard: number): boolean {
    const ks = this.unit.spaces[shard];
    for (let db = 0; db < ks.databases; db++) {
      const root = ks.root(db);
      if (root !== 0 && ks.table.rehashing(root)) return ks.table.rehashStep(root, STEPS_PER_SLICE);
    }
    return false;
  }
}
