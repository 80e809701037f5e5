import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { HalfSipHash } from '../../../native-free-shm/half-siphash.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { HASH_ENCODING, Hashes } from '../../../src/datatypes/hash-value.ts';
import { SizeLimits } from '../../../src/datatypes/size-limits.ts';

const ENTRIES = 12;
const VALUE_BYTES = 20;
const START_MS = 1000;

interface Slot {
  value: string;
  /** -1: none. */
  deadline: number;
}

const field = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 25 }).map((n) => `f${n}`) },
  { weight: 2, arbitrary: fc.integer({ min: -5, max: 5 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('', 'F'.repeat(VALUE_BYTES), 'F'.repeat(VALUE_BYTES + 1), 'F'.repeat(300)) },
);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', '0', '-7', '65536', 'abc', 'v'.repeat(VALUE_BYTES)) },
  { weight: 1, arbitrary: fc.constantFrom('w'.repeat(VALUE_BYTES + 1), 'w'.repeat(100), 'L'.repeat(4096)) },
  { weight: 1, arbitrary: fc.constantFrom('L'.repeat(4097), 'M'.repeat(9000), 'N'.repeat(70_000)) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('set' as const), field, value, keeps: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('remove' as const), field }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('deadline' as const), field, inMs: fc.integer({ min: 1, max: 50 }) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('persist' as const), field }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('expire' as const), most: fc.integer({ min: 1, max: 5 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A hash and its model. */
class Pair {
  readonly memory = createArenaMemory(2 ** 26);
  readonly arena = new Arena(this.memory);
  readonly hashes: Hashes;
  readonly model = new Map<string, Slot>();
  nowMs = START_MS;

  constructor() {
    const limits = new SizeLimits();
    limits.hashMaxListpackEntries = ENTRIES;
    limits.hashMaxListpackValue = VALUE_BYTES;
    this.hashes = new Hashes(this.arena, new HalfSipHash(1, 2), limits);
    this.hashes.create(1, 0, 0, this.nowMs);
  }

  isLive(slot: Slot | undefined): slot is Slot {
    return slot !== undefined && (slot.deadline < 0 || slot.deadline > this.nowMs);
  }

  live(): [string, Slot][] {
    return [...this.model].filter(([, slot]) => this.isLive(slot));
  }

  /** The place of a field that is not lapsed. */
  find(name: string): number {
    const bytes = Buffer.from(name, 'latin1');
    return this.hashes.find(bytes, 0, bytes.length);
  }

  apply(s: Step): void {
    const { hashes, model } = this;
    switch (s.op) {
      case 'set': {
        const f = Buffer.from(s.field, 'latin1');
        const v = Buffer.from(s.value, 'latin1');
        const old = model.get(s.field);
        const isNew = hashes.set(f, 0, f.length, v, 0, v.length, 0, s.keeps);
        expect(isNew).toBe(!this.isLive(old));
        model.set(s.field, { value: s.value, deadline: s.keeps && this.isLive(old) ? old.deadline : -1 });
        return;
      }
      case 'remove': {
        const place = this.find(s.field);
        expect(place !== 0).toBe(this.isLive(model.get(s.field)));
        if (place === 0) return;
        hashes.remove(place);
        model.delete(s.field);
        return;
      }
      case 'deadline': {
        const slot = model.get(s.field);
        if (!this.isLive(slot)) return;
        hashes.makeTimed();
        hashes.setDeadline(this.find(s.field), this.nowMs + s.inMs);
        slot.deadline = this.nowMs + s.inMs;
        return;
      }
      case 'persist': {
        const slot = model.get(s.field);
        if (!this.isLive(slot) || hashes.encoding !== HASH_ENCODING.timed) return;
        hashes.setDeadline(this.find(s.field), -1);
        slot.deadline = -1;
        return;
      }
      case 'time':
        hashes.nowMs = this.nowMs += s.ms;
        return;
      case 'expire':
        return this.expire(s.most);
    }
  }

  private expire(most: number): void {
    const { hashes, model } = this;
    const places: number[] = [];
    hashes.collectLapsed(most, places);
    const lapsed = [...model].filter(([, slot]) => !this.isLive(slot));
    expect(places.length).toBe(Math.min(most, lapsed.length));
    for (const place of places) {
      hashes.loadField(place);
      const name = hashes.fBuf.toString('latin1', hashes.fStart, hashes.fEnd);
      expect(this.isLive(model.get(name)), name).toBe(false);
      hashes.remove(place);
      model.delete(name);
    }
    if (hashes.encoding === HASH_ENCODING.timed && hashes.firstDeadline() === Number.POSITIVE_INFINITY) {
      hashes.makeUntimed();
    }
  }

  compare(): void {
    const { hashes } = this;
    hashes.check(hashes.root, hashes.encoding);
    hashes.nowMs = this.nowMs;
    expect(hashes.allFields()).toBe(this.model.size);
    expect(hashes.liveFields()).toBe(this.live().length);
    const deadlines = [...this.model.values()].map((slot) => slot.deadline).filter((deadline) => deadline >= 0);
    expect(hashes.firstDeadline()).toBe(Math.min(Number.POSITIVE_INFINITY, ...deadlines));
    expect(hashes.hasLapsed()).toBe(this.live().length < this.model.size);
    const seen = new Map<string, Slot>();
    for (hashes.rewind(); hashes.next(); ) {
      hashes.loadField(hashes.at);
      hashes.loadValue(hashes.at);
      const name = hashes.fBuf.toString('latin1', hashes.fStart, hashes.fEnd);
      expect(seen.has(name)).toBe(false);
      expect(hashes.fView.getUint8(hashes.fStart === hashes.fEnd ? 0 : hashes.fStart)).toBe(
        hashes.fBuf[hashes.fStart === hashes.fEnd ? 0 : hashes.fStart],
      );
      const text = hashes.vBuf.toString('latin1', hashes.vStart, hashes.vEnd);
      seen.set(name, { value: text, deadline: hashes.deadlineAt(hashes.at) });
    }
    expect(seen).toEqual(new Map(this.live()));
    for (const [name, slot] of this.live()) {
      hashes.loadValue(this.find(name));
      expect(hashes.vEnd - hashes.vStart).toBe(slot.value.length);
    }
    expect(hashes.memoryBytes(hashes.root, hashes.encoding, 0)).toBe(this.arena.liveBytes());
  }

  /** Frees the hash in steps: nothing is left. */
  free(): void {
    const { hashes } = this;
    while (hashes.releaseStep(hashes.root, hashes.encoding, 4));
    expect(checkMemory(this.memory).liveBytes).toBe(0);
  }
}

describe('hashes against a map', () => {
  test('any steps', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const pair = new Pair();
        for (const s of steps) pair.apply(s);
        pair.compare();
        pair.free();
      }),
      { numRuns: 400 },
    );
  });

  test('after every step', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25, size: 'max' }), (steps) => {
        const pair = new Pair();
        for (const s of steps) {
          pair.apply(s);
          pair.compare();
        }
        pair.free();
      }),
      { numRuns: 100 },
    );
  });
});

