import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import { createOldBlocksMemory, OldBlocks, PastView } from '../../native-free-shm/old-blocks.ts';
import { TableWalk } from '../../native-free-shm/table-walk.ts';

const OFFSET_MASK = 0x3ffffff;
const ENTRY_BYTES = 32;

/** A table of numbers with values, in an arena with a past. */
class World {
  readonly memory = createArenaMemory(1 << 24);
  readonly oldMemory = createOldBlocksMemory(1 << 24);
  readonly arena = new Arena(this.memory);
  readonly past = new OldBlocks(this.oldMemory, this.arena);
  readonly table = new HashTable(this.arena, 16, 28);
  readonly root = this.table.create();
  readonly model = new Map<number, number>();
  private readonly key = Buffer.alloc(4);

  find(key: number): number {
    this.key.writeInt32LE(key, 0);
    return this.table.find(this.root, Math.imul(key, 0x9e3779b1), this.key, 0, 4);
  }

  set(key: number, value: number): void {
    let entry = this.find(key);
    this.model.set(key, value);
    if (entry !== 0) {
      this.arena.willChange(entry);
      this.arena.i32[entry >>> 26][((entry & OFFSET_MASK) << 2) + 5] = value;
      return;
    }
    entry = this.arena.allocate(ENTRY_BYTES);
    const i32 = this.arena.i32[entry >>> 26];
    const w = (entry & OFFSET_MASK) << 2;
    const hash = Math.imul(key, 0x9e3779b1);
    i32.set([hash, 4, 0, 0, key, value], w);
    this.table.insert(this.root, hash, entry);
  }

  remove(key: number): void {
    const entry = this.find(key);
    this.model.delete(key);
    if (entry === 0) return;
    this.table.remove(this.root, Math.imul(key, 0x9e3779b1), entry);
    this.arena.release(entry);
  }

  /** The table as it was. */
  seen(): Map<number, number> {
    const view = new PastView(this.arena, this.past);
    const walk = new TableWalk(view.another());
    const seen = new Map<number, number>();
    walk.start(this.root);
    for (let entry = walk.next(); entry !== 0; entry = walk.next()) {
      view.open(entry);
      const w = view.byte >> 2;
      expect(seen.has(view.i32[w + 4])).toBe(false);
      seen.set(view.i32[w + 4], view.i32[w + 5]);
    }
    return seen;
  }
}

const change = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('set' as const), key: fc.nat(300), value: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('remove' as const), key: fc.nat(300), value: fc.constant(0) }) },
);
type Change = { op: 'set' | 'remove'; key: number; value: number };

function apply(world: World, changes: readonly Change[]): void {
  for (const { op, key, value } of changes) {
    if (op === 'set') world.set(key, value);
    else world.remove(key);
  }
}

describe('a past', () => {
  test('shows the table of the moment, whatever is done to it afterwards, and leaves nothing behind', () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 400 }),
        fc.array(change, { maxLength: 400 }),
        fc.array(change, { maxLength: 200 }),
        (before, first, second) => {
          const world = new World();
          apply(world, before);
          for (const later of [first, second]) {
            const then = new Map(world.model);
            world.past.begin();
            apply(world, later);
            expect(world.seen()).toEqual(then);
            world.past.end();
            while (world.past.clear(3));
            expect(world.past.keptBytes()).toBe(0);
            expect(world.past.inUse()).toBe(false);
            world.table.check(world.root);
          }
          for (const key of [...world.model.keys()]) world.remove(key);
          while (world.table.releaseStep(world.root, 100, () => {}));
          expect(checkMemory(world.memory).liveBlocks).toBe(0);
          expect(checkMemory(world.oldMemory.store).liveBlocks).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('counts what it keeps', () => {
    const world = new World();
    apply(
      world,
      Array.from({ length: 200 }, (_, key) => ({ op: 'set' as const, key, value: 1 })),
    );
    world.past.begin();
    const empty = world.past.keptBytes();
    world.set(1, 2);
    const oneCopy = world.past.keptBytes() - empty;
    world.set(1, 3);
    expect(world.past.keptBytes() - empty).toBe(oneCopy);
    expect(oneCopy).toBeGreaterThanOrEqual(ENTRY_BYTES);
    world.remove(2);
    expect(world.past.keptBytes() - empty).toBeGreaterThan(oneCopy + ENTRY_BYTES);
  });

  test('cannot begin twice', () => {
    const world = new World();
    world.past.begin();
    expect(() => world.past.begin()).toThrow('has not been cleared');
  });
});
