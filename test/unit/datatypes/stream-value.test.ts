import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { HalfSipHash } from '../../../native-free-shm/half-siphash.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import type { ElementReader } from '../../../src/datatypes/element-reader.ts';
import { SizeLimits } from '../../../src/datatypes/size-limits.ts';
import { ID_FORM, StreamId } from '../../../src/datatypes/stream-id.ts';
import { radixNodes } from '../../../src/datatypes/stream-radix-nodes.ts';
import { STREAM_LAST_ID, STREAM_MAX_DELETED_ID, Streams, TRIM } from '../../../src/datatypes/stream-value.ts';
import { Args } from '../../../src/resp/args.ts';

type Entry = readonly [id: bigint, words: readonly string[]];

const MAX_SEQ = 2n ** 64n - 1n;

function idOf(number: bigint): StreamId {
  const id = new StreamId();
  const bytes = Buffer.from(`${number >> 64n}-${number & MAX_SEQ}`);
  if (id.parse(bytes, 0, bytes.length, false) !== ID_FORM.whole) throw new Error('no id');
  return id;
}

function numberOf(id: StreamId): bigint {
  const [ms, seq] = id.toString().split('-');
  return (BigInt(ms) << 64n) + BigInt(seq);
}

function textOf(element: ElementReader): string {
  return element.isInteger ? element.integerText() : element.buf.toString('latin1', element.vStart, element.vEnd);
}

/** A stream beside a list that should hold the same. */
class Pair {
  readonly memory = createArenaMemory(64 * 2 ** 20);
  readonly arena = new Arena(this.memory);
  readonly streams: Streams;
  readonly root: number;
  model: Entry[] = [];
  last = 0n;
  maxDeleted = 0n;

  constructor(nodeBytes: number, nodeEntries: number) {
    const limits = new SizeLimits();
    limits.streamNodeMaxBytes = nodeBytes;
    limits.streamNodeMaxEntries = nodeEntries;
    this.streams = new Streams(this.arena, new HalfSipHash(7, 9), limits);
    this.root = this.streams.create();
  }

  add(number: bigint, words: readonly string[]): void {
    const args = Args.of(...words);
    const bytes = words.reduce((sum, word) => sum + word.length, 0);
    const room = this.streams.growthBytes(this.root, words.length / 2, bytes);
    const before = this.arena.liveBytes();
    this.streams.add(this.root, idOf(number), args, 0, words.length / 2, bytes);
    expect(this.arena.liveBytes() - before).toBeLessThanOrEqual(room);
    this.model.push([number, words]);
    this.last = number;
  }

  remove(number: bigint): void {
    const was = this.model.length;
    this.model = this.model.filter(([id]) => id !== number);
    const removed = this.model.length < was;
    expect(this.streams.remove(this.root, idOf(number))).toBe(removed);
    if (removed && number > this.maxDeleted) this.maxDeleted = number;
  }

  trim(way: number, threshold: bigint): void {
    const before = this.model.length;
    if (way === TRIM.maxLength) this.model = this.model.slice(Math.max(before - Number(threshold), 0));
    else this.model = this.model.filter(([id]) => id >= threshold);
    const minId = way === TRIM.maxLength ? new StreamId() : idOf(threshold);
    const deleted = this.streams.trim(this.root, way, Number(threshold), minId, false, 0);
    expect(deleted).toBe(before - this.model.length);
  }

  /** Approximate: no more may go than an exact one would take, and only from the front. */
  trimAbout(maxLength: number, limit: number): void {
    const before = this.model.length;
    const deleted = this.streams.trim(this.root, TRIM.maxLength, maxLength, new StreamId(), true, limit);
    expect(deleted).toBeLessThanOrEqual(Math.max(before - maxLength, 0));
    if (limit > 0) expect(deleted).toBeLessThanOrEqual(limit);
    this.model = this.model.slice(deleted);
  }

