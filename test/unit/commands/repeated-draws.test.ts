/** Random elements, drawn as often as the client says: the reply has an end, and so has the time for which the latch is held. */
import { expect, test } from 'vitest';
import { InProcess } from './in-process.ts';

const FOR_EVER = -999_999_999;
const LONG = 'm'.repeat(1 << 20);
const MOST = 128 * 1024 * 1024;

const cases: [string, (string | number)[], (string | number)[]][] = [
  ['SRANDMEMBER', ['SADD', 'k', LONG], ['SRANDMEMBER', 'k', FOR_EVER]],
  ['HRANDFIELD', ['HSET', 'k', LONG, 'v'], ['HRANDFIELD', 'k', FOR_EVER, 'WITHVALUES']],
  ['ZRANDMEMBER', ['ZADD', 'k', 1, LONG], ['ZRANDMEMBER', 'k', FOR_EVER, 'WITHSCORES']],
];

test.each(cases)('%s without end is an error', (_, write, draw) => {
  const server = new InProcess();
  server.run(...write);
  expect(server.run(...draw)).toBe(`-ERR the reply would be longer than ${MOST} bytes\r\n`);
});

test.each(cases)('%s ends where the output limit closes the connection', (_, write, draw) => {
  const server = new InProcess();
  server.run(...write);
  const { reply } = server.parts();
  reply.most = 10 * LONG.length;
  const { length } = server.run(...draw);
  expect(length).toBeGreaterThan(10 * LONG.length);
  expect(length).toBeLessThan(12 * LONG.length);
});

test.each(cases)('%s: a long reply that is not too long is whole', (_, write, draw) => {
  const server = new InProcess();
  server.run(...write);
  const reply = server.run(draw[0], 'k', -20);
  expect(reply.startsWith('*20\r\n')).toBe(true);
  expect(reply.split(LONG)).toHaveLength(21);
});
