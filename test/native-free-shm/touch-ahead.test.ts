import { describe, expect, it, vi } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { TouchAhead } from '../../native-free-shm/touch-ahead.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const PAGE_BYTES = 4096;

function setUp(bytes: number): { arena: Arena; ahead: TouchAhead } {
  const memory = createArenaMemory(bytes);
  const arena = new Arena(memory);
  return { arena, ahead: new TouchAhead(memory, arena.i32) };
}

/** Does all there is to do; returns in how many steps. */
function finish(ahead: TouchAhead): number {
  let steps = 0;
  for (; ahead.wanted; steps++) ahead.step();
  return steps;
}

/** Page faults of this process while the block's pages are written to. */
function faultsOf(arena: Arena, handle: number, bytes: number): number {
  const before = process.resourceUsage().minorPageFault;
  const start = (handle & 0x3ffffff) << 4;
  for (let at = 0; at < bytes; at += PAGE_BYTES) arena.u8[handle >>> 26][start + at] = 1;
  return process.resourceUsage().minorPageFault - before;
}

/** What a block of 4 MiB costs at most that was touched before; 1024 if it was not and its memory is new to this process. */
const FEW = 200;

/** The pages that are touched while `act` runs, as segment and number. */
function touchedPages(arena: Arena, act: () => void): Set<string> {
  const touches = vi.spyOn(Atomics, 'or');
  try {
    act();
    const pages = touches.mock.calls.map(([words, index]) => {
      const segment = arena.i32.indexOf(words as unknown as Int32Array);
      return `${segment} ${Math.floor((Number(index) * 4) / PAGE_BYTES)}`;
    });
    return new Set(pages.filter((page) => !page.startsWith('-1 ')));
  } finally {
    touches.mockRestore();
  }
}

function pagesOf(handle: number, bytes: number): string[] {
  const first = ((handle & 0x3ffffff) << 4) / PAGE_BYTES;
  return Array.from({ length: bytes / PAGE_BYTES }, (_, n) => `${handle >>> 26} ${Math.floor(first) + n}`);
}

describe('memory touched ahead', () => {
  it('is there when it is handed out, and no other', () => {
    const { arena, ahead } = setUp(64 * MIB);
    ahead.prepare(8 * MIB);
    let steps = 0;
    const touched = touchedPages(arena, () => {
      steps = finish(ahead);
    });
    expect([steps, touched.size]).toEqual([4, (8 * MIB) / PAGE_BYTES]);
    const first = arena.allocate(4 * MIB);
    const second = arena.allocate(3 * MIB);
    expect(pagesOf(first, 4 * MIB).filter((page) => !touched.has(page))).toEqual([]);
    expect(pagesOf(second, 3 * MIB).filter((page) => !touched.has(page))).toEqual([]);
    expect(faultsOf(arena, first, 4 * MIB)).toBeLessThan(FEW);
    expect(faultsOf(arena, second, 3 * MIB)).toBeLessThan(FEW);
  });

  it('goes on in the next segment where one is used up', () => {
    const { arena, ahead } = setUp(GIB + 64 * MIB);
    arena.allocate(GIB - 3 * MIB);
    ahead.prepare(8 * MIB);
    finish(ahead);
    const rest = arena.allocate(2 * MIB);
    const next = arena.allocate(4 * MIB);
    expect([rest >>> 26, next >>> 26]).toEqual([0, 1]);
    expect(faultsOf(arena, rest, 2 * MIB)).toBeLessThan(FEW);
    expect(faultsOf(arena, next, 4 * MIB)).toBeLessThan(FEW);
  });

  it('is as much as was needed of late; nothing where nothing was', () => {
    const { arena, ahead } = setUp(256 * MIB);
    ahead.look();
    expect(ahead.wanted).toBe(false);
    ahead.prepare(1);
    expect(finish(ahead)).toBe(1);
    arena.allocate(6 * MIB);
    ahead.look();
    expect(finish(ahead)).toBe(6);
    ahead.look();
    expect(ahead.wanted).toBe(false);
    arena.allocate(6 * MIB);
    ahead.look();
    expect(finish(ahead)).toBe(3);
  });

  it('ends with the arena', () => {
    const { arena, ahead } = setUp(8 * MIB);
    arena.allocate(7 * MIB);
    ahead.prepare(64 * MIB);
    finish(ahead);
    ahead.look();
    expect(ahead.wanted).toBe(false);
  });

  it('leaves what is in use as it is', () => {
    const { arena, ahead } = setUp(64 * MIB);
    ahead.prepare(16 * MIB);
    const handles = Array.from({ length: 200 }, () => arena.allocate(48 * 1024));
    for (const handle of handles) {
      const start = (handle & 0x3ffffff) << 4;
      arena.buf[handle >>> 26].fill(handle & 255, start, start + 48 * 1024);
    }
    finish(ahead);
    for (const handle of handles) {
      const start = (handle & 0x3ffffff) << 4;
      const bytes = arena.buf[handle >>> 26].subarray(start, start + 48 * 1024);
      expect(bytes.every((byte) => byte === (handle & 255))).toBe(true);
      arena.release(handle);
    }
    expect(arena.liveBytes()).toBe(0);
  });
});
