/**
 * Pub/sub of one worker: its connections' subscriptions, and the delivery of what the event log brings to them.
 *
 * A subscription counts from the moment at which the registry has it: the log's head then is where its messages begin.
 *
 * Invariant 1: what is delivered goes through the connection's outbox, behind the replies it is owed (R13).
 * Invariant 2: a connection that may have missed a record is closed: nobody believes in a complete stream that has gaps.
 */
import { ReplyWriter } from '../resp/reply-writer.ts';
import { ChangePushes } from './change-pushes.ts';
import { EVENT, EventLog, type LogRecord, READ_LOST, READ_MORE, WANT } from './event-log.ts';
import { type DeliverOn, writeKeyEvent } from './key-event-records.ts';
import { NamedListeners, PatternTable } from './local-subscribers.ts';
import { MessageRun } from './message-run.ts';
import type { PubsubMemory } from './pubsub-memory.ts';
import { type Listener, type PushPeer, Subscriptions } from './push-listener.ts';
import { ReadTracking } from './read-tracking.ts';
import { MAX_NAME_BYTES, SubscriptionRegistry, TOPIC } from './subscription-registry.ts';
import { TrackingClients } from './tracking-clients.ts';
import { TRACKED } from './tracking-table.ts';

const PUSH = 62;
const ARRAY = 42;

export class PushHub {
  readonly log: EventLog;
  readonly registry: SubscriptionRegistry;
  readonly tracking: TrackingClients;
  /** Whose reads are noted. */
  readonly reads: ReadTracking;
  /** What units changed. */
  readonly changes: ChangePushes;
  private readonly channels = new NamedListeners();
  private readonly patterns = new PatternTable();
  private readonly shardChannels = new NamedListeners();
  private readonly monitors = new Set<Listener>();
  /** Everybody of this worker who must not miss a record. */
  private readonly listeners = new Set<Listener>();
  private readonly touched = new Set<PushPeer>();
  /** Published messages, for all whom they concern. */
  private readonly run = new MessageRun((listener, start, end) => this.sendShared(listener, start, end));
  private readonly out = new ReplyWriter(4096);
  private readonly names = new ReplyWriter(1024);

  constructor(parts: {
    memory: PubsubMemory;
    worker: number;
    workers: number;
    hashKey: [number, number];
    ringWorker: (worker: number) => void;
    /** Is the client of a shared record still the one with this id? */
    isOpen: (record: number, id: number) => boolean;
    /** The client of this worker that has this id. */
    byId: (id: number) => Listener | null;
    /** Has the units of all workers note what they change. */
    noteAllChanges: () => void;
  }) {
    const { memory, worker, workers } = parts;
    this.log = new EventLog(memory.log, worker, workers, parts.ringWorker);
    this.registry = new SubscriptionRegistry(memory.registry, worker, workers, parts.hashKey);
    this.tracking = new TrackingClients({
      memory: memory.tracking,
      worker,
      log: this.log,
      isOpen: parts.isOpen,
      byId: parts.byId,
      noteAllChanges: parts.noteAllChanges,
      send: (listener, bytes, start, end, shard) => this.send(listener, bytes, start, end, shard),
    });
    this.reads = new ReadTracking(this.tracking, this.log, worker);
    this.changes = new ChangePushes(this.log, this.tracking.table);
  }

  // ---- figures for INFO, over all workers; plain reads

  channelCount(): number {
    return this.registry.names(TOPIC.channel);
  }

  patternCount(): number {
    return this.registry.names(TOPIC.pattern);
  }

  shardChannelCount(): number {
    return this.registry.names(TOPIC.shardChannel);
  }

  trackedKeys(): number {
    return this.tracking.table.keys();
  }

  trackedItems(): number {
    return this.tracking.table.figure(TRACKED.items);
  }

  trackedPrefixes(): number {
    return this.tracking.table.figure(TRACKED.prefixes);
  }

  trackingClients(): number {
    return this.tracking.table.figure(TRACKED.clients);
  }

  // ---- subscriptions

  /** The longest name of a channel, and of a channel and a message together. */
  get maxNameBytes(): number {
    return MAX_NAME_BYTES;
  }

  /** Subscribes to a name (latin1); nothing happens where it is subscribed to. False: there is no room. */
  subscribe(listener: Listener, topic: number, name: string): boolean {
    const subscriptions = (listener.subscriptions ??= new Subscriptions());
    if (subscriptions.byTopic[topic].has(name)) return true;
    this.log.want(WANT.subscriptions, true);
    const since = this.registry.add(topic, Buffer.from(name, 'latin1'), this.log);
    if (since < 0) {
      this.settle();
      return false;
    }
    subscriptions.byTopic[topic].set(name, since);
    this.tableOf(topic).add(name, listener, since);
    listener.isSubscriber = true;
    this.listeners.add(listener);
    return true;
  }

  /** Ends a subscription; false: there was none. */
  unsubscribe(listener: Listener, topic: number, name: string): boolean {
    const { subscriptions } = listener;
    if (subscriptions === null || !subscriptions.byTopic[topic].delete(name)) return false;
    this.tableOf(topic).remove(name, listener);
    this.registry.remove(topic, Buffer.from(name, 'latin1'));
    listener.isSubscriber = subscriptions.total > 0;
    this.forgetIfIdle(listener);
    return true;
  }

  private tableOf(topic: number): NamedListeners | PatternTable {
    if (topic === TOPIC.channel) return this.channels;
    return topic === TOPIC.pattern ? this.patterns : this.shardChannels;
  }

