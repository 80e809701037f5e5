import { expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { LiveView } from '../../native-free-shm/block-view.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { TableWalk } from '../../native-free-shm/table-walk.ts';

test('a walk meets every entry of the table once, whatever its size', () => {
  const arena = new Arena(createArenaMemory(1 << 26));
  const table = new HashTable(arena, 16, 28);
  const root = table.create();
  const walk = new TableWalk(new LiveView(arena));
  const entries = new Set<number>();
  let seed = 1;
  walk.start(0);
  expect(walk.next()).toBe(0);
  for (let size = 0; size < 30_000; size++) {
    if (size % 997 === 0 || size < 40) {
      walk.start(root);
      const met: number[] = [];
      for (let entry = walk.next(); entry !== 0; entry = walk.next()) met.push(entry);
      expect(walk.count).toBe(entries.size);
      expect(met.length).toBe(entries.size);
      expect(met.every((entry) => entries.has(entry))).toBe(true);
    }
    const entry = arena.allocate(16);
    const at = (entry & 0x3ffffff) << 2;
    seed = Math.imul(seed, 1664525) + 1013904223;
    // some hashes share their low bits, so that buckets overflow
    const hash = size % 5 === 0 ? seed & ~0xfff : seed;
    arena.i32[entry >>> 26][at] = hash;
    arena.i32[entry >>> 26][at + 1] = 0;
    table.insert(root, hash, entry);
    entries.add(entry);
  }
});
