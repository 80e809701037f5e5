import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, type ArenaMemory, createArenaMemory } from '../../native-free-shm/arena.ts';
import { CLASS_BYTES, MAX_SMALL_BYTES } from '../../native-free-shm/size-classes.ts';
import { seeded } from './entry-fixture.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The same memory once more, so that several futures of one arena can be tried. */
function copyOf(memory: ArenaMemory): ArenaMemory {
  const copy = (from: SharedArrayBuffer): SharedArrayBuffer => {
    const to = new SharedArrayBuffer(from.byteLength);
    Buffer.from(from).copy(Buffer.from(to));
    return to;
  };
  return { control: copy(memory.control), pageTable: copy(memory.pageTable), segments: memory.segments.map(copy) };
}

let turn = 0;

/** Ways to spend a reservation: each yields the next request, given what is left. */
const SPENDERS: readonly ((left: number, largest: number, random: () => number) => number)[] = [
  (left, largest) => Math.min(left, largest),
  (left) => Math.min(left, 17),
  (left, largest) => Math.min(left, largest, MAX_SMALL_BYTES + 1),
  (left, largest) => Math.min(left, largest, 65537),
  (left, largest, random) => Math.min(left, largest, CLASS_BYTES[random() % CLASS_BYTES.length] + 1),
  (left, largest) => Math.min(left, largest, CLASS_BYTES[turn++ % CLASS_BYTES.length] - 15),
  (left, largest, random) => 1 + (random() % Math.min(left, largest)),
  (left, largest, random) =>
    (random() % 4 === 0 ? Math.min(left, largest) >> 1 : 1 + (random() % Math.min(left, largest, 5000))) || 1,
];

/** An arena with holes: filled with blocks of the given sizes, of which some are released. */
function holedMemory(
  roomBytes: number,
  sizes: readonly number[],
  releasedShare: number,
  random: () => number,
): ArenaMemory {
  const memory = createArenaMemory(roomBytes);
  const arena = new Arena(memory);
  const handles: number[] = [];
  try {
    for (let i = 0; ; i++) handles.push(arena.allocate(sizes[i % sizes.length]));
  } catch {
    // full
  }
  for (const handle of handles) if (random() % 1000 < releasedShare * 1000) arena.release(handle);
  return memory;
}

function spendAll(
  arena: Arena,
  bytes: number,
  largest: number,
  spender: (typeof SPENDERS)[number],
  random: () => number,
): void {
  for (let left = bytes; left > 0; ) {
    const request = spender(left, largest, random);
    arena.allocate(request);
    left -= Math.max(request, 16);
  }
}

/** The most bytes that reserve grants. */
function mostReservable(arena: Arena, largest: number): number {
  let granted = 0;
  for (let step = 64 * MIB; step >= 1024; step /= 2) {
    if (arena.reserve(granted + step, Math.min(largest, granted + step))) granted += step;
  }
  return granted;
}

describe('Arena.reserve (rule 4)', () => {
  it('promises nothing that it cannot keep, however the bytes are spent', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        fc.integer({ min: 8, max: 24 }),
        fc.array(
          fc.oneof(fc.integer({ min: 16, max: 2000 }), fc.integer({ min: 2000, max: 150_000 }), fc.constant(65_536)),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        fc.constantFrom(0.2, 0.6, 0.9, 0.99, 1),
        fc.constantFrom(64, 65_536, 300_000, 64 * MIB),
        (seed, mebibytes, sizes, released, largest) => {
          const random = seeded(seed);
          const memory = holedMemory(mebibytes * MIB, sizes, released, random);
          const most = mostReservable(new Arena(memory), largest);
          if (most === 0) return;
          for (const spender of SPENDERS) {
            const arena = new Arena(copyOf(memory));
            spendAll(arena, most, Math.min(largest, most), spender, random);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('keeps its promise where its sum is tightest', () => {
    const random = seeded(1);
    const slab = 65_536;
    for (const slabs of [70, 76, 90, 400, 600]) {
      // one long run, and single slabs with a used one between each two
      const whole = createArenaMemory(slabs * slab);
      const scattered = createArenaMemory(2 * slabs * slab);
      const filler = new Arena(scattered);
      const blocks = Array.from({ length: 2 * slabs - 1 }, () => filler.allocate(slab));
      for (let i = 0; i < blocks.length; i += 2) filler.release(blocks[i]);
      for (const memory of [whole, scattered]) {
        const most = mostReservable(new Arena(memory), memory === whole ? 64 * MIB : slab);
        for (const spender of SPENDERS) {
          turn = 0;
          spendAll(new Arena(copyOf(memory)), most, memory === whole ? most : slab, spender, random);
        }
      }
    }
  });

  it('grants most of an empty arena', () => {
    const arena = new Arena(createArenaMemory(64 * MIB));
    expect(arena.reserve(20 * MIB)).toBe(true);
    expect(arena.reserve(64 * MIB)).toBe(false);
    const large = new Arena(createArenaMemory(GIB));
    expect(large.reserve(513 * MIB)).toBe(true);
    expect(large.reserve(1100 * MIB)).toBe(false);
  });

  it('grants small blocks where the free memory is scattered in single slabs', () => {
    const arena = new Arena(createArenaMemory(64 * MIB));
    const blocks: number[] = [];
    for (let i = 0; i < 1000; i++) blocks.push(arena.allocate(65_536));
    expect(arena.reserve(MIB)).toBe(false);
    for (let i = 0; i < blocks.length; i += 2) arena.release(blocks[i]);
    expect(arena.reserve(MIB)).toBe(false);
    expect(arena.reserve(MIB, 65_536)).toBe(true);
  });

  it('changes nothing', () => {
    const arena = new Arena(createArenaMemory(8 * MIB));
    const before = [arena.mutations, arena.liveBytes(), arena.committedBytes()];
    arena.reserve(MIB);
    arena.reserve(100 * MIB);
    expect([arena.mutations, arena.liveBytes(), arena.committedBytes()]).toEqual(before);
  });
});
