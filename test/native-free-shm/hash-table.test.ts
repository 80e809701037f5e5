import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, createArenaMemory } from '../../native-free-shm/arena.ts';
import { HalfSipHash } from '../../native-free-shm/half-siphash.ts';
import { HashTable } from '../../native-free-shm/hash-table.ts';
import { checkMemory } from '../../native-free-shm/memory-checker.ts';
import { keyOf, newEntry, seeded } from './entry-fixture.ts';

const MIB = 2 ** 20;

/** A table with a plain Map beside it. */
class Pair {
  readonly memory = createArenaMemory(64 * MIB);
  readonly arena = new Arena(this.memory);
  readonly table = new HashTable(this.arena, 16, 28);
  readonly model = new Map<string, number>();
  readonly root = this.table.create();
  readonly hashOf: (key: Buffer) => number;

  constructor(hashOf: (key: Buffer) => number) {
    this.hashOf = hashOf;
  }

  find(key: string): number {
    // at odd places of a larger buffer, as in a socket's read buffer
    const bytes = Buffer.from(`xyz${key}#`, 'latin1');
    return this.table.find(this.root, this.hashOf(Buffer.from(key, 'latin1')), bytes, 3, 3 + key.length);
  }

  set(key: string, withDeadline: boolean): void {
    const bytes = Buffer.from(key, 'latin1');
    const hash = this.hashOf(bytes);
    const old = this.find(key);
    expect(old).toBe(this.model.get(key) ?? 0);
    const entry = newEntry(this.arena, hash, bytes, withDeadline);
    if (old === 0) {
      this.table.insert(this.root, hash, entry);
    } else {
      this.table.replace(this.root, hash, old, entry);
      this.arena.release(old);
    }
    this.model.set(key, entry);
  }

  remove(key: string): void {
    const entry = this.model.get(key);
    if (entry === undefined) return;
    this.table.remove(this.root, this.hashOf(Buffer.from(key, 'latin1')), entry);
    this.arena.release(entry);
    this.model.delete(key);
  }

  check(): void {
    this.table.check(this.root);
    expect(this.table.count(this.root)).toBe(this.model.size);
    for (const [key, entry] of this.model) expect(this.find(key)).toBe(entry);
    const entryBytes = [...this.model.values()].reduce((sum, entry) => sum + this.arena.blockBytes(entry), 0);
    expect(checkMemory(this.memory).liveBytes).toBe(entryBytes + this.table.bytes(this.root));
  }

  scanAll(): string[] {
    const seen: string[] = [];
    let cursor = 0;
    do cursor = this.table.scan(this.root, cursor, (entry) => seen.push(keyOf(this.arena, entry)));
    while (cursor !== 0);
    return seen.sort();
  }
}

const sip = new HalfSipHash(0x1234567, -77);
const goodHash = (key: Buffer): number => sip.hash(key, 0, key.length);
/** Few buckets, few tags: long overflow chains and many equal hashes. */
const badHash = (key: Buffer): number => (key.length & 3) | ((key.length % 3) << 24);

