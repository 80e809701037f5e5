import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commonLength, commonRuns } from '../../../src/datatypes/common-subsequence.ts';

/** The table of lengths, as a textbook has it. */
function lengths(a: string, b: string): number[][] {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i][j] = a[i - 1] === b[j - 1] ? table[i - 1][j - 1] + 1 : Math.max(table[i - 1][j], table[i][j - 1]);
    }
  }
  return table;
}

/** Places of the matching bytes, from the end of the table: where both neighbours are as long, the one to the left counts. */
function matches(a: string, b: string, table: number[][]): [number, number][] {
  const found: [number, number][] = [];
  let [i, j] = [a.length, b.length];
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) found.push([--i, --j]);
    else if (table[i - 1][j] > table[i][j - 1]) i--;
    else j--;
  }
  return found.reverse();
}

function placed(text: string, before: number) {
  const buf = Buffer.from('#'.repeat(before) + text + '#', 'latin1');
  return { buf, start: before, end: before + text.length };
}

describe('the longest common subsequence', () => {
  it('agrees with the textbook', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'e'), maxLength: 40 }),
    );
    fc.assert(
      fc.property(text, text, fc.nat(9), (a, b, before) => {
        const table = lengths(a, b);
        const length = table[a.length][b.length];
        const [left, right] = [placed(a, before), placed(b, 2 * before)];
        expect(commonLength(left, right)).toBe(length);
        const found = commonRuns(left, right);
        expect(found.length).toBe(length);
        const expected = matches(a, b, table);
        const pairs: [number, number][] = [];
        for (let i = found.runs.length - 3; i >= 0; i -= 3) {
          const [atA, atB, bytes] = found.runs.slice(i, i + 3);
          for (let k = 0; k < bytes; k++) pairs.push([atA + k, atB + k]);
          // runs do not touch each other
          if (i > 0) expect([atA + bytes, atB + bytes]).not.toEqual([found.runs[i - 3], found.runs[i - 2]]);
        }
        expect(pairs).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });

  it('is empty where one side is', () => {
    expect(commonLength(placed('', 0), placed('abc', 1))).toBe(0);
    expect(commonRuns(placed('abc', 0), placed('', 1))).toEqual({ length: 0, runs: [] });
  });
});
