import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { QuickList } from '../../../src/datatypes/quick-list.ts';
import { SizeLimits } from '../../../src/datatypes/size-limits.ts';

function fixture(listMaxListpackSize: number) {
  const memory = createArenaMemory(1 << 26);
  const arena = new Arena(memory);
  const quick = new QuickList(arena, Object.assign(new SizeLimits(), { listMaxListpackSize }));
  const root = quick.create();
  const push = (...texts: string[]) => {
    for (const text of texts) quick.push(root, false, Buffer.from(text), 0, text.length);
  };
  const insertAt = (index: number, after: boolean, text: string) => {
    quick.seek(root, index);
    quick.insert(root, quick.node, quick.at, after, Buffer.from(text), 0, text.length);
  };
  return { memory, arena, quick, root, push, insertAt };
}

/** The elements, node by node. */
function nodes(quick: QuickList, root: number): string[][] {
  const all: string[][] = [];
  for (let node = quick.first(root); node !== 0; node = quick.next(node)) {
    const texts: string[] = [];
    for (let at = quick.nodes.first(node); at !== 0; at = quick.nodes.next(node, at)) {
      quick.nodes.read(node, at);
      texts.push(quick.nodes.vBuf.toString('latin1', quick.nodes.vStart, quick.nodes.vEnd));
    }
    all.push(texts);
  }
  return all;
}

describe('quick lists', () => {
  test('fill a node before they open another', () => {
    const { quick, root, push } = fixture(3);
    push('a', 'b', 'c', 'd');
    quick.push(root, true, Buffer.from('z'), 0, 1);
    expect(nodes(quick, root)).toEqual([['z'], ['a', 'b', 'c'], ['d']]);
    quick.check(root);
  });

  test('divide a full node where something is inserted, and join what fits together again', () => {
    const { quick, root, push, insertAt } = fixture(4);
    push('a', 'b', 'c', 'd', 'e');
    insertAt(1, true, 'x');
    expect(nodes(quick, root)).toEqual([
      ['a', 'b'],
      ['x', 'c', 'd', 'e'],
    ]);
    insertAt(3, false, 'y');
    expect(nodes(quick, root).flat()).toEqual(['a', 'b', 'x', 'y', 'c', 'd', 'e']);
    expect(quick.nodeCount(root)).toBe(2);
    quick.check(root);
  });

  test('at the edge of a full node the neighbour takes it, or a new node', () => {
    const { quick, root, push, insertAt } = fixture(2);
    push('a', 'b', 'c');
    insertAt(1, true, 'x');
    expect(nodes(quick, root)).toEqual([
      ['a', 'b'],
      ['x', 'c'],
    ]);
    insertAt(2, false, 'y');
    expect(nodes(quick, root)).toEqual([['a', 'b'], ['y'], ['x', 'c']]);
    quick.check(root);
  });

  test('a long element stands alone, and gives its block back when it is replaced', () => {
    const { arena, quick, root, push, insertAt } = fixture(-1);
    push('a', 'b');
    const before = arena.liveBytes();
    insertAt(0, true, 'l'.repeat(100_000));
    expect(nodes(quick, root).map((node) => node.length)).toEqual([1, 1, 1]);
    quick.seek(root, 1);
    quick.replace(root, quick.node, quick.at, Buffer.from('s'), 0, 1);
    expect(nodes(quick, root).flat()).toEqual(['a', 's', 'b']);
    expect(arena.liveBytes() - before).toBeLessThan(200);
    quick.check(root);
  });

  test('the length of a node counts its lead: blocks of 8 KiB are not passed', () => {
    const { arena, quick, root, push } = fixture(-2);
    push(...Array.from({ length: 5000 }, (_, i) => `element-${i}`));
    for (let node = quick.first(root); node !== 0; node = quick.next(node))
      expect(arena.blockBytes(node)).toBeLessThanOrEqual(8192);
    expect(quick.nodeCount(root)).toBeLessThan(12);
  });

  test('ranges over several nodes are removed, and the rest is freed in steps', () => {
    const { memory, arena, quick, root, push } = fixture(3);
    push(...'abcdefghijklmnopqrstuvwxyz');
    quick.removeRange(root, 1, 20);
    expect(nodes(quick, root).flat()).toEqual(['a', 'v', 'w', 'x', 'y', 'z']);
    expect(quick.count(root)).toBe(6);
    quick.check(root);
    let steps = 1;
    while (quick.releaseStep(root, 1)) steps++;
    expect(steps).toBeGreaterThan(2);
    expect(arena.liveBytes()).toBe(0);
    checkMemory(memory);
  });
});
