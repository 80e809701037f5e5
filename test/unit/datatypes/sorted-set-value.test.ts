import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { HalfSipHash } from '../../../native-free-shm/half-siphash.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { compareViews, LexRange, ScoreRange } from '../../../src/datatypes/score-range.ts';
import { SizeLimits } from '../../../src/datatypes/size-limits.ts';
import { ADD_FLAG, ADD_RESULT, SortedSets } from '../../../src/datatypes/sorted-set-value.ts';

type Element = [member: string, score: number];

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function inOrder(model: Map<string, number>): Element[] {
  return [...model].sort(([a, x], [b, y]) => (x === y ? Buffer.compare(bytesOf(a), bytesOf(b)) : x < y ? -1 : 1));
}

/** One set beside a Map that should hold the same. */
class Pair {
  readonly memory = createArenaMemory(64 * 2 ** 20);
  readonly arena = new Arena(this.memory);
  readonly limits = new SizeLimits();
  readonly sets = new SortedSets(this.arena, new HalfSipHash(7, 9), this.limits);
  readonly model = new Map<string, number>();
  root: number;
  encoding: number;

  constructor(entries: number, valueBytes: number) {
    this.limits.sortedSetMaxListpackEntries = entries;
    this.limits.sortedSetMaxListpackValue = valueBytes;
    this.sets.create(0, 0);
    this.root = this.sets.root;
    this.encoding = this.sets.encoding;
  }

  private took(): void {
    this.root = this.sets.root;
    this.encoding = this.sets.encoding;
  }

  add(member: string, score: number, flags: number): number {
    const bytes = bytesOf(member);
    const room = this.sets.growthBytes(this.root, this.encoding, 1, bytes.length);
    const before = this.arena.liveBytes();
    const result = this.sets.add(this.root, this.encoding, bytes, 0, bytes.length, score, flags);
    this.took();
    expect(this.arena.liveBytes() - before).toBeLessThanOrEqual(room);
    return result;
  }

  remove(member: string): boolean {
    const bytes = bytesOf(member);
    const found = this.sets.remove(this.root, this.encoding, bytes, 0, bytes.length);
    this.took();
    return found;
  }

  removeRange(rank: number, count: number): void {
    this.sets.removeRange(this.root, this.encoding, rank, count);
    this.took();
  }

  elements(): Element[] {
    const { sets } = this;
    const all: Element[] = [];
    for (let more = sets.seekRank(this.root, this.encoding, 0); more; more = sets.next()) {
      sets.loadElement();
      all.push([sets.mBuf.toString('latin1', sets.mStart, sets.mEnd), sets.score]);
    }
    return all;
  }

  backwards(): Element[] {
    const { sets } = this;
    const all: Element[] = [];
    const last = sets.count(this.root, this.encoding) - 1;
    for (let more = sets.seekRank(this.root, this.encoding, last); more; more = sets.prev()) {
      sets.loadElement();
      all.push([sets.mBuf.toString('latin1', sets.mStart, sets.mEnd), sets.score]);
    }
    return all.reverse();
  }

  compare(): void {
    const expected = inOrder(this.model);
    this.sets.check(this.root, this.encoding);
    expect(this.sets.count(this.root, this.encoding)).toBe(expected.length);
    expect(this.elements()).toEqual(expected);
    expect(this.backwards()).toEqual(expected);
    expected.forEach(([member, score], rank) => {
      const bytes = bytesOf(member);
      expect(this.sets.rankOf(this.root, this.encoding, bytes, 0, bytes.length)).toBe(rank);
      expect(this.sets.score).toBe(score);
    });
    expect(this.sets.memoryBytes(this.root, this.encoding, 0)).toBe(checkMemory(this.memory).liveBytes);
  }

  free(): void {
    while (this.sets.releaseStep(this.root, this.encoding, 5));
    expect(checkMemory(this.memory).liveBlocks).toBe(0);
  }
}

/** What add should answer, and the model after it. */
function expectedResult(model: Map<string, number>, member: string, score: number, flags: number): number {
  const present = model.get(member);
  if (present === undefined) {
    if ((flags & ADD_FLAG.onlyPresent) !== 0) return ADD_RESULT.refused;
    model.set(member, score);
    return ADD_RESULT.added;
  }
  if ((flags & ADD_FLAG.onlyNew) !== 0) return ADD_RESULT.refused;
  const next = (flags & ADD_FLAG.increment) !== 0 ? present + score : score;
  if (Number.isNaN(next)) return ADD_RESULT.notANumber;
  if ((flags & ADD_FLAG.onlyGreater) !== 0 && next <= present) return ADD_RESULT.refused;
  if ((flags & ADD_FLAG.onlyLess) !== 0 && next >= present) return ADD_RESULT.refused;
  if (next === present) return ADD_RESULT.kept;
  model.set(member, next);
  return ADD_RESULT.updated;
}

