/**
 * WATCH as one thread keeps it for its clients: which keys each of them watches, and what is left to be taken out of the interest
 * tables of shards whose latches were busy when a client ended its watches.
 */
import type { Latch } from '../../native-free-shm/latch.ts';
import type { ClientRecords } from '../admin/client-records.ts';
import type { InterestTable } from '../shard/interest-table.ts';
import type { Session } from './session.ts';
import type { Unit } from './unit.ts';

/** One watched key: its shard, and the watch in the shard's interest table. */
export interface WatchedKey {
  readonly shard: number;
  readonly watch: number;
}

export class Watches {
  readonly tables: readonly InterestTable[];
  private readonly latches: readonly Latch[];
  private readonly clients: ClientRecords;
  /** Watches that mark nothing any more. */
  private left: WatchedKey[] = [];

  constructor(tables: readonly InterestTable[], latches: readonly Latch[], clients: ClientRecords) {
    this.tables = tables;
    this.latches = latches;
    this.clients = clients;
  }

  /** Watches key argument `arg` for a session, under the latch of its shard. False: there is no room. */
  add(unit: Unit, session: Session, arg: number): boolean {
    const { clients } = this;
    const { args, db } = unit;
    if (session.watched.length === 0) session.watchTicket = clients.newWatchTicket(session.record);
    const shard = unit.shardOfArg[arg];
    const place = clients.watchPlace(session.record);
    const watch = this.tables[shard].watch(
      db,
      unit.hashOf(arg),
      args.buf,
      args.starts[arg],
      args.ends[arg],
      place,
      session.watchTicket,
      unit.nowMs,
    );
    if (watch === 0) return false;
    if (watch > 0) session.watched.push({ shard, watch });
    clients.setWatched(session.record, session.watched.length);
    return true;
  }

  /** Was a watched key touched, or has it expired? Under the latches of all of them, at unix ms `nowMs`. */
  broken(session: Session, nowMs: number): boolean {
    if (session.watched.length === 0) return false;
    if (this.clients.watchTouched(session.record, session.watchTicket)) return true;
    return session.watched.some(({ shard, watch }) => this.tables[shard].watchExpired(watch, nowMs));
  }

  /** Ends the watches of a session under the latches of all watched shards. */
  endLatched(session: Session): void {
    for (const { shard, watch } of session.watched) this.tables[shard].unwatch(watch);
    this.forget(session);
  }

  /** Ends the watches of a session, without any latch: from now on nothing marks them. What cannot be taken out now is later. */
  end(session: Session): void {
    if (session.watched.length === 0) return;
    this.left.push(...session.watched);
    this.forget(session);
    this.tidy();
  }

  private forget(session: Session): void {
    if (session.watched.length === 0) return;
    session.watched = [];
    this.clients.newWatchTicket(session.record);
    this.clients.setWatched(session.record, 0);
  }

  /** Takes out what was left, where the latch is free. Outside of units. */
  tidy(): void {
    if (this.left.length === 0) return;
    const { left } = this;
    this.left = [];
    for (const key of left) {
      const latch = this.latches[key.shard];
      if (latch.tryAcquire()) {
        this.tables[key.shard].unwatch(key.watch);
        latch.release();
      } else {
        this.left.push(key);
      }
    }
  }
}
