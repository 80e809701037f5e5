/** One of the two servers that play the same steps: its connections, how commands are sent to it, and what it tells of its keys. */
import { type ReplyPush, replyEnd } from '../server/reply-reader.ts';
import type { RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { waitUntil } from '../server/wait-until.ts';
import type { Words } from './arbitrary-parts.ts';

/** How commands are sent: as they are, each burst of one client as a transaction, or each command by a script. */
export type Mode = 'plain' | 'transaction' | 'script';

const STAR = 42;
/** Scripts of 7.0 may not wait. */
const WAITS = /^b[lrz]/i;
/** Deaths each server notices when it does; 7.2 makes a consumer where 7.0 waits until it gets something. */
const OPEN_EVENTS = /:(expired|xgroup-createconsumer)$/;

export class Side {
  /** The steps name them by number. */
  readonly clients: RespClient[];
  private readonly listener: RespClient;
  private readonly mode: Mode;
  private barriers = 0;

  private constructor(clients: RespClient[], listener: RespClient, mode: Mode) {
    this.clients = clients;
    this.listener = listener;
    this.mode = mode;
  }

  static async connect(server: ServerProcess, clients: number, resp: 2 | 3, mode: Mode): Promise<Side> {
    const all = await Promise.all(Array.from({ length: clients }, () => server.connect(resp)));
    await all[0].must('CONFIG', 'SET', 'notify-keyspace-events', 'EAn');
    const listener = await server.connect(3);
    listener.send('PSUBSCRIBE __keyevent@* barrier\r\n');
    await waitUntil('the subscriptions', () => listener.pushes.length === 2);
    return new Side(all, listener, mode);
  }

  close(): void {
    for (const client of [...this.clients, this.listener]) client.close();
  }

  /** As on a fresh server: no keys, every connection in database 0, nothing told. */
  async clear(): Promise<void> {
    await this.clients[0].must('FLUSHALL');
    for (const client of this.clients) await client.must('SELECT', 0);
    await this.events();
  }

  /** The replies to commands of one client, one for each. */
  async play(client: number, burst: readonly Words[]): Promise<Buffer[]> {
    const connection = this.clients[client];
    if (this.mode === 'plain') return connection.pipelineRaw(burst);
    if (this.mode === 'script') return connection.pipelineRaw(burst.map(scripted));
    const replies = await connection.pipelineRaw([['MULTI'], ...burst, ['EXEC']]);
    const last = replies[replies.length - 1];
    return last[0] === STAR ? elementsOf(last) : replies.slice(1, -1);
  }

  /** What was told of keys since this was asked last: `event key`, in order. */
  async events(): Promise<string[]> {
    const name = String(++this.barriers);
    await this.clients[0].must('PUBLISH', 'barrier', name);
    const { pushes } = this.listener;
    const isEnd = ({ items }: ReplyPush): boolean => items[2] === 'barrier' && items[3] === name;
    await waitUntil('the last event', () => pushes.some(isEnd), undefined, 0);
    const events = pushes
      .splice(0)
      .filter(({ items }) => items[2] !== 'barrier' && !OPEN_EVENTS.test(String(items[2])));
    return events.map(({ items }) => `${items[2]} ${items[3]}`);
  }
}

function scripted(words: Words): Words {
  if (WAITS.test(words[0]) || words.some((word) => word.toUpperCase() === 'BLOCK')) return words;
  return ['EVAL', 'return redis.call(unpack(ARGV))', '0', ...words];
}

/** The elements of an array, as bytes. */
function elementsOf(reply: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  for (let at = reply.indexOf('\n') + 1; at < reply.length; ) {
    const end = replyEnd(reply, at);
    elements.push(reply.subarray(at, end));
    at = end;
  }
  return elements;
}
