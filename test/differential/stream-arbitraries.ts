/**
 * Random commands on streams and their groups. Ids are given, not made out of the clock, which two servers do not share; `*` is
 * only asked for where the last id lies in a far future, so that the next one is certain. Idle times that are compared with are
 * nothing or far away.
 */
import fc from 'fast-check';
import {
  integer,
  key,
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

const streamKey = fc.oneof({ weight: 12, arbitrary: oneOf('s:1', 's:2', '{t}s') }, { weight: 1, arbitrary: key });
const FUTURE = '{t}future';
const number = fc.integer({ min: 0, max: 12 }).map(String);
const plainId = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(number, fc.integer({ min: 0, max: 4 })).map(([ms, seq]) => `${ms}-${seq}`) },
  { weight: 2, arbitrary: number },
);
const oddId = oneOf(
  ...[
    '0',
    '0-0',
    '-',
    '+',
    '',
    '*',
    '5-*',
    '-1',
    '5-',
    '--',
    '1--2',
    '1-2-3',
    ' 5',
    '+5',
    '05-007',
    '5-+3',
    '5--03',
    'x-1',
  ],
  ...[
    '18446744073709551615-18446744073709551615',
    '18446744073709551615',
    '18446744073709551616',
    '5-18446744073709551615',
  ],
  ...[
    '9007199254740993-4',
    '9223372036854775808-9223372036854775807',
    '5-9223372036854775808',
    '4294967296-4294967295',
  ],
  '5\x00junk',
  '1'.repeat(128),
);
const id = fc.oneof({ weight: 10, arbitrary: plainId }, { weight: 1, arbitrary: oddId });
/** Not before what can have been deleted: 7.2 refuses that, 7.0 takes it. */
const lateId = oneOf('71-0', '72-5', '80', 'x', '-', '18446744073709551615-18446744073709551614');
/** For new entries: mostly behind those that are there. */
const newId = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 60 }).map((ms) => `${ms}-*`) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 60 }).map(String) },
  { weight: 2, arbitrary: plainId },
  // no '*' and nothing that Redis would take for one
  { weight: 1, arbitrary: oddId.filter((text) => text !== '*' && !text.startsWith('1844')) },
);
const end = fc.oneof(
  { weight: 4, arbitrary: oneOf('-', '+') },
  { weight: 4, arbitrary: id },
  { weight: 2, arbitrary: id.map((text) => `(${text}`) },
);
const text = fc.oneof(
  { weight: 6, arbitrary: oneOf('f', 'g', 'v', 'value', '1', '-7', '4096', '123456789', '', '\xff\x00') },
  { weight: 2, arbitrary: integer },
  { weight: 1, arbitrary: oneOf('x'.repeat(64), 'y'.repeat(300), 'z'.repeat(5000), '12345678901234567890') },
);
const fields = fc.oneof(
  { weight: 5, arbitrary: text.map((value): Words => ['f', value]) },
  { weight: 3, arbitrary: fc.tuple(text, text).map(([a, b]): Words => ['f', a, 'g', b]) },
  { weight: 2, arbitrary: fc.array(text, { minLength: 1, maxLength: 7 }) },
);
const count = oneOf('1', '1', '2', '5', '20', '0', '-1', 'x', '9223372036854775807');
const length = oneOf('0', '1', '2', '5', '10', '100', '150', '-1', 'x', '9223372036854775807');
const trim = fc
  .tuple(
    fc.oneof(
      fc.tuple(word('MAXLEN'), maybe(oneOf('=', '~')), length),
      fc.tuple(word('MINID'), maybe(oneOf('=', '~')), id),
    ),
    maybe(pair('LIMIT', oneOf('0', '0', '10', '100', '-1', 'x'))),
  )
  .map((parts): Words => parts.flat(2) as string[]);
const group = oneOf('g', 'g', 'g', 'h', 'none');
const consumer = oneOf('alice', 'bob', 'carol', '');
const ids = fc.array(id, { minLength: 1, maxLength: 4 });
const minIdle = oneOf('0', '0', '0', '600000', '-5', 'x');
const readFrom = fc.oneof({ weight: 3, arbitrary: plainId }, { weight: 1, arbitrary: oneOf('$', '>', '0', '-', 'x') });
/** Nobody adds entries while a client of a run waits. */
const patience = pair('BLOCK', oneOf('1', '2', '1', '-1', 'x', '1.5'));
const groupFrom = fc.oneof(
  { weight: 5, arbitrary: word('>') },
  { weight: 2, arbitrary: plainId },
  { weight: 1, arbitrary: oneOf('0', '$', 'x') },
);
/** Keys, and an id for each. */
const streamsOf = (from: fc.Arbitrary<string>): Part =>
  fc
    .array(fc.tuple(streamKey, from), { minLength: 1, maxLength: 3 })
    .map((pairs): Words => ['STREAMS', ...pairs.map(([name]) => name), ...pairs.map(([, at]) => at)]);
