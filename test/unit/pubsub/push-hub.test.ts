/** Two workers' hubs over the same memory, without sockets: who receives what, and what the others are told of it. */
import { describe, expect, test } from 'vitest';
import { createPubsubMemory } from '../../../src/pubsub/pubsub-memory.ts';
import { PushHub } from '../../../src/pubsub/push-hub.ts';
import type { Listener, SharedPushes, Subscriptions } from '../../../src/pubsub/push-listener.ts';
import { TOPIC } from '../../../src/pubsub/subscription-registry.ts';

class FakeListener implements Listener {
  readonly id: number;
  readonly record: number;
  readonly resp: 2 | 3;
  subscriptions: Subscriptions | null = null;
  isSubscriber = false;
  isMonitor = false;
  closed = false;
  private text = '';
  readonly peer = {
    push: (bytes: Buffer, start: number, end: number) => {
      this.text += bytes.toString('latin1', start, end);
    },
    pushShared: ({ buf }: SharedPushes, start: number, end: number) => this.peer.push(buf, start, end),
    flushPushes: () => {},
    close: () => {
      this.closed = true;
    },
  };

  constructor(id: number, resp: 2 | 3 = 2) {
    this.id = this.record = id;
    this.resp = resp;
  }

  /** Words of what came since the last call. */
  take(): string[] {
    const words = this.text.split('\r\n').filter((line) => line !== '' && !/^[$*>]/.test(line));
    this.text = '';
    return words;
  }

  /** All of it. */
  get raw(): string {
    return this.text;
  }

  /** The first byte of what came. */
  get type(): string {
    return this.text.slice(0, 1);
  }
}

function workers(logBytes = 1 << 16) {
  const memory = createPubsubMemory(2, 1, logBytes);
  const clients = new Map<number, [worker: number, FakeListener]>();
  const hubs = [0, 1].map(
    (worker) =>
      new PushHub({
        memory,
        worker,
        workers: 2,
        hashKey: [1, 2],
        ringWorker() {},
        isOpen: (_record, id) => clients.has(id),
        byId: (id) => (clients.get(id)?.[0] === worker ? clients.get(id)![1] : null),
        noteAllChanges() {},
      }),
  );
  const connect = (worker: number, resp: 2 | 3 = 2): FakeListener => {
    const listener = new FakeListener(clients.size + 1, resp);
    clients.set(listener.id, [worker, listener]);
    return listener;
  };
  const publish = (worker: number, channel: string, message: string, isShard = false): number => {
    const { registry, log } = hubs[worker];
    const buf = Buffer.from(channel + message, 'latin1');
    const receivers = registry.publish(isShard, log, buf, 0, channel.length, channel.length, buf.length);
    for (const hub of hubs) hub.catchUp();
    for (const hub of hubs) hub.catchUp();
    return receivers;
  };
  return { hubs, connect, publish, clients };
}

