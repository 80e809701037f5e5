import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ID_FORM, INTERVAL_END, StreamId } from '../../../src/datatypes/stream-id.ts';

const MAX = 2n ** 64n - 1n;
const part = fc.oneof(
  fc.bigInt({ min: 0n, max: MAX }),
  fc.bigInt({ min: 0n, max: 5n }),
  fc.constantFrom(2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, MAX - 1n, MAX, 999999999999999n),
);
const pair = fc.tuple(part, part);

function idOf([ms, seq]: [bigint, bigint]): StreamId {
  const id = new StreamId();
  const bytes = Buffer.from(`${ms}-${seq}`);
  expect(id.parse(bytes, 0, bytes.length, false)).toBe(ID_FORM.whole);
  return id;
}

function textOf(id: StreamId): string {
  const buf = Buffer.alloc(41);
  return buf.toString('latin1', 0, id.write(buf, 0));
}

function parsed(text: string, lastOfMs = false): string {
  const id = new StreamId();
  const bytes = Buffer.from(text, 'latin1');
  const form = id.parse(bytes, 0, bytes.length, lastOfMs);
  return form === ID_FORM.none ? 'none' : form === ID_FORM.whole ? textOf(id) : `${textOf(id)} open`;
}

const numberOf = ([ms, seq]: [bigint, bigint]): bigint => (ms << 64n) + seq;

describe('ids of stream entries', () => {
  it('are read and written exactly', () => {
    fc.assert(
      fc.property(pair, ([ms, seq]) => {
        const id = idOf([ms, seq]);
        expect(textOf(id)).toBe(`${ms}-${seq}`);
        expect(id.toString()).toBe(`${ms}-${seq}`);
        const words = new Int32Array(5);
        id.store(words, 1);
        const other = new StreamId();
        other.load(words, 1);
        expect(other.compare(id)).toBe(0);
        expect(id.compareWith(words, 1)).toBe(0);
      }),
    );
  });

  it('are ordered, and follow each other', () => {
    fc.assert(
      fc.property(pair, pair, (a, b) => {
        const order = numberOf(a) < numberOf(b) ? -1 : numberOf(a) > numberOf(b) ? 1 : 0;
        const [left, right] = [idOf(a), idOf(b)];
        expect(left.compare(right)).toBe(order);
        const words = new Int32Array(4);
        right.store(words, 0);
        expect(left.compareWith(words, 0)).toBe(order);
        if (order < 0) expect(left.treeKey()).toBeLessThanOrEqual(right.treeKey());
        expect(left.increment()).toBe(numberOf(a) < (1n << 128n) - 1n);
        if (numberOf(a) < (1n << 128n) - 1n) {
          const next = numberOf(a) + 1n;
          expect(textOf(left)).toBe(`${next >> 64n}-${next & MAX}`);
          expect(left.decrement()).toBe(true);
        }
        expect(left.compare(idOf(a))).toBe(0);
      }),
    );
    expect(new StreamId().decrement()).toBe(false);
  });

  it.each([
    ['5', '5-0'],
    ['5-*', '5-0 open'],
    ['5-', 'none'],
    ['-5', 'none'],
    ['', 'none'],
    ['-', 'none'],
    ['*', 'none'],
    ['007-01', '7-1'],
    [' 7-+1', '7-1'],
    ['5--3', 'none'],
    ['5--03', `5-${2n ** 64n - 3n}`],
    ['5-1-1', 'none'],
    ['5-1 ', 'none'],
    ['5\0x', '5-0'],
    ['18446744073709551615-18446744073709551615', '18446744073709551615-18446744073709551615'],
    ['18446744073709551616', 'none'],
    ['1'.repeat(128), 'none'],
  ])('reads %j as Redis does', (text, id) => expect(parsed(text)).toBe(id));

  it('stand for the last id of their millisecond where an interval ends', () => {
    expect(parsed('5', true)).toBe('5-18446744073709551615');
    const end = (text: string, isStart: boolean): [number, string] => {
      const id = new StreamId();
      const form = id.parseEnd(Buffer.from(text), 0, text.length, isStart);
      return [form, textOf(id)];
    };
    expect(end('(5', true)).toEqual([INTERVAL_END.excluded, '5-0']);
    expect(end('(5', false)).toEqual([INTERVAL_END.excluded, '5-18446744073709551615']);
    expect(end('+', true)).toEqual([INTERVAL_END.included, '18446744073709551615-18446744073709551615']);
    expect(end('-', false)).toEqual([INTERVAL_END.included, '0-0']);
    expect(end('(-', true)[0]).toBe(INTERVAL_END.none);
    expect(end('(', true)[0]).toBe(INTERVAL_END.none);
  });
});
