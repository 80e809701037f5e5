/**
 * Who listens to what, over all workers: for each channel, pattern and shard channel how many connections of each worker have
 * subscribed. Whoever publishes learns from it how many will receive the message; which ones they are, each worker knows by
 * itself (local-subscribers.ts).
 *
 *   control   Int32: lock | three roots of tables | three counts of names
 *   arena     entries: hash, bytes of the name, one count per worker, name
 *
 * Invariant 1: tables and arena are touched under the lock only. It comes after all latches of shards and before the log's.
 * Invariant 2: a message is appended to the log under the same lock as its receivers are counted, and a subscription begins at
 *   the log's head as of that lock: exactly those that were counted receive it, as far as they still want it.
 */
import { Arena, type ArenaMemory, createArenaMemory } from '../../native-free-shm/arena.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { lockWord, unlockWord } from '../../native-free-shm/word-lock.ts';
import { globMatch } from '../keyspace/glob.ts';
import { EVENT, type EventLog } from './event-log.ts';

/** What can be subscribed to. */
export const TOPIC = { channel: 0, pattern: 1, shardChannel: 2 } as const;
const TOPICS = 3;

const LOCK = 0;
const ROOTS = 1;
const COUNTS = 4;
const CONTROL_WORDS = 16;

const COUNT_WORDS_AT = 2;
/** Names as long as keys may be. */
export const MAX_NAME_BYTES = (1 << 24) - 2;
const OFFSET_MASK = 0x3ffffff;
/** Address room for names. */
const ARENA_BYTES = 2 ** 30;

export interface RegistryMemory {
  control: SharedArrayBuffer;
  arena: ArenaMemory;
}

export function createRegistry(workers: number, arenaBytes = ARENA_BYTES): RegistryMemory {
  const memory = { control: new SharedArrayBuffer(CONTROL_WORDS * 4), arena: createArenaMemory(arenaBytes) };
  const words = new Int32Array(memory.control);
  const table = new HashTable(new Arena(memory.arena), keyBytesAt(workers), keyBytesAt(workers));
  for (let topic = 0; topic < TOPICS; topic++) words[ROOTS + topic] = table.create();
  return memory;
}

function keyBytesAt(workers: number): number {
  return (COUNT_WORDS_AT + workers) * 4;
}

export class SubscriptionRegistry {
  private readonly words: Int32Array;
  private readonly arena: Arena;
  private readonly table: HashTable;
  private readonly hasher: HalfSipHash;
  private readonly worker: number;
  private readonly workers: number;
  private readonly nameAt: number;

  constructor(memory: RegistryMemory, worker: number, workers: number, hashKey: [number, number]) {
    this.words = new Int32Array(memory.control);
    this.arena = new Arena(memory.arena);
    this.nameAt = keyBytesAt(workers);
    this.table = new HashTable(this.arena, this.nameAt, this.nameAt);
    this.hasher = new HalfSipHash(hashKey[0], hashKey[1]);
    this.worker = worker;
    this.workers = workers;
  }

  /** How many different names of this topic somebody listens to; a plain read. */
  names(topic: number): number {
    return this.words[COUNTS + topic];
  }

  /** Is there any channel or pattern that somebody listens to? A plain read. */
  get anyChannel(): boolean {
    return this.words[COUNTS + TOPIC.channel] !== 0 || this.words[COUNTS + TOPIC.pattern] !== 0;
  }

  /** One more connection of this worker listens. Returns the log's head as of this moment; -1: there is no room. */
  add(topic: number, name: Buffer, log: EventLog): number {
    lockWord(this.words, LOCK);
    const added = this.adjust(topic, name, 1);
    const head = added ? log.head() : -1;
    unlockWord(this.words, LOCK);
    return head;
  }

  /** One connection of this worker listens no more. */
  remove(topic: number, name: Buffer): void {
    lockWord(this.words, LOCK);
    this.adjust(topic, name, -1);
    unlockWord(this.words, LOCK);
  }

  private adjust(topic: number, name: Buffer, by: number): boolean {
    const { table, arena, words } = this;
    const root = words[ROOTS + topic];
    const hash = this.hasher.hash(name, 0, name.length);
    let entry = table.find(root, hash, name, 0, name.length);
    if (entry === 0) {
      if (!arena.reserve(table.growthBytes(root, 1) + this.nameAt + name.length + 64)) return false;
      entry = this.create(root, hash, name);
      Atomics.add(words, COUNTS + topic, 1);
    }
    const counts = this.countsOf(entry);
    arena.i32[entry >>> 26][counts + this.worker] += by;
    if (by > 0 || this.receivers(entry) > 0) return true;
    table.remove(root, hash, entry);
    arena.release(entry);
    Atomics.sub(words, COUNTS + topic, 1);
    return true;
  }

