import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, type ArenaMemory, createArenaMemory } from '../../native-free-shm/arena.ts';
import type { CaptureSink } from '../../native-free-shm/capture.ts';
import { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import { BACK_WORD, newEntry, seeded } from './entry-fixture.ts';

const MIB = 2 ** 20;

/** Keeps what is needed to undo a unit: old bytes by block, releases held back. */
class Undo implements CaptureSink {
  readonly fresh = new Set<number>();
  readonly old = new Map<number, Buffer>();
  readonly held = new Set<number>();
  readonly partly = new Set<number>();
  readonly parts: { buf: Buffer; at: number; bytes: Buffer }[] = [];

  allocated(handle: number): void {
    this.fresh.add(handle);
  }

  changing(handle: number, buf: Buffer, start: number, bytes: number): void {
    if (!this.fresh.has(handle) && !this.old.has(handle))
      this.old.set(handle, Buffer.from(buf.subarray(start, start + bytes)));
  }

  /** Not a byte more than was told. */
  changingPart(handle: number, buf: Buffer, start: number, _bytes: number, offset: number, partBytes: number): void {
    if (this.fresh.has(handle) || this.old.has(handle)) return;
    this.partly.add(handle);
    const at = start + offset;
    this.parts.push({ buf, at, bytes: Buffer.from(buf.subarray(at, at + partBytes)) });
  }

  releasing(handle: number): boolean {
    if (this.fresh.delete(handle)) return false;
    this.held.add(handle);
    return true;
  }

  rollBack(arena: Arena): void {
    for (const [handle, bytes] of this.old) bytes.copy(arena.buf[handle >>> 26], (handle & 0x3ffffff) << 4);
    for (const { buf, at, bytes } of this.parts.reverse()) bytes.copy(buf, at);
    for (const handle of this.fresh) arena.releaseHeld(handle);
  }

  commit(arena: Arena): void {
    for (const handle of this.held) arena.releaseHeld(handle);
  }
}

/** Every live block with its bytes. */
function picture(memory: ArenaMemory, arena: Arena): Map<number, string> {
  const blocks = new Map<number, string>();
  checkMemory(memory, (handle) => {
    const start = (handle & 0x3ffffff) << 4;
    blocks.set(handle, arena.buf[handle >>> 26].toString('latin1', start, start + arena.blockBytes(handle)));
  });
  return blocks;
}

const sip = new HalfSipHash(3, 4);

const goodHash = (key: Buffer): number => sip.hash(key, 0, key.length);
/** Long overflow chains. */
const badHash = (key: Buffer): number => sip.hash(key, 0, key.length) & 3;

/** A keyspace: a table and a heap, changed at random. */
class Store {
  readonly memory = createArenaMemory(16 * MIB);
  readonly arena = new Arena(this.memory);
  readonly table = new HashTable(this.arena, 16, 28);
  readonly heap = new DeadlineHeap(this.arena, BACK_WORD);
  readonly root = this.table.create();
  readonly heapRoot = this.heap.create();
  readonly hashOf: (key: Buffer) => number;
  readonly keys: number;

  constructor(keys: number, hashOf: (key: Buffer) => number) {
    this.keys = keys;
    this.hashOf = hashOf;
  }

  /** A dropped table that is being freed. */
  dropped(random: () => number): number {
    const root = this.table.create();
    const entries = 100 + (random() % this.keys);
    for (let i = 0; i < entries; i++) {
      const key = Buffer.from(`dropped:${i}`);
      this.table.insert(root, this.hashOf(key), newEntry(this.arena, this.hashOf(key), key, false));
    }
    this.table.releaseStep(root, 3, (entry) => this.arena.release(entry));
    return root;
  }

  change(random: () => number, times: number): void {
    for (let i = 0; i < times; i++) {
      const key = Buffer.from(`key:${random() % this.keys}`);
      const hash = this.hashOf(key);
      if (i % 100 === 99) this.table.rehashStep(this.root, 5);
      const old = this.table.find(this.root, hash, key, 0, key.length);
      const kind = random() % 4;
      if (old === 0) {
        const entry = newEntry(this.arena, hash, key, true);
        this.table.insert(this.root, hash, entry);
        this.heap.push(this.heapRoot, random(), entry);
      } else if (kind === 0) {
        this.heap.update(this.heapRoot, this.positionOf(old), random());
      } else if (kind === 1) {
        const next = newEntry(this.arena, hash, key, true);
        this.table.replace(this.root, hash, old, next);
        this.heap.remove(this.heapRoot, this.positionOf(old));
        this.heap.push(this.heapRoot, random(), next);
        this.arena.release(old);
      } else {
        this.table.remove(this.root, hash, old);
        this.heap.remove(this.heapRoot, this.positionOf(old));
        this.arena.release(old);
      }
    }
  }

  check(): void {
    this.table.check(this.root);
    this.heap.check(this.heapRoot);
    expect(this.heap.count(this.heapRoot)).toBe(this.table.count(this.root));
  }

  private positionOf(entry: number): number {
    return this.arena.i32[entry >>> 26][((entry & 0x3ffffff) << 2) + BACK_WORD];
  }
}

describe('rule 8: say it before you change it', () => {
  it('the old bytes that the arena announces suffice to undo any change of table and heap', () => {
    const scale = fc.constantFrom(
      [300, goodHash, 500] as const,
      [200, badHash, 300] as const,
      [20_000, goodHash, 12_000] as const,
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        scale,
        fc.nat(1000),
        fc.nat(1000),
        (seed, [keys, hashOf, most], before, during) => {
          const random = seeded(seed);
          const store = new Store(keys, hashOf);
          store.change(random, (before * most) / 1000);
          const dropped = store.dropped(random);
          const expected = picture(store.memory, store.arena);
          const undo = new Undo();
          store.arena.captureSink = undo;
          store.arena.beginCapture();
          store.change(random, (during * most) / 1000);
          store.table.releaseStep(dropped, 1 + (random() % 2000), (entry) => store.arena.release(entry));
          store.check();
          store.arena.endCapture();
          undo.rollBack(store.arena);
          const found = picture(store.memory, store.arena);
          expect(found.size).toBe(expected.size);
          for (const [handle, bytes] of expected)
            if (found.get(handle) !== bytes) throw new Error(`block ${handle} differs`);
          store.check();
          store.change(random, 200);
          store.check();
        },
      ),
      { numRuns: 50 },
    );
  });

  it('held blocks keep handle and bytes until they are released', () => {
    const store = new Store(500, goodHash);
    store.change(seeded(5), 700);
    const before = picture(store.memory, store.arena);
    const undo = new Undo();
    store.arena.captureSink = undo;
    store.arena.beginCapture();
    store.change(seeded(6), 700);
    store.arena.endCapture();
    const now = picture(store.memory, store.arena);
    expect(undo.held.size).toBeGreaterThan(20);
    for (const handle of undo.held) {
      expect(undo.fresh.has(handle)).toBe(false);
      if (!undo.old.has(handle) && !undo.partly.has(handle)) expect(now.get(handle)).toBe(before.get(handle));
    }
    undo.commit(store.arena);
    checkMemory(store.memory);
    store.check();
  });

  it('is seen by every attached thread object, and a writer without a sink is stopped', () => {
    const memory = createArenaMemory(MIB);
    const arena = new Arena(memory);
    const other = new Arena(memory);
    const handle = arena.allocate(100);
    arena.beginCapture();
    expect(other.capturing()).toBe(true);
    expect(() => other.willChange(handle)).toThrow(/no sink/);
    expect(() => other.release(handle)).toThrow(/no sink/);
    const undo = new Undo();
    other.captureSink = undo;
    other.willChange(handle);
    expect(undo.old.get(handle)?.length).toBe(112);
    arena.beginCapture();
    arena.endCapture();
    expect(other.capturing()).toBe(true);
    arena.endCapture();
    expect(other.capturing()).toBe(false);
    expect(() => arena.endCapture()).toThrow(/no capture/);
    arena.willChange(handle);
    arena.release(handle);
  });
});