describe('publishing over two workers', () => {
  test('counts and reaches channels and patterns of both, in one order', () => {
    const { hubs, connect, publish } = workers();
    const [a, b, c] = [connect(0), connect(1, 3), connect(1)];
    hubs[0].subscribe(a, TOPIC.channel, 'news');
    hubs[1].subscribe(b, TOPIC.channel, 'news');
    hubs[1].subscribe(b, TOPIC.pattern, 'n*');
    hubs[1].subscribe(c, TOPIC.pattern, 'n?ws');
    hubs[1].subscribe(c, TOPIC.shardChannel, 'news');
    expect(publish(0, 'news', 'm1')).toBe(4);
    expect(b.type).toBe('>');
    expect(a.type).toBe('*');
    expect(a.take()).toEqual(['message', 'news', 'm1']);
    expect(b.take()).toEqual(['message', 'news', 'm1', 'pmessage', 'n*', 'news', 'm1']);
    expect(c.take()).toEqual(['pmessage', 'n?ws', 'news', 'm1']);
    expect(publish(1, 'news', 'm2', true)).toBe(1);
    expect(c.take()).toEqual(['smessage', 'news', 'm2']);
    expect(publish(0, 'other', 'x')).toBe(0);
    const { registry } = hubs[0];
    expect(registry.list(TOPIC.channel, null).map(String)).toEqual(['news']);
    expect(registry.list(TOPIC.channel, Buffer.from('x*'))).toEqual([]);
    expect(registry.count(TOPIC.channel, Buffer.from('news'), 0, 4)).toBe(2);
    expect([hubs[0].channelCount(), hubs[0].patternCount(), hubs[0].shardChannelCount()]).toEqual([1, 2, 1]);
  });

  test('messages that are delivered together: runs of several channels, both protocols, who came amid a run', () => {
    const { hubs, connect } = workers();
    const [two, three, late, lateThree] = [connect(0), connect(0, 3), connect(0), connect(0, 3)];
    const append = (channel: string, message: string, isShard = false): void => {
      const buf = Buffer.from(channel + message);
      hubs[1].registry.publish(isShard, hubs[1].log, buf, 0, channel.length, channel.length, buf.length);
    };
    for (const listener of [two, three]) {
      hubs[0].subscribe(listener, TOPIC.channel, 'a');
      hubs[0].subscribe(listener, TOPIC.channel, 'b');
    }
    hubs[0].subscribe(two, TOPIC.shardChannel, 'a');
    append('a', '1');
    append('a', '2');
    for (const listener of [late, lateThree]) hubs[0].subscribe(listener, TOPIC.channel, 'a');
    append('a', '3');
    append('a', 's', true);
    append('b', '4');
    append('a', '5');
    const raw = (listener: FakeListener, type: string, ...messages: string[]): void => {
      const of = (m: string) => (m === 's' ? ['smessage', 'a', m] : ['message', m === '4' ? 'b' : 'a', m]);
      const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
      expect(listener.raw).toBe(messages.map((m) => `${type}3\r\n${of(m).map(bulk).join('')}`).join(''));
    };
    hubs[0].catchUp();
    raw(two, '*', '1', '2', '3', 's', '4', '5');
    raw(three, '>', '1', '2', '3', '4', '5');
    raw(late, '*', '3', '5');
    raw(lateThree, '>', '3', '5');
  });

  test('a subscription begins with the first message behind it, and ends at once', () => {
    const { hubs, connect, publish } = workers();
    const [early, late] = [connect(0), connect(0)];
    hubs[0].subscribe(early, TOPIC.channel, 'c');
    const buf = Buffer.from('cm');
    // appended, and not delivered yet
    expect(hubs[1].registry.publish(false, hubs[1].log, buf, 0, 1, 1, 2)).toBe(1);
    hubs[0].subscribe(late, TOPIC.channel, 'c');
    hubs[0].catchUp();
    expect([early.take(), late.take()]).toEqual([['message', 'c', 'm'], []]);
    expect(hubs[0].unsubscribe(early, TOPIC.channel, 'c')).toBe(true);
    expect(hubs[0].unsubscribe(early, TOPIC.channel, 'c')).toBe(false);
    expect(early.isSubscriber).toBe(false);
    expect(publish(1, 'c', 'n')).toBe(1);
    hubs[0].leave(late);
    expect(publish(1, 'c', 'o')).toBe(0);
    expect(hubs[0].log.listening).toBe(false);
    expect(hubs[1].registry.list(TOPIC.channel, null)).toEqual([]);
  });

  test('a worker that lags loses its listeners', () => {
    const { hubs, connect } = workers(4096);
    const slow = connect(0);
    hubs[0].subscribe(slow, TOPIC.channel, 'c');
    const buf = Buffer.from(`c${'x'.repeat(500)}`);
    for (let i = 0; i < 20; i++) hubs[1].registry.publish(false, hubs[1].log, buf, 0, 1, 1, buf.length);
    hubs[0].catchUp();
    expect(slow.closed).toBe(true);
  });
});

