/** Texts of errors about arguments that a row's arity lets through; each was compared with a stock redis-server. */
import { expect, test } from 'vitest';
import { InProcess } from './in-process.ts';

const wrongForm = (name: string, container: string): string =>
  `ERR unknown subcommand or wrong number of arguments for '${name}'. Try ${container} HELP.`;
const COUNT_RANGE = 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807';
const LEAST = '-9223372036854775808';

const CASES: readonly [command: string, error: string][] = [
  ['SLOWLOG GET 1 2', wrongForm('GET', 'SLOWLOG')],
  ['client Pause 1 write x', wrongForm('Pause', 'CLIENT')],
  ['FUNCTION FLUSH a b', wrongForm('FLUSH', 'FUNCTION')],
  ['FUNCTION RESTORE a b c', wrongForm('RESTORE', 'FUNCTION')],
  ['PUBSUB CHANNELS a b', wrongForm('CHANNELS', 'PUBSUB')],
  ['XGROUP CREATE k g 0 MKSTREAM ENTRIESREAD 1 MKSTREAM x', wrongForm('CREATE', 'XGROUP')],
  ['DEBUG FOO', wrongForm('FOO', 'DEBUG')],
  ['CLIENT TRACKING ON OPTIN OPTOUT', "ERR You can't specify both OPTIN mode and OPTOUT mode"],
  ['CLIENT TRACKING ON REDIRECT x', 'ERR value is not an integer or out of range'],
  [
    'CLIENT CACHING YES',
    'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
  ],
  ['RESTORE k 0 x IDLETIME 1 FREQ 1', 'ERR syntax error'],
  ['RESTORE k 0 x FREQ 1 IDLETIME 1', 'ERR syntax error'],
  [`SRANDMEMBER k ${LEAST}`, COUNT_RANGE],
  [`HRANDFIELD k ${LEAST} WITHVALUES`, COUNT_RANGE],
  [`ZRANDMEMBER k ${LEAST}`, COUNT_RANGE],
  [`ZRANDMEMBER k ${LEAST} WITHSCORES`, COUNT_RANGE],
  ['ZRANDMEMBER k -4611686018427387905 FOO', 'ERR syntax error'],
  ['ZRANDMEMBER k -9223372036854775807 WITHSCORES', 'ERR value is out of range'],
];

test.each(CASES)('%s', (command, error) => {
  expect(new InProcess({ settings: { 'enable-debug-command': 'yes' } }).run(...command.split(' '))).toBe(
    `-${error}\r\n`,
  );
});

test('CLIENT CACHING of a client that tracks without OPTIN', () => {
  const server = new InProcess({ settings: { 'enable-debug-command': 'yes' } });
  server.run('CLIENT', 'TRACKING', 'ON');
  expect(server.run('CLIENT', 'CACHING', 'YES')).toBe(
    '-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.\r\n',
  );
  expect(server.run('CLIENT', 'CACHING', 'NO')).toBe(
    '-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n',
  );
});
