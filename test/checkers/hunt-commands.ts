/** What the clients of the deadlock hunt send. */
import type { Command } from '../server/resp-client.ts';
import type { Roll } from './list-append-clients.ts';

const NOISE_KEYS = 12;
const key = (roll: Roll) => `noise:${roll(NOISE_KEYS)}`;

/** One command of many kinds over one or several keys of any type; may be an error. */
export function noiseCommand(roll: Roll): Command {
  const [a, b, c] = [key(roll), key(roll), key(roll)];
  const value = String(roll(1000));
  const choices: Command[] = [
    ['SET', a, value],
    ['SET', a, value, 'PX', 1 + roll(30)],
    ['GET', a],
    ['INCR', a],
    ['APPEND', a, value],
    ['MSET', a, value, b, value, c, value],
    ['MSETNX', a, value, b, value],
    ['MGET', a, b, c],
    ['DEL', a, b],
    ['UNLINK', c],
    ['RENAME', a, b],
    ['RENAMENX', a, b],
    ['COPY', a, b, 'REPLACE'],
    ['COPY', a, b],
    ['RPUSH', a, value, value],
    ['LPOP', a],
    ['LMOVE', a, b, 'LEFT', 'RIGHT'],
    ['BLPOP', a, b, '0.001'],
    ['BLMOVE', a, b, 'LEFT', 'RIGHT', '0.001'],
    ['SADD', a, value, `m${value}`],
    ['SMOVE', a, b, value],
    ['SUNIONSTORE', a, b, c],
    ['ZADD', a, value, `m${value}`],
    ['ZUNIONSTORE', a, 2, b, c],
    ['HSET', a, value, 'x', `f${value}`, 'y'.repeat(roll(200))],
    ['BITOP', 'OR', a, b, c],
    ['SORT', a, 'ALPHA', 'STORE', b],
    ['PEXPIRE', a, 1 + roll(30)],
    ['TYPE', a],
    ['DBSIZE'],
    ['SCAN', 0, 'COUNT', 5],
  ];
  if (roll(150) === 0) return ['FLUSHDB', ...(roll(2) === 0 ? ['ASYNC'] : [])];
  return choices[roll(choices.length)];
}

/** ARGV: words with what to do, as JSON; what is guarded may fail, what is not ends the script. Its reply is its last word. */
const RUN = `
for i = 1, #ARGV - 1 do
  local step = cjson.decode(ARGV[i])
  if step.raise then error('on purpose') end
  if step.guarded then redis.pcall(unpack(step.command)) else redis.call(unpack(step.command)) end
end
return ARGV[#ARGV]`;

/** A script of random commands: most over keys that it does not declare, some that fail, some that are new to the server. */
export function noiseScript(roll: Roll): Command {
  const steps = Array.from({ length: 1 + roll(6) }, () => {
    if (roll(20) === 0) return { raise: true };
    return { command: noiseCommand(roll).map(String), guarded: roll(3) > 0 };
  });
  const declared = Array.from({ length: roll(3) }, () => key(roll));
  const source = roll(3) === 0 ? RUN : `${RUN} -- ${roll(1e9)}`;
  return [
    'EVAL',
    source,
    declared.length,
    ...declared,
    ...steps.map((step) => JSON.stringify(step)),
    `done ${roll(1e9)}`,
  ];
}

/** What keeps the sum of all accounts: each is a pipeline whose replies are no errors. */
export const TRANSFERS: readonly ((roll: Roll, from: string, to: string) => Command[])[] = [
  (roll, from, to) => {
    const sum = 1 + roll(50);
    return [['MULTI'], ['DECRBY', from, sum], ['INCRBY', to, sum], ['EXEC']];
  },
  (roll, from, to) => scripted(roll, from, to, "redis.call('DECRBY', a, n) redis.call('INCRBY', b, n)"),
  (roll, from, to) =>
    scripted(
      roll,
      from,
      to,
      "local x, y = redis.call('GET', a), redis.call('GET', b) redis.call('MSET', a, x - n, 'over', n, b, y + n) redis.call('DEL', 'over')",
    ),
  (roll, from, to) => {
    const between = `between:${roll(5)}`;
    return [['MULTI'], ['RENAME', from, between], ['RENAME', to, from], ['RENAME', between, to], ['EXEC']];
  },
  (roll, from, to) =>
    scripted(
      roll,
      from,
      to,
      "local c = 'between:' .. n % 5 redis.call('RENAME', a, c) redis.pcall('HSET', b, 'no', 'hash') redis.call('RENAME', b, a) redis.call('RENAME', c, b)",
    ),
  (roll, from, to) =>
    scripted(
      roll,
      from,
      to,
      "redis.call('COPY', a, 'copy', 'REPLACE') redis.call('COPY', b, a, 'REPLACE') redis.call('RENAME', 'copy', b)",
    ),
];

function scripted(roll: Roll, from: string, to: string, body: string): Command[] {
  const source = `local a, b, n = ARGV[1], ARGV[2], tonumber(ARGV[3]) ${body} return 1`;
  const args = [from, to, 1 + roll(50)];
  const ways: Command[] = [
    ['EVAL', source, 2, from, to, ...args],
    ['EVAL', `${source} -- reaches`, 0, ...args],
    ['EVAL', `${source} -- ${roll(1e9)}`, 1, roll(2) === 0 ? from : to, ...args],
  ];
  return [ways[roll(ways.length)]];
}
