/**
 * Clients that keep copies of what they read, as CLIENT TRACKING allows, on several workers, while others write: once all is quiet,
 * no copy may differ from the truth (R13). Reads go through the ring, too, where invalidations could overtake their replies.
 */
import net from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { decodeReply, type Reply, ReplyPush, replyEnd } from '../server/reply-reader.ts';
import { frame, type RespClient } from '../server/resp-client.ts';
import { serverUnderTest } from '../server/server-command.ts';
import { ServerGroup } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

const servers = new ServerGroup();
afterAll(() => servers.removeAll());

const KEYS = Array.from({ length: 16 }, (_, i) => `k${i}`);
const READERS = 24;
const WRITERS = 4;
/** Commands that a writer has under way. */
const WRITES_AT_ONCE = 16;
const ROUNDS = 400;

/** A RESP3 client that reads with a window of pipelined commands and keeps what it gets until it is told to drop it. */
class CachingClient {
  readonly cache = new Map<string, string | null>();
  readonly asked: string[] = [];
  invalidations = 0;
  private input = Buffer.alloc(0);
  readonly socket: net.Socket;

  constructor(port: number) {
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('data', (bytes) => this.take(bytes));
    this.send('', ['HELLO', '3']);
    this.send('', ['CLIENT', 'TRACKING', 'ON']);
  }

  /** Reads what it has no copy of, as an application would: so a copy that is not true stays for good. */
  get(key: string): void {
    if (!this.cache.has(key) && !this.asked.includes(key)) this.send(key, ['GET', key]);
  }

  /** `key` '': the answer says nothing of a key. */
  private send(key: string, command: string[]): void {
    this.asked.push(key);
    this.socket.write(frame(command));
  }

  private take(bytes: Buffer): void {
    this.input = Buffer.concat([this.input, bytes]);
    let pos = 0;
    for (let end = replyEnd(this.input, 0); end >= 0; end = pos < this.input.length ? replyEnd(this.input, pos) : -1) {
      this.onReply(decodeReply(this.input.subarray(pos, end)));
      pos = end;
    }
    this.input = this.input.subarray(pos);
  }

  private onReply(reply: Reply): void {
    if (reply instanceof ReplyPush) {
      const [kind, keys] = reply.items as [string, string[]];
      if (kind !== 'invalidate') throw new Error(`a push ${kind}`);
      this.invalidations++;
      for (const key of keys) this.cache.delete(key);
      return;
    }
    const key = this.asked.shift();
    if (key === undefined) throw new Error('an answer that nobody asked for');
    if (key !== '') this.cache.set(key, reply as string | null);
  }
}

describe.each(['auto', 'ring'])('client-side caching, cross-shard %s', (crossShard) => {
  test('no copy stays that is not true', async () => {
    const server = await servers.start({
      command: serverUnderTest(),
      options: { appendonly: 'yes', appendfsync: 'everysec' },
      skeinOptions: { workers: 3, shards: 4, 'cross-shard': crossShard },
    });
    const readers = Array.from({ length: READERS }, () => new CachingClient(server.port));
    const writers = await Promise.all(Array.from({ length: WRITERS }, () => server.connect()));
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return (seed >>> 8) % below;
    };
    let reading = true;
    let version = 0;
    const write = (writer: RespClient): Promise<Reply> => {
      const [a, b] = [KEYS[random(KEYS.length)], KEYS[random(KEYS.length)]];
      const value = String(++version);
      if (version % 5 === 0) return writer.call('DEL', a);
      if (version % 7 === 0) return writer.call('MSET', a, value, b, value);
      return writer.call('SET', a, value);
    };
    const writing = writers.map(async (writer) => {
      while (reading) await Promise.all(Array.from({ length: WRITES_AT_ONCE }, () => write(writer)));
    });
    for (let round = 0; round < ROUNDS; round++) {
      for (const reader of readers) for (let n = random(4); n >= 0; n--) reader.get(KEYS[random(KEYS.length)]);
      await waitUntil('answers', () => readers.every((reader) => reader.asked.length < 8), 10_000, 0);
    }
    reading = false;
    await Promise.all(writing);
    await waitUntil('all answers', () => readers.every((reader) => reader.asked.length === 0));
    const truth = (await writers[0].call('MGET', ...KEYS)) as (string | null)[];
    const stale = (): string[] =>
      readers.flatMap((reader, r) =>
        KEYS.flatMap((key, i) => {
          const copy = reader.cache.get(key);
          return copy === undefined || copy === truth[i] ? [] : [`reader ${r}: ${key} is ${truth[i]}, not ${copy}`];
        }),
      );
    await waitUntil('the last invalidations', () => stale().length === 0, 3000).catch(() => {});
    expect(stale()).toEqual([]);
    expect(readers.reduce((sum, reader) => sum + reader.invalidations, 0)).toBeGreaterThan(500);
    for (const reader of readers) reader.socket.destroy();
  }, 40_000);
});
