/**
 * Random SORTs over lists, sets and sorted sets of few elements, by and with what lies at keys made out of them. Where Redis leaves
 * an order open (equal weights as text; sets that keep their own order) nothing is asked that would show it.
 */
import fc from 'fast-check';
import { key, oneOf, options, type Part, pair, type Row, several, type Words, word } from './arbitrary-parts.ts';

const listKey = oneOf('so:l1', '{t}so:l2');
const setKey = oneOf('so:s1', '{t}so:s2');
const sortedSetKey = oneOf('so:z1');
const target = oneOf('so:d1', '{t}so:d2', 'so:l1');
const element = oneOf('1', '2', '3', '10', '-4', '2.5', '7', '9007199254740993', '30');
const word3 = oneOf('a', 'b', 'c', 'foo', 'B', '', '\xff', 'a b');
const anyElement = fc.oneof({ weight: 5, arbitrary: element }, { weight: 1, arbitrary: word3 });
const elements: Part = fc.array(element, { minLength: 1, maxLength: 6 });
const anyElements: Part = fc.array(anyElement, { minLength: 1, maxLength: 4 });
const weightKey = element.map((one) => `w_${one}`);
const hashKey = element.map((one) => `h_${one}`);
const number = oneOf('5', '-1.5', '1e3', 'inf', ' 7', '0x10', '3', '3', '');
const noNumber = oneOf('x', '7 ', 'nan', '1_0');
const limit: Part = fc.tuple(
  word('LIMIT'),
  oneOf('0', '1', '2', '100', '-1', 'x'),
  oneOf('0', '1', '2', '-1', '100', '-5'),
);
const direction = oneOf('ASC', 'DESC', 'desc');
const get = pair('GET', oneOf('#', 'w_*', 'h_*->f', 'h_*->', 'w_x', '*', 'h_*->g', 'so:*'));
const gets: Part = several(
  get.map((one): Words => [one].flat()),
  2,
);
const by = pair('BY', oneOf('w_*', 'h_*->f', 'none_*', 'h_*->', 'w_*->f'));
const store = pair('STORE', target);
const nosort = pair('BY', oneOf('nosort', 'x', ''));

export const SORTS: readonly Row[] = [
  ['RPUSH', listKey, elements],
  ['RPUSH', listKey, anyElements],
  ['SADD', setKey, elements],
  ['SADD', setKey, anyElements],
  ['ZADD', sortedSetKey, several(fc.tuple(oneOf('1', '2', '3', '3.5'), anyElement), 5)],
  ['SET', weightKey, number],
  ['SET', weightKey, number],
  ['SET', weightKey, noNumber],
  ['HSET', hashKey, oneOf('f', 'g'), number],
  ['SORT', fc.oneof(listKey, setKey, sortedSetKey), options(direction, limit, gets)],
  ['SORT', fc.oneof(listKey, setKey, sortedSetKey), options(direction, limit, gets), word('ALPHA')],
  ['SORT', fc.oneof(listKey, setKey, sortedSetKey), options(direction, limit, by, gets)],
  ['SORT', fc.oneof(listKey, sortedSetKey), options(direction, limit, nosort, gets)],
  ['SORT', listKey, by, word('ALPHA'), options(direction, gets)],
  ['SORT', fc.oneof(listKey, setKey, sortedSetKey), options(direction, limit, by, gets, store)],
  ['SORT', fc.oneof(listKey, setKey, sortedSetKey), options(direction, nosort, gets, store), store],
  ['SORT_RO', fc.oneof(listKey, setKey, sortedSetKey, key), options(direction, limit, word('ALPHA'), gets)],
  ['SORT_RO', listKey, options(direction, store, word('NOPE'), word('BY'), word('LIMIT'))],
  ['LRANGE', target, word('0'), word('-1')],
  ['DEL', fc.oneof(target, weightKey)],
];

/** Is this one of the keys that only these commands fill? */
export function isSortKey(name: string): boolean {
  return name.includes('so:');
}