  range(from: bigint, to: bigint, reverse: boolean): Entry[] {
    const { cursor } = this.streams;
    const found: Entry[] = [];
    cursor.begin(this.streams.nodesOf(this.root), idOf(from), idOf(to), reverse);
    while (cursor.next()) {
      const words: string[] = [];
      // one entry in three is left half read
      const fields = found.length % 3 === 2 ? 0 : cursor.fields;
      for (let i = 0; i < fields; i++) words.push(textOf(cursor.readName()), textOf(cursor.readValue()));
      found.push([numberOf(cursor.id), words]);
    }
    return found;
  }

  check(from: bigint, to: bigint): void {
    this.streams.check(this.root);
    for (const reverse of [false, true]) {
      const expected = this.model.filter(([id]) => id >= from && id <= to);
      if (reverse) expected.reverse();
      const shown = expected.map(([id, words], i) => [id, i % 3 === 2 ? [] : words]);
      expect(this.range(from, to, reverse)).toEqual(shown);
    }
    const id = new StreamId();
    this.streams.loadId(this.root, STREAM_LAST_ID, id);
    expect(numberOf(id)).toBe(this.last);
    this.streams.loadId(this.root, STREAM_MAX_DELETED_ID, id);
    expect(numberOf(id)).toBe(this.maxDeleted);
    this.streams.greatestId(this.root, id);
    expect(numberOf(id)).toBe(this.model.at(-1)?.[0] ?? 0n);
  }

  free(): void {
    while (this.streams.releaseStep(this.root, 0, 3));
    expect(this.arena.liveBytes()).toBe(0);
    checkMemory(this.memory);
  }
}

const word = fc.oneof(
  fc.constantFrom('a', 'b', 'field', '1', '-1', '127', '128', '70000', '12345678901', '9223372036854775807', '', '007'),
  fc.integer({ min: 0, max: 300 }).map((n) => 'x'.repeat(n)),
  fc.constantFrom(4095, 4096, 20000).map((n) => 'y'.repeat(n)),
);
const names = fc.constantFrom<readonly string[]>(['f'], ['f'], ['a', 'b'], ['f', 'g', 'h']);
const words = names.chain((some) =>
  fc
    .array(word, { minLength: some.length, maxLength: some.length })
    .map((values) => some.flatMap((name, i) => [name, values[i]])),
);
/** How far behind the last id: sequence, milliseconds, or much; 0: the next millisecond with sequence 0. */
const distance = fc.oneof(
  fc.constant(0n),
  fc.constantFrom(2n ** 31n, 2n ** 95n),
  fc.bigInt({ min: 1n, max: 3n }),
  fc.bigInt({ min: 1n, max: 3n }).map((ms) => ms << 64n),
  fc.constantFrom(2n ** 31n, 2n ** 33n, 2n ** 54n, 2n ** 63n, 2n ** 96n, 2n ** 118n),
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('add' as const), distance, words }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('many' as const), count: fc.integer({ min: 1, max: 260 }) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('remove' as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('trim' as const), at: fc.nat(), byLength: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('about' as const), at: fc.nat(), limit: fc.nat(200) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('check' as const), from: fc.nat(), to: fc.nat() }) },
);

function someId(pair: Pair, at: number): bigint {
  if (pair.model.length === 0) return BigInt(at);
  const id = pair.model[at % pair.model.length][0];
  return at % 5 === 0 ? id + 1n : id;
}

