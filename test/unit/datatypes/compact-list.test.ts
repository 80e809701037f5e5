import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { isSoundCompactList } from '../../../src/datatypes/compact-element.ts';
import { CompactList } from '../../../src/datatypes/compact-list.ts';
import { LIST_NODE, ListNodes } from '../../../src/datatypes/list-nodes.ts';

const KINDS = [
  (arena: Arena) => new CompactList(arena),
  (arena: Arena) => new CompactList(arena, 16),
  (arena: Arena) => new CompactList(arena, 20),
  (arena: Arena) => new ListNodes(arena),
];
const value = fc.oneof(
  fc.integer({ min: -5000, max: 5000 }).map(String),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.constantFrom(
    '127',
    '128',
    '-1',
    '4095',
    '4096',
    '-4096',
    '-4097',
    '32767',
    '32768',
    '-32769',
    '8388607',
    '8388608',
  ),
  fc.constantFrom('2147483647', '2147483648', '-2147483649', '9223372036854775808', '00', '-0', '+1', ' 1', '1.0', ''),
  fc.string({ maxLength: 10, unit: 'binary' }).map((s) => Buffer.from(s, 'utf8').toString('latin1')),
  fc.integer({ min: 60, max: 130 }).map((n) => 'm'.repeat(n)),
  fc.constantFrom(4095, 4096, 16380, 20000).map((n) => 'L'.repeat(n)),
);
const step = fc.oneof(
  fc.record({ op: fc.constant('insert' as const), at: fc.nat(), value }),
  fc.record({ op: fc.constant('append' as const), at: fc.nat(), value }),
  fc.record({ op: fc.constant('prepend' as const), at: fc.nat(), value }),
  fc.record({ op: fc.constant('integer' as const), at: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), value }),
  fc.record({ op: fc.constant('replace' as const), at: fc.nat(), value }),
  fc.record({ op: fc.constant('remove' as const), at: fc.nat(), value, count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ op: fc.constant('split' as const), at: fc.nat(), value }),
  fc.record({ op: fc.constant('find' as const), at: fc.nat(), value }),
);

function contents(list: CompactList, h: number): string[] {
  const all: string[] = [];
  for (let at = list.first(h); at !== 0; at = list.next(h, at)) {
    list.read(h, at);
    all.push(list.vBuf.toString('latin1', list.vStart, list.vEnd));
  }
  return all;
}

function backwards(list: CompactList, h: number): string[] {
  const all: string[] = [];
  for (let at = list.last(h); at !== 0; at = list.prev(h, at)) {
    list.read(h, at);
    all.push(list.vBuf.toString('latin1', list.vStart, list.vEnd));
  }
  return all.reverse();
}

/** Applies a step to list and model; returns the list. */
function apply(
  list: CompactList,
  h: number,
  model: string[],
  s: { op: string; at: number; value: string; count?: number },
) {
  const bytes = Buffer.from(s.value, 'latin1');
  const index = model.length === 0 ? 0 : s.at % model.length;
  switch (s.op) {
    case 'append':
      model.push(s.value);
      return list.append(h, bytes, 0, bytes.length);
    case 'prepend':
      model.unshift(s.value);
      return list.prepend(h, bytes, 0, bytes.length);
    case 'integer':
      model.push(String(s.at));
      return list.insertInteger(h, 0, s.at);
    case 'insert': {
      const place = list.seek(h, index);
      if (place === 0) model.push(s.value);
      else model.splice(index, 0, s.value);
      return list.insert(h, place, bytes, 0, bytes.length);
    }
    case 'find': {
      const place = list.find(h, list.first(h), bytes, 0, bytes.length, 0);
      const expected = model.indexOf(s.value);
      expect(place === 0 ? -1 : place).toBe(expected < 0 ? -1 : list.seek(h, expected));
      return h;
    }
  }
  if (model.length === 0) return h;
  if (s.op === 'replace') {
    model[index] = s.value;
    return list.replace(h, list.seek(h, index), bytes, 0, bytes.length);
  }
  if (s.op === 'remove') {
    model.splice(index, s.count!);
    return list.remove(h, list.seek(h, index), s.count);
  }
  if (index === 0) return h;
  const head = list.split(h, list.seek(h, index));
  const tail = list.placed;
  expect(contents(list, tail)).toEqual(model.slice(index));
  const whole = list.concatenate(head, tail);
  list.arena.release(tail);
  return whole;
}

