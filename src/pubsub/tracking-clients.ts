/**
 * Client-side caching, the side of one worker: which of its clients keep copies of which keys, and what they are told.
 *
 * Invariant 1: a client's key is noted here before the unit runs that reads it, so whatever that unit's registration in the shared
 *   table brings about finds it here.
 * Invariant 2: an invalidation leaves behind the reply of the read it concerns, for the connection queues it there. So a client never
 *   keeps for good what was changed.
 */
import { ReplyWriter } from '../resp/reply-writer.ts';
import { ALL_SHARDS, EVENT, type EventLog, type LogRecord, WANT } from './event-log.ts';
import type { Listener } from './push-listener.ts';
import { TRACKED, type TrackingMemory, TrackingTable } from './tracking-table.ts';

export interface TrackingOptions {
  broadcast: boolean;
  optIn: boolean;
  optOut: boolean;
  noLoop: boolean;
  /** Id of the client that gets the invalidations, 0: the client itself. */
  redirect: number;
  /** Shared record of that client. */
  redirectRecord: number;
  /** With `broadcast`, in latin1; '': all keys. */
  prefixes: string[];
}

/** What a client has asked for, and what CLIENT CACHING said last. */
export interface Tracking extends TrackingOptions {
  /** For the next command, or the next transaction. */
  caching: boolean | null;
  /** The client that it redirects to has gone. */
  isBroken: boolean;
}

interface TrackedKey {
  readonly key: Buffer;
  readonly listeners: Set<Listener>;
  /** Another key with the same hash. */
  readonly next: TrackedKey | null;
}

export const INVALIDATE_CHANNEL = '__redis__:invalidate';

export class TrackingClients {
  readonly table: TrackingTable;
  private readonly worker: number;
  private readonly log: EventLog;
  private readonly isOpen: (record: number, id: number) => boolean;
  private readonly noteAllChanges: () => void;
  private readonly byId: (id: number) => Listener | null;
  private readonly send: (listener: Listener, bytes: Buffer, start: number, end: number, shard: number) => void;
  private readonly states = new Map<Listener, Tracking>();
  /** By hash. */
  private readonly keys = new Map<number, TrackedKey>();
  /** By prefix: who has it, and the keys of this round that begin with it, with the client that changed each. */
  private readonly prefixes = new Map<string, { bytes: Buffer; listeners: Set<Listener>; changes: Change[] }>();
  private readonly out = new ReplyWriter(1024);
  private readonly list = new ReplyWriter(1024);

  constructor(parts: {
    memory: TrackingMemory;
    worker: number;
    log: EventLog;
    isOpen: (record: number, id: number) => boolean;
    byId: (id: number) => Listener | null;
    noteAllChanges: () => void;
    send: (listener: Listener, bytes: Buffer, start: number, end: number, shard: number) => void;
  }) {
    this.table = new TrackingTable(parts.memory);
    this.worker = parts.worker;
    this.log = parts.log;
    this.isOpen = parts.isOpen;
    this.byId = parts.byId;
    this.noteAllChanges = parts.noteAllChanges;
    this.send = parts.send;
  }

  clients(): Iterable<Listener> {
    return this.states.keys();
  }

  // ---- CLIENT TRACKING

  /** Begins to track for a client, or changes how. Prefixes are added to those it has. */
  start(listener: Listener, options: TrackingOptions): Tracking {
    this.noteAllChanges();
    const before = this.states.get(listener);
    const known = before?.prefixes ?? [];
    const added = options.broadcast ? (options.prefixes.length === 0 ? [''] : options.prefixes) : [];
    const fresh = added.filter((prefix, i) => !known.includes(prefix) && added.indexOf(prefix) === i);
    const state: Tracking = { ...options, prefixes: [...known, ...fresh], caching: null, isBroken: false };
    if (before === undefined) this.table.addTo(this.worker, TRACKED.clients, 1);
    this.states.set(listener, state);
    for (const prefix of fresh) this.addPrefix(prefix, listener);
    this.settle();
    return state;
  }

  stop(listener: Listener): void {
    const state = this.states.get(listener);
    if (state === undefined) return;
    this.states.delete(listener);
    this.table.addTo(this.worker, TRACKED.clients, -1);
    for (const prefix of state.prefixes) this.removePrefix(prefix, listener);
    // nobody here hears of these keys any more, so nothing would take them out
    if (this.states.size === 0) this.forgetKeys();
    this.settle();
  }

  private settle(): void {
    this.log.want(WANT.tracking, this.states.size > 0);
    this.log.want(WANT.prefixes, this.prefixes.size > 0);
  }

  private addPrefix(prefix: string, listener: Listener): void {
    const there = this.prefixes.get(prefix);
    if (there !== undefined) {
      there.listeners.add(listener);
      return;
    }
    this.prefixes.set(prefix, { bytes: Buffer.from(prefix, 'latin1'), listeners: new Set([listener]), changes: [] });
    this.table.addTo(this.worker, TRACKED.prefixes, 1);
  }

  private removePrefix(prefix: string, listener: Listener): void {
    const there = this.prefixes.get(prefix);
    there?.listeners.delete(listener);
    if (there?.listeners.size !== 0) return;
    this.prefixes.delete(prefix);
    this.table.addTo(this.worker, TRACKED.prefixes, -1);
  }

  // ---- reads

