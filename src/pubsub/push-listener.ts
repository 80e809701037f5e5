/** A client connection as it receives pushes: what it has subscribed to, and the way to it. The session is one. */

/** Bytes of which several connections get ranges; `version` counts how often they began anew. */
export interface SharedPushes {
  readonly buf: Buffer;
  /** So many bytes are written. */
  readonly pos: number;
  readonly version: number;
}

/** Takes bytes for a connection of this thread. */
export interface PushPeer {
  /**
   * Takes bytes[start, end) for the client; they leave with the next `flushPushes`, behind all replies that are owed. `shard`: they
   * show an effect in this shard's journal, -1: in none.
   */
  push(bytes: Buffer, start: number, end: number, shard: number): void;
  /** As `push`, for bytes of which others get the same ones; they show no effect and stay what they are until `flushPushes` was called. */
  pushShared(pushes: SharedPushes, start: number, end: number): void;
  flushPushes(): void;
  /** Closes the connection, which has lost pushes or cannot take them. */
  close(): void;
}

/** By TOPIC: names (latin1) and the position of the log from which on their messages are for this client. */
export class Subscriptions {
  readonly byTopic: readonly Map<string, number>[] = [new Map(), new Map(), new Map()];

  /** Channels and patterns, as SUBSCRIBE and PSUBSCRIBE answer. */
  get plain(): number {
    return this.byTopic[0].size + this.byTopic[1].size;
  }

  get sharded(): number {
    return this.byTopic[2].size;
  }

  get total(): number {
    return this.plain + this.sharded;
  }
}

export interface Listener {
  readonly id: number;
  /** Its shared record, see client-records.ts. */
  readonly record: number;
  readonly resp: 2 | 3;
  readonly peer: PushPeer | null;
  /** Null before the first subscription. */
  subscriptions: Subscriptions | null;
  /** It has subscribed to something. */
  isSubscriber: boolean;
  isMonitor: boolean;
}
