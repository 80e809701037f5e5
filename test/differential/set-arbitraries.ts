/**
 * Random commands on sets. Keys and members are few, so that sets meet; some members are long or many, so that all forms occur. What
 * takes members out by chance takes all or none: otherwise the two servers would go different ways.
 */
import fc from 'fast-check';
import { integer, key, maybe, oneOf, options, type Part, pair, type Row, type Words, word } from './arbitrary-parts.ts';

const ownKey = oneOf('s:1', 's:2', '{t}s', 's:3');
const readKey = fc.oneof({ weight: 8, arbitrary: ownKey }, { weight: 1, arbitrary: key });
const member = fc.oneof(
  { weight: 6, arbitrary: oneOf('a', 'b', 'c', 'foo', '', '1', '2', '3', '-5', '70000', '01', '\xff\x00') },
  { weight: 2, arbitrary: fc.integer({ min: -40, max: 40 }).map(String) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 200 }).map((n) => `m${n}`) },
  { weight: 1, arbitrary: integer },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(64), 'x'.repeat(65), 'y'.repeat(300), '9007199254740993') },
);
const members: Part = fc.array(member, { minLength: 1, maxLength: 6 });
const many: Part = fc
  .tuple(fc.integer({ min: -300, max: 300 }), fc.constantFrom(20, 127, 129, 520), oneOf('', '', 'm'))
  .map(([from, count, prefix]): Words => Array.from({ length: count }, (_, i) => `${prefix}${from + i}`));
const sources: Part = fc.array(readKey, { minLength: 1, maxLength: 4 });
const count = oneOf('0', '1', '3', '5000', '-1', 'x', '9223372036854775808');
const limit = oneOf('0', '1', '2', '100', '-1', 'x');

export const SETS: readonly Row[] = [
  ['SADD', ownKey, members],
  ['SADD', ownKey, members],
  ['SET', ownKey, member],
  ['SADD', ownKey, many],
  ['SREM', readKey, members],
  ['SREM', ownKey, many],
  ['SISMEMBER', readKey, member],
  ['SMISMEMBER', readKey, members],
  ['SCARD', readKey],
  ['SMEMBERS', readKey],
  ['SPOP', readKey, oneOf('0', '5000', '-1', 'x')],
  ['SRANDMEMBER', readKey, maybe(count)],
  ['SRANDMEMBER', readKey, oneOf('-3', '-9223372036854775808', '-0', '1', '2'), maybe(word('x'))],
  ['SMOVE', readKey, ownKey, member],
  ['SINTER', sources],
  ['SUNION', sources],
  ['SDIFF', sources],
  ['SINTERSTORE', ownKey, sources],
  ['SUNIONSTORE', ownKey, sources],
  ['SDIFFSTORE', ownKey, sources],
  [
    'SINTERCARD',
    fc.array(readKey, { minLength: 1, maxLength: 3 }).map((some): Words => [String(some.length), ...some]),
    options(pair('LIMIT', limit), word('LIMIT')),
  ],
  ['SINTERCARD', oneOf('0', '-1', 'x', '1', '9'), sources],
  ['SSCAN', readKey, word('0'), pair('COUNT', word('50000')), options(pair('MATCH', oneOf('*', 'm*', '1?', '[')))],
  ['SSCAN', readKey, oneOf('x', '-', ''), pair('COUNT', oneOf('5000', '0'))],
  ['OBJECT', word('ENCODING'), ownKey],
  ['DEL', ownKey],
];

/** Is this one of the keys that only commands on sets fill? */
export function isSetKey(name: string): boolean {
  return name.startsWith('s:') || name === '{t}s';
}