describe('a compact list', () => {
  test('is what an array is, in every form of its elements', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), fc.array(step, { maxLength: 40 }), (make, steps) => {
        const memory = createArenaMemory(1 << 24);
        const list = make(new Arena(memory));
        const model: string[] = [];
        let h = list.create();
        for (const s of steps) {
          h = apply(list, h, model, s);
          expect(list.count(h)).toBe(model.length);
          list.check(h);
        }
        expect(contents(list, h)).toEqual(model);
        expect(backwards(list, h)).toEqual(model);
        for (let i = 0; i < model.length; i++) {
          expect(list.equals(h, list.seek(h, i), Buffer.from(model[i], 'latin1'), 0, model[i].length)).toBe(true);
          expect(list.seek(h, i - model.length)).toBe(list.seek(h, i));
        }
        expect(list.seek(h, model.length)).toBe(0);
        expect(checkMemory(memory).liveBlocks).toBe(1);
        list.arena.release(h);
        expect(checkMemory(memory).liveBlocks).toBe(0);
      }),
    );
  });

  test('of more than 65535 elements counts them', () => {
    const list = new CompactList(new Arena(createArenaMemory(1 << 24)));
    let h = list.create(1 << 18);
    const text = Buffer.from('7');
    for (let i = 0; i < 65600; i++) h = list.append(h, text, 0, 1);
    expect(list.count(h)).toBe(65600);
    h = list.remove(h, list.seek(h, 100), 200);
    expect(list.count(h)).toBe(65400);
    list.check(h);
  });

  test('is the bytes that stock Redis writes', () => {
    const list = new CompactList(new Arena(createArenaMemory(1 << 20)));
    let h = list.create();
    for (const text of ['a', '1', '4095', '-70000']) h = list.append(h, Buffer.from(text), 0, text.length);
    const bytes = list.arena.buf[h >>> 26].subarray(list.base(h), list.base(h) + list.bytes(h));
    // header, 'a' as 6-bit string, 1 in 7 bits, 4095 in 13 bits, -70000 in 24 bits
    expect(bytes.toString('hex')).toBe(['14000000', '0400', '816102', '0101', 'cfff02', 'f290eefe04', 'ff'].join(''));
  });

  test('from outside is looked at before it is believed', () => {
    const list = new CompactList(new Arena(createArenaMemory(1 << 20)));
    let h = list.create();
    for (const text of ['abc', '12', 'x'.repeat(200), '123456789012'])
      h = list.append(h, Buffer.from(text), 0, text.length);
    const bytes = Buffer.from(list.arena.buf[h >>> 26].subarray(list.base(h), list.base(h) + list.bytes(h)));
    expect(isSoundCompactList(bytes, 0, bytes.length)).toBe(true);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(bytes);
        damaged[at] ^= flip;
        // either it is refused, or it can be walked within its bounds
        if (!isSoundCompactList(damaged, 0, damaged.length)) return;
        const other = list.createFrom(damaged, 0, damaged.length);
        list.check(other);
        contents(list, other);
        list.arena.release(other);
      }),
    );
    for (let cut = 0; cut < bytes.length; cut++) expect(isSoundCompactList(bytes, 0, cut)).toBe(false);
  });
});

describe('a node of a list', () => {
  /** Where the last element stands in the segment. */
  const placeOfLast = (list: ListNodes, h: number): number => list.base(h) + list.last(h);

  test('moves no other element when one is pushed or popped at the front', () => {
    const list = new ListNodes(new Arena(createArenaMemory(1 << 20)));
    const text = Buffer.from('element');
    let h = list.create();
    let moves = 0;
    for (let i = 0; i < 800; i++) {
      const before = h;
      const place = i === 0 ? 0 : placeOfLast(list, h);
      h = list.prepend(h, text, 0, text.length);
      if (h !== before || placeOfLast(list, h) !== place) moves++;
    }
    // once for each longer block, of which there are some sixty up to 8 KiB
    expect(moves).toBeLessThan(80);
    const place = placeOfLast(list, h);
    for (let i = 0; i < 300; i++) expect((h = list.remove(h, list.first(h)))).not.toBe(0);
    expect(placeOfLast(list, h)).toBe(place);
    expect(list.count(h)).toBe(500);
    list.check(h);
  });

  test('shares what is free where both ends grow', () => {
    const list = new ListNodes(new Arena(createArenaMemory(1 << 20)));
    const text = Buffer.from('element');
    let h = list.create(7000);
    let moves = 0;
    for (let i = 0; i < 600; i++) {
      const before = list.base(h) + list.first(h);
      h = i % 2 === 0 ? list.prepend(h, text, 0, text.length) : list.append(h, text, 0, text.length);
      if (Math.abs(list.base(h) + list.first(h) - before) > 9) moves++;
    }
    expect(moves).toBeLessThan(20);
    expect(list.count(h)).toBe(600);
    list.check(h);
  });

  test('keeps its neighbours when it comes to another block', () => {
    const arena = new Arena(createArenaMemory(1 << 20));
    const list = new ListNodes(arena);
    const text = Buffer.from('element');
    for (const atFront of [true, false]) {
      let h = list.create();
      const words = (node: number): Int32Array => arena.i32[node >>> 26].subarray((node & 0x3ffffff) << 2);
      words(h)[LIST_NODE.prev] = 17;
      words(h)[LIST_NODE.next] = 18;
      for (let i = 0; i < 100; i++) h = atFront ? list.prepend(h, text, 0, 7) : list.append(h, text, 0, 7);
      h = list.remove(h, list.first(h), 90);
      expect([words(h)[LIST_NODE.prev], words(h)[LIST_NODE.next]]).toEqual([17, 18]);
      expect(contents(list, h)).toEqual(Array.from({ length: 10 }, () => 'element'));
    }
  });
});