const keyText = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 400 }).map((n) => `key:${n}`) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')) },
  { weight: 1, arbitrary: fc.integer({ min: 150, max: 600 }).map((n) => 'k'.repeat(n)) },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ set: keyText, withDeadline: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ remove: keyText }) },
  { weight: 2, arbitrary: fc.record({ fill: fc.integer({ min: 1, max: 150 }) }) },
  { weight: 2, arbitrary: fc.record({ empty: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 1, arbitrary: fc.record({ steps: fc.integer({ min: 1, max: 20 }) }) },
);

type Action =
  | { set: string; withDeadline: boolean }
  | { remove: string }
  | { fill: number }
  | { empty: number }
  | { steps: number };

function play(pair: Pair, actions: readonly Action[]): void {
  let serial = 0;
  for (const a of actions) {
    if ('set' in a) pair.set(a.set, a.withDeadline);
    else if ('remove' in a) pair.remove(a.remove);
    else if ('fill' in a) for (let i = 0; i < a.fill; i++) pair.set(`fill:${serial++}`, (i & 1) === 0);
    else if ('empty' in a) for (const key of [...pair.model.keys()].slice(0, a.empty)) pair.remove(key);
    else pair.table.rehashStep(pair.root, a.steps);
  }
}

describe('hash table', () => {
  for (const [name, hashOf] of [
    ['good hashes', goodHash],
    ['colliding hashes', badHash],
  ] as const) {
    it(`does what a Map does, with ${name}`, () => {
      fc.assert(
        fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
          const pair = new Pair(hashOf);
          play(pair, actions);
          pair.check();
          expect([...new Set(pair.scanAll())]).toEqual([...pair.model.keys()].sort());
          for (const key of [...pair.model.keys()]) pair.remove(key);
          pair.check();
        }),
        { numRuns: 40 },
      );
    });
  }

  it('finds every entry while it grows over many pages and shrinks again, in small memory', () => {
    const pair = new Pair(goodHash);
    const most = 60_000;
    const hashes = new Int32Array(most);
    const entries = new Int32Array(most);
    const key = Buffer.alloc(16);
    const keyAt = (i: number): void => void key.write(`key:${String(i).padStart(12, '0')}`, 'latin1');
    for (let i = 0; i < most; i++) {
      keyAt(i);
      hashes[i] = goodHash(key);
      entries[i] = newEntry(pair.arena, hashes[i], key, false);
      pair.table.insert(pair.root, hashes[i], entries[i]);
    }
    pair.table.check(pair.root);
    expect(pair.table.bytes(pair.root) / most).toBeLessThan(9);
    for (let i = 0; i < most; i++) {
      keyAt(i);
      if (pair.table.find(pair.root, hashes[i], key, 0, 16) !== entries[i]) throw new Error(`entry ${i} is lost`);
    }
    for (let i = 0; i < most; i++) {
      pair.table.remove(pair.root, hashes[i], entries[i]);
      pair.arena.release(entries[i]);
      if (i % 10_000 === 0) pair.table.check(pair.root);
    }
    expect(pair.table.count(pair.root)).toBe(0);
    expect(pair.table.bucketCount(pair.root)).toBe(1);
    while (pair.table.rehashStep(pair.root, 100));
    expect(pair.table.bytes(pair.root)).toBeLessThan(200);
    expect(pair.table.rehashing(pair.root)).toBe(false);
    expect(checkMemory(pair.memory).liveBlocks).toBe(2);
  });

  it('tells keys apart that have the same hash, also in the last bytes and in length', () => {
    const pair = new Pair(() => 42);
    const keys = [
      '',
      'a',
      'ab',
      'abc',
      'abcd',
      'abce',
      'abcde',
      'abcdf',
      'abcdef',
      'abcdeg',
      'abcdefg',
      'abcdefh',
      'x'.repeat(300),
      `${'x'.repeat(299)}y`,
    ];
    for (const key of keys) pair.set(key, key.length % 2 === 0);
    pair.check();
    expect(pair.find('abd')).toBe(0);
    for (const key of keys) pair.remove(key);
    expect(pair.scanAll()).toEqual([]);
  });

  it('finds an empty key with hash 0 beside an entry whose tag differs by one bit', () => {
    const pair = new Pair((key) => (key.length === 0 ? 0 : 1 << 25));
    pair.set('other', false);
    expect(pair.find('')).toBe(0);
    pair.set('', false);
    pair.check();
  });

  it('throws when an entry to remove or replace is not there', () => {
    const pair = new Pair(goodHash);
    pair.set('a', false);
    const stranger = newEntry(pair.arena, 5, Buffer.from('b'), false);
    expect(() => pair.table.remove(pair.root, 5, stranger)).toThrow(/not in its home chain/);
    expect(() => pair.table.replace(pair.root, 5, stranger, stranger)).toThrow(/not in its home chain/);
  });

  it('frees a dropped table in steps of a budget', () => {
    const pair = new Pair(goodHash);
    for (let i = 0; i < 20_000; i++) pair.set(`key:${i}`, false);
    let freed = 0;
    let steps = 0;
    const free = (entry: number): void => {
      pair.arena.release(entry);
      freed++;
    };
    for (;;) {
      const before = freed;
      const more = pair.table.releaseStep(pair.root, 10, free);
      steps++;
      expect(freed - before).toBeLessThan(10 * 60);
      if (!more) break;
    }
    expect(freed).toBe(20_000);
    expect(steps).toBeGreaterThan(200);
    expect(checkMemory(pair.memory)).toMatchObject({ liveBlocks: 0, freeRuns: 1 });
    const empty = pair.table.create();
    expect(pair.table.releaseStep(empty, 1, free)).toBe(false);
    expect(checkMemory(pair.memory).liveBlocks).toBe(0);
  });

  it('allocates no more per insert than growthBytes says', () => {
    const pair = new Pair(badHash);
    for (let i = 0; i < 3000; i++) {
      const key = Buffer.from(`${'z'.repeat(i % 40)}${i}`);
      const entry = newEntry(pair.arena, badHash(key), key, false);
      const before = pair.arena.liveBytes();
      const bound = pair.table.growthBytes(pair.root, 1);
      pair.table.insert(pair.root, badHash(key), entry);
      expect(pair.arena.liveBytes() - before).toBeLessThanOrEqual(bound);
    }
    pair.table.check(pair.root);
  });

  it('draws every entry with about the same chance', () => {
    const pair = new Pair(goodHash);
    const keys = 100;
    for (let i = 0; i < keys; i++) pair.set(`key:${i}`, false);
    const random = seeded(4711);
    const draws = new Map<number, number>();
    for (let i = 0; i < keys * 200; i++) {
      const entry = pair.table.randomEntry(pair.root, random);
      draws.set(entry, (draws.get(entry) ?? 0) + 1);
    }
    expect(draws.size).toBe(keys);
    let chiSquare = 0;
    for (const drawn of draws.values()) chiSquare += (drawn - 200) ** 2 / 200;
    // 99 degrees of freedom: 99.9 % of fair draws stay below 148
    expect(chiSquare).toBeLessThan(160);
    for (const key of [...pair.model.keys()].slice(1)) pair.remove(key);
    expect(pair.table.randomEntry(pair.root, random)).toBe([...pair.model.values()][0]);
    pair.remove([...pair.model.keys()][0]);
    expect(pair.table.randomEntry(pair.root, random)).toBe(0);
  });
});