const member = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'ab', '', '12', '-7', '99999999999', 'x'.repeat(40), 'y'.repeat(200)),
  fc.integer({ min: 0, max: 60 }).map((n) => `m${n}`),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const score = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0.1, 1e17, -1e300, 5e-324, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, 2 ** 60),
  fc.double({ noNaN: true }).map((x) => (x === 0 ? 0 : x)),
);
const flags = fc.oneof(fc.constant(0), fc.constantFrom(1, 2, 4, 8, 16, 1 | 8, 1 | 4, 4 | 16));
const action = fc.oneof(
  { weight: 8, arbitrary: fc.record({ add: fc.array(fc.tuple(member, score), { maxLength: 20 }), flags }) },
  { weight: 2, arbitrary: fc.record({ remove: fc.array(member, { maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ rank: fc.nat(40), count: fc.nat(10) }) },
);

describe.each([
  ['large only', 0, 64],
  ['turning large', 8, 30],
  ['small mostly', 1000, 1000],
])('sorted set, %s', (_name, entries, valueBytes) => {
  it('does what a map with an order does', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
        const pair = new Pair(entries, valueBytes);
        for (const a of actions) {
          if ('add' in a) {
            for (const [name, value] of a.add)
              expect(pair.add(name, value, a.flags)).toBe(expectedResult(pair.model, name, value, a.flags));
          } else if ('remove' in a) {
            for (const name of a.remove) expect(pair.remove(name)).toBe(pair.model.delete(name));
          } else {
            for (const [name] of inOrder(pair.model).slice(a.rank, a.rank + a.count)) pair.model.delete(name);
            pair.removeRange(a.rank, a.count);
          }
        }
        pair.compare();
        pair.free();
      }),
      { numRuns: 60 },
    );
  });

  it('finds ranges of scores and of members', () => {
    const end = fc
      .tuple(fc.constantFrom('', '('), score)
      .map(([open, x]) => open + String(x).replace('Infinity', 'inf'));
    const lexEnd = fc.oneof(
      fc.constantFrom('-', '+'),
      fc.tuple(fc.constantFrom('[', '('), member).map((parts) => parts.join('')),
    );
    const range = new ScoreRange();
    const lex = new LexRange();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(member, score), { maxLength: 40 }),
        end,
        end,
        lexEnd,
        lexEnd,
        (all, min, max, a, b) => {
          const pair = new Pair(entries, valueBytes);
          const equal = new Pair(entries, valueBytes);
          for (const [name, value] of all) {
            pair.add(name, value, 0);
            pair.model.set(name, value);
            equal.add(name, 1, 0);
            equal.model.set(name, 1);
          }
          const text = bytesOf(min + max);
          expect(range.parse(text, 0, min.length, min.length, text.length)).toBe(true);
          pair.sets.scoreRange(pair.root, pair.encoding, range);
          const inside = inOrder(pair.model).filter(([, x]) => !range.isBelow(x) && !range.isAbove(x));
          expect(pair.elements().slice(pair.sets.from, pair.sets.to)).toEqual(inside);
          const lexText = bytesOf(a + b);
          expect(lex.parse(lexText, 0, a.length, a.length, lexText.length)).toBe(true);
          equal.sets.lexRange(equal.root, equal.encoding, lex);
          const isInside = (name: string): boolean => {
            const bytes = bytesOf(name);
            return !lex.isBelow(bytes, 0, bytes.length) && !lex.isAbove(bytes, 0, bytes.length);
          };
          const members = inOrder(equal.model).filter(([name]) => isInside(name));
          expect(equal.elements().slice(equal.sets.from, equal.sets.to)).toEqual(members);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('sorted set', () => {
  it('turns large at its limits and stays so', () => {
    const pair = new Pair(3, 5);
    const { sets } = pair;
    const name = (): string => sets.encodingName(pair.encoding);
    for (const m of ['a', 'b', 'c']) pair.add(m, 1, 0);
    expect(name()).toBe('listpack');
    pair.add('d', 1, 0);
    expect(name()).toBe('skiplist');
    for (const m of ['a', 'b', 'c']) pair.remove(m);
    expect(name()).toBe('skiplist');
    const other = new Pair(3, 5);
    other.add('long member', 1, 0);
    expect(other.sets.encodingName(other.encoding)).toBe('skiplist');
  });

  it('keeps scores in a compact list as Redis writes them', () => {
    const pair = new Pair(100, 100);
    const values = [1, -0, 0.1, 1e20, 2 ** 60, Number.POSITIVE_INFINITY];
    for (const [i, value] of values.entries()) pair.add(`m${i}`, value, 0);
    const { list } = pair.sets.small;
    const texts: string[] = [];
    for (let at = list.first(pair.root); at !== 0; at = list.next(pair.root, at)) {
      list.read(pair.root, at);
      texts.push(`${list.vBuf.toString('latin1', list.vStart, list.vEnd)}${list.isInteger ? ' as integer' : ''}`);
    }
    expect(texts.filter((_, i) => i % 2 === 1)).toEqual([
      '0 as integer',
      '0.1',
      '1 as integer',
      '1152921504606846976 as integer',
      '1e+20',
      'inf',
    ]);
  });

  it('holds many members in 0.9 of what Redis takes', () => {
    const pair = new Pair(128, 64);
    for (let i = 0; i < 30_000; i++) pair.add(`member:${i * 7919}`, (i * 2_654_435_761) % 1_000_003, 0);
    pair.sets.check(pair.root, pair.encoding);
    // Redis: a skiplist node of 24 + 16 * 1.33, a string of 16 or more, a dictionary entry of 24 and 8 of its buckets: 95 bytes
    expect(pair.sets.memoryBytes(pair.root, pair.encoding, 0) / 30_000).toBeLessThan(0.9 * 95);
    pair.free();
  });
});

it('compares bytes through views as buffers do', () => {
  const bytes = fc.array(fc.constantFrom(0, 1, 127, 128, 255), { maxLength: 14 });
  const sign = (n: number): number => Math.sign(n);
  fc.assert(
    fc.property(bytes, bytes, fc.nat(5), (a, b, lead) => {
      const left = Buffer.from([...Array(lead).fill(7), ...a]);
      const right = Buffer.from(b);
      const order = compareViews(viewOf(left), lead, left.length, viewOf(right), 0, right.length);
      expect(sign(order)).toBe(Buffer.compare(left.subarray(lead), right));
    }),
    { numRuns: 500 },
  );
});
