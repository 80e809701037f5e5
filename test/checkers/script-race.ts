/**
 * Clients that run transactions of list appends and reads as scripts: with declared keys, with keys that the script reaches for while it
 * runs, as functions, inside MULTI, with errors in their middle; and plain transactions beside them.
 *
 * Keys give way to new ones after some appends, so that one history may be long and its lists stay short.
 */
import { createHash } from 'node:crypto';
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import { type Command, ConnectionLost, type RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { dice } from './concurrent-clients.ts';
import type { Append, ListTransaction, Read } from './list-append.ts';
import { commandOf, plannedOperations, type Roll, watchedTransaction, withReply } from './list-append-clients.ts';

export interface ScriptRace {
  readonly clients: number;
  /** Of all clients together. */
  readonly transactions: number;
  /** Lists that are in use at a time. */
  readonly lists: number;
  readonly prefix: string;
  readonly seed: number;
}

/** So many appends are planned for a list before another one takes its place. */
const APPENDS_PER_LIST = 40;

/**
 * ARGV: operation, key, value; three words for each. An `end` ends the script with an error: what it did before stays. A `stumble` is an
 * error that the script catches.
 */
const BODY = `
local function run(args)
  local seen = {}
  for i = 1, #args, 3 do
    local what, key, value = args[i], args[i + 1], args[i + 2]
    if what == 'append' then redis.call('RPUSH', key, value)
    elseif what == 'read' then seen[#seen + 1] = redis.call('LRANGE', key, 0, -1)
    elseif what == 'stumble' then redis.pcall('LSET', key, 1000000, value)
    else error('on purpose') end
  end
  return seen
end`;
const LIBRARY = `#!lua name=race
${BODY}
redis.register_function('declares', function(keys, args) return run(args) end)
redis.register_function('reaches', function(keys, args) return run(args) end)`;
const DECLARES = `${BODY} -- declares\nreturn run(ARGV)`;
const DECLARES_SHA = createHash('sha1').update(DECLARES).digest('hex');
const REACHES = `${BODY} -- reaches\nreturn run(ARGV)`;
let scripts = 0;
/** A script that no worker knows yet: it has to find out by itself that it reaches for what it does not declare. */
const fresh = () => `${BODY} -- ${scripts++}\nreturn run(ARGV)`;

/** The lists in use; those that have got their appends give way. */
class Lists {
  readonly keys: string[];
  private readonly prefix: string;
  private readonly appends = new Map<string, number>();
  private made = 0;

  constructor(prefix: string, count: number) {
    this.prefix = prefix;
    this.keys = Array.from({ length: count }, () => this.next());
  }

  private next(): string {
    return `${this.prefix}:${this.made++}`;
  }

  note(planned: readonly (Append | Read)[]): void {
    for (const { kind, key } of planned) {
      if (kind !== 'append') continue;
      const count = (this.appends.get(key) ?? 0) + 1;
      this.appends.set(key, count);
      const at = this.keys.indexOf(key);
      if (count >= APPENDS_PER_LIST && at >= 0) this.keys[at] = this.next();
    }
  }
}

/** Runs the race; appended values begin with the client's number. */
export async function scriptRace(server: ServerProcess, plan: ScriptRace): Promise<ListTransaction[]> {
  const history: ListTransaction[] = [];
  const lists = new Lists(plan.prefix, plan.lists);
  const first = await server.connect();
  await first.must('FUNCTION', 'LOAD', 'REPLACE', LIBRARY);
  await first.must('SCRIPT', 'LOAD', DECLARES);
  first.close();
  let left = plan.transactions;
  await Promise.all(
    Array.from({ length: plan.clients }, async (_, client) => {
      const connection = await server.connect();
      const roll = dice(plan.seed * 1000 + client);
      for (let values = 0; left > 0 && !connection.isLost; left--) {
        const planned = plannedOperations(roll, lists.keys, () => `${client}.${values++}`);
        lists.note(planned);
        history.push(await oneTransaction(connection, client, roll, planned));
      }
      connection.close();
    }),
  );
  return history;
}

function oneTransaction(
  connection: RespClient,
  client: number,
  roll: Roll,
  planned: readonly (Append | Read)[],
): Promise<ListTransaction> {
  const kind = roll(10);
  if (kind < 2) return watchedTransaction(connection, client, planned, [], 'EXEC');
  if (kind < 4) return inMulti(connection, client, roll, planned);
  return scripted(connection, client, roll, planned);
}

function words(planned: readonly (Append | Read)[], stumbleAt: number, endAt: number): string[] {
  return planned.flatMap((op, i) => [
    ...(i === stumbleAt ? ['stumble', op.key, 'x'] : []),
    ...(i === endAt ? ['end', '', ''] : []),
    ...(op.kind === 'append' ? ['append', op.key, op.value] : ['read', op.key, '']),
  ]);
}

/** One of the ways in which a script is called. */
function callOf(roll: Roll, planned: readonly (Append | Read)[], args: readonly string[]): Command {
  const keys = [...new Set(planned.map(({ key }) => key))];
  const declared = [keys.length, ...keys];
  const calls: Command[] = [
    ['EVAL', DECLARES, ...declared, ...args],
    ['EVALSHA', DECLARES_SHA, ...declared, ...args],
    ['EVAL', REACHES, 0, ...args],
    ['EVAL', fresh(), 0, ...args],
    ['EVAL', fresh(), 1, keys[0], ...args],
    ['FCALL', 'declares', ...declared, ...args],
    ['FCALL', 'reaches', 1, keys[0], ...args],
  ];
  return calls[roll(calls.length)];
}

async function scripted(
  connection: RespClient,
  client: number,
  roll: Roll,
  planned: readonly (Append | Read)[],
): Promise<ListTransaction> {
  const endAt = roll(6) === 0 ? roll(planned.length) : -1;
  const stumbleAt = roll(4) === 0 ? roll(planned.length) : -1;
  const call = callOf(roll, planned, words(planned, stumbleAt, endAt));
  const callMs = performance.now();
  try {
    const reply = await connection.call(...call);
    const returnMs = performance.now();
    const operations = endAt < 0 ? withReads(planned, reply) : beforeTheEnd(planned.slice(0, endAt), reply);
    return { client, callMs, returnMs, outcome: 'ok', operations };
  } catch (error) {
    return unknown(error, client, callMs, planned);
  }
}

/** The connection was lost: it may have happened or not. */
function unknown(error: unknown, client: number, callMs: number, planned: readonly (Append | Read)[]): ListTransaction {
  if (!(error instanceof ConnectionLost)) throw error;
  return { client, callMs, returnMs: Infinity, outcome: 'info', operations: planned };
}

function withReads(planned: readonly (Append | Read)[], reply: Reply): (Append | Read)[] {
  if (!Array.isArray(reply)) throw new Error(`a script answered ${String(reply)}`);
  let reads = 0;
  return planned.map((op) => (op.kind === 'append' ? op : withReply(op, reply[reads++])));
}

/** What a script did before its error stays, but nobody heard what it read. */
function beforeTheEnd(planned: readonly (Append | Read)[], reply: Reply): Append[] {
  if (!(reply instanceof ReplyError) || !reply.message.includes('on purpose')) {
    throw new Error(`a script that fails on purpose answered ${String(reply)}`);
  }
  return planned.filter((op) => op.kind === 'append');
}

/** A script and plain commands in one transaction. */
async function inMulti(
  connection: RespClient,
  client: number,
  roll: Roll,
  planned: readonly (Append | Read)[],
): Promise<ListTransaction> {
  const plain = planned.slice(0, roll(planned.length));
  const inScript = planned.slice(plain.length);
  const callMs = performance.now();
  const replies = connection.pipelineEach([
    ['MULTI'],
    ...plain.map(commandOf),
    callOf(roll, inScript, words(inScript, -1, -1)),
    ['EXEC'],
  ]);
  try {
    const results = decodeReply(await replies[replies.length - 1]);
    if (!Array.isArray(results)) throw new Error(`EXEC answered ${String(results)}`);
    const operations = [
      ...plain.map((op, i) => withReply(op, results[i])),
      ...withReads(inScript, results[plain.length]),
    ];
    return { client, callMs, returnMs: performance.now(), outcome: 'ok', operations };
  } catch (error) {
    return unknown(error, client, callMs, planned);
  }
}

// ---- the bank

/** Takes from one account and gives to another, with something that fails in between; not more than is there. */
const TRANSFER = `
local from, to, sum = ARGV[1], ARGV[2], tonumber(ARGV[3])
if tonumber(redis.call('GET', from)) < sum then return redis.error_reply('POOR there is not enough') end
redis.call('DECRBY', from, sum)
redis.pcall('LPUSH', from, 'no list')
return redis.call('INCRBY', to, sum)`;
const TOTAL = `
local sum, least = 0, 1e9
for i = 1, #ARGV do
  local has = tonumber(redis.call('GET', ARGV[i]))
  sum = sum + has
  if has < least then least = has end
end
return {sum, least}`;

export interface Statement {
  readonly sum: number;
  /** What the poorest account had. */
  readonly least: number;
}

export interface Bank {
  readonly clients: number;
  /** Of all clients together. */
  readonly transactions: number;
  readonly accounts: readonly string[];
  readonly seed: number;
}

/** Clients that move money between the accounts by scripts and ask for the sum; what every reader saw. */
export async function scriptBank(server: ServerProcess, plan: Bank): Promise<Statement[]> {
  const statements: Statement[] = [];
  let left = plan.transactions;
  await Promise.all(
    Array.from({ length: plan.clients }, async (_, client) => {
      const connection = await server.connect();
      const roll = dice(plan.seed * 1000 + client);
      for (; left > 0; left--) {
        if (roll(3) === 0) statements.push(await statement(connection, roll, plan.accounts));
        else await transfer(connection, roll, plan.accounts);
      }
      connection.close();
    }),
  );
  return statements;
}

async function transfer(connection: RespClient, roll: Roll, accounts: readonly string[]): Promise<void> {
  const from = roll(accounts.length);
  const to = accounts[(from + 1 + roll(accounts.length - 1)) % accounts.length];
  const keys = [accounts[from], to];
  const args = [...keys, 1 + roll(400)];
  const calls: Command[] = [
    ['EVAL', TRANSFER, 2, ...keys, ...args],
    ['EVAL', `${TRANSFER} -- reaches`, 0, ...args],
    ['EVAL', `${TRANSFER} -- ${scripts++}`, 1, keys[roll(2)], ...args],
  ];
  const reply = await connection.call(...calls[roll(calls.length)]);
  if (reply instanceof ReplyError && !reply.message.startsWith('POOR')) throw reply;
}

async function statement(connection: RespClient, roll: Roll, accounts: readonly string[]): Promise<Statement> {
  const calls: Command[] = [
    ['EVAL', TOTAL, accounts.length, ...accounts, ...accounts],
    ['EVAL', `${TOTAL} -- reaches`, 0, ...accounts],
    ['EVAL_RO', `${TOTAL} -- ${scripts++}`, 0, ...accounts],
  ];
  const way = roll(calls.length + 1);
  if (way < calls.length) {
    const [sum, least] = (await connection.must(...calls[way])) as number[];
    return { sum, least };
  }
  const has = ((await connection.must('MGET', ...accounts)) as Reply[]).map(Number);
  return { sum: has.reduce((a, b) => a + b, 0), least: Math.min(...has) };
}
