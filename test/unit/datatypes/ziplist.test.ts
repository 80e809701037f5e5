/** The compact forms of servers before Redis 7: what is sound is read, every lie about lengths, end or number is found. */
import { describe, expect, test } from 'vitest';
import { DamagedRdbError } from '../../../src/datatypes/rdb-reader.ts';
import { ZipWalk } from '../../../src/datatypes/ziplist.ts';
import { ziplistOf, zipmapOf } from '../../compat/old-forms.ts';

const LONG = 'x'.repeat(300);
const HUGE = 'y'.repeat(20_000);
const ELEMENTS = [
  'a',
  0,
  12,
  13,
  -1,
  127,
  -128,
  30_000,
  -8_000_000,
  2 ** 31 - 1,
  -(2 ** 40),
  LONG,
  'after',
  HUGE,
  'end',
  '',
];

function elementsOf(bytes: Buffer, isMap: boolean): string[] {
  const walk = new ZipWalk(bytes, 0, bytes.length, isMap);
  const found: string[] = [];
  while (walk.next()) found.push(walk.vBuf.toString('latin1', walk.vStart, walk.vEnd));
  return found;
}

describe('a ziplist', () => {
  test('elements of every form', () => {
    expect(elementsOf(ziplistOf(ELEMENTS), false)).toEqual(ELEMENTS.map(String));
    expect(elementsOf(ziplistOf([]), false)).toEqual([]);
  });

  test('with so many elements that the header cannot count them', () => {
    const many = Array.from({ length: 70_000 }, (_, i) => i % 10);
    expect(elementsOf(ziplistOf(many), false)).toHaveLength(70_000);
  });

  test('length, last element and number of the header are looked at', () => {
    for (const at of [0, 1, 4, 5, 8, 9]) {
      const bytes = ziplistOf(['a', 'b', 5]);
      bytes[at] ^= 1;
      expect(() => elementsOf(bytes, false), `byte ${at}`).toThrow(DamagedRdbError);
    }
  });

  test('the length of the element before is looked at, in both forms', () => {
    const short = ziplistOf(['a', 'b', 'c']);
    for (const at of [10, 13, 16]) {
      const bytes = Buffer.from(short);
      bytes[at] ^= 2;
      expect(() => elementsOf(bytes, false), `byte ${at}`).toThrow(DamagedRdbError);
    }
    const long = ziplistOf([LONG, 'b']);
    const at = long.length - 1 - 2 - 4;
    expect(long.readUInt32LE(at)).toBe(1 + 2 + LONG.length);
    long.writeUInt32LE(7, at);
    expect(() => elementsOf(long, false)).toThrow(DamagedRdbError);
  });

  test('cut anywhere', () => {
    const whole = ziplistOf(['abc', 700, 'de']);
    for (let end = 0; end < whole.length; end++) {
      expect(() => elementsOf(whole.subarray(0, end), false), `${end} bytes`).toThrow(DamagedRdbError);
    }
  });
});

describe('a zipmap', () => {
  test('short and long fields and values, spare bytes behind a value', () => {
    expect(elementsOf(zipmapOf(['f', 'v', LONG, LONG, '', '']), true)).toEqual(['f', 'v', LONG, LONG, '', '']);
    expect(elementsOf(zipmapOf(['f', 'v', 'g', 'w'], 3), true)).toEqual(['f', 'v', 'g', 'w']);
  });

  test('cut anywhere, or without its last value', () => {
    const whole = zipmapOf(['field', 'value', 'f', 'v']);
    for (let end = 0; end < whole.length; end++) {
      expect(() => elementsOf(whole.subarray(0, end), true), `${end} bytes`).toThrow(DamagedRdbError);
    }
    expect(() => elementsOf(zipmapOf(['field']), true)).toThrow(DamagedRdbError);
  });
});