  private create(root: number, hash: number, name: Buffer): number {
    const { arena } = this;
    const entry = arena.allocateZeroed(this.nameAt + name.length);
    const at = (entry & OFFSET_MASK) << 2;
    const i32 = arena.i32[entry >>> 26];
    i32[at] = hash;
    i32[at + 1] = name.length;
    name.copy(arena.buf[entry >>> 26], (at << 2) + this.nameAt);
    this.table.insert(root, hash, entry);
    return entry;
  }

  /** Word of the first count of an entry. */
  private countsOf(entry: number): number {
    return ((entry & OFFSET_MASK) << 2) + COUNT_WORDS_AT;
  }

  private receivers(entry: number): number {
    const i32 = this.arena.i32[entry >>> 26];
    const at = this.countsOf(entry);
    let sum = 0;
    for (let worker = 0; worker < this.workers; worker++) sum += i32[at + worker];
    return sum;
  }

  /**
   * Publishes a message on a channel, or on a shard channel; returns how many connections receive it. It is appended to the log
   * if there are any. Name and message together have at most `log.maxBytes`.
   */
  publish(
    isShard: boolean,
    log: EventLog,
    buf: Buffer,
    nameStart: number,
    nameEnd: number,
    start: number,
    end: number,
  ): number {
    if (isShard ? this.names(TOPIC.shardChannel) === 0 : !this.anyChannel) return 0;
    lockWord(this.words, LOCK);
    let receivers = this.countIn(isShard ? TOPIC.shardChannel : TOPIC.channel, buf, nameStart, nameEnd);
    if (!isShard && this.names(TOPIC.pattern) !== 0) receivers += this.countPatterns(buf, nameStart, nameEnd);
    if (receivers > 0) {
      const kind = isShard ? EVENT.shardMessage : EVENT.message;
      log.append(kind, -1, 0, 0, buf, nameStart, nameEnd, buf, start, end);
    }
    unlockWord(this.words, LOCK);
    return receivers;
  }

  /** Connections that listen to this name, over all workers. */
  count(topic: number, buf: Buffer, start: number, end: number): number {
    lockWord(this.words, LOCK);
    const receivers = this.countIn(topic, buf, start, end);
    unlockWord(this.words, LOCK);
    return receivers;
  }

  private countIn(topic: number, buf: Buffer, start: number, end: number): number {
    const hash = this.hasher.hash(buf, start, end);
    const entry = this.table.find(this.words[ROOTS + topic], hash, buf, start, end);
    return entry === 0 ? 0 : this.receivers(entry);
  }

  private countPatterns(buf: Buffer, start: number, end: number): number {
    let sum = 0;
    this.forEach(TOPIC.pattern, (entry) => {
      const at = ((entry & OFFSET_MASK) << 4) + this.nameAt;
      const bytes = this.arena.buf[entry >>> 26];
      if (globMatch(bytes, at, at + this.nameBytes(entry), buf, start, end, false)) sum += this.receivers(entry);
    });
    return sum;
  }

  private nameBytes(entry: number): number {
    return this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + 1] & 0xffffff;
  }

  private forEach(topic: number, visit: (entry: number) => void): void {
    let cursor = 0;
    do cursor = this.table.scan(this.words[ROOTS + topic], cursor, visit);
    while (cursor !== 0);
  }

  /** Copies of all names of a topic that somebody listens to; with a pattern, those that fit it. */
  list(topic: number, pattern: Buffer | null): Buffer[] {
    const names: Buffer[] = [];
    lockWord(this.words, LOCK);
    this.forEach(topic, (entry) => {
      const at = ((entry & OFFSET_MASK) << 4) + this.nameAt;
      const bytes = this.arena.buf[entry >>> 26];
      const end = at + this.nameBytes(entry);
      if (pattern !== null && !globMatch(pattern, 0, pattern.length, bytes, at, end, false)) return;
      names.push(Buffer.from(bytes.subarray(at, end)));
    });
    unlockWord(this.words, LOCK);
    return names;
  }
}
