import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatDouble,
  formatG17,
  integerBytes,
  isInt64,
  parseFloatStrict,
  parseInt64,
  parseInteger,
  writeInteger,
} from '../../../src/resp/numbers.ts';

/** Reads a text out of the middle of a buffer whose other bytes would lead astray. */
function inside<T>(read: (buf: Buffer, start: number, end: number) => T, text: string): T {
  const buf = Buffer.from(`77${text}77`, 'latin1');
  return read(buf, 2, buf.length - 2);
}
const integer = (text: string) => inside(parseInteger, text);
const int64 = (text: string) => inside(parseInt64, text);
const float = (text: string) => inside(parseFloatStrict, text);

function modelInt64(text: string): bigint | null {
  if (!/^(?:0|-?[1-9]\d*)$/.test(text)) return null;
  const n = BigInt(text);
  return BigInt.asIntN(64, n) === n ? n : null;
}

function checkInteger(text: string): void {
  const expected = modelInt64(text);
  expect(int64(text)).toBe(expected);
  const safe = expected !== null && Number.isSafeInteger(Number(expected));
  expect(integer(text)).toBe(safe ? Number(expected) : Number.NaN);
}

describe('whole numbers', () => {
  it.each([
    '',
    '-',
    '+1',
    '-0',
    '00',
    '01',
    '-01',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    '--1',
    '1-',
    '/',
    ':',
    'a',
    '1\0',
    '٣',
  ])('there is none in %j', (text) => {
    expect(int64(text)).toBeNull();
    expect(integer(text)).toBeNaN();
  });

  it.each([
    0n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 62n,
    2n ** 63n - 1n,
    2n ** 63n,
    10n ** 15n,
    10n ** 16n,
    10n ** 18n,
    10n ** 19n - 1n,
    10n ** 19n,
    10n ** 20n,
  ])('reads ±%s where it fits', (n) => {
    for (const value of [n, -n, n + 1n, n - 1n, -n - 1n]) checkInteger(value.toString());
  });

  it('reads as the model does', () => {
    const digits = fc.array(fc.constantFrom(...'0123456789'), { minLength: 0, maxLength: 21 }).map((d) => d.join(''));
    const mangled = fc.array(fc.constantFrom(...'0123456789-+ .'), { maxLength: 6 }).map((d) => d.join(''));
    const text = fc.oneof(
      fc.tuple(fc.constantFrom('', '-'), digits).map((parts) => parts.join('')),
      fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
      mangled,
    );
    fc.assert(fc.property(text, checkInteger), { numRuns: 3000 });
  });

  it('knows the bounds of int64', () => {
    expect([-(2n ** 63n), 2n ** 63n - 1n].every(isInt64)).toBe(true);
    expect([-(2n ** 63n) - 1n, 2n ** 63n].some(isInt64)).toBe(false);
  });

  it('writes what String writes', () => {
    const buf = Buffer.alloc(32);
    const check = (n: number) => {
      buf.fill(120);
      const end = writeInteger(buf, 3, n);
      expect(buf.toString('latin1', 3, end)).toBe(String(n));
      expect(integerBytes(n)).toBe(end - 3);
      expect([buf[2], buf[end]]).toEqual([120, 120]);
    };
    for (let digits = 0; digits < 16; digits++) {
      const power = 10 ** digits;
      for (const n of [power - 1, power, power + 1, 5 * power]) [n, 0 - n].forEach(check);
    }
    [2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 1 - 2 ** 53].forEach(check);
    fc.assert(fc.property(fc.maxSafeInteger(), check), { numRuns: 2000 });
    fc.assert(fc.property(fc.integer({ min: -100_000, max: 100_000 }), check), { numRuns: 1000 });
  });
});

