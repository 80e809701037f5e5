/** Clients that race on a few keys of one server, and what they saw. */
import type { Command, RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { History } from './history.ts';

/** A repeatable sequence of numbers below `limit`; not for statistics. */
export function dice(seed: number): (limit: number) => number {
  let state = (seed ^ 0x9e3779b9) | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

export interface Race {
  readonly clients: number;
  /** Pipelines each client sends, one after the other. */
  readonly pipelines: number;
  /** Commands of one pipeline. */
  readonly depth: number;
  readonly seed: number;
  /** The next command of a client. */
  readonly command: (roll: (limit: number) => number, client: number) => Command;
}

/** Runs a race to its end and returns all operations. */
export async function race(server: ServerProcess, plan: Race): Promise<History> {
  const history = new History();
  const connections = await Promise.all(Array.from({ length: plan.clients }, () => server.connect()));
  await Promise.all(
    connections.map(async (connection, client) => {
      const roll = dice(plan.seed * 1000 + client);
      for (let i = 0; i < plan.pipelines && !connection.isLost; i++)
        await onePipeline(history, connection, plan, client, roll);
      connection.close();
    }),
  );
  return history;
}

function onePipeline(
  history: History,
  connection: RespClient,
  plan: Race,
  client: number,
  roll: (limit: number) => number,
): Promise<void> {
  const commands = Array.from({ length: plan.depth }, () => plan.command(roll, client));
  return history.run(client, connection, commands);
}

/** Any single-key command the string model knows, on one of the keys; values are never written twice. */
export function singleKeyCommand(keys: readonly string[]): Race['command'] {
  let tokens = 0;
  return (roll) => {
    const key = keys[roll(keys.length)];
    const token = `t${tokens++}`;
    const choices: Command[] = [
      ['GET', key],
      ['GET', key],
      ['SET', key, token],
      ['SET', key, String(tokens)],
      ['GETSET', key, token],
      ['SETNX', key, token],
      ['APPEND', key, 'x'],
      ['INCR', key],
      ['DEL', key],
      ['GETDEL', key],
    ];
    return choices[roll(choices.length)];
  };
}

/** The same with values so long that their bytes move outside the latch. */
export function longValueCommand(keys: readonly string[], valueBytes: number): Race['command'] {
  let tokens = 0;
  return (roll) => {
    const key = keys[roll(keys.length)];
    const value = `t${tokens++}:`.padEnd(valueBytes, String(tokens % 10));
    const choices: Command[] = [
      ['GET', key],
      ['GET', key],
      ['SET', key, value],
      ['SETNX', key, value],
      ['GETSET', key, value],
      ['APPEND', key, 'x'],
      ['GETDEL', key],
    ];
    return choices[roll(choices.length)];
  };
}

/** Counters: every lost or doubled change shows in the numbers, however deep the pipelines are. */
export function counterCommand(keys: readonly string[]): Race['command'] {
  return (roll) => {
    const key = keys[roll(keys.length)];
    return roll(8) === 0 ? ['GET', key] : ['INCR', key];
  };
}

/** Commands over several keys of one group, which lie in different shards. */
export function groupCommand(keys: readonly string[]): Race['command'] {
  let tokens = 0;
  return (roll) => {
    const token = `t${tokens++}`;
    const one = roll(keys.length);
    const other = (one + 1 + roll(keys.length - 1)) % keys.length;
    const choices: Command[] = [
      ['MGET', ...keys],
      ['MGET', ...keys],
      ['MSET', ...keys.flatMap((key) => [key, token])],
      ['RENAME', keys[one], keys[other]],
      ['COPY', keys[one], keys[other]],
      ['MSETNX', ...keys.flatMap((key) => [key, token])],
      ['DEL', keys[one], keys[other]],
      ['SET', keys[one], token],
    ];
    return choices[roll(choices.length)];
  };
}
