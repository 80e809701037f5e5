/**
 * Random commands on sorted sets. Scores are sums of few powers of two: 7.0 writes all others with 17 digits. Keys and members are few, so that sets meet; some members are long or many, so that both forms
 * occur. Ranges by bytes mostly ask for sets of equal scores, for others promise nothing.
 */
import fc from 'fast-check';
import {
  integer,
  key,
  keys,
  maybe,
  oneOf,
  options,
  type Part,
  pair,
  type Row,
  several,
  type Words,
  word,
} from './arbitrary-parts.ts';
import { patience } from './list-arbitraries.ts';

const setKey = fc.oneof({ weight: 6, arbitrary: oneOf('z:1', 'z:2', '{t}z', 'z:3') }, { weight: 1, arbitrary: key });
/** Sets of equal scores. */
const lexKey = oneOf('lex:1', 'lex:2', '{t}lex');
const member = fc.oneof(
  { weight: 8, arbitrary: oneOf('a', 'b', 'c', 'd', 'e', 'foo', 'bar', '1', '-5', '10000', '', 'ab', '\xff\x00') },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 400 }).map((n) => `m${n}`) },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(64), 'x'.repeat(65), '12345678901234567890', 'y'.repeat(300)) },
);
const score = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -5, max: 20 }).map(String) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('0.5', '1.25', '-2.75', '1e10', 'inf', '-inf', '+inf', '3.0', '1099511627776.5'),
  },
  { weight: 1, arbitrary: fc.constantFrom('nan', '1e5000', ' 2', '1_0', 'x', '', '0x1p3', '5.', '-.5', '1e-400') },
);
const scoreEnd = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(oneOf('', '', '('), score).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.constantFrom('-inf', '+inf', '(', '', 'nan', '((1', '[1', ' 1', '1 ', '1e400', '(-inf') },
);
const lexEnd = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(oneOf('[', '('), member).map((parts) => parts.join('')) },
  { weight: 3, arbitrary: fc.constantFrom('-', '+') },
  { weight: 1, arbitrary: fc.constantFrom('', 'a', '--', '+x', '[', '(') },
);
const rank = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -12, max: 12 }).map(String) },
  { weight: 1, arbitrary: integer },
);
const count = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 6 }).map(String) },
  { weight: 1, arbitrary: oneOf('-1', 'x', '9223372036854775807', '1000') },
);
const limit = fc.tuple(
  word('LIMIT'),
  oneOf('0', '0', '1', '2', '5', '-1', 'x'),
  oneOf('0', '1', '2', '10', '-1', '-5'),
);
const pairs = several(fc.tuple(score, member), 6);
const manyPairs: Part = fc
  .tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 100, max: 200 }), fc.integer({ min: 1, max: 40 }))
  .map(
    ([from, many, scores]): Words =>
      Array.from({ length: many }, (_, i) => [String((i * 7) % scores), `m${from + i}`]).flat(),
  );
const addOptions = options(oneOf('NX', 'XX'), oneOf('GT', 'LT'), word('CH'), oneOf('INCR', 'nx'));
const fewOptions = options(oneOf('NX', 'XX', 'GT', 'LT'), word('CH'));
/** Sets count as sorted sets of scores 1. */
const input = fc.oneof({ weight: 5, arbitrary: setKey }, { weight: 2, arbitrary: oneOf('s:1', 's:2') });
const inputs: Part = fc
  .array(input, { minLength: 1, maxLength: 3 })
  .map((some): Words => [String(some.length), ...some]);
const oddInputs: Part = fc
  .tuple(oneOf('0', '-1', 'x', '1', '2', '4', '100'), fc.array(setKey, { maxLength: 3 }))
  .map(([n, some]) => [n, ...some]);
const weights = several(fc.tuple(oneOf('1', '2', '-1', '0', '0.5', 'inf', 'x')), 3);
const aggregate = oneOf('SUM', 'MIN', 'MAX', 'sum', 'AVG');
const combineOptions = options(
  weights.map((some): Words => ['WEIGHTS', ...some]),
  pair('AGGREGATE', aggregate),
);
const withScores = maybe(word('WITHSCORES'));
const combined = fc.oneof({ weight: 6, arbitrary: inputs }, { weight: 1, arbitrary: oddInputs });