describe('HashTable.prepareStep', () => {
  it('makes all buckets before the entries come, whatever is there already, and they can go again', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.constantFrom(0, 5, 800, 11_000),
        fc.integer({ min: 1, max: 500 }),
        (before, total, steps) => {
          const pair = new Pair(goodHash);
          for (let i = 0; i < before; i++) pair.set(`old:${i}`, i % 3 === 0);
          while (pair.table.prepareStep(pair.root, total, steps));
          const buckets = pair.table.bucketCount(pair.root);
          expect(buckets * 9).toBeGreaterThanOrEqual(total);
          for (let i = before; i < total; i++) pair.set(`new:${i}`, false);
          if (total >= before) expect(pair.table.bucketCount(pair.root)).toBe(buckets);
          pair.check();
          for (const key of [...pair.model.keys()]) pair.remove(key);
          while (pair.table.rehashStep(pair.root, 100));
          pair.check();
          expect(pair.table.bucketCount(pair.root)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('takes no memory that is not there', () => {
    const pair = new Pair(goodHash);
    let calls = 0;
    while (pair.table.prepareStep(pair.root, 2 ** 40, 1000)) expect(++calls).toBeLessThan(10_000);
    pair.set('fits', false);
    pair.check();
  });
});

function removeOneThatGoes(pair: Pair): void {
  for (const key of pair.model.keys()) {
    if (key.startsWith('stay')) continue;
    pair.remove(key);
    return;
  }
}

describe('HashTable.scan (rule 24)', () => {
  it('meets everything that stays, at least once, while the table grows and shrinks', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        fc.integer({ min: 1, max: 600 }),
        fc.integer({ min: 1, max: 60 }),
        (seed, staying, churn) => {
          const random = seeded(seed);
          const pair = new Pair(goodHash);
          for (let i = 0; i < staying; i++) pair.set(`stay:${i}`, false);
          for (let i = 0; i < random() % 3000; i++) pair.set(`go:${i}`, false);
          const seen = new Set<string>();
          let cursor = 0;
          let calls = 0;
          let serial = 0;
          let growing = random() % 2 === 0;
          do {
            cursor = pair.table.scan(pair.root, cursor, (entry) => seen.add(keyOf(pair.arena, entry)));
            expect(cursor).toBeGreaterThanOrEqual(0);
            if (random() % 50 === 0) growing = !growing;
            for (let i = random() % churn; i > 0 && calls < 300; i--) {
              if (growing) pair.set(`new:${serial++}`, false);
              else removeOneThatGoes(pair);
            }
            calls++;
          } while (cursor !== 0 && calls < 5000);
          expect(cursor).toBe(0);
          for (let i = 0; i < staying; i++) if (!seen.has(`stay:${i}`)) throw new Error(`stay:${i} was never met`);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('meets everything exactly once in a table at rest', () => {
    const pair = new Pair(goodHash);
    for (let i = 0; i < 5000; i++) pair.set(`key:${i}`, false);
    expect(pair.scanAll()).toEqual([...pair.model.keys()].sort());
  });

  it('ends at once on an empty table', () => {
    const pair = new Pair(goodHash);
    expect(pair.scanAll()).toEqual([]);
    pair.set('a', false);
    pair.remove('a');
    expect(pair.scanAll()).toEqual([]);
  });
});
