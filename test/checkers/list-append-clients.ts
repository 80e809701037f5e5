/** Clients that run transactions of list appends and reads on a server, and note what they saw for the list-append checker. */
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import type { Command, RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { dice } from './concurrent-clients.ts';
import type { Append, ListTransaction, Outcome, Read } from './list-append.ts';

export interface ListRace {
  readonly clients: number;
  /** Transactions that each client runs. */
  readonly transactions: number;
  readonly keys: readonly string[];
  readonly seed: number;
}

export type Roll = (limit: number) => number;

/** Runs the race; appended values begin with the client's number. */
export async function listRace(server: ServerProcess, plan: ListRace): Promise<ListTransaction[]> {
  const history: ListTransaction[] = [];
  await Promise.all(
    Array.from({ length: plan.clients }, async (_, client) => {
      const connection = await server.connect();
      const roll = dice(plan.seed * 1000 + client);
      const values = { next: 0 };
      for (let i = 0; i < plan.transactions && !connection.isLost; i++) {
        const value = () => `${client}.${values.next++}`;
        history.push(await oneTransaction(connection, client, roll, plan.keys, value));
      }
      connection.close();
    }),
  );
  return history;
}

export function plannedOperations(roll: Roll, keys: readonly string[], value: () => string): (Append | Read)[] {
  return Array.from({ length: 1 + roll(4) }, () => {
    const key = keys[roll(keys.length)];
    return roll(2) === 0 ? { kind: 'append', key, value: value() } : { kind: 'read', key, values: [] };
  });
}

function oneTransaction(
  connection: RespClient,
  client: number,
  roll: Roll,
  keys: readonly string[],
  value: () => string,
): Promise<ListTransaction> {
  const planned = plannedOperations(roll, keys, value);
  const watched = roll(3) === 0 ? [keys[roll(keys.length)], keys[roll(keys.length)]] : [];
  return roll(8) === 0
    ? alone(connection, client, planned[0])
    : watchedTransaction(connection, client, planned, watched, roll(10) === 0 ? 'DISCARD' : 'EXEC');
}

export function commandOf(op: Append | Read): Command {
  return op.kind === 'append' ? ['RPUSH', op.key, op.value] : ['LRANGE', op.key, 0, -1];
}

export function withReply(op: Append | Read, reply: Reply): Append | Read {
  if (reply instanceof ReplyError) throw reply;
  return op.kind === 'append' ? op : { ...op, values: (reply as readonly Reply[]).map(String) };
}

/** One command without MULTI. */
async function alone(connection: RespClient, client: number, op: Append | Read): Promise<ListTransaction> {
  const callMs = performance.now();
  const reply = await connection.call(...commandOf(op));
  return { client, callMs, returnMs: performance.now(), outcome: 'ok', operations: [withReply(op, reply)] };
}

/** What is read between WATCH and MULTI belongs to the transaction: it holds until EXEC, or EXEC does nothing. */
export async function watchedTransaction(
  connection: RespClient,
  client: number,
  planned: readonly (Append | Read)[],
  watched: readonly string[],
  end: 'EXEC' | 'DISCARD',
): Promise<ListTransaction> {
  const callMs = performance.now();
  const before: Read[] = [];
  let outcome: Outcome = 'ok';
  let operations: (Append | Read)[] = [...planned];
  try {
    if (watched.length > 0) {
      const replies = await connection.pipeline([
        ['WATCH', ...watched],
        ...watched.map((key): Command => ['LRANGE', key, 0, -1]),
      ]);
      for (const [i, key] of watched.entries())
        before.push(withReply({ kind: 'read', key, values: [] }, replies[i + 1]) as Read);
    }
    const replies = connection.pipelineEach([['MULTI'], ...planned.map(commandOf), [end]]);
    const results = decodeReply(await replies[replies.length - 1]);
    if (results instanceof ReplyError) throw results;
    if (Array.isArray(results)) operations = [...before, ...planned.map((op, i) => withReply(op, results[i]))];
    else outcome = 'fail';
  } catch (error) {
    if (error instanceof ReplyError) throw error;
    outcome = 'info';
  }
  const returnMs = outcome === 'info' ? Infinity : performance.now();
  return { client, callMs, returnMs, outcome, operations };
}

/** Clients that move money between accounts by three kinds of transactions; returns every sum that a reader saw. */
export async function bankRace(server: ServerProcess, plan: ListRace): Promise<number[]> {
  const sums: number[] = [];
  await Promise.all(
    Array.from({ length: plan.clients }, async (_, client) => {
      const connection = await server.connect();
      const roll = dice(plan.seed * 1000 + client);
      for (let i = 0; i < plan.transactions; i++) {
        if (roll(3) === 0) sums.push(await total(connection, plan.keys, roll(2) === 0));
        else await transfer(connection, plan.keys, roll);
      }
      connection.close();
    }),
  );
  return sums;
}

async function total(connection: RespClient, accounts: readonly string[], inMulti: boolean): Promise<number> {
  const reads: Command[] = accounts.map((account) => ['GET', account]);
  const replies = inMulti
    ? (await connection.pipeline([['MULTI'], ...reads, ['EXEC']])).at(-1)
    : await connection.must('MGET', ...accounts);
  return (replies as readonly Reply[]).reduce<number>((sum, reply) => sum + Number(reply), 0);
}

async function transfer(connection: RespClient, accounts: readonly string[], roll: Roll): Promise<void> {
  const from = accounts[roll(accounts.length)];
  const to = accounts[roll(accounts.length)];
  const amount = 1 + roll(50);
  if (from === to) return;
  if (roll(2) === 0) {
    await connection.pipeline([['MULTI'], ['DECRBY', from, amount], ['INCRBY', to, amount], ['EXEC']]);
    return;
  }
  const read = await connection.pipeline([
    ['WATCH', from, to],
    ['GET', from],
    ['GET', to],
  ]);
  await connection.pipeline([
    ['MULTI'],
    ['SET', from, Number(read[1]) - amount],
    ['SET', to, Number(read[2]) + amount],
    ['EXEC'],
  ]);
}
