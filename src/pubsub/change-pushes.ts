/**
 * What a unit's changes mean for pushes: key events for subscribers, invalidations for clients that keep copies. Called under the
 * unit's latches, after its effects are published; what is appended is stamped with the shard, so it leaves when they are safe.
 *
 * Invariant: nothing is appended that no worker wants.
 */
import { EVENT_CLASS, type KeyEvent } from '../keyspace/key-events.ts';
import { ALL_SHARDS, EVENT, type EventLog, WANT } from './event-log.ts';
import { appendKeyEvent } from './key-event-records.ts';
import type { TrackingTable } from './tracking-table.ts';

/** Events that tell of no change of a value. */
const NO_CHANGE = EVENT_CLASS.miss | EVENT_CLASS.newKey;

export class ChangePushes {
  private readonly log: EventLog;
  private readonly table: TrackingTable;
  /** `notify-keyspace-events`, see eventBitsOf; the thread keeps it up to date. */
  eventBits = 0;

  constructor(log: EventLog, table: TrackingTable) {
    this.log = log;
    this.table = table;
  }

  /**
   * Something happened to key bytes[start, end) of a held shard. `hash`: of the key; `by`: record of the client that did it, -1:
   * nobody. `event` null: its value changed, and that has no event of its own.
   */
  changed(
    shard: number,
    db: number,
    event: KeyEvent | null,
    hash: number,
    bytes: Buffer,
    start: number,
    end: number,
    by: number,
  ): void {
    const { log } = this;
    if (event === null || (event.classBit & NO_CHANGE) === 0) {
      // the key may be tracked by clients that have gone meanwhile: it leaves the table in any case
      const isTracked = this.table.take(shard, hash);
      if (isTracked || log.wanted(WANT.prefixes)) log.append(EVENT.invalidate, shard, hash, by, bytes, start, end);
    }
    if (event !== null && this.eventBits !== 0 && log.wanted(WANT.subscriptions))
      appendKeyEvent(log, this.eventBits, shard, db, event, bytes, start, end);
  }

  /** Does anybody keep copies that the end of a whole database takes back? */
  get anyTracking(): boolean {
    return this.log.wanted(WANT.tracking);
  }

  /** All keys of a held shard are gone: none of them is tracked any more. `tellAll` tells the clients, once per unit. */
  forgetShard(shard: number): void {
    this.table.clear(shard);
  }

  /** Tells all clients that keep copies to give them up. */
  tellAll(): void {
    if (this.anyTracking) this.log.append(EVENT.invalidateAll, ALL_SHARDS, 0, -1, NOTHING, 0, 0);
  }
}

const NOTHING = Buffer.alloc(0);