describe('floating point numbers', () => {
  it.each<[string, number]>([
    ['0', 0],
    ['-0', -0],
    ['1', 1],
    ['+1.5', 1.5],
    ['.5', 0.5],
    ['5.', 5],
    ['-.25', -0.25],
    ['1e3', 1000],
    ['1E+3', 1000],
    ['1.5e-3', 0.0015],
    ['00012.50', 12.5],
    ['0.1', 0.1],
    ['123456789012345678', 123456789012345680],
    ['1e22', 1e22],
    ['1e23', 1e23],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['4.9e-324', 5e-324],
    ['0e999999999', 0],
    ['inf', Number.POSITIVE_INFINITY],
    ['+INF', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-infinity', Number.NEGATIVE_INFINITY],
    ['0x10', 16],
    ['-0X1.8p1', -3],
    ['0x.8', 0.5],
    ['0x8.', 8],
    ['0x0p5', 0],
    ['0x1p-1074', 5e-324],
    ['0x1p-1022', 2 ** -1022],
    ['0x1.fffffffffffffp1023', Number.MAX_VALUE],
    ['0x1.fffffffffffff7p1023', Number.MAX_VALUE],
    ['0x1.00000000000008p0', 1],
    ['0x1.00000000000018p0', 1 + 2 ** -51],
    ['0x1.000000000000080000000000001p0', 1 + 2 ** -52],
    ['0x0.00000000000018p-1022', 2 ** -1073],
  ])('%j is %d', (text, value) => {
    expect(float(text)).toBe(value);
  });

  it.each([
    '',
    ' 1',
    '1 ',
    '1x',
    'x',
    '.',
    '-',
    '+',
    '+-1',
    '--1',
    'e5',
    '1e',
    '1e+',
    '1.2.3',
    '1,5',
    'nan',
    '-nan',
    'nan(1)',
    'in',
    'infi',
  ])('there is none in %j', (text) => expect(float(text)).toBeNaN());

  it.each([
    '0x',
    '0x.',
    '0xg',
    '0x1p',
    '0x1p+',
    '1p3',
    '0b1',
    '0o7',
    '1_000',
    '1e400',
    '-1e400',
    '1e-400',
    '0x1p1024',
    '0x1p-1076',
    '1\0',
    '\t1',
  ])('there is none in %j either', (text) => expect(float(text)).toBeNaN());

  it('reads back what is written', () => {
    const finite = fc.oneof(
      fc.double({ noNaN: true }),
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.maxSafeInteger().map((n) => n / 1000),
      fc.integer().map((n) => n * 2 ** 40),
    );
    fc.assert(
      fc.property(finite, (x) => {
        expect(float(formatDouble(x))).toBe(x);
        expect(float(formatG17(x))).toBe(x);
        if (Number.isFinite(x)) {
          expect(float(String(x))).toBe(x + 0);
          expect(float(x.toExponential())).toBe(x + 0);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('reads short decimals as JavaScript does', () => {
    const decimal = fc.tuple(fc.nat(999_999_999), fc.nat(9_999_999)).map(([a, b]) => `${a}.${b}`);
    fc.assert(
      fc.property(decimal, (text) => {
        expect(float(text)).toBe(Number(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('formatDouble', () => {
  it.each<[number, string]>([
    [0, '0'],
    [-0, '-0'],
    [1, '1'],
    [-1.5, '-1.5'],
    [0.1, '0.1'],
    [0.1 + 0.2, '0.30000000000000004'],
    [3.0e-5, '0.00003'],
    [1e-6, '0.000001'],
    [1e-7, '1e-7'],
    [1.5e-7, '1.5e-7'],
    [0.00012345678, '1.2345678e-4'],
    [0.0012345678, '0.0012345678'],
    [12345.678, '12345.678'],
    [1234.56789012, '1234.56789012'],
    [123456.789012, '123456.789012'],
    [12345.6789012, '1.23456789012e+4'],
    [1e18, '1000000000000000000'],
    [2 ** 62, '4611686018427387904'],
    [2 ** 63, '9223372036854776000'],
    [-(2 ** 63), '-9223372036854776000'],
    [1e19, '1e+19'],
    [1e21, '1e+21'],
    [1e300, '1e+300'],
    [1.25e-300, '1.25e-300'],
    [5e-324, '5e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [Number.NaN, 'nan'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ])('%d is %s', (x, text) => {
    expect(formatDouble(x)).toBe(text);
  });
});

describe('formatG17', () => {
  it.each<[number, string]>([
    [0, '0'],
    [-0, '-0'],
    [3.1, '3.1000000000000001'],
    [0.1, '0.10000000000000001'],
    [1.5, '1.5'],
    [100, '100'],
    [1e-4, '0.0001'],
    [1e-5, '1.0000000000000001e-05'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [1.5e300, '1.5000000000000001e+300'],
    [5e-324, '4.9406564584124654e-324'],
    // ties at the seventeenth digit go to the even one
    [562949953421311 + 1 / 8, '562949953421311.12'],
    [562949953421311 + 3 / 8, '562949953421311.38'],
    [Number.NEGATIVE_INFINITY, '-inf'],
    [Number.NaN, 'nan'],
  ])('%d is %s', (x, text) => {
    expect(formatG17(x)).toBe(text);
  });
});
