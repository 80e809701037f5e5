/** What arbitraries of commands are made of: keys, numbers, texts, optional and repeated parts, rows of a command and its arguments. */
import fc from 'fast-check';

export type Words = readonly string[];

export type Part = fc.Arbitrary<string | Words>;

/** A command and its arguments. */
export type Row = readonly [string, ...Part[]];

// some of them share a hash tag, the others are spread over the shards
export const KEYS: Words = [
  'a',
  'b',
  'c',
  'key:1',
  'key:2',
  '{t}1',
  '{t}2',
  '{t}3',
  'é\xff\x00',
  '',
  'long'.repeat(30),
  '*',
  'h?llo',
];
// mostly a few, so that commands meet keys that exist
export const key = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...KEYS.slice(0, 4)) },
  { weight: 1, arbitrary: fc.constantFrom(...KEYS) },
);
export const keys = (max: number) => fc.array(key, { minLength: 1, maxLength: max });

export const integer = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -20, max: 300 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '9007199254740993', '4294967296'],
      ...[
        '-9007199254740995',
        '2147483648',
        '-0',
        '+1',
        '01',
        ' 1',
        '1 ',
        '',
        '1.0',
        'x',
        '0x10',
        '99999999999999999999',
      ],
    ),
  },
);
export const float = fc.oneof(
  fc.double({ noNaN: true, min: -1e6, max: 1e6 }).map((x) => x.toFixed(3)),
  integer,
  fc.constantFrom('3.0e3', '1e-10', '-.5', '5.', '1e5000', 'inf', '-inf', 'nan', '0x1p3', '1e17', '0.1', ' 2', '1_0'),
);
export const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array).toString('latin1'));

export const word = (text: string) => fc.constant(text);
export const oneOf = (...texts: string[]) => fc.constantFrom(...texts);
export const maybe = (part: Part): Part => fc.option(part, { nil: [] });

/** Some of these options, in any order. */
export function options(...parts: Part[]): fc.Arbitrary<Words> {
  const chosen = fc.shuffledSubarray(parts, { maxLength: Math.min(3, parts.length) });
  return chosen.chain((some) => fc.tuple(...some)).map((found): Words => found.flat());
}

export function pair(name: string, argument: Part): Part {
  return argument.map((text): Words => [name, text].flat());
}

export const several = (part: fc.Arbitrary<Words>, max: number): Part =>
  fc.array(part, { maxLength: max }).map((found): Words => found.flat());

export function fromRows(rows: readonly Row[]): fc.Arbitrary<Words> {
  return fc.oneof(...rows.map(([name, ...parts]) => fc.tuple(...parts).map((found) => [name, ...found.flat()])));
}