describe('streams', () => {
  it('hold what a list of entries holds', () => {
    const shape = fc.constantFrom([4096, 100], [4096, 3], [0, 0], [200, 0], [1, 1], [4096, 400]);
    fc.assert(
      fc.property(shape, fc.array(step, { maxLength: 40 }), ([nodeBytes, nodeEntries], steps) => {
        const pair = new Pair(nodeBytes, nodeEntries);
        for (const s of steps) {
          if (s.op === 'add') {
            const next = s.distance === 0n ? ((pair.last >> 64n) + 1n) << 64n : pair.last + s.distance;
            if (next < 2n ** 128n) pair.add(next, s.words);
          } else if (s.op === 'many') {
            for (let i = 0; i < s.count && pair.last < 2n ** 127n; i++) pair.add(pair.last + 1n, ['f', `v${i}`]);
          } else if (s.op === 'remove') {
            pair.remove(someId(pair, s.at));
          } else if (s.op === 'trim') {
            if (s.byLength) pair.trim(TRIM.maxLength, BigInt(s.at % (pair.model.length + 2)));
            else pair.trim(TRIM.minId, someId(pair, s.at));
          } else if (s.op === 'about') {
            pair.trimAbout(s.at % (pair.model.length + 2), s.limit);
          } else {
            const [a, b] = [someId(pair, s.from), someId(pair, s.to)];
            pair.check(a < b ? a : b, a < b ? b : a);
          }
        }
        pair.check(0n, 2n ** 128n - 1n);
        pair.free();
      }),
      { numRuns: 150 },
    );
  });

  it('keep their nodes in the form that Redis keeps', () => {
    const pair = new Pair(4096, 100);
    pair.add((5n << 64n) + 3n, ['f', 'v', 'n', '12']);
    pair.add((5n << 64n) + 4n, ['f', 'w', 'n', '300']);
    pair.add(6n << 64n, ['g', 'x']);
    pair.remove((5n << 64n) + 4n);
    const { nodes, tree } = pair.streams;
    tree.first(pair.streams.nodesOf(pair.root));
    const elements: string[] = [];
    const node = tree.entry();
    for (let at = nodes.first(node); at !== 0; at = nodes.next(node, at)) {
      nodes.read(node, at);
      elements.push(nodes.vBuf.toString('latin1', nodes.vStart, nodes.vEnd));
    }
    expect(elements.join(' ')).toBe('2 1 2 f n 0 2 0 0 v 12 5 3 0 1 w 300 5 0 1 -3 1 g x 6');
    expect(nodes.check(node)).toBeUndefined();
    pair.free();
  });

  it('take nodes back as they gave them, and no damaged ones', () => {
    const pair = new Pair(4096, 3);
    for (let i = 1n; i <= 8n; i++) pair.add(i << 64n, i % 2n === 0n ? ['f', `v${i}`] : ['g', `${i}`, 'h', 'x']);
    pair.remove(2n << 64n);
    const { streams, arena } = pair;
    const { nodes, tree } = streams;
    const live = arena.liveBytes();
    const copy = streams.create();
    const id = new StreamId();
    for (let rank = 0; tree.seekRank(streams.nodesOf(pair.root), rank); rank++) {
      const node = tree.entry();
      const start = nodes.base(node);
      const bytes = Buffer.from(arena.buf[node >>> 26].subarray(start, start + nodes.bytes(node)));
      nodes.firstId(node, id);
      for (const [at, value] of [
        [6, 9],
        [8, 3],
        [10, 7],
      ]) {
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        expect(streams.addNode(copy, id, damaged, 0, damaged.length)).toBe(false);
      }
      expect(streams.addNode(copy, id, bytes, 0, bytes.length)).toBe(true);
      expect(streams.addNode(copy, id, bytes, 0, bytes.length)).toBe(false);
    }
    expect(streams.finishLoad(copy)).toBe(false);
    streams.loadId(pair.root, STREAM_LAST_ID, id);
    streams.setId(copy, STREAM_LAST_ID, id);
    expect(streams.finishLoad(copy)).toBe(true);
    streams.check(copy);
    expect(streams.length(copy)).toBe(7);
    while (streams.releaseStep(copy, 0, 2));
    expect(arena.liveBytes()).toBe(live);
    pair.free();
  });

  it('count as many nodes of a radix tree as Redis has', () => {
    const nodesFor = (...ids: bigint[]): number => {
      const pair = new Pair(4096, 1);
      for (const id of ids) pair.add(id, ['f', 'v']);
      return radixNodes(pair.streams.tree, pair.streams.nodesOf(pair.root), pair.streams.nodes, new StreamId());
    };
    // asked of a stock server with stream-node-max-entries 1
    expect(nodesFor()).toBe(1);
    expect(nodesFor(1n)).toBe(2);
    expect(nodesFor(1n, 2n)).toBe(4);
    expect(nodesFor(1n, 256n)).toBe(6);
    expect(nodesFor(1n, 2n, 256n)).toBe(7);
    expect(nodesFor(1n << 64n, 2n << 64n, (2n << 64n) + 1n)).toBe(8);
  });
});