  /** RESET, and the end of a connection: it listens to nothing any more. */
  leave(listener: Listener): void {
    const { subscriptions } = listener;
    if (subscriptions !== null) {
      subscriptions.byTopic.forEach((names, topic) => {
        for (const name of [...names.keys()]) this.unsubscribe(listener, topic, name);
      });
    }
    this.setMonitor(listener, false);
    this.tracking.stop(listener);
    this.forgetIfIdle(listener);
  }

  setMonitor(listener: Listener, on: boolean): void {
    if (listener.isMonitor === on) return;
    listener.isMonitor = on;
    if (on) {
      this.log.want(WANT.monitor, true);
      this.monitors.add(listener);
      this.listeners.add(listener);
      return;
    }
    this.monitors.delete(listener);
    this.forgetIfIdle(listener);
  }

  private forgetIfIdle(listener: Listener): void {
    if (!listener.isSubscriber && !listener.isMonitor) this.listeners.delete(listener);
    this.settle();
  }

  /** Tells the log what this worker still wants. */
  private settle(): void {
    const { log } = this;
    log.want(WANT.subscriptions, !(this.channels.isEmpty && this.patterns.isEmpty && this.shardChannels.isEmpty));
    log.want(WANT.monitor, this.monitors.size > 0);
  }

  // ---- delivery

  /** Delivers what is new in the log; true: there is more. To be called outside of units. */
  deliver(): boolean {
    if (!this.log.listening || !this.log.hasNews()) return false;
    const outcome = this.log.read(this.onRecord);
    this.run.flush();
    if (outcome === READ_LOST) this.closeAll();
    this.tracking.endOfRecords();
    for (const peer of this.touched) peer.flushPushes();
    this.touched.clear();
    this.run.clear();
    return outcome === READ_MORE || outcome === READ_LOST;
  }

  /** Delivers all that is in the log by now, for a batch that is about to begin. */
  catchUp(): void {
    while (this.deliver());
  }

  private closeAll(): void {
    const all = [...this.listeners, ...this.tracking.clients()];
    for (const listener of all) listener.peer?.close();
  }

  private readonly onRecord = (record: LogRecord): void => {
    switch (record.kind) {
      case EVENT.message:
        this.deliverMessage(record);
        return;
      case EVENT.shardMessage:
        this.addToRun(record, this.shardChannels, TOPIC.shardChannel);
        return;
    }
    // pushes keep their order
    this.run.flush();
    switch (record.kind) {
      case EVENT.keyEvent:
        writeKeyEvent(record, this.names, this.deliverKeyEvent);
        return;
      case EVENT.monitor:
        for (const monitor of this.monitors) this.send(monitor, record.buf, record.aStart, record.aEnd, -1);
        return;
      default:
        this.tracking.onRecord(record);
    }
  };

  private addToRun(record: LogRecord, table: NamedListeners, topic: number): void {
    const name = record.buf.toString('latin1', record.aStart, record.aEnd);
    const listeners = table.of(name);
    if (listeners !== null) this.run.add(listeners, topic, name, record);
  }

  /** A published message: to those who subscribed to its channel, then to those whose patterns fit it. */
  private deliverMessage(record: LogRecord): void {
    this.addToRun(record, this.channels, TOPIC.channel);
    if (this.patterns.isEmpty) return;
    this.run.flush();
    this.deliverByPattern(record, record.buf, record.aStart, record.aEnd, record.buf, record.bStart, record.bEnd);
  }

  /** A key event on a channel, as a message. */
  private readonly deliverKeyEvent: DeliverOn = (record, channel, channelStart, channelEnd, message, start, end) => {
    const { out } = this;
    const name = channel.toString('latin1', channelStart, channelEnd);
    const listeners = this.channels.of(name);
    if (listeners !== null) {
      out.rewind(0);
      out.resp = 3;
      out.push(3);
      out.bulkText('message');
      out.bulk(channel, channelStart, channelEnd);
      out.bulk(message, start, end);
      this.sendWritten(listeners.all, TOPIC.channel, name, record);
    }
    this.deliverByPattern(record, channel, channelStart, channelEnd, message, start, end);
  };

  private readonly deliverByPattern: DeliverOn = (record, channel, channelStart, channelEnd, message, start, end) => {
    const { out } = this;
    if (this.patterns.isEmpty) return;
    this.patterns.forMatching(channel, channelStart, channelEnd, (text, pattern, matching) => {
      out.rewind(0);
      out.resp = 3;
      out.push(4);
      out.bulkText('pmessage');
      out.bulk(pattern, 0, pattern.length);
      out.bulk(channel, channelStart, channelEnd);
      out.bulk(message, start, end);
      this.sendWritten(matching, TOPIC.pattern, text, record);
    });
  };

  /** Sends the push that `out` holds to those of the listeners who had subscribed when it was appended. */
  private sendWritten(listeners: ReadonlySet<Listener>, topic: number, name: string, record: LogRecord): void {
    const { buf, pos } = this.out;
    for (const listener of listeners) {
      if (listener.subscriptions!.byTopic[topic].get(name)! > record.position) continue;
      // RESP2 has arrays in place of pushes, else they are the same bytes
      buf[0] = listener.resp === 3 ? PUSH : ARRAY;
      this.send(listener, buf, 0, pos, record.shard);
    }
  }

  private sendShared(listener: Listener, start: number, end: number): void {
    const { peer } = listener;
    if (peer === null) return;
    this.touched.add(peer);
    peer.pushShared(this.run, start, end);
  }

  private send(listener: Listener, bytes: Buffer, start: number, end: number, shard: number): void {
    const { peer } = listener;
    if (peer === null) return;
    this.touched.add(peer);
    peer.push(bytes, start, end, shard);
  }
}