export const SORTED_SETS: readonly Row[] = [
  ['ZADD', setKey, pairs],
  ['ZADD', setKey, pairs],
  ['ZADD', setKey, manyPairs],
  ['ZADD', setKey, fewOptions, pairs],
  ['ZADD', setKey, addOptions, fc.tuple(score, member)],
  [
    'ZADD',
    lexKey,
    several(
      member.map((text): Words => ['0', text]),
      6,
    ),
  ],
  ['ZINCRBY', setKey, score, member],
  [
    'ZREM',
    fc.oneof(setKey, lexKey),
    several(
      member.map((text): Words => [text]),
      5,
    ),
  ],
  [
    'SADD',
    oneOf('s:1', 's:2'),
    several(
      member.map((text): Words => [text]),
      6,
    ),
  ],
  ['ZCARD', fc.oneof(setKey, key)],
  ['ZSCORE', setKey, member],
  [
    'ZMSCORE',
    setKey,
    several(
      member.map((text): Words => [text]),
      5,
    ),
  ],
  ['ZCOUNT', setKey, scoreEnd, scoreEnd],
  ['ZLEXCOUNT', lexKey, lexEnd, lexEnd],
  ['ZRANK', setKey, member],
  ['ZREVRANK', setKey, member],
  ['ZRANGE', setKey, rank, rank, options(word('REV'), word('WITHSCORES'))],
  ['ZRANGE', setKey, scoreEnd, scoreEnd, word('BYSCORE'), options(word('REV'), word('WITHSCORES'), limit)],
  ['ZRANGE', lexKey, lexEnd, lexEnd, word('BYLEX'), options(word('REV'), word('WITHSCORES'), limit)],
  ['ZRANGE', setKey, rank, rank, options(word('REV'), word('BYSCORE'), word('BYLEX'), limit, word('NOPE'))],
  ['ZRANGESTORE', setKey, setKey, rank, rank, maybe(word('REV'))],
  ['ZRANGESTORE', setKey, setKey, scoreEnd, scoreEnd, word('BYSCORE'), options(word('REV'), limit)],
  ['ZRANGESTORE', lexKey, lexKey, lexEnd, lexEnd, word('BYLEX'), options(word('REV'), limit, word('WITHSCORES'))],
  ['ZRANGEBYSCORE', setKey, scoreEnd, scoreEnd, options(word('WITHSCORES'), limit)],
  ['ZREVRANGEBYSCORE', setKey, scoreEnd, scoreEnd, options(word('WITHSCORES'), limit)],
  ['ZRANGEBYLEX', lexKey, lexEnd, lexEnd, options(limit, word('REV'))],
  ['ZREVRANGEBYLEX', lexKey, lexEnd, lexEnd, options(limit)],
  ['ZREVRANGE', setKey, rank, rank, withScores],
  ['ZREMRANGEBYRANK', setKey, rank, rank],
  ['ZREMRANGEBYSCORE', setKey, scoreEnd, scoreEnd],
  ['ZREMRANGEBYLEX', lexKey, lexEnd, lexEnd],
  ['ZPOPMIN', setKey, maybe(count)],
  ['ZPOPMAX', setKey, maybe(count)],
  ['ZMPOP', combined, oneOf('MIN', 'MAX', 'max', 'MID'), options(pair('COUNT', count), word('COUNT'))],
  ['BZPOPMIN', fc.oneof(setKey, key), patience],
  ['BZPOPMAX', keys(1), setKey, patience],
  ['BZMPOP', patience, combined, oneOf('MIN', 'MAX', 'max', 'MID'), options(pair('COUNT', count), word('COUNT'))],
  ['ZRANDMEMBER', setKey, maybe(fc.tuple(count, withScores).map((found): Words => found.flat()))],
  ['ZUNION', combined, combineOptions, withScores],
  ['ZINTER', combined, combineOptions, withScores],
  ['ZDIFF', combined, withScores],
  ['ZINTERCARD', combined, options(pair('LIMIT', count))],
  ['ZUNIONSTORE', setKey, combined, combineOptions],
  ['ZINTERSTORE', setKey, combined, combineOptions],
  ['ZDIFFSTORE', setKey, combined],
  ['ZSCAN', setKey, word('0'), pair('COUNT', word('5000')), options(pair('MATCH', oneOf('*', 'm*', 'a', '[')))],
  ['ZSCAN', setKey, oneOf('x', '-', '1.5', ''), pair('COUNT', word('5000'))],
  ['ZSCAN', setKey, word('0'), pair('COUNT', oneOf('0', '-1', 'x')), maybe(word('TYPE'))],
  ['OBJECT', word('ENCODING'), setKey],
  ['DEL', keys(1), setKey],
];
