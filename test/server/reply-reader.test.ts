import { expect, test } from 'vitest';
import { decodeReply, ReplyError, replyEnd } from './reply-reader.ts';

const SAMPLES: [string, unknown][] = [
  ['+OK\r\n', 'OK'],
  ['-ERR no\r\n', new ReplyError('ERR no')],
  [':-12\r\n', -12],
  [':9223372036854775807\r\n', 9223372036854775807n],
  ['$3\r\na\r\n\r\n', 'a\r\n'],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['*2\r\n*1\r\n:1\r\n$0\r\n\r\n', [[1], '']],
  ['_\r\n', null],
  ['#t\r\n', true],
  [',1.5\r\n', 1.5],
  ['(12345678901234567890\r\n', 12345678901234567890n],
  ['=7\r\ntxt:abc\r\n', 'abc'],
  ['%1\r\n+a\r\n:1\r\n', new Map([['a', 1]])],
  ['~2\r\n:1\r\n:2\r\n', [1, 2]],
  ['|1\r\n+ttl\r\n:1\r\n$1\r\nx\r\n', 'x'],
];

test.each(SAMPLES)('%j decodes, and ends exactly at its last byte', (text, value) => {
  const bytes = Buffer.from(text, 'latin1');
  expect(decodeReply(bytes)).toEqual(value);
  for (let cut = 0; cut < bytes.length; cut++) expect(replyEnd(bytes.subarray(0, cut), 0)).toBe(-1);
  expect(replyEnd(Buffer.concat([bytes, Buffer.from('+next')]), 0)).toBe(bytes.length);
});

test('what is no reply is refused', () => {
  expect(() => replyEnd(Buffer.from('?1\r\n'), 0)).toThrow('not a reply');
  expect(() => replyEnd(Buffer.from('$1\r\nabc\r\n'), 0)).toThrow('does not end');
});
