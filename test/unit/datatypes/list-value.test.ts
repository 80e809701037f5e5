import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, createArenaMemory } from '../../../native-free-shm/arena.ts';
import { checkMemory } from '../../../native-free-shm/memory-checker.ts';
import { LIST_ENCODING, Lists } from '../../../src/datatypes/list-value.ts';
import { SizeLimits } from '../../../src/datatypes/size-limits.ts';

function fixture(listMaxListpackSize: number) {
  const memory = createArenaMemory(1 << 26);
  const arena = new Arena(memory);
  const limits = Object.assign(new SizeLimits(), { listMaxListpackSize });
  return { memory, arena, limits, lists: new Lists(arena, limits) };
}

const element = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -5, max: 12 }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 6 }).map((n) => 'e'.repeat(n * 25)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('9223372036854775807', '-70000', 'x'.repeat(900), 'y'.repeat(4090), 'z'.repeat(9000)),
  },
);
const step = fc.record({
  op: fc.constantFrom(
    'lpush',
    'rpush',
    'rpush',
    'insert',
    'insert',
    'replace',
    'remove',
    'removeBack',
    'range',
    'many',
  ),
  at: fc.nat(1000),
  count: fc.nat(6),
  flag: fc.boolean(),
  element,
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function contents(lists: Lists): string[] {
  const all: string[] = [];
  if (lists.length() === 0) return all;
  for (let more = lists.seek(0); more; more = lists.next()) {
    lists.load();
    all.push(lists.list.vBuf.toString('latin1', lists.list.vStart, lists.list.vEnd));
  }
  return all;
}

function push(lists: Lists, texts: readonly string[], atFront = false): void {
  const all = texts.map((text) => Buffer.from(text, 'latin1'));
  lists.expect(
    all.length,
    all.reduce((sum, bytes) => sum + bytes.length, 0),
  );
  for (const bytes of all) lists.push(atFront, bytes, 0, bytes.length);
}

/** Does a step to list and model. */
function play(lists: Lists, model: string[], { op, at, count, flag, element: text }: Step): void {
  const bytes = Buffer.from(text, 'latin1');
  const index = model.length === 0 ? 0 : at % model.length;
  const many = Array.from({ length: count * 7 }, (_, i) => `${text.slice(0, 40)}${i}`);
  if (op === 'lpush') {
    push(lists, [text], true);
    model.unshift(text);
  } else if (op === 'rpush' || model.length === 0) {
    push(lists, [text]);
    model.push(text);
  } else if (op === 'many') {
    push(lists, many, flag);
    if (flag) model.unshift(...many.reverse());
    else model.push(...many);
  } else if (op === 'insert') {
    lists.expect(1, bytes.length);
    lists.seek(index);
    lists.insert(flag, bytes, 0, bytes.length);
    model.splice(flag ? index + 1 : index, 0, text);
  } else if (op === 'replace') {
    lists.expect(1, bytes.length);
    lists.seek(flag ? index : index - model.length);
    lists.replace(bytes, 0, bytes.length);
    model[index] = text;
    lists.settle();
  } else if (op === 'range') {
    const some = Math.min(count * (flag ? 1 : 5), model.length - index);
    lists.removeRange(index, some);
    model.splice(index, some);
    lists.settle();
  } else {
    removeAndLook(lists, model, index, op === 'removeBack');
    lists.settle();
  }
}

/** Removes one element; the cursor must then be on its neighbour. */
function removeAndLook(lists: Lists, model: string[], index: number, isBackwards: boolean): void {
  lists.seek(index);
  model.splice(index, 1);
  const neighbour = isBackwards ? index - 1 : index;
  const isThere = isBackwards ? lists.removeBackwards() : lists.remove();
  expect(isThere).toBe(neighbour >= 0 && neighbour < model.length);
  if (!isThere) return;
  lists.load();
  expect(lists.list.vBuf.toString('latin1', lists.list.vStart, lists.list.vEnd)).toBe(model[neighbour]);
}

describe('lists', () => {
  test.each([-2, -1, -5, 1, 3, 8, 0])('are sequences in both forms, list-max-listpack-size %i', (limit) => {
    const { memory, arena, lists } = fixture(limit);
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
        const before = arena.liveBytes();
        lists.create(0, 0, 0);
        const model: string[] = [];
        for (const one of steps) {
          play(lists, model, one);
          lists.check(lists.root, lists.encoding);
          expect(lists.length()).toBe(model.length);
          expect(contents(lists)).toEqual(model);
          const index = one.at % (model.length + 1);
          expect(lists.seek(index)).toBe(index < model.length);
          expect(lists.seek(-index - 1)).toBe(index < model.length);
          if (index < model.length)
            expect(lists.equals(Buffer.from(model.at(-index - 1)!, 'latin1'), 0, model.at(-index - 1)!.length)).toBe(
              true,
            );
        }
        while (lists.releaseStep(lists.root, lists.encoding, 3));
        expect(arena.liveBytes()).toBe(before);
        checkMemory(memory);
      }),
      { numRuns: 60 },
    );
  });

  test('are found from the cursor on', () => {
    const { lists } = fixture(4);
    lists.create(0, 0, 0);
    const texts = Array.from({ length: 40 }, (_, i) => (i % 9 === 5 ? 'wanted' : String(i)));
    push(lists, texts);
    const wanted = Buffer.from('wanted');
    const found: number[] = [];
    let index = 0;
    lists.seek(0);
    while (lists.find(wanted, 0, 6)) {
      const { node, at } = lists;
      for (lists.seek(index); lists.node !== node || lists.at !== at; lists.next()) index++;
      found.push(index++);
      if (!lists.next()) break;
    }
    expect(found).toEqual([5, 14, 23, 32]);
  });

  test('turn to chains by what is expected, and back at half the limit', () => {
    const { lists } = fixture(10);
    lists.create(1, 1, 3);
    push(
      lists,
      Array.from({ length: 10 }, (_, i) => String(i)),
    );
    expect(lists.encoding).toBe(LIST_ENCODING.compact);
    push(lists, ['a']);
    expect(lists.encoding).toBe(LIST_ENCODING.quick);
    expect(lists.quick.nodeCount(lists.root)).toBe(2);
    lists.removeRange(10, 1);
    lists.settle();
    expect([lists.encoding, lists.length()]).toEqual([LIST_ENCODING.quick, 10]);
    lists.removeRange(0, 4);
    lists.settle();
    expect(lists.encoding).toBe(LIST_ENCODING.quick);
    lists.removeRange(0, 1);
    lists.settle();
    expect([lists.encoding, contents(lists)]).toEqual([LIST_ENCODING.compact, ['5', '6', '7', '8', '9']]);
  });

  test('by the bytes that are about to come, before they come', () => {
    const { lists } = fixture(-2);
    lists.create(1, 7000, 7004);
    push(lists, ['x'.repeat(7000)]);
    lists.expect(1, 8192 - lists.compact.bytes(lists.root));
    expect(lists.encoding).toBe(LIST_ENCODING.compact);
    lists.expect(1, 8193 - lists.compact.bytes(lists.root));
    expect(lists.encoding).toBe(LIST_ENCODING.quick);
  });

  test('by bytes: 8 KiB and 4 KiB', () => {
    const { lists } = fixture(-2);
    lists.create(0, 0, 0);
    push(lists, ['x'.repeat(8185)]);
    expect(lists.encoding).toBe(LIST_ENCODING.compact);
    push(lists, ['']);
    expect(lists.encoding).toBe(LIST_ENCODING.quick);
    lists.seek(0);
    const half = Buffer.alloc(4096 - 7 - 2 - 4, 'y');
    lists.replace(half, 0, half.length);
    lists.settle();
    expect(lists.encoding).toBe(LIST_ENCODING.quick);
    lists.removeRange(1, 1);
    lists.settle();
    expect(lists.encoding).toBe(LIST_ENCODING.compact);
  });
});