const many: Part = fc
  .tuple(fc.integer({ min: 61, max: 70 }), fc.integer({ min: 1, max: 3 }))
  .map(([ms, width]): Words => [`${ms}-*`, ...Array.from({ length: width * 40 }, (_, i) => `field${i}`)]);
const claimOptions = options(
  word('FORCE'),
  word('JUSTID'),
  pair('RETRYCOUNT', oneOf('0', '1', '7', '-1', 'x')),
  pair('LASTID', id),
  oneOf('IDLE', 'BAD'),
  fc.oneof(
    pair('IDLE', oneOf('0', '900000', '-5', 'x')),
    pair('TIME', oneOf('0', '1000', '99999999999999', '-1', 'x')),
  ),
);

const ROWS: readonly Row[] = [
  ...Array.from({ length: 6 }, (): Row => ['XADD', streamKey, newId, fields]),
  ['XADD', streamKey, maybe(word('NOMKSTREAM')), trim, newId, fields],
  ['XADD', streamKey, options(word('NOMKSTREAM'), trim, word('BAD'), pair('LIMIT', oneOf('0', '5'))), newId, fields],
  ['XADD', streamKey, many],
  ['XADD', word(FUTURE), word('99999999999999-*'), fields],
  ['XADD', word(FUTURE), word('NOMKSTREAM'), word('*'), fields],
  ['XLEN', streamKey],
  ['XRANGE', streamKey, end, end, maybe(pair('COUNT', count))],
  ['XRANGE', streamKey, word('-'), word('+')],
  ['XREVRANGE', streamKey, end, end, maybe(pair('COUNT', count))],
  ['XREVRANGE', word(FUTURE), word('+'), word('-')],
  ['XDEL', streamKey, ids],
  ['XTRIM', streamKey, trim],
  [
    'XSETID',
    word('s:2'),
    lateId,
    options(pair('ENTRIESADDED', oneOf('0', '5', '100', '-1', 'x', '9223372036854775807')), pair('MAXDELETEDID', id)),
  ],
  ['XREAD', maybe(pair('COUNT', count)), streamsOf(readFrom)],
  ['XREAD', maybe(pair('COUNT', count)), patience, streamsOf(readFrom)],
  [
    'XREAD',
    options(pair('COUNT', count), word('NOACK'), word('BAD'), pair('GROUP', fc.tuple(group, consumer))),
    streamsOf(readFrom),
  ],
  ['XREAD', word('STREAMS'), streamKey, several(fc.tuple(readFrom), 3)],
];

const GROUP_ROWS: readonly Row[] = [
  [
    'XGROUP',
    word('CREATE'),
    streamKey,
    group,
    oneOf('0', '0', '$', '3-1', 'x'),
    options(word('MKSTREAM'), word('MKSTREAM'), pair('ENTRIESREAD', oneOf('0', '3', '-1', '-2', 'x'))),
  ],
  ['XGROUP', word('CREATE'), streamKey, word('g'), word('0'), word('MKSTREAM')],
  [
    'XGROUP',
    word('SETID'),
    streamKey,
    group,
    fc.oneof(id, oneOf('$', '0')),
    maybe(pair('ENTRIESREAD', oneOf('0', '3', '-1', '9223372036854775807'))),
  ],
  ['XGROUP', word('DESTROY'), streamKey, group],
  ['XGROUP', word('CREATECONSUMER'), streamKey, group, consumer],
  ['XGROUP', word('DELCONSUMER'), streamKey, group, consumer],
  ...Array.from(
    { length: 3 },
    (): Row => ['XREADGROUP', word('GROUP'), group, consumer, maybe(pair('COUNT', count)), streamsOf(groupFrom)],
  ),
  ['XREADGROUP', word('GROUP'), group, consumer, maybe(word('NOACK')), word('STREAMS'), streamKey, groupFrom],
  [
    'XREADGROUP',
    options(pair('COUNT', count), word('NOACK'), word('BAD'), patience),
    word('GROUP'),
    group,
    consumer,
    streamsOf(groupFrom),
  ],
  ['XACK', streamKey, group, ids],
  ['XPENDING', streamKey, group],
  ['XPENDING', streamKey, group, maybe(pair('IDLE', oneOf('0', '600000', 'x'))), end, end, count, maybe(consumer)],
  ['XCLAIM', streamKey, group, consumer, minIdle, ids, claimOptions],
  ['XCLAIM', streamKey, group, consumer, word('0'), ids, maybe(word('FORCE')), maybe(word('JUSTID'))],
  ['XAUTOCLAIM', streamKey, group, consumer, minIdle, end, options(pair('COUNT', count), word('JUSTID'), word('BAD'))],
  ['XINFO', word('STREAM'), streamKey],
  ['XINFO', word('STREAM'), streamKey, word('FULL'), maybe(pair('COUNT', count))],
  ['XINFO', word('GROUPS'), streamKey],
  ['XINFO', word('CONSUMERS'), streamKey, group],
];

export const STREAMS: readonly Row[] = [...ROWS, ...GROUP_ROWS];
