/** Random commands on HyperLogLogs; now and then GET compares their bytes. Some values are made up or damaged. */
import fc from 'fast-check';
import { key, oneOf, type Part, type Row, type Words, word } from './arbitrary-parts.ts';

const ownKey = oneOf('hll:1', 'hll:2', '{t}hll', 'hll:3');
const readKey = fc.oneof({ weight: 10, arbitrary: ownKey }, { weight: 1, arbitrary: key });
const element = fc.oneof(
  oneOf('a', 'b', 'c', '', 'longer than eight bytes', '12345678', '\xff\x00\x80', 'x'.repeat(33)),
  fc.integer({ min: 0, max: 5000 }).map((n) => `e${n}`),
);
const elements: Part = fc.array(element, { maxLength: 5 });
const many: Part = fc
  .tuple(fc.integer({ min: 0, max: 100_000 }), fc.constantFrom(50, 400, 1500))
  .map(([from, count]): Words => Array.from({ length: count }, (_, i) => `many ${from + i}`));
const header = (encoding: string) => `HYLL${encoding}\0\0\0${'\0'.repeat(7)}\x80`;
const madeUp = fc.constantFrom(
  `${header('\x01')}\x7f\xff`,
  `${header('\x01')}\x7f\xfe\x80`,
  `${header('\x01')}\x7f\xfd\x80\x80`,
  `${header('\x01')}${'\x3f'.repeat(255)}\x3e\xfc`,
  `${header('\x00')}${'\0'.repeat(12288)}`,
  `${header('\x00')}${'\x41'.repeat(12288)}`,
  // damaged ones: other lengths, encodings, words
  `${header('\x00')}${'\0'.repeat(12287)}`,
  `${header('\x02')}\x7f\xff`,
  'HYLL',
  'hello',
);

export const HYPER_LOG_LOGS: readonly Row[] = [
  ['PFADD', ownKey, elements],
  ['PFADD', ownKey, elements],
  ['PFADD', ownKey, many],
  ['PFADD', readKey, elements],
  ['PFCOUNT', readKey],
  ['PFCOUNT', ownKey],
  ['PFCOUNT', fc.array(readKey, { minLength: 1, maxLength: 4 })],
  ['PFMERGE', ownKey, fc.array(readKey, { maxLength: 3 })],
  ['SET', ownKey, madeUp],
  ['GET', ownKey],
  ['GET', ownKey],
  ['PFDEBUG', oneOf('ENCODING', 'DECODE', 'decode', 'TODENSE', 'NOPE'), readKey],
  ['PFDEBUG', word('GETREG'), ownKey],
  ['DEL', ownKey],
];

/** Is this one of the keys that hold HyperLogLogs? */
export function isHyperLogLogKey(name: string): boolean {
  return name.includes('hll');
}
