/** What Redis itself reads and writes, asked of a stock redis-server. Skipped where none is installed. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Args } from '../../../src/resp/args.ts';
import { addLongDoubles, formatLongDouble, parseLongDouble } from '../../../src/resp/long-double.ts';
import { formatG17, parseFloatStrict, parseInt64 } from '../../../src/resp/numbers.ts';
import { PROTOCOL_ERROR, RequestReader } from '../../../src/resp/request-reader.ts';
import { plain } from './reply-parser.ts';
import { StockRedis, stockRedisInstalled } from './stock-redis.ts';

const NO_FLOAT = 'ERR value is not a valid float';

function sample<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { numRuns: count });
}

const digits = (least: number, most: number) =>
  fc.array(fc.constantFrom(...'0123456789'), { minLength: least, maxLength: most }).map((d) => d.join(''));
const decimal = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    digits(0, 24),
    fc.constantFrom('', '.'),
    digits(0, 22),
    fc.constantFrom('', '', '', 'e5', 'E-3', 'e+20', 'e-25', 'e300', 'e-4000', 'e4900'),
  )
  .map((parts) => parts.join(''));
const hexadecimal = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.bigInt({ min: 0n, max: 2n ** 80n }),
    fc.constantFrom('', '.8', '.fffffffff', '.'),
    fc.constantFrom('', 'p3', 'P-20', 'p+60', 'p'),
  )
  .map(([sign, n, fraction, exponent]) => `${sign}0x${n.toString(16)}${fraction}${exponent}`);
const oddity = fc.constantFrom(
  '',
  ' 1',
  '1 ',
  'inf',
  '-inf',
  '+Infinity',
  'nan',
  'x',
  '1e',
  '.',
  '-',
  '0x',
  '0x.',
  '1\0',
  '1e99999',
  '1e-99999',
  '-0',
  '0',
);
const simple = fc.tuple(fc.integer({ min: -99_999, max: 99_999 }), digits(1, 6)).map(([a, b]) => `${a}.${b}`);
const numberText = fc.oneof({ weight: 4, arbitrary: decimal }, { weight: 4, arbitrary: simple }, hexadecimal, oddity);

describe.skipIf(!stockRedisInstalled())('beside a stock redis-server', () => {
  const redis = new StockRedis();
  beforeAll(() => redis.start());
  afterAll(() => redis.stop());

  it('adds long doubles to the last digit (INCRBYFLOAT)', async () => {
    const pairs = sample(fc.tuple(numberText, numberText), 4000);
    const replies = await redis.commands(
      pairs.flatMap(([a, b]) => [
        ['SET', 'k', a],
        ['INCRBYFLOAT', 'k', b],
      ]),
    );
    pairs.forEach(([a, b], i) => {
      const reply = plain(replies[2 * i + 1]);
      const theirs = reply instanceof Error ? reply.message : reply;
      const [x, y] = [a, b].map((text) => parseLongDouble(Buffer.from(text, 'latin1'), 0, text.length));
      let ours = NO_FLOAT;
      if (x !== null && y !== null) {
        const sum = addLongDoubles(x, y);
        ours = sum.range === 'finite' ? formatLongDouble(sum) : 'ERR increment would produce NaN or Infinity';
      }
      expect({ a, b, sum: ours }).toEqual({ a, b, sum: theirs });
    });
  });

  it('reads doubles as ZADD does, and writes %.17g as ZSCORE of Redis 7.0 does', async () => {
    const bits = fc.double({ noNaN: true }).map((x) => (Number.isFinite(x) ? x.toExponential() : '1'));
    const texts = sample(fc.oneof(numberText, bits), 4000);
    const replies = await redis.commands(
      texts.flatMap((text) => [
        ['DEL', 'z'],
        ['ZADD', 'z', text, 'm'],
        ['ZSCORE', 'z', 'm'],
      ]),
    );
    texts.forEach((text, i) => {
      const score = plain(replies[3 * i + 2]);
      const ours = parseFloatStrict(Buffer.from(text, 'latin1'), 0, text.length);
      expect({ text, score: Number.isNaN(ours) ? null : formatG17(ours + 0) }).toEqual({ text, score });
    });
  });

  it('reads whole numbers as INCRBY does', async () => {
    const edges = [0n, 2n ** 63n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 63n) - 1n, 10n ** 19n].map(String);
    const texts = [
      ...edges,
      ...sample(
        fc.oneof(decimal, oddity, digits(0, 21), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String)),
        2000,
      ),
    ];
    const replies = await redis.commands(
      texts.flatMap((text) => [
        ['SET', 'n', '0'],
        ['INCRBY', 'n', text],
        ['GET', 'n'],
      ]),
    );
    texts.forEach((text, i) => {
      const reply = plain(replies[3 * i + 1]);
      const theirs = reply instanceof Error ? null : plain(replies[3 * i + 2]);
      const ours = parseInt64(Buffer.from(text, 'latin1'), 0, text.length);
      expect({ text, value: ours === null ? null : ours.toString() }).toEqual({ text, value: theirs });
    });
  });

  it('splits inline commands the same way', async () => {
    const character = fc.constantFrom(...'ab0fxn\\\\\\""\'\' \t\v\f', '\xff');
    const lines = sample(
      fc.array(character, { minLength: 1, maxLength: 20 }).map((c) => c.join('')),
      600,
    );
    for (const line of lines) {
      const request = Buffer.from(`EVAL "return ARGV" 0 ${line}\r\n`, 'latin1');
      const [reply] = await redis.exchange(request, 1);
      const args = new Args();
      const reader = new RequestReader();
      const outcome = reader.read(request, 0, request.length, args);
      const ours =
        outcome === PROTOCOL_ERROR
          ? `ERR ${reader.error}`
          : Array.from({ length: args.count }, (_, i) => args.text(i)).slice(3);
      const theirs = plain(reply);
      expect({ line, ours }).toEqual({ line, ours: theirs instanceof Error ? theirs.message : theirs });
    }
  });

  it.each([
    '*3\r\n$3\r\nSET\r\n:1\r\n',
    '*1\r\n\r\n\r\n',
    '*x\r\n',
    '*01\r\n',
    '*-0\r\n',
    '*2147483648\r\n',
    '*1\r\n$-1\r\n',
    '*1\r\n$01\r\n',
    '*1\r\n$+1\r\n',
    '*1\r\n$536870913\r\n',
    '*1\r\n$99999999999999999999\r\n',
    '*1\rX$4\rYPINGZZ',
    '*0\r\n*-5\r\n\r\n\n   \r\nPING\r\n',
    `*${'1'.repeat(70_000)}`,
    `*1\r\n$${'1'.repeat(70_000)}`,
    `*1\r\n${'x'.repeat(70_000)}`,
    'x'.repeat(70_000),
    `a\0\r\n${'x'.repeat(70_000)}`,
    '"a"b\r\n',
  ])('answers %.40j the same way', async (text) => {
    const [reply] = await redis.exchange(text, 1);
    const bytes = Buffer.from(text, 'latin1');
    const reader = new RequestReader();
    const args = new Args();
    let pos = 0;
    do {
      pos = reader.read(bytes, pos, bytes.length, args);
    } while (pos >= 0 && args.count === 0);
    const ours =
      pos === PROTOCOL_ERROR
        ? `ERR ${reader.error.replace(/[\r\n]/g, ' ')}`
        : args.text(0) === 'PING'
          ? 'PONG'
          : args.text(0);
    const theirs = plain(reply);
    expect(ours).toBe(theirs instanceof Error ? theirs.message : theirs);
  });
});
