/** Random commands on hashes. Keys and fields are few, some values are long and some hashes large, so that both forms occur. */
import fc from 'fast-check';
import {
  float,
  integer,
  key,
  keys,
  maybe,
  oneOf,
  options,
  pair,
  type Row,
  several,
  type Words,
  word,
} from './arbitrary-parts.ts';

const hashKey = fc.oneof({ weight: 6, arbitrary: oneOf('h:1', 'h:2', '{t}h', 'h:3') }, { weight: 1, arbitrary: key });
const field = fc.oneof(
  { weight: 8, arbitrary: oneOf('a', 'b', 'c', 'foo', 'bar', '1', '-5', '10000', '', '\xff\x00') },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 600 }).map((n) => `f${n}`) },
  { weight: 1, arbitrary: oneOf('x'.repeat(64), 'x'.repeat(65), '12345678901234567890', 'y'.repeat(300)) },
);
const value = fc.oneof(
  { weight: 6, arbitrary: oneOf('', 'v', 'hello', '0', '10', '-7', '3.25', '1e3', '9223372036854775807', '0x10') },
  { weight: 3, arbitrary: integer },
  { weight: 1, arbitrary: oneOf('x'.repeat(64), 'x'.repeat(65), 'z'.repeat(5000)) },
);
const pairs = several(fc.tuple(field, value), 4);
const fields = several(
  field.map((text): Words => [text]),
  4,
);
const manyPairs = fc
  .tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 300, max: 520 }))
  .map(([from, many]): Words => Array.from({ length: many }, (_, i) => [`f${from + i}`, String(i * 37)]).flat());
const count = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 6 }).map(String) },
  { weight: 1, arbitrary: oneOf('-1', '-3', 'x', '9223372036854775807', '-9223372036854775808', '1000') },
);
const withValues = maybe(oneOf('WITHVALUES', 'withvalues', 'WITHSCORES'));

export const HASHES: readonly Row[] = [
  ['HSET', hashKey, pairs],
  ['HSET', hashKey, pairs],
  ['HSET', hashKey, field, value],
  ['HSET', hashKey, manyPairs],
  ['HMSET', hashKey, pairs],
  ['HSETNX', hashKey, field, value],
  ['HGET', hashKey, field],
  ['HMGET', hashKey, fields],
  ['HDEL', hashKey, fields],
  ['HDEL', hashKey, fields],
  ['HLEN', fc.oneof(hashKey, key)],
  ['HSTRLEN', hashKey, field],
  ['HEXISTS', hashKey, field],
  ['HKEYS', hashKey],
  ['HVALS', hashKey],
  ['HGETALL', fc.oneof(hashKey, key)],
  ['HINCRBY', hashKey, field, integer],
  ['HINCRBYFLOAT', hashKey, field, float],
  ['HRANDFIELD', hashKey],
  ['HRANDFIELD', hashKey, count, withValues],
  ['HSCAN', hashKey, word('0'), pair('COUNT', word('5000')), options(pair('MATCH', oneOf('*', 'f*', 'a', '[')))],
  ['HSCAN', hashKey, oneOf('x', '-', '1.5', ''), pair('COUNT', word('5000'))],
  ['HSCAN', hashKey, word('0'), pair('COUNT', oneOf('0', '-1', 'x')), maybe(word('TYPE'))],
  ['OBJECT', word('ENCODING'), hashKey],
  ['TYPE', hashKey],
  ['COPY', hashKey, hashKey, maybe(word('REPLACE'))],
  ['RENAME', hashKey, hashKey],
  ['DEL', keys(1), hashKey],
];
