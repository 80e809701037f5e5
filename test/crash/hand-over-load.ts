/**
 * Producers and waiting consumers until the server dies, and an account of every element over all deaths: it is in a list, or it came to
 * one consumer, or it was under way to one when the server died. Nothing else is allowed, and nothing comes back.
 */
import { dice } from '../checkers/concurrent-clients.ts';
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import { type Command, ConnectionLost, type RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';

type Roll = (limit: number) => number;

export interface HandOverLoad {
  readonly producers: number;
  readonly consumers: number;
  readonly seed: number;
  /** The server gets its signal behind so many elements that consumers got. */
  readonly killAfter: number;
  readonly signal: 'SIGKILL' | 'SIGTERM';
}

const QUEUES = ['queue:0', 'queue:1', 'queue:2', 'queue:3'];
/** From these movers bring elements into queues, most of them of another shard. */
const FED = ['in:0', 'in:1', 'in:2'];
const LISTS = [...QUEUES, ...FED];
const MOST_AT_ONCE = 3;

/** What is known of the elements, from one death of the server to the next. */
export class HandOverAccount {
  /** Elements that must be in a list: their push was answered, or they were found there. */
  private readonly owned = new Set<string>();
  /** Elements whose push may have taken effect. */
  private readonly unsure = new Set<string>();
  private readonly taken = new Set<string>();
  /** Under way to a consumer when the server died: they may not come back. */
  private readonly gone = new Set<string>();
  /** As many elements may have been under way when the server died. */
  private room = 0;
  private named = 0;
  handedOver = 0;
  lostUnderWay = 0;

  next(producer: number): string {
    const element = `${producer}.${this.named++}`;
    this.unsure.add(element);
    return element;
  }

  pushed(elements: readonly string[]): void {
    for (const element of elements) {
      this.unsure.delete(element);
      // it may have come to a consumer before its push was answered
      if (!this.taken.has(element)) this.owned.add(element);
    }
  }

  took(element: string): void {
    if (this.taken.has(element)) throw new Error(`${element} came to two consumers`);
    if (this.gone.has(element)) throw new Error(`${element} was taken before a crash, and comes back`);
    if (!this.owned.delete(element) && !this.unsure.has(element)) throw new Error(`${element} was never pushed`);
    this.taken.add(element);
    this.handedOver++;
  }

  /** A consumer that asked for so many elements was not answered. */
  unanswered(elements: number): void {
    this.room += elements;
  }

  /**
   * What all lists hold after the crash; throws if that cannot be. `isClean`: the server has ended in order, so nothing was under way,
   * for Redis sends what it owes as well.
   */
  settle(found: readonly string[], isClean: boolean): void {
    if (isClean) this.room = 0;
    const there = new Set(found);
    if (there.size !== found.length) throw new Error('an element is there twice');
    for (const element of found) {
      if (this.taken.has(element)) throw new Error(`${element} came to a consumer, and is in a list again`);
      if (this.gone.has(element))
        throw new Error(`${element} was taken before an earlier crash, and is in a list again`);
      if (!this.owned.has(element) && !this.unsure.has(element)) throw new Error(`${element} was never pushed`);
    }
    const missing = [...this.owned].filter((element) => !there.has(element));
    if (missing.length > this.room) {
      throw new Error(
        `${missing.length} elements are lost, ${this.room} can have been under way: ${missing.slice(0, 9)}`,
      );
    }
    this.lostUnderWay += missing.length;
    for (const element of [...missing, ...this.unsure]) if (!there.has(element)) this.gone.add(element);
    this.owned.clear();
    this.unsure.clear();
    for (const element of found) this.owned.add(element);
    this.room = 0;
  }
}

/** Runs the load until the server is dead. */
export async function runHandOvers(server: ServerProcess, load: HandOverLoad, account: HandOverAccount): Promise<void> {
  const killAt = account.handedOver + load.killAfter;
  let killed = false;
  const onTaken = (element: string): void => {
    account.took(element);
    if (account.handedOver < killAt || killed) return;
    killed = true;
    server.signal(load.signal);
  };
  const rolls = (role: number, n: number) => dice(load.seed * 100 + role * 40 + n);
  const each = (count: number, role: number, run: (client: RespClient, roll: Roll, n: number) => Promise<void>) =>
    Array.from({ length: count }, async (_, n) => {
      const client = await server.connect();
      await untilLost(client, () => run(client, rolls(role, n), n));
    });
  await Promise.all([
    ...each(load.consumers, 0, (client, roll) => takeForEver(client, roll, account, onTaken)),
    ...each(FED.length, 1, (client, roll) => moveForEver(client, FED[roll(FED.length)], QUEUES[roll(QUEUES.length)])),
    ...each(load.producers, 2, (client, roll, n) => pushForEver(client, roll, n, account)),
  ]);
}

/** What all lists hold. */
export async function elementsOf(server: ServerProcess): Promise<string[]> {
  const client = await server.connect();
  const lists = await Promise.all(LISTS.map((list) => client.must('LRANGE', list, 0, -1)));
  client.close();
  return lists.flat().map(String);
}

/** A server that ends in order takes no more. */
function isRefused(reply: Reply | undefined): boolean {
  return reply instanceof ReplyError && /shutting down|EXECABORT/.test(reply.message);
}

function textOf(reply: Reply): string {
  return reply instanceof ReplyError ? reply.message : String(reply);
}

async function untilLost(client: RespClient, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
  }
  client.close();
}

