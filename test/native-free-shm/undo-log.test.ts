/** The undo log against a model: whatever happens between begin and its end, undo leaves what was, keep leaves what became. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arena, type ArenaMemory, createArenaMemory } from '../../native-free-shm/arena.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import { UndoLog } from '../../native-free-shm/undo-log.ts';

const MIB = 2 ** 20;
// of several size classes, a long block, and one whose old bytes get a buffer of their own
const SIZES = [16, 48, 200, 3000, 9000, 100_000];

/** All live blocks with their bytes. */
function picture(memory: ArenaMemory, arena: Arena): Map<number, string> {
  const blocks = new Map<number, string>();
  checkMemory(memory, (handle) => {
    const start = (handle & 0x3ffffff) << 4;
    blocks.set(handle, arena.buf[handle >>> 26].toString('latin1', start, start + arena.blockBytes(handle)));
  });
  return blocks;
}

class Blocks {
  readonly memory = createArenaMemory(64 * MIB);
  readonly arena = new Arena(this.memory);
  readonly live: number[] = [];

  allocate(bytes: number, content: number): void {
    const handle = this.arena.allocate(bytes);
    this.arena.willChange(handle);
    this.fill(handle, content);
    this.live.push(handle);
  }

  private fill(handle: number, content: number): void {
    const start = (handle & 0x3ffffff) << 4;
    this.arena.buf[handle >>> 26].fill(content, start, start + this.arena.blockBytes(handle));
  }

  /** Some bytes of it, perhaps over the edges of lines. */
  private changePart(handle: number, where: number, content: number): void {
    const bytes = this.arena.blockBytes(handle);
    const offset = (where * 7919) % bytes;
    const length = Math.min(1 + (content % 150), bytes - offset);
    this.arena.willChangePart(handle, offset, length);
    const start = ((handle & 0x3ffffff) << 4) + offset;
    this.arena.buf[handle >>> 26].fill(content, start, start + length);
  }

  run([what, where, content]: readonly number[]): void {
    if (what < 3 || this.live.length === 0) return this.allocate(SIZES[where % SIZES.length], content);
    const at = where % this.live.length;
    if (what < 5) this.changePart(this.live[at], where, content);
    else if (what < 7) {
      this.arena.willChange(this.live[at]);
      this.fill(this.live[at], content);
    } else this.arena.release(this.live.splice(at, 1)[0]);
  }
}

const step = fc.tuple(fc.nat(9), fc.nat(1000), fc.nat(255));

test('undo leaves what was there before, keep what came of it, again and again', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 100 }),
      fc.array(fc.tuple(fc.boolean(), fc.array(step, { maxLength: 300, size: 'max' })), { maxLength: 4 }),
      (first, units) => {
        const blocks = new Blocks();
        const log = new UndoLog(blocks.arena);
        for (const one of first) blocks.run(one);
        for (const [keeps, steps] of units) {
          const before = picture(blocks.memory, blocks.arena);
          const liveBefore = blocks.live.slice();
          log.begin();
          for (const one of steps) blocks.run(one);
          if (keeps) {
            const expected = blocks.live.toSorted((a, b) => a - b);
            log.keep();
            const after = picture(blocks.memory, blocks.arena);
            expect([...after.keys()].sort((a, b) => a - b)).toEqual(expected);
          } else {
            log.undo();
            expect(picture(blocks.memory, blocks.arena)).toEqual(before);
            blocks.live.splice(0, blocks.live.length, ...liveBefore);
          }
          expect(blocks.arena.capturing()).toBe(false);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('thousands of blocks of one unit', () => {
  const blocks = new Blocks();
  const log = new UndoLog(blocks.arena);
  for (let i = 0; i < 20_000; i++) blocks.allocate(16, i & 255);
  const before = picture(blocks.memory, blocks.arena);
  log.begin();
  for (let i = 0; i < 20_000; i++) blocks.run([6, i, 7]);
  for (let i = 0; i < 5_000; i++) blocks.run([9, i * 3, 0]);
  for (let i = 0; i < 20_000; i++) blocks.run([0, 0, 9]);
  log.undo();
  expect(picture(blocks.memory, blocks.arena)).toEqual(before);
});

test('a block that is released twice is a bug that shows', () => {
  const blocks = new Blocks();
  blocks.allocate(16, 1);
  const log = new UndoLog(blocks.arena);
  log.begin();
  blocks.arena.release(blocks.live[0]);
  expect(() => blocks.arena.release(blocks.live[0])).toThrow(/released twice/);
});
