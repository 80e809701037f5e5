/**
 * Many producers and waiting consumers over all workers: each element must come to exactly one consumer, and nothing may be lost.
 * Some elements go a way: BLMOVE from one list to another, perhaps in another shard, before somebody takes them there.
 */
import { ReplyError } from '../server/reply-reader.ts';
import type { RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';

export interface BlockingRace {
  /** Lists from which consumers take; the first half is fed through movers. */
  readonly keys: number;
  readonly producers: number;
  readonly consumers: number;
  /** By each producer. */
  readonly elements: number;
  readonly prefix: string;
}

export interface RaceOutcome {
  /** Elements that came to nobody, and those that came to several. */
  readonly lost: string[];
  readonly doubled: string[];
}

const END = 'end';

/** Runs a race to its end, on an otherwise empty set of keys. */
export async function blockingRace(server: ServerProcess, race: BlockingRace): Promise<RaceOutcome> {
  const { keys, producers, consumers, elements, prefix } = race;
  const lists = Array.from({ length: keys }, (_, n) => `${prefix}:${n}`);
  const fed = lists.map((list, n) => (n < keys / 2 ? `${list}:in` : list));
  const taken: string[] = [];
  const take = async (client: RespClient, n: number): Promise<void> => {
    // several keys over several shards, in different orders
    const order = lists.map((_, i) => lists[(i + n) % keys]);
    for (;;) {
      const reply = await client.call('BLPOP', ...order, 0);
      if (!Array.isArray(reply)) throw new Error(`BLPOP answered ${String(reply)}`);
      if (reply[1] === END) return;
      taken.push(String(reply[1]));
    }
  };
  const clients = await Promise.all(Array.from({ length: consumers }, () => server.connect()));
  const takers = clients.map(take);
  // whoever waits for them hears of their failures; until then these are no news
  for (const taker of takers) taker.catch(() => {});
  const movers = await Promise.all(fed.flatMap((from, n) => (from === lists[n] ? [] : [move(server, from, lists[n])])));
  const pushed: string[] = [];
  await Promise.all(
    Array.from({ length: producers }, async (_, producer) => {
      const client = await server.connect();
      for (let i = 0; i < elements; i++) {
        const element = `${producer}-${i}`;
        pushed.push(element);
        await push(client, fed[(producer + i) % keys], element, i);
      }
      client.close();
    }),
  );
  for (const { finish } of movers) await finish();
  const last = await server.connect();
  await allTaken(last, lists);
  for (let i = 0; i < consumers; i++) await last.call('RPUSH', lists[i % keys], END);
  await Promise.all(takers);
  for (const client of [...clients, last]) client.close();
  const times = new Map<string, number>();
  for (const element of taken) times.set(element, (times.get(element) ?? 0) + 1);
  return {
    lost: pushed.filter((element) => !times.has(element)),
    doubled: [...times].filter(([, count]) => count > 1).map(([element]) => element),
  };
}

/** One in four comes in a transaction, as in applications that count what they push. */
async function push(client: RespClient, key: string, element: string, i: number): Promise<void> {
  if (i % 4 !== 0) {
    await client.call('RPUSH', key, element);
    return;
  }
  await Promise.all([client.call('MULTI'), client.call('RPUSH', key, element), client.call('EXEC')]);
}

async function move(server: ServerProcess, from: string, to: string): Promise<{ finish(): Promise<void> }> {
  const client = await server.connect();
  const id = Number(await client.call('CLIENT', 'ID'));
  const done = (async () => {
    while (!((await client.call('BLMOVE', from, to, 'LEFT', 'RIGHT', 0)) instanceof ReplyError));
  })();
  done.catch(() => {});
  return {
    finish: async () => {
      const other = await server.connect();
      await allTaken(other, [from]);
      await waitUntil('a mover', async () => (await other.call('CLIENT', 'UNBLOCK', id, 'ERROR')) === 1);
      await done;
      for (const one of [client, other]) one.close();
    },
  };
}

async function allTaken(client: RespClient, lists: readonly string[]): Promise<void> {
  for (const list of lists) await waitUntil(`the end of ${list}`, async () => (await client.call('LLEN', list)) === 0);
}

/**
 * Pushes to a key that one client waits for, while thieves pop from it with LPOP: whoever waited first gets the element, always. Returns
 * how many elements the thieves got.
 */
export async function stealingRace(server: ServerProcess, key: string, rounds: number): Promise<number> {
  const [waiter, pusher, ...thieves] = await Promise.all(Array.from({ length: 5 }, () => server.connect()));
  const waiterId = Number(await waiter.call('CLIENT', 'ID'));
  let stolen = 0;
  for (let round = 0; round < rounds; round++) {
    const reply = waiter.call('BLPOP', key, 0);
    reply.catch(() => {});
    while (!String(await pusher.call('CLIENT', 'LIST', 'ID', waiterId)).includes('flags=b'));
    const attempts = thieves.flatMap((thief) => [0, 1, 2, 3].map(() => thief.call('LPOP', key)));
    const push = pusher.call('RPUSH', key, String(round));
    const got = await Promise.all(attempts);
    await push;
    stolen += got.filter((one) => one !== null).length;
    if (got.some((one) => one !== null)) await pusher.call('RPUSH', key, 'instead');
    await reply;
  }
  for (const client of [waiter, pusher, ...thieves]) client.close();
  return stolen;
}
