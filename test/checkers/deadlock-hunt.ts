/**
 * Clients that keep a server's latches as busy and as entangled as they can: scripts that reach for keys they do not declare, transactions,
 * commands over several shards, elements handed over to clients that wait, whole-keyspace commands, snapshots. Nobody may wait for ever,
 * each request has its reply, and what must not change does not.
 *
 *   money     database 0: transfers and sums                tokens    database 0: BLPOP one of few tokens, push it elsewhere, BLMOVE
 *   noise     database 1: anything, also errors, FLUSHDB    janitor   snapshots and rewrites, one after the other
 */
import { readdirSync, readFileSync } from 'node:fs';
import { decodeReply, type Reply, ReplyError } from '../server/reply-reader.ts';
import type { Command, RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { waitUntil, within } from '../server/wait-until.ts';
import { dice } from './concurrent-clients.ts';
import { noiseCommand, noiseScript, TRANSFERS } from './hunt-commands.ts';
import type { Roll } from './list-append-clients.ts';

export interface Hunt {
  readonly seconds: number;
  readonly seed: number;
  /** A reply that takes longer is a stall. */
  readonly stallMs: number;
}

export interface HuntResult {
  requests: number;
  replies: number;
  /** What each reader of all accounts saw. */
  readonly sums: Set<number>;
  /** Tokens that are in the lists at the end. */
  tokens: string[];
  handedOver: number;
  snapshots: number;
}

const ACCOUNTS = Array.from({ length: 10 }, (_, n) => `account:${n}`);
const EACH = 1000;
export const ALL_MONEY = ACCOUNTS.length * EACH;
const LISTS = Array.from({ length: 6 }, (_, n) => `tokens:${n}`);
export const TOKENS = ['red', 'green', 'blue'];
const CLIENTS = { money: 4, tokens: 6, noise: 6 } as const;
const END = 'end';
const MOVE_SECONDS = 0.02;
/** Errors that random commands may earn. */
const DESERVED =
  /^(WRONGTYPE|ERR (no such key|index out of range|value is not|hash value is not|The DB index|source and destination|Background|.*on purpose)|EXECABORT)/;

export class DeadlockHunt {
  readonly result: HuntResult = { requests: 0, replies: 0, sums: new Set(), tokens: [], handedOver: 0, snapshots: 0 };
  private readonly server: ServerProcess;
  private readonly plan: Hunt;
  private readonly clients: RespClient[] = [];
  private endsAt = 0;
  private failed = false;

  constructor(server: ServerProcess, plan: Hunt) {
    this.server = server;
    this.plan = plan;
  }

  async run(): Promise<HuntResult> {
    const control = await this.connect();
    await this.ask(control, ['MSET', ...ACCOUNTS.flatMap((account) => [account, EACH])]);
    for (const [i, token] of TOKENS.entries()) await this.ask(control, ['RPUSH', LISTS[i], token]);
    this.endsAt = performance.now() + this.plan.seconds * 1000;
    const takers = this.start(CLIENTS.tokens, (client, roll) => this.passTokens(client, roll));
    // their failures end the others, and are heard of below
    for (const taker of takers) taker.catch(() => {});
    await Promise.all([
      ...this.start(CLIENTS.money, (client, roll) => this.moveMoney(client, roll)),
      ...this.start(CLIENTS.noise, (client, roll) => this.makeNoise(client, roll)),
      ...this.start(1, (client, roll) => this.moveTokens(client, roll)),
      ...this.start(1, (client) => this.snapshots(client)),
    ]);
    for (let i = 0; i < CLIENTS.tokens; i++) await this.ask(control, ['RPUSH', LISTS[i % LISTS.length], END]);
    await Promise.all(takers);
    await this.lookAround(control);
    for (const client of this.clients) client.close();
    return this.result;
  }

  private get goesOn(): boolean {
    return !this.failed && performance.now() < this.endsAt;
  }

  private async connect(): Promise<RespClient> {
    const client = await this.server.connect();
    this.clients.push(client);
    return client;
  }

  private start(count: number, work: (client: RespClient, roll: Roll) => Promise<void>): Promise<void>[] {
    return Array.from({ length: count }, async () => {
      const client = await this.connect();
      try {
        await work(client, dice(this.plan.seed * 1000 + this.clients.indexOf(client)));
      } catch (error) {
        this.failed = true;
        throw error;
      }
    });
  }

  /** All replies of a pipeline, in time. */
  private async askAll(client: RespClient, commands: readonly Command[]): Promise<Reply[]> {
    this.result.requests += commands.length;
    const what = commands.map((command) => command.join(' ').slice(0, 300)).join(' | ');
    try {
      const replies = await within(what, client.pipelineRaw(commands), this.plan.stallMs);
      this.result.replies += replies.length;
      return replies.map(decodeReply);
    } catch (error) {
      const isStall = String(error).includes('no answer');
      throw new Error(
        `${String(error)}\n${isStall ? await describeStall(this.server) : this.server.log().slice(-3000)}`,
      );
    }
  }

  /** One reply, which is no error. */
  private async ask(client: RespClient, command: Command): Promise<Reply> {
    const [reply] = await this.askAll(client, [command]);
    if (reply instanceof ReplyError) throw new Error(`${command.join(' ')}: ${reply.message}`);
    return reply;
  }

  // ---- the four kinds of clients

  private async moveMoney(client: RespClient, roll: Roll): Promise<void> {
    while (this.goesOn) {
      if (roll(3) === 0) this.result.sums.add(await this.sum(client, roll));
      else {
        const from = roll(ACCOUNTS.length);
        const to = (from + 1 + roll(ACCOUNTS.length - 1)) % ACCOUNTS.length;
        const commands = TRANSFERS[roll(TRANSFERS.length)](roll, ACCOUNTS[from], ACCOUNTS[to]);
        const wrong = (await this.askAll(client, commands)).find((reply) => reply instanceof ReplyError);
        if (wrong !== undefined) throw new Error(`${JSON.stringify(commands)}: ${String(wrong)}`);
      }
    }
  }

  private async sum(client: RespClient, roll: Roll): Promise<number> {
    const script = `local all = {} for i = 0, ${ACCOUNTS.length - 1} do all[#all + 1] = redis.call('GET', 'account:' .. i) end return all`;
    const ways: Command[][] = [
      [['MGET', ...ACCOUNTS]],
      [['EVAL', script, 0]],
      [['EVAL_RO', `${script} -- ${roll(1e9)}`, 1, ACCOUNTS[roll(ACCOUNTS.length)]]],
      [['MULTI'], ...ACCOUNTS.map((account): Command => ['GET', account]), ['EXEC']],
    ];
    const has = (await this.askAll(client, ways[roll(ways.length)])).at(-1) as Reply[];
    return has.reduce<number>((sum, one) => sum + Number(one), 0);
  }

  private async passTokens(client: RespClient, roll: Roll): Promise<void> {
    for (;;) {
      const at = roll(LISTS.length);
      const order = LISTS.map((_, i) => LISTS[(at + i) % LISTS.length]);
      const [list, token] = (await this.ask(client, ['BLPOP', ...order, 0])) as [string, string];
      if (token === END) return;
      this.result.handedOver++;
      const to = LISTS[roll(LISTS.length)];
      const push = "redis.call('LLEN', ARGV[1]) return redis.call('RPUSH', ARGV[2], ARGV[3])";
      const ways: Command[][] = [
        [['RPUSH', to, token]],
        [['EVAL', push, 1, list, list, to, token]],
        [['EVAL', `${push} -- ${roll(1e9)}`, 0, list, to, token]],
        [['MULTI'], ['LLEN', list], ['LPUSH', to, token], ['EXEC']],
      ];
      await this.askAll(client, ways[roll(ways.length)]);
    }
  }

  private async moveTokens(client: RespClient, roll: Roll): Promise<void> {
    while (this.goesOn) {
      const [from, to] = [LISTS[roll(LISTS.length)], LISTS[roll(LISTS.length)]];
      await this.ask(client, ['BLMOVE', from, to, 'LEFT', 'RIGHT', MOVE_SECONDS]);
    }
  }

  private async makeNoise(client: RespClient, roll: Roll): Promise<void> {
    await this.ask(client, ['SELECT', 1]);
    while (this.goesOn) {
      const commands = Array.from({ length: 1 + roll(5) }, () =>
        roll(3) === 0 ? noiseScript(roll) : noiseCommand(roll),
      );
      const mark = String(roll(1e9));
      const inMulti = roll(4) === 0;
      const frames: Command[] = inMulti ? [['MULTI'], ...commands, ['EXEC']] : commands;
      const replies = await this.askAll(client, [...frames, ['ECHO', mark]]);
      if (replies.at(-1) !== mark) throw new Error(`ECHO ${mark} answered ${String(replies.at(-1))}`);
      const inside = inMulti ? (replies.at(-2) as Reply[]) : replies;
      if (inMulti && inside.length !== commands.length) throw new Error(`EXEC answered ${inside.length} replies`);
      for (const [i, reply] of inside.entries()) {
        if (!(reply instanceof ReplyError) || DESERVED.test(reply.message)) continue;
        throw new Error(`${JSON.stringify(frames)}: reply ${i} is ${reply.message}`);
      }
    }
  }

  private async snapshots(client: RespClient): Promise<void> {
    while (this.goesOn) {
      await this.ask(client, [this.result.snapshots++ % 2 === 0 ? 'BGREWRITEAOF' : 'BGSAVE']);
      await waitUntil(
        'the end of a snapshot',
        async () => {
          const info = String(await this.ask(client, ['INFO', 'persistence']));
          return /aof_rewrite_in_progress:0/.test(info) && /rdb_bgsave_in_progress:0/.test(info);
        },
        this.plan.stallMs * 3,
        50,
      );
    }
  }

  /** Everybody is answered in step, nobody waits, and the tokens are where they belong. */
  private async lookAround(control: RespClient): Promise<void> {
    this.result.sums.add(await this.sum(control, () => 0));
    for (const list of LISTS) {
      const tokens = (await this.ask(control, ['LRANGE', list, 0, -1])) as string[];
      this.result.tokens.push(...tokens);
    }
    this.result.tokens.sort();
    for (const [i, client] of this.clients.entries()) {
      const mark = `client ${i}`;
      if ((await this.ask(client, ['ECHO', mark])) !== mark) throw new Error(`${mark} is out of step`);
    }
    const info = String(await this.ask(control, ['INFO', 'clients']));
    if (!info.includes('blocked_clients:0')) throw new Error(`somebody waits still\n${info}`);
  }
}

/** What the server's threads do, what it says of itself, and its log. */
async function describeStall(server: ServerProcess): Promise<string> {
  const parts = [`threads:\n${threadStates(server.pid).join('\n')}`];
  for (const command of [
    ['INFO', 'everything'],
    ['CLIENT', 'LIST'],
  ]) {
    try {
      const client = await within('a connection', server.connect(), 2000);
      parts.push(String(await within(command.join(' '), client.call(...command), 2000)));
      client.close();
    } catch (error) {
      parts.push(String(error));
    }
  }
  parts.push(server.log().slice(-2000));
  return parts.join('\n');
}

function threadStates(pid: number): string[] {
  const folder = `/proc/${pid}/task`;
  const read = (thread: string, file: string): string => {
    try {
      return readFileSync(`${folder}/${thread}/${file}`, 'latin1').trim().replaceAll('\n', ' < ');
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  };
  return readdirSync(folder).map((thread) => {
    const stat = read(thread, 'stat').split(') ')[1]?.split(' ') ?? [];
    return `${thread} ${read(thread, 'comm')} ${stat[0]} cpu ${stat[11]}+${stat[12]} ${read(thread, 'wchan')} ${read(thread, 'stack')}`;
  });
}
