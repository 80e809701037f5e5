import { expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { LiveView } from '../../native-free-shm/block-view.ts';
import { OrderedTree } from '../../native-free-shm/ordered-tree.ts';
import { TreeWalk } from '../../native-free-shm/tree-walk.ts';

test('a walk meets the elements of the tree in order, whatever its size', () => {
  const arena = new Arena(createArenaMemory(1 << 24));
  const tree = new OrderedTree(arena, { compare: () => 0 });
  const root = tree.create();
  const walk = new TreeWalk(new LiveView(arena));
  const model: number[] = [];
  for (let size = 0; size < 3000; size++) {
    if (size % 211 === 0 || size < 70) {
      walk.start(root);
      const met: number[] = [];
      for (let entry = walk.next(); entry !== 0; entry = walk.next()) {
        expect(walk.key).toBe(entry * 0.5);
        met.push(entry);
      }
      expect(walk.count).toBe(size);
      expect(met).toEqual([...model].sort((a, b) => a - b));
    }
    // each number once, in no order
    const entry = 1 + ((size * 7919) % 3001);
    tree.insert(root, entry * 0.5, entry);
    model.push(entry);
  }
  walk.start(0);
  expect(walk.next()).toBe(0);
});
