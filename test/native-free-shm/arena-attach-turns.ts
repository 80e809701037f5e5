/** What both threads of arena-attach.test.ts do in turns: find what the other wrote last, remove it, write something new. */
import type { Arena } from '../../native-free-shm/arena.ts';
import type { DeadlineHeap } from '../../native-free-shm/deadline-heap.ts';
import type { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import type { HashTable } from '../../native-free-shm/hash-table.ts';
import { BACK_WORD, newEntry } from './entry-fixture.ts';

export const TURNS = 400;
const KEYS_PER_TURN = 50;

export interface Player {
  arena: Arena;
  table: HashTable;
  heap: DeadlineHeap;
  sip: HalfSipHash;
  root: number;
  heapRoot: number;
  /** Word 0: number of the turn; even turns are thread 0's. -1: a thread has failed. */
  turn: Int32Array;
  me: number;
}

/** Keys of a turn; every fourth turn's keys stay for good. */
export function keysOf(turn: number): Buffer[] {
  return Array.from({ length: KEYS_PER_TURN }, (_, i) => Buffer.from(`turn:${turn}:${i}`));
}

export function takeTurns(player: Player): void {
  const { arena, table, heap, turn } = player;
  for (let now = player.me; now < TURNS; now += 2) {
    for (let seen = Atomics.load(turn, 0); seen !== now; seen = Atomics.load(turn, 0)) {
      if (seen < 0) throw new Error('the other thread has failed');
      Atomics.wait(turn, 0, seen);
    }
    if (now > 0) {
      for (const key of keysOf(now - 1)) {
        const hash = player.sip.hash(key, 0, key.length);
        const entry = table.find(player.root, hash, key, 0, key.length);
        if (entry === 0) throw new Error(`${key} of the other thread is not there`);
        if (now % 4 === 0) continue;
        table.remove(player.root, hash, entry);
        heap.remove(player.heapRoot, arena.i32[entry >>> 26][((entry & 0x3ffffff) << 2) + BACK_WORD]);
        arena.release(entry);
      }
    }
    for (const key of keysOf(now)) {
      const hash = player.sip.hash(key, 0, key.length);
      const entry = newEntry(arena, hash, key, true);
      table.insert(player.root, hash, entry);
      heap.push(player.heapRoot, hash >>> 0, entry);
    }
    Atomics.store(turn, 0, now + 1);
    Atomics.notify(turn, 0);
  }
}
