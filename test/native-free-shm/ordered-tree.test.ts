import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, type ArenaMemory, createArenaMemory } from '../../native-free-shm/arena.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import { OrderedTree, type TieBreak } from '../../native-free-shm/ordered-tree.ts';
import { seeded } from './entry-fixture.ts';

const MIB = 2 ** 20;

/** Entries of these tests are numbers; equal keys go by the upper part of the entry, the lowest bit is payload. */
class ByNumber implements TieBreak {
  probe = 0;
  compare(entry: number): number {
    return (entry >> 1) - this.probe;
  }
}

interface Fixture {
  memory: ArenaMemory;
  arena: Arena;
  tie: ByNumber;
  tree: OrderedTree;
  root: number;
}

function fixture(bytes = 16 * MIB): Fixture {
  const memory = createArenaMemory(bytes);
  const arena = new Arena(memory);
  const tie = new ByNumber();
  const tree = new OrderedTree(arena, tie);
  return { memory, arena, tie, tree, root: tree.create() };
}

function put(f: Fixture, key: number, id: number): void {
  f.tie.probe = id;
  f.tree.insert(f.root, key, id << 1);
}

function take(f: Fixture, key: number, id: number): number {
  f.tie.probe = id;
  return f.tree.remove(f.root, key);
}

/** All elements by the cursor, forwards; ranks checked on the way. */
function walk(f: Fixture): [number, number][] {
  const { tree, root } = f;
  const all: [number, number][] = [];
  for (let more = tree.first(root); more; more = tree.next()) {
    expect(tree.rank(root)).toBe(all.length);
    all.push([tree.key(), tree.entry() >> 1]);
  }
  return all;
}

function walkBack(f: Fixture): [number, number][] {
  const { tree, root } = f;
  const all: [number, number][] = [];
  for (let more = tree.last(root); more; more = tree.prev()) all.push([tree.key(), tree.entry() >> 1]);
  return all.reverse();
}

const byOrder = (a: [number, number], b: [number, number]): number =>
  a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1;

function freeAll(f: Fixture): void {
  while (f.tree.releaseStep(f.root, 3)) {}
  expect(checkMemory(f.memory).liveBlocks).toBe(0);
}

/** Compares every way of looking with the sorted list. */
function compare(f: Fixture, model: [number, number][]): void {
  const { tree, root, tie } = f;
  tree.check(root);
  expect(tree.count(root)).toBe(model.length);
  expect(walk(f)).toEqual(model);
  expect(walkBack(f)).toEqual(model);
  for (let i = 0; i < model.length; i += Math.max(1, model.length >> 5)) {
    const [key, id] = model[i];
    tie.probe = id;
    expect(tree.seek(root, key, false)).toBe(true);
    expect([tree.key(), tree.entry() >> 1, tree.rank(root)]).toEqual([key, id, i]);
    expect(tree.seek(root, key, true)).toBe(i + 1 < model.length);
    if (i + 1 < model.length)
      expect([tree.key(), tree.entry() >> 1, tree.rank(root)]).toEqual([...model[i + 1], i + 1]);
    expect(tree.seekRank(root, i)).toBe(true);
    expect([tree.key(), tree.entry() >> 1, tree.rank(root)]).toEqual([key, id, i]);
  }
  expect(tree.seekRank(root, model.length)).toBe(false);
  expect(tree.seekRank(root, -1)).toBe(false);
}