async function takeForEver(
  client: RespClient,
  roll: Roll,
  account: HandOverAccount,
  onTaken: (element: string) => void,
): Promise<void> {
  for (;;) {
    const first = roll(LISTS.length);
    const keys = Array.from({ length: 1 + roll(LISTS.length) }, (_, i) => LISTS[(first + i) % LISTS.length]);
    const many = roll(3) === 0;
    const command: Command = many
      ? ['BLMPOP', 0, keys.length, ...keys, roll(2) === 0 ? 'LEFT' : 'RIGHT', 'COUNT', MOST_AT_ONCE]
      : [roll(2) === 0 ? 'BLPOP' : 'BRPOP', ...keys, 0];
    let bytes: Buffer;
    try {
      bytes = await client.callRaw(command);
    } catch (error) {
      account.unanswered(many ? MOST_AT_ONCE : 1);
      throw error;
    }
    const reply = decodeReply(bytes);
    if (isRefused(reply)) return;
    if (!Array.isArray(reply)) throw new Error(`${command.join(' ')} answered ${textOf(reply)}`);
    for (const element of reply.slice(1).flat()) onTaken(String(element));
  }
}

async function moveForEver(client: RespClient, from: string, to: string): Promise<void> {
  for (;;) {
    const reply = await client.call('BLMOVE', from, to, 'LEFT', 'RIGHT', 0);
    if (isRefused(reply)) return;
    if (reply instanceof ReplyError) throw new Error(`BLMOVE answered ${reply.message}`);
  }
}

async function pushForEver(client: RespClient, roll: Roll, producer: number, account: HandOverAccount): Promise<void> {
  const list = () => LISTS[roll(LISTS.length)];
  const some = () => Array.from({ length: 1 + roll(MOST_AT_ONCE) }, () => account.next(producer));
  for (;;) {
    const [one, other] = [some(), some()];
    const burst: Command[] = [['RPUSH', list(), ...one]];
    // two lists, mostly of two shards, in one transaction
    if (roll(3) === 0) {
      burst.push(['LPUSH', list(), ...other]);
      burst.unshift(['MULTI']);
      burst.push(['EXEC']);
    }
    const last = (await client.pipeline(burst)).at(-1);
    if (isRefused(last)) return;
    if (last instanceof ReplyError) throw new Error(`a push was refused: ${last.message}`);
    account.pushed(burst.length === 1 ? one : [...one, ...other]);
  }
}
