/**
 * Random commands on lists. Keys are few, so that lists meet; elements are few, so that they are found, and some are as long as a
 * node or longer, or come in hundreds, so that both forms and every change between them occur.
 */
import fc from 'fast-check';
import { integer, key, maybe, oneOf, options, type Part, pair, type Row, type Words, word } from './arbitrary-parts.ts';

const ownKey = oneOf('l:1', 'l:1', 'l:2', '{t}l');
const readKey = fc.oneof({ weight: 10, arbitrary: ownKey }, { weight: 1, arbitrary: key });
const element = fc.oneof(
  { weight: 6, arbitrary: oneOf('a', 'b', 'c', 'foo', '', '1', '2', '-5', '4096', '70000', '01', '\xff\x00') },
  { weight: 1, arbitrary: integer },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 }).map((n) => `e${n}`) },
  { weight: 1, arbitrary: oneOf('x'.repeat(64), 'y'.repeat(300), 'z'.repeat(4090), 'w'.repeat(9000)) },
);
const elements: Part = fc.array(element, { minLength: 1, maxLength: 6 });
const many: Part = fc
  .tuple(fc.integer({ min: -300, max: 300 }), fc.constantFrom(20, 130, 700), oneOf('', 'element ', 'e'.repeat(60)))
  .map(([from, count, prefix]): Words => Array.from({ length: count }, (_, i) => `${prefix}${from + (i % 97)}`));
const index = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -12, max: 12 }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: -900, max: 900 }).map(String) },
  { weight: 1, arbitrary: integer },
);
const count = oneOf('0', '1', '1', '2', '3', '10', '200', '5000', '-1', 'x', '9223372036854775808');
const end = oneOf('LEFT', 'RIGHT', 'left', 'Right', 'LEFT', 'RIGHT', 'MIDDLE');
const positionOptions = options(
  pair('RANK', oneOf('1', '2', '-1', '-3', '0', 'x', '9223372036854775807', '-9223372036854775808')),
  pair('COUNT', oneOf('0', '1', '2', '100', '-1', 'x')),
  pair('MAXLEN', oneOf('0', '1', '10', '500', '-1', 'x')),
  oneOf('RANK', 'FROM'),
);
const sources: Part = fc
  .array(readKey, { minLength: 1, maxLength: 3 })
  .map((some): Words => [String(some.length), ...some]);
const oddSources: Part = fc
  .tuple(oneOf('0', '-1', 'x', '1', '2', '4', '100'), fc.array(ownKey, { maxLength: 3 }))
  .map(([n, some]): Words => [n, ...some]);

/** Short, or refused: nobody else pushes while a client of a run waits. */
export const patience = oneOf('0.001', '0.002', '1e-3', '-1', 'x', '');
const blockKeys: Part = fc.array(readKey, { minLength: 1, maxLength: 3 });

export const LISTS: readonly Row[] = [
  ...(['RPUSH', 'LPUSH', 'RPUSH', 'LPUSH'] as const).map((name): Row => [name, ownKey, elements]),
  ['RPUSH', ownKey, many],
  ['LPUSH', ownKey, many],
  ['RPUSHX', readKey, elements],
  ['LPUSHX', readKey, elements],
  ['LPOP', readKey, maybe(count)],
  ['RPOP', readKey, maybe(count)],
  ['LLEN', readKey],
  ['LINDEX', readKey, index],
  ['LSET', readKey, index, element],
  ['LSET', ownKey, index, element],
  ['LINSERT', readKey, oneOf('BEFORE', 'AFTER', 'before', 'NEAR'), element, element],
  ['LINSERT', ownKey, oneOf('BEFORE', 'AFTER'), element, element],
  ['LRANGE', readKey, index, index],
  ['LRANGE', ownKey, word('0'), word('-1')],
  ['LTRIM', readKey, index, index],
  ['LTRIM', ownKey, oneOf('1', '0', '5', '-400'), oneOf('-2', '-1', '400', '50')],
  ['LREM', readKey, index, element],
  ['LREM', ownKey, oneOf('0', '1', '-1', '-2'), element],
  ['LPOS', readKey, element, positionOptions],
  ['LMOVE', readKey, ownKey, end, end],
  ['LMOVE', ownKey, ownKey, end, end],
  ['RPOPLPUSH', readKey, readKey],
  ['LMPOP', fc.oneof(sources, oddSources), end, options(pair('COUNT', count), oneOf('COUNT', 'NOPE'))],
  ['LMPOP', sources, end, maybe(pair('COUNT', count))],
  ['BLPOP', blockKeys, patience],
  ['BRPOP', blockKeys, patience],
  ['BLMOVE', readKey, ownKey, end, end, patience],
  ['BRPOPLPUSH', readKey, ownKey, patience],
  ['BLMPOP', patience, fc.oneof(sources, oddSources), end, options(pair('COUNT', count), oneOf('COUNT', 'NOPE'))],
  ['OBJECT', word('ENCODING'), ownKey],
  ['DEL', ownKey],
];
