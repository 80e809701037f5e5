/**
 * Published messages on their way to many connections of this thread: written once, and given to each as a range.
 *
 *   buf   | message | message | message |  the same for RESP3  | message | …
 *         ^ a run: messages that came one behind the other for the same listeners
 *
 * Invariant 1: ranges are valid until `clear`, and their positions survive the growing of the buffer.
 */
import { ReplyWriter } from '../resp/reply-writer.ts';
import type { LogRecord } from './event-log.ts';
import type { ListenersOfName } from './local-subscribers.ts';
import type { Listener, SharedPushes } from './push-listener.ts';

const PUSH = 62;
const WORDS = ['message', 'pmessage', 'smessage'];

export class MessageRun implements SharedPushes {
  /** How often it has begun anew. */
  version = 0;
  private readonly out = new ReplyWriter(4096);
  private readonly send: (listener: Listener, start: number, end: number) => void;
  // the run under way
  private listeners: ListenersOfName | null = null;
  private topic = 0;
  private name = '';
  private start = 0;
  /** Of each of its messages: where it begins, and its position in the log. */
  private readonly begins: number[] = [];
  private readonly positions: number[] = [];

  /** `send` gives a listener the range [start, end). */
  constructor(send: (listener: Listener, start: number, end: number) => void) {
    this.send = send;
  }

  get buf(): Buffer {
    return this.out.buf;
  }

  get pos(): number {
    return this.out.pos;
  }

  /** Adds a message of a channel for those who have subscribed to it. */
  add(listeners: ListenersOfName, topic: number, name: string, record: LogRecord): void {
    const { out } = this;
    if (listeners !== this.listeners || topic !== this.topic) {
      this.flush();
      this.listeners = listeners;
      this.topic = topic;
      this.name = name;
      this.start = out.pos;
    }
    this.begins.push(out.pos);
    this.positions.push(record.position);
    out.array(3);
    out.bulkText(WORDS[topic]);
    out.bulk(record.buf, record.aStart, record.aEnd);
    out.bulk(record.buf, record.bStart, record.bEnd);
  }

  /** Sends the run under way to all whom it concerns. */
  flush(): void {
    const { listeners, out, positions, start } = this;
    if (listeners === null) return;
    this.listeners = null;
    const end = out.pos;
    let pushes = -1;
    const isForAll = listeners.newest <= positions[0];
    for (const listener of listeners.all) {
      const from = isForAll ? start : this.beginFor(listener);
      if (from < 0) continue;
      if (listener.resp === 2) {
        this.send(listener, from, end);
        continue;
      }
      if (pushes < 0) pushes = this.writePushes(end);
      this.send(listener, from + pushes - start, end + pushes - start);
    }
    this.begins.length = positions.length = 0;
  }

  /** Where the first message of the run begins that was published after this listener had subscribed; -1: none was. */
  private beginFor(listener: Listener): number {
    const since = listener.subscriptions!.byTopic[this.topic].get(this.name) ?? Number.POSITIVE_INFINITY;
    const first = this.positions.findIndex((position) => position >= since);
    return first < 0 ? -1 : this.begins[first];
  }

  /** RESP2 has arrays in place of pushes, else they are the same bytes. Returns where the run for RESP3 begins. */
  private writePushes(end: number): number {
    const { out, start } = this;
    const at = out.pos;
    out.raw(out.buf, start, end);
    for (const begin of this.begins) out.buf[begin - start + at] = PUSH;
    return at;
  }

  /** Nobody needs a range any more. */
  clear(): void {
    this.out.rewind(0);
    this.version++;
  }
}
