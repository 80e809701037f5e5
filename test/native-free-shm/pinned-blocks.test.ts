/** Long blocks that are copied without the latch: nothing moves under a pin, and nothing is lost by giving up. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';

const ARENA_BYTES = 8 << 20;
const OFFSET_MASK = 0x3ffffff;

/** A block of the test: in the data, or only pinned. */
interface Block {
  handle: number;
  bytes: number;
  stamp: number;
  pins: number;
  inData: boolean;
}

function bytesOf(arena: Arena, { handle, bytes }: Block): Buffer {
  const start = (handle & OFFSET_MASK) << 4;
  return arena.buf[handle >>> 26].subarray(start, start + bytes);
}

type Step = { what: 'allocate' | 'private' | 'pin' | 'unpin' | 'release' | 'adopt' | 'free'; pick: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    what: fc.constantFrom('allocate', 'private', 'pin', 'unpin', 'release', 'adopt', 'free'),
    pick: fc.nat(1 << 20),
  }),
  { minLength: 20, maxLength: 120 },
);

class World {
  readonly memory = createArenaMemory(ARENA_BYTES);
  readonly arena = new Arena(this.memory);
  /** Another thread's object over the same memory: it gives pins back. */
  readonly other = new Arena(this.memory);
  blocks: Block[] = [];
  private stamps = 0;

  run({ what, pick }: Step): void {
    const { arena } = this;
    if (what === 'allocate' || what === 'private') return this.add(what === 'private', 20_000 + (pick % 300_000));
    if (what === 'free') return void arena.freeOrphans();
    const fitting = this.blocks.filter((block) => this.fits(block, what));
    if (fitting.length === 0) return;
    const block = fitting[pick % fitting.length];
    if (what === 'pin') {
      arena.pin(block.handle);
      block.pins++;
    } else if (what === 'unpin') {
      this.other.unpin(block.handle);
      block.pins--;
    } else if (what === 'release') {
      arena.release(block.handle);
      block.inData = false;
    } else {
      arena.adopt(block.handle);
      block.pins--;
      block.inData = true;
    }
    this.blocks = this.blocks.filter(({ pins, inData }) => pins > 0 || inData);
  }

  private fits(block: Block, what: Step['what']): boolean {
    if (what === 'pin' || what === 'release') return block.inData;
    if (what === 'unpin') return block.pins > 0;
    return !block.inData && block.pins === 1 && block.stamp < 0;
  }

  private add(isPrivate: boolean, bytes: number): void {
    const { arena } = this;
    if (!arena.reserve(bytes)) return;
    const handle = isPrivate ? arena.allocatePrivate(bytes) : arena.allocate(bytes);
    // a negative stamp: the block was private, and may be adopted
    const stamp = ++this.stamps;
    const block = { handle, bytes, stamp: isPrivate ? -stamp : stamp, pins: isPrivate ? 1 : 0, inData: !isPrivate };
    bytesOf(arena, block).fill(stamp & 255);
    this.blocks.push(block);
  }

  check(): void {
    const live = new Set<number>();
    checkMemory(this.memory, (handle) => live.add(handle));
    for (const block of this.blocks) {
      expect(live.has(block.handle)).toBe(true);
      const bytes = bytesOf(this.arena, block);
      const stamp = Math.abs(block.stamp) & 255;
      expect([bytes[0], bytes[bytes.length >> 1], bytes[bytes.length - 1]]).toEqual([stamp, stamp, stamp]);
    }
  }
}

describe('pinned and private blocks', () => {
  test('keep their bytes until nobody needs them, and are all given back', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const world = new World();
        for (const step of list) {
          world.run(step);
          world.check();
        }
        for (const block of world.blocks) {
          for (let i = 0; i < block.pins; i++) world.other.unpin(block.handle);
          if (block.inData) world.arena.release(block.handle);
        }
        world.arena.freeOrphans();
        expect(checkMemory(world.memory).liveBlocks).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('a released block is free only without its pin', () => {
    const { arena, memory } = new World();
    const handle = arena.allocate(100_000);
    arena.pin(handle);
    arena.pin(handle);
    arena.release(handle);
    arena.unpin(handle);
    expect([arena.freeOrphans(), checkMemory(memory).liveBlocks]).toEqual([false, 1]);
    arena.unpin(handle);
    expect([arena.freeOrphans(), checkMemory(memory).liveBlocks]).toEqual([true, 0]);
    expect(() => arena.unpin(handle)).toThrow(/not pinned/);
  });

  test('a reservation counts on orphans that nobody pins', () => {
    const { arena } = new World();
    const handle = arena.allocatePrivate(ARENA_BYTES - 400_000);
    expect(arena.reserve(1 << 20)).toBe(false);
    arena.unpin(handle);
    const { mutations } = arena;
    expect([arena.reserve(1 << 20), arena.mutations]).toEqual([true, mutations]);
  });

  test('only long blocks can be pinned', () => {
    const { arena } = new World();
    expect(() => arena.pin(arena.allocate(100))).toThrow(/cannot be pinned/);
    expect(() => arena.allocatePrivate(100)).toThrow(RangeError);
    expect(arena.isPinned(arena.allocate(100))).toBe(false);
  });
});