  /** A client is about to read a key (see invariant 1). */
  remember(listener: Listener, hash: number, buf: Buffer, start: number, end: number): void {
    const first = this.keys.get(hash) ?? null;
    let entry = first;
    while (entry !== null && entry.key.compare(buf, start, end) !== 0) entry = entry.next;
    if (entry === null) {
      entry = { key: Buffer.from(buf.subarray(start, end)), listeners: new Set(), next: first };
      this.keys.set(hash, entry);
    }
    if (entry.listeners.has(listener)) return;
    entry.listeners.add(listener);
    this.table.addTo(this.worker, TRACKED.items, 1);
  }

  // ---- what the log says

  onRecord(record: LogRecord): void {
    if (record.kind === EVENT.invalidate) {
      this.invalidate(record);
      if (record.aEnd > record.aStart) this.noteChange(record);
    } else if (record.kind === EVENT.invalidateAll) {
      this.invalidateAll(record.shard);
    } else if (record.kind === EVENT.redirected) {
      const target = this.byId(record.extra);
      if (target !== null) this.sendTo(target, true, record.buf, record.aStart, record.aEnd, record.shard);
    }
  }

  /** Whoever keeps a copy of a key with this hash is told. */
  private invalidate(record: LogRecord): void {
    const hash = record.number;
    let entry = this.keys.get(hash) ?? null;
    if (entry === null) return;
    this.keys.delete(hash);
    const { list } = this;
    for (; entry !== null; entry = entry.next) {
      list.rewind(0);
      list.array(1);
      list.bulk(entry.key, 0, entry.key.length);
      this.table.addTo(this.worker, TRACKED.items, -entry.listeners.size);
      for (const listener of entry.listeners) {
        const state = this.states.get(listener);
        if (state === undefined || state.broadcast || (state.noLoop && listener.record === record.extra)) continue;
        this.tell(listener, state, list.buf, 0, list.pos, record.shard);
      }
    }
  }

  private noteChange(record: LogRecord): void {
    const { buf, aStart, aEnd } = record;
    for (const { bytes, changes } of this.prefixes.values()) {
      if (bytes.length > aEnd - aStart || buf.compare(bytes, 0, bytes.length, aStart, aStart + bytes.length) !== 0)
        continue;
      changes.push({ key: Buffer.from(buf.subarray(aStart, aEnd)), by: record.extra, shard: record.shard });
    }
  }

  /** The keys of this round go to those who have their prefixes, together. */
  endOfRecords(): void {
    for (const prefix of this.prefixes.values()) {
      const { changes, listeners } = prefix;
      if (changes.length === 0) continue;
      prefix.changes = [];
      for (const listener of listeners) this.tellChanges(listener, changes);
    }
  }

  private tellChanges(listener: Listener, all: readonly Change[]): void {
    const state = this.states.get(listener)!;
    const changes = state.noLoop ? all.filter((change) => change.by !== listener.record) : all;
    const keys = new Map(changes.map((change) => [change.key.toString('latin1'), change]));
    if (keys.size === 0) return;
    const { list } = this;
    let shard = changes[0].shard;
    list.rewind(0);
    list.array(keys.size);
    for (const change of keys.values()) {
      list.bulk(change.key, 0, change.key.length);
      if (change.shard !== shard) shard = ALL_SHARDS;
    }
    this.tell(listener, state, list.buf, 0, list.pos, shard);
  }

  private invalidateAll(shard: number): void {
    this.forgetKeys();
    for (const [listener, state] of this.states) this.tell(listener, state, this.list.buf, 0, 0, shard);
  }

  private forgetKeys(): void {
    let items = 0;
    for (const entry of this.keys.values())
      for (let one: TrackedKey | null = entry; one !== null; one = one.next) items += one.listeners.size;
    this.keys.clear();
    this.table.addTo(this.worker, TRACKED.items, -items);
  }

  // ---- telling

  /** Tells a client, or whom it redirects to, that keys have changed: bytes[start, end) is their array; empty: all keys. */
  private tell(listener: Listener, state: Tracking, bytes: Buffer, start: number, end: number, shard: number): void {
    if (state.redirect === 0) return this.sendTo(listener, false, bytes, start, end, shard);
    const target = this.byId(state.redirect);
    if (target !== null) return this.sendTo(target, true, bytes, start, end, shard);
    if (this.isOpen(state.redirectRecord, state.redirect)) {
      this.log.append(EVENT.redirected, shard, 0, state.redirect, bytes, start, end);
      return;
    }
    state.isBroken = true;
    if (listener.resp !== 3) return;
    const { out } = this;
    out.rewind(0);
    out.resp = 3;
    out.push(2);
    out.bulkText('tracking-redir-broken');
    out.integer(state.redirect);
    this.send(listener, out.buf, 0, out.pos, -1);
  }

  private sendTo(
    target: Listener,
    isRedirected: boolean,
    bytes: Buffer,
    start: number,
    end: number,
    shard: number,
  ): void {
    const { out } = this;
    out.rewind(0);
    out.resp = target.resp;
    if (target.resp === 3) {
      out.push(2);
      out.bulkText('invalidate');
    } else if (isRedirected && target.isSubscriber) {
      out.array(3);
      out.bulkText('message');
      out.bulkText(INVALIDATE_CHANNEL);
    } else return;
    if (start === end) out.null();
    else out.raw(bytes, start, end);
    this.send(target, out.buf, 0, out.pos, shard);
  }
}

interface Change {
  key: Buffer;
  /** Record of the client that changed it. */
  by: number;
  shard: number;
}