const OPTIONS = {
  broadcast: false,
  optIn: false,
  optOut: false,
  noLoop: false,
  redirect: 0,
  redirectRecord: -1,
  prefixes: [] as string[],
};

describe('client-side caching over two workers', () => {
  const key = Buffer.from('key');
  const HASH = 99;

  test('whoever read a key is told once; NOLOOP spares the one that changed it', () => {
    const { hubs, connect } = workers();
    const [reader, writer] = [connect(0, 3), connect(1, 3)];
    for (const [hub, listener] of [
      [hubs[0], reader],
      [hubs[1], writer],
    ] as const) {
      hub.tracking.start(listener, { ...OPTIONS, noLoop: true });
      hub.reads.begin(listener, true);
      hub.reads.note(0, HASH, key, 0, 3);
    }
    expect([hubs[0].trackedKeys(), hubs[0].trackedItems(), hubs[0].trackingClients()]).toEqual([1, 2, 2]);
    hubs[1].changes.changed(0, 0, null, HASH, key, 0, 3, writer.record);
    hubs[1].changes.changed(0, 0, null, HASH, key, 0, 3, writer.record);
    for (const hub of hubs) hub.catchUp();
    expect(reader.take()).toEqual(['invalidate', 'key']);
    expect(writer.take()).toEqual([]);
    expect([hubs[0].trackedKeys(), hubs[0].trackedItems()]).toEqual([0, 0]);
  });

  test('goes to the client of another worker, and says so when that has gone', () => {
    const { hubs, connect, clients } = workers();
    const [reader, target] = [connect(0, 3), connect(1)];
    hubs[1].subscribe(target, TOPIC.channel, '__redis__:invalidate');
    const read = (): void => {
      hubs[0].reads.begin(reader, true);
      hubs[0].reads.note(0, HASH, key, 0, 3);
      hubs[1].changes.changed(0, 0, null, HASH, key, 0, 3, -1);
      for (const hub of [...hubs, ...hubs]) hub.catchUp();
    };
    hubs[0].tracking.start(reader, { ...OPTIONS, redirect: target.id, redirectRecord: target.record });
    read();
    expect(target.take()).toEqual(['message', '__redis__:invalidate', 'key']);
    clients.delete(target.id);
    read();
    expect(reader.take()).toEqual(['tracking-redir-broken', `:${target.id}`]);
  });

  test('BCAST tells the changes of a round together, by prefix', () => {
    const { hubs, connect } = workers();
    const listener = connect(0, 3);
    hubs[0].tracking.start(listener, { ...OPTIONS, broadcast: true, prefixes: ['ke'] });
    for (const name of ['key1', 'other', 'key2', 'key1']) {
      const bytes = Buffer.from(name);
      hubs[1].changes.changed(0, 0, null, HASH, bytes, 0, bytes.length, -1);
    }
    hubs[0].catchUp();
    expect(listener.take()).toEqual(['invalidate', 'key1', 'key2']);
    hubs[1].changes.tellAll();
    hubs[0].catchUp();
    expect(listener.take()).toEqual(['invalidate', '_']);
    hubs[0].tracking.stop(listener);
    expect(hubs[0].log.listening).toBe(false);
  });

  test('tracks no more keys than it may', () => {
    const { hubs, connect } = workers();
    const listener = connect(0, 3);
    hubs[0].tracking.start(listener, OPTIONS);
    hubs[0].reads.begin(listener, true);
    for (let i = 0; i < 5; i++) hubs[0].reads.note(0, i, Buffer.from(`k${i}`), 0, 2);
    hubs[0].reads.maxKeys = 2;
    while (hubs[0].reads.evict(0));
    hubs[0].catchUp();
    expect(hubs[0].trackedKeys()).toBe(2);
    expect(listener.take()).toHaveLength(6);
    expect(hubs[1].trackedItems()).toBe(2);
    hubs[0].leave(listener);
    expect([hubs[1].trackedItems(), hubs[1].trackingClients()]).toEqual([0, 0]);
  });
});