describe('ordered tree', () => {
  const key = fc.oneof(
    fc.constantFrom(0, 1, 2),
    fc.integer({ min: -40, max: 40 }),
    fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 1e300, 5e-324),
    fc.double({ noNaN: true }),
  );
  const run = fc.integer({ min: 1, max: 200 });
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ put: key, times: run, step: fc.constantFrom(0, 0, 1, -1, 0.5) }) },
    { weight: 2, arbitrary: fc.record({ take: fc.nat(), times: run }) },
    { weight: 1, arbitrary: fc.record({ takeFirst: run }) },
    { weight: 1, arbitrary: fc.record({ takeLast: run }) },
    { weight: 1, arbitrary: fc.record({ replace: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ seek: key, id: fc.integer({ min: -1, max: 300 }) }) },
  );

  it('does what a sorted list does', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const f = fixture();
        let model: [number, number][] = [];
        let nextId = 1;
        const drop = (at: number): void => {
          const [[k, id]] = model.splice(at, 1);
          // a removal by rank looks at no probe
          if (id % 2 === 0) f.tie.probe = -1;
          expect(id % 2 === 0 ? f.tree.removeRank(f.root, at) : take(f, k, id)).toBe(id << 1);
        };
        for (const a of actions) {
          if ('put' in a) {
            for (let i = 0; i < a.times; i++) {
              const id = (nextId += 7) % 1009;
              const k = a.put + a.step * i;
              if (model.some((m) => m[0] === k && m[1] === id)) continue;
              put(f, k, id);
              model.push([k, id]);
            }
            model = model.sort(byOrder);
          } else if ('take' in a) {
            for (let i = 0; i < a.times && model.length > 0; i++) drop((a.take + i * 31) % model.length);
          } else if ('takeFirst' in a) {
            for (let i = 0; i < a.takeFirst && model.length > 0; i++) drop(0);
          } else if ('takeLast' in a) {
            for (let i = 0; i < a.takeLast && model.length > 0; i++) drop(model.length - 1);
          } else if ('replace' in a) {
            if (model.length === 0) continue;
            const [k, id] = model[a.replace % model.length];
            f.tie.probe = id;
            f.tree.replaceEntry(f.root, k, (id << 1) | 1);
            f.tie.probe = id;
            expect(f.tree.seek(f.root, k, false) && f.tree.entry()).toBe((id << 1) | 1);
            f.tree.replaceEntry(f.root, k, id << 1);
          } else {
            for (const after of [false, true]) {
              f.tie.probe = a.id;
              const at = model.findIndex((m) => {
                const order = byOrder(m, [a.seek, a.id]);
                return after ? order > 0 : order >= 0;
              });
              expect(f.tree.seek(f.root, a.seek, after)).toBe(at >= 0);
              if (at >= 0) expect([f.tree.key(), f.tree.entry() >> 1, f.tree.rank(f.root)]).toEqual([...model[at], at]);
            }
          }
        }
        compare(f, model);
        expect(f.tree.bytes(f.root)).toBe(checkMemory(f.memory).liveBytes);
        freeAll(f);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['few equal keys', 1e9, 15_000],
    ['many equal keys', 3, 15_000],
    ['only equal keys', 1, 12_000],
  ])('holds many elements: %s', (_name, keys, count) => {
    const f = fixture();
    const random = seeded(count + keys);
    const model: [number, number][] = [];
    for (let id = 1; id <= count; id++) model.push([random() % keys, ((id * 7919) % 16_381) + 1]);
    for (const [k, id] of model) put(f, k, id);
    model.sort(byOrder);
    compare(f, model);
    const kept: [number, number][] = [];
    for (const m of model) {
      if (random() % 10 === 0) kept.push(m);
      else expect(take(f, m[0], m[1])).toBe(m[1] << 1);
    }
    compare(f, kept);
    expect(f.tree.bytes(f.root) / kept.length).toBeLessThan(40);
    for (const [k, id] of kept) take(f, k, id);
    compare(f, []);
    freeAll(f);
  });

  it('costs at most 20 bytes per element after random inserts, 13 after ascending or descending ones', () => {
    const bytes = (keyOf: (i: number) => number): number => {
      const f = fixture();
      for (let i = 0; i < 40_000; i++) put(f, keyOf(i), i);
      f.tree.check(f.root);
      return f.tree.bytes(f.root) / 40_000;
    };
    const random = seeded(5);
    expect(bytes(() => random())).toBeLessThanOrEqual(20);
    expect(bytes((i) => i)).toBeLessThanOrEqual(13);
    expect(bytes((i) => -i)).toBeLessThanOrEqual(13);
  });

  it('allocates no more than growthBytes said', () => {
    const random = seeded(9);
    for (const spread of [1, 2 ** 31]) {
      const f = fixture();
      for (let round = 0; round < 60; round++) {
        const inserts = 1 + (random() % 200);
        const room = f.tree.growthBytes(inserts, round === 0 ? 0 : f.root);
        expect(f.tree.growthBytes(inserts)).toBeGreaterThanOrEqual(room);
        const before = f.arena.liveBytes();
        for (let i = 0; i < inserts; i++) put(f, (random() % 1000) * spread, round * 1000 + i);
        expect(f.arena.liveBytes() - before).toBeLessThanOrEqual(room);
      }
    }
  });

  it('announces every block before it changes', () => {
    const f = fixture();
    const random = seeded(3);
    const announced = new Set<number>();
    const images = new Map<number, Buffer>();
    f.arena.captureSink = {
      allocated: (handle) => void announced.add(handle),
      changing: (handle) => void announced.add(handle),
      changingPart: (handle) => void announced.add(handle),
      releasing: (handle) => {
        images.delete(handle);
        return false;
      },
    };
    f.arena.beginCapture();
    const image = (handle: number): Buffer => {
      const start = (handle & 0x3ffffff) << 4;
      return Buffer.from(f.arena.buf[handle >>> 26].subarray(start, start + f.arena.blockBytes(handle)));
    };
    const live: [number, number][] = [];
    for (let step = 0; step < 3000; step++) {
      announced.clear();
      if (random() % (step < 2000 ? 4 : 1) !== 0 || live.length === 0) {
        live.push([random() % 50, step]);
        put(f, live[live.length - 1][0], step);
      } else {
        const [[k, id]] = live.splice(random() % live.length, 1);
        take(f, k, id);
      }
      if (step % 50 !== 0) {
        for (const handle of announced) images.delete(handle);
        continue;
      }
      checkMemory(f.memory, (handle) => {
        const now = image(handle);
        const old = images.get(handle);
        if (old !== undefined && !announced.has(handle)) expect(old.equals(now)).toBe(true);
        images.set(handle, now);
      });
    }
  });

  it('refuses NaN and what is there already, and takes out nothing that is not there', () => {
    const f = fixture();
    expect(() => put(f, Number.NaN, 1)).toThrow(RangeError);
    put(f, 0, 1);
    expect(() => put(f, -0, 1)).toThrow(/already/);
    expect(take(f, 0, 2)).toBe(0);
    expect(take(f, 1, 1)).toBe(0);
    expect(take(f, -0, 1)).toBe(2);
    expect(f.tree.seek(f.root, 0, false)).toBe(false);
    expect([f.tree.first(f.root), f.tree.last(f.root), f.tree.seekRank(f.root, 0)]).toEqual([false, false, false]);
    expect(() => f.tree.replaceEntry(f.root, 0, 4)).toThrow(/no such/);
    freeAll(f);
  });
});