describe('forms', () => {
  const add = (pair: Pair, name: string, text: string) =>
    pair.apply({ op: 'set', field: name, value: text, keeps: false });

  test('a list up to its limits, a table beyond, never back', () => {
    const pair = new Pair();
    for (let i = 0; i < ENTRIES; i++) add(pair, `f${i}`, 'v'.repeat(VALUE_BYTES));
    expect(pair.hashes.encoding).toBe(HASH_ENCODING.list);
    add(pair, 'one more', '');
    expect(pair.hashes.encoding).toBe(HASH_ENCODING.table);
    for (const name of [...pair.model.keys()]) pair.apply({ op: 'remove', field: name });
    expect(pair.hashes.encoding).toBe(HASH_ENCODING.table);
    pair.free();
    for (const [name, text] of [
      ['f', 'v'.repeat(VALUE_BYTES + 1)],
      ['F'.repeat(VALUE_BYTES + 1), 'v'],
    ]) {
      const long = new Pair();
      add(long, name, text);
      expect(long.hashes.encoding).toBe(HASH_ENCODING.table);
      long.free();
    }
  });

  test('growth reserves what it takes', () => {
    const pair = new Pair();
    for (let i = 0; i < 3000; i++) {
      const promised = pair.hashes.growthBytes(1, 20);
      const before = pair.arena.liveBytes();
      add(pair, `field:${i}`, 'value of it');
      expect(pair.arena.liveBytes() - before).toBeLessThanOrEqual(promised);
    }
    pair.compare();
    pair.free();
  });

  test('a large value changes without being copied, and its deadline too', () => {
    const pair = new Pair();
    add(pair, 'big', 'x'.repeat(500_000));
    const { hashes } = pair;
    hashes.loadValue(pair.find('big'));
    const { block } = hashes;
    expect(block).not.toBe(0);
    pair.apply({ op: 'deadline', field: 'big', inMs: 50 });
    hashes.loadValue(pair.find('big'));
    expect(hashes.block).toBe(block);
    pair.apply({ op: 'persist', field: 'big' });
    hashes.loadValue(pair.find('big'));
    expect(hashes.block).toBe(block);
    pair.compare();
    pair.free();
  });

  test('random fields: each with the same chance', () => {
    for (const fields of [8, 40]) {
      const pair = new Pair();
      for (let i = 0; i < fields; i++) add(pair, `f${i}`, String(i));
      let seed = 7;
      const random = (): number => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) >>> 0;
      };
      const hits = new Map<number, number>();
      for (let i = 0; i < fields * 500; i++) {
        const place = pair.hashes.randomPlace(random);
        hits.set(place, (hits.get(place) ?? 0) + 1);
      }
      expect(hits.size).toBe(fields);
      for (const many of hits.values()) expect(Math.abs(many - 500)).toBeLessThan(150);
      pair.free();
    }
  });
});
