import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addLongDoubles, formatLongDouble, type LongDouble, parseLongDouble } from '../../../src/resp/long-double.ts';

function parse(text: string): LongDouble | null {
  const buf = Buffer.from(`7${text}7`, 'latin1');
  return parseLongDouble(buf, 1, buf.length - 1);
}

function formatted(text: string): string | null {
  const value = parse(text);
  return value === null ? null : formatLongDouble(value);
}

function sum(a: string, b: string): string {
  return formatLongDouble(addLongDoubles(parse(a)!, parse(b)!));
}

describe('long doubles', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['1', '1'],
    ['+1.50', '1.5'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['1e3', '1000'],
    ['0x1.8p3', '12'],
    ['0X.8', '0.5'],
    ['-0x10', '-16'],
    ['0.1', '0.1'],
    ['-0.1', '-0.1'],
    ['3000.1', '3000.10000000000000009'],
    ['1e-17', '0.00000000000000001'],
    ['4e-18', '0'],
    ['-4e-18', '0'],
    ['17179869184.5', '17179869184.5'],
    ['18446744073709551615', '18446744073709551615'],
    ['18446744073709551617', '18446744073709551616'],
    ['18446744073709551619', '18446744073709551620'],
    ['inf', 'inf'],
    ['-Infinity', '-inf'],
  ])('%s is %s', (text, expected) => {
    expect(formatted(text)).toBe(expected);
  });

  it.each([
    '',
    ' 1',
    '1 ',
    '.',
    '-',
    'e1',
    '1e',
    '0x',
    '0x.',
    '0x1p',
    'nan',
    '-nan',
    'infi',
    '1e4933',
    '-1e5000',
    '1e-4960',
    '0x1p16384',
    '0x1p-16446',
    '1e99999999999999999999',
    '1e-99999999999999999999',
    '1\0',
    '1x',
    '1'.repeat(5120),
  ])('there is none in %.40j', (text) => expect(parse(text)).toBeNull());

  it('reaches to the ends of its range', () => {
    const greatest = parse('0x1.fffffffffffffffep16383')!;
    expect(greatest.range).toBe('finite');
    expect(formatLongDouble(greatest)).toBe(((2n ** 64n - 1n) << 16320n).toString());
    expect(addLongDoubles(greatest, greatest).range).toBe('infinite');
    expect(parse('0x1p-16445')!.mantissa).toBe(1n);
    // half of the least one is a tie and goes to zero; a bit more is enough
    expect(parse('0x1p-16446')).toBeNull();
    expect(parse('0x1.1p-16446')!.mantissa).toBe(1n);
  });

  it('has no sum of infinities of different sign', () => {
    const [plus, minus, one] = [parse('inf')!, parse('-inf')!, parse('1')!];
    expect(formatLongDouble(addLongDoubles(plus, minus))).toBe('nan');
    expect(formatLongDouble(addLongDoubles(plus, plus))).toBe('inf');
    expect(formatLongDouble(addLongDoubles(one, minus))).toBe('-inf');
  });

  it.each([
    ['10.5', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['0.1', '0.2', '0.3'],
    ['1', '-1', '0'],
    ['-1.5', '1.5', '0'],
    ['3', '-3.1', '-0.1'],
  ])('%s + %s = %s', (a, b, expected) => {
    expect(sum(a, b)).toBe(expected);
  });

  it('adds numbers of very different size', () => {
    expect(sum('0x1p13000', '1')).toBe((1n << 13000n).toString());
    expect(sum('0x1p13000', '-0x1p12900')).toBe((1n << 13000n).toString());
  });

  it('rounds a sum as if it were exact', () => {
    // at 2^64 neighbours lie 2 apart: 1 is a tie, and any more, however little, decides
    const high = '18446744073709551616';
    expect(sum(high, '1')).toBe(high);
    expect(sum(high, '1.0001')).toBe('18446744073709551618');
    expect(sum(high, '3')).toBe('18446744073709551620');
    expect(sum(high, '-0.5')).toBe(high);
    expect(sum(high, '-0.50001')).toBe('18446744073709551615');
    expect(sum(high, '-1e-4000')).toBe(high);
    expect(sum(high, '1e-4000')).toBe(high);
  });

  it('agrees with doubles where these are exact', () => {
    const eighths = fc.integer({ min: -(2 ** 45), max: 2 ** 45 }).map((n) => n / 8);
    fc.assert(
      fc.property(eighths, eighths, (a, b) => {
        expect(sum(String(a), String(b))).toBe(String(a + b));
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps its mantissas in form', () => {
    const decimal = fc
      .tuple(fc.bigInt({ min: 1n, max: 10n ** 25n }), fc.integer({ min: -4990, max: 4930 }))
      .map(([digits, exponent]) => parse(`${digits}e${exponent}`))
      .filter((value) => value !== null);
    fc.assert(
      fc.property(decimal, decimal, fc.boolean(), (a, b, negative) => {
        for (const { mantissa, exponent, range } of [a, b, addLongDoubles(a, { ...b, negative })]) {
          if (range !== 'finite' || mantissa === 0n) continue;
          expect(mantissa < 2n ** 64n && (mantissa >= 2n ** 63n || exponent === -16445)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
