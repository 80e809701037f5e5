import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, ArenaFullError, createArenaMemory } from '../../native-free-shm/arena.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import { CLASS_BYTES, MAX_SMALL_BYTES } from '../../native-free-shm/size-classes.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

interface Block {
  handle: number;
  bytes: number;
  fill: number;
}

/** Writes a pattern over the whole block and remembers it. */
function fill(arena: Arena, handle: number, bytes: number, value: number): Block {
  const start = (handle & 0x3ffffff) << 4;
  arena.buf[handle >>> 26].fill(value, start, start + bytes);
  return { handle, bytes, fill: value };
}

function expectUntouched(arena: Arena, block: Block): void {
  const start = (block.handle & 0x3ffffff) << 4;
  const bytes = arena.buf[block.handle >>> 26].subarray(start, start + block.bytes);
  expect(bytes.every((byte) => byte === block.fill)).toBe(true);
}

describe('arena', () => {
  it('keeps blocks apart and its books right through any mix of allocations and releases', () => {
    const size = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 600 }) },
      { weight: 3, arbitrary: fc.integer({ min: 500, max: MAX_SMALL_BYTES + 100 }) },
      { weight: 1, arbitrary: fc.integer({ min: MAX_SMALL_BYTES, max: 300_000 }) },
    );
    const step = fc.oneof(
      fc.record({ bytes: size, times: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ release: fc.nat(), times: fc.integer({ min: 1, max: 60 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const memory = createArenaMemory(24 * MIB);
        const arena = new Arena(memory);
        const blocks: Block[] = [];
        let serial = 0;
        for (const s of steps) {
          for (let i = 0; i < s.times; i++) {
            if ('bytes' in s) {
              if (arena.liveBytes() > 12 * MIB) break;
              const handle = arena.allocate(s.bytes);
              expect(arena.blockBytes(handle)).toBeGreaterThanOrEqual(s.bytes);
              blocks.push(fill(arena, handle, arena.blockBytes(handle), ++serial & 255));
            } else if (blocks.length > 0) {
              const [block] = blocks.splice(s.release % blocks.length, 1);
              expectUntouched(arena, block);
              arena.release(block.handle);
            }
          }
        }
        const report = checkMemory(memory);
        expect(report.liveBytes).toBe(blocks.reduce((sum, block) => sum + block.bytes, 0));
        expect(report.liveBlocks).toBe(blocks.length);
        for (const block of blocks) {
          expectUntouched(arena, block);
          arena.release(block.handle);
        }
        expect(checkMemory(memory)).toMatchObject({ liveBytes: 0, liveBlocks: 0, slabs: 0, freeRuns: 1 });
        expect(arena.liveBytes()).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('gives every byte of a full arena out and takes emptied pages back (rule 25)', () => {
    const memory = createArenaMemory(2 * MIB);
    const arena = new Arena(memory);
    const handles: number[] = [];
    expect(() => {
      for (;;) handles.push(arena.allocate(48));
    }).toThrow(ArenaFullError);
    // page 0 is never handed out, so that one slab does not fit
    expect(handles.length).toBe(31 * Math.floor(65536 / 48));
    expect(new Set(handles).size).toBe(handles.length);
    expect(checkMemory(memory).liveBytes).toBe(handles.length * 48);
    expect(arena.peakBytes()).toBe(handles.length * 48);
    for (const handle of handles) arena.release(handle);
    expect(checkMemory(memory).freeRuns).toBe(1);
    expect(arena.usedPageBytes()).toBe(0);
    expect(arena.committedBytes()).toBe(31 * 65536);
  });

  it('serves values of 512 MiB from several segments', () => {
    const memory = createArenaMemory(3 * GIB);
    const arena = new Arena(memory);
    expect(memory.segments.length).toBe(3);
    // the reserved page 0 takes one of the two halves of the first segment
    const handles = [1, 2, 3, 4, 5].map(() => arena.allocate(512 * MIB));
    expect(new Set(handles.map((handle) => handle >>> 26))).toEqual(new Set([0, 1, 2]));
    expect(() => arena.allocate(512 * MIB)).toThrow(ArenaFullError);
    expect(() => arena.allocate(2 * GIB)).toThrow(ArenaFullError);
    for (const handle of handles) arena.release(handle);
    expect(checkMemory(memory)).toMatchObject({ liveBlocks: 0, freeRuns: 3 });
  });

  it('opens a segment when it is needed, for a block or for a promise', () => {
    const memory = createArenaMemory(4 * GIB);
    const arena = new Arena(memory);
    expect(arena.roomBytes()).toBe(4 * GIB);
    expect(checkMemory(memory)).toMatchObject({ freeRuns: 1, freePages: GIB / 4096 - 1 });
    const first = [arena.allocate(700 * MIB), arena.allocate(700 * MIB)];
    expect(checkMemory(memory).freeRuns).toBe(2);
    expect(arena.usedPageBytes()).toBe(1400 * MIB);
    expect(arena.reserve(500 * MIB)).toBe(true);
    expect(checkMemory(memory).freeRuns).toBe(3);
    first.push(arena.allocate(900 * MIB));
    expect(arena.reserve(2 * GIB, 700 * MIB)).toBe(false);
    expect(checkMemory(memory).freeRuns).toBe(4);
    for (const handle of first) arena.release(handle);
    expect(checkMemory(memory)).toMatchObject({ liveBlocks: 0, freeRuns: 4, freePages: (4 * GIB) / 4096 - 1 });
  });

  it('reaches the last byte of 64 GiB with negative handles', () => {
    const memory = createArenaMemory(64 * GIB);
    const arena = new Arena(memory);
    const handles: number[] = [];
    for (let i = 0; i < 64; i++) handles.push(arena.allocate(GIB - 65536));
    expect(handles.filter((handle) => handle < 0).length).toBe(32);
    const small: number[] = [];
    for (let i = 0; i < 200; i++) small.push(arena.allocate(16000));
    for (const handle of small) arena.u8[handle >>> 26][(handle & 0x3ffffff) << 4] = 1;
    expect(small.some((handle) => handle < 0)).toBe(true);
    expect(checkMemory(memory).liveBlocks).toBe(264);
    for (const handle of [...handles, ...small]) arena.release(handle);
    expect(checkMemory(memory)).toMatchObject({ liveBlocks: 0, freeRuns: 64 });
    expect(() => createArenaMemory(65 * GIB)).toThrow(RangeError);
  });

  it('refuses handles that are not live blocks', () => {
    const arena = new Arena(createArenaMemory(MIB));
    const small = arena.allocate(100);
    const other = arena.allocate(100);
    const long = arena.allocate(40_000);
    expect(() => arena.release(0)).toThrow(/not a live block/);
    expect(() => arena.release(small + 1)).toThrow(/not a live block/);
    expect(() => arena.release(other + 7)).toThrow(/not a live block/);
    expect(() => arena.release(long + 256)).toThrow(/not a live block/);
    expect(() => arena.release(long + 1)).toThrow(/not a live block/);
    arena.release(small);
    expect(() => arena.release(small)).toThrow(/not a live block/);
    arena.release(long);
    expect(() => arena.release(long)).toThrow(/not a live block/);
    expect(() => arena.blockBytes(long)).toThrow(/not a live block/);
    arena.release(other);
    expect(() => arena.release(other)).toThrow(/not a live block/);
  });

  it('does not mistake the bytes of a live block for the mark of a free one', () => {
    const memory = createArenaMemory(MIB);
    const arena = new Arena(memory);
    const kept = arena.allocate(32);
    const handle = arena.allocate(32);
    arena.release(handle);
    const words = arena.i32[handle >>> 26];
    const mark = words[((handle & 0x3ffffff) << 2) + 1];
    expect(arena.allocate(32)).toBe(handle);
    words[((handle & 0x3ffffff) << 2) + 1] = mark;
    arena.release(handle);
    arena.release(kept);
    expect(checkMemory(memory).liveBlocks).toBe(0);
  });

  it('says which blocks can be reused for another length', () => {
    const arena = new Arena(createArenaMemory(4 * MIB));
    const small = arena.allocate(40);
    expect([32, 33, 48, 49].map((bytes) => arena.fits(small, bytes))).toEqual([false, true, true, false]);
    const long = arena.allocate(100_000);
    expect(arena.blockBytes(long)).toBe(102_400);
    expect([51_199, 51_200, 102_400, 102_401].map((bytes) => arena.fits(long, bytes))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it('wastes at most an eighth of a block above 512 bytes and 15 bytes below, up to 4 KiB', () => {
    const arena = new Arena(createArenaMemory(8 * MIB));
    for (let bytes = 1; bytes <= 4096; bytes += 7) {
      const handle = arena.allocate(bytes);
      expect(arena.blockBytes(handle) - bytes).toBeLessThanOrEqual(bytes <= 512 ? 15 : bytes / 8);
      arena.release(handle);
    }
    expect(CLASS_BYTES.every((bytes) => bytes % 16 === 0)).toBe(true);
  });

  it('fills zeroed blocks and counts what it does', () => {
    const arena = new Arena(createArenaMemory(MIB));
    const first = arena.allocate(5000);
    fill(arena, first, arena.blockBytes(first), 7);
    arena.release(first);
    const before = arena.mutations;
    const zeroed = arena.allocateZeroed(5000);
    expect(zeroed).toBe(first);
    const start = (zeroed & 0x3ffffff) << 4;
    expect(arena.u8[0].subarray(start, start + 5000).every((byte) => byte === 0)).toBe(true);
    arena.willChange(zeroed);
    arena.release(zeroed);
    expect(arena.mutations).toBe(before + 3);
    expect(arena.roomBytes()).toBe(MIB);
  });
});
