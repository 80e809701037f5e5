import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import type { AttachData } from './arena-attach-thread.ts';
import { keysOf, TURNS, takeTurns } from './arena-attach-turns.ts';
import { BACK_WORD, newEntry } from './entry-fixture.ts';

describe('an arena with two threads attached', () => {
  it('shows each thread all that the other did, through segments that it has not touched before (rule 23)', async () => {
    const memory = createArenaMemory(3 * 2 ** 30);
    const arena = new Arena(memory);
    const table = new HashTable(arena, 16, 28);
    const heap = new DeadlineHeap(arena, BACK_WORD);
    // leaves little of the first segment, so that the threads soon work in the second
    const ballast = arena.allocate(2 ** 30 - 2 ** 18);
    const root = table.create();
    const heapRoot = heap.create();
    const turn = new Int32Array(new SharedArrayBuffer(4));
    const workerData: AttachData = { memory, turn: turn.buffer as SharedArrayBuffer, root, heapRoot };
    const worker = new Worker(new URL('./arena-attach-thread.ts', import.meta.url), { workerData });
    const answer = once(worker, 'message');
    try {
      takeTurns({ arena, table, heap, sip: new HalfSipHash(7, 8), root, heapRoot, turn, me: 0 });
      expect((await answer)[0]).toBe('done');
    } finally {
      await worker.terminate();
    }
    table.check(root);
    heap.check(heapRoot);
    const sip = new HalfSipHash(7, 8);
    let staying = 0;
    for (let t = 0; t < TURNS; t++) {
      const stays = t === TURNS - 1 || (t + 1) % 4 === 0;
      for (const key of keysOf(t)) {
        expect(table.find(root, sip.hash(key, 0, key.length), key, 0, key.length) !== 0).toBe(stays);
        if (stays) staying++;
      }
    }
    expect(table.count(root)).toBe(staying);
    expect(memory.segments.length).toBe(3);
    expect(heap.count(heapRoot)).toBe(staying);
    arena.release(ballast);
    expect(checkMemory(memory).liveBytes).toBe(arena.liveBytes());
  });

  it('keeps its books exactly in both', () => {
    const memory = createArenaMemory(2 ** 20);
    const first = new Arena(memory);
    const second = new Arena(memory);
    const handle = newEntry(first, 1, Buffer.from('shared'), false);
    expect(second.liveBytes()).toBe(first.blockBytes(handle));
    expect(second.mutations).toBe(0);
    second.release(handle);
    expect(first.liveBytes()).toBe(0);
    expect(() => first.release(handle)).toThrow(/not a live block/);
  });
});
