/**
 * Clients that write, one command at a time, to a server that may refuse them, reload its data or die, and know what must be there
 * afterwards: each key has the value that was acknowledged last, or that of a command that was never answered.
 */
import { dice } from '../checkers/concurrent-clients.ts';
import { ReplyError } from '../server/reply-reader.ts';
import { ConnectionLost, type RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';
import { noteChecked } from './fault-tally.ts';

const KEYS = 12;
const MOST_BYTES = 3000;
/** Refusals that prove that the command did nothing. */
const REFUSED = /^(MISCONF|LOADING|OOM) /;

interface Known {
  acked: string | null;
  /** A command was sent that would make this its value, and not answered. */
  pending: string | null;
}

class Writer {
  /** Two keys, mostly of different shards, that one command writes. */
  private readonly pair: readonly string[];
  private readonly keys: readonly string[];
  private readonly known = new Map<string, Known>();
  private readonly roll: (limit: number) => number;
  private readonly name: string;
  private turn = 0;
  acknowledged = 0;

  constructor(name: string, seed: number) {
    this.name = name;
    this.roll = dice(seed);
    this.pair = [`${name}:left`, `${name}:right`];
    this.keys = Array.from({ length: KEYS }, (_, n) => `${name}:${n}`);
    for (const key of [...this.pair, ...this.keys]) this.known.set(key, { acked: null, pending: null });
  }

  async run(client: RespClient, goesOn: () => boolean): Promise<void> {
    try {
      while (goesOn()) await this.write(client);
      client.close();
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  private async write(client: RespClient): Promise<void> {
    const { roll } = this;
    const value = `${this.name}.${this.turn++}.`.padEnd(roll(MOST_BYTES), 'x');
    const keys = roll(4) === 0 ? this.pair : [this.keys[roll(KEYS)]];
    for (const key of keys) this.known.get(key)!.pending = value;
    const reply = await client.call('MSET', ...keys.flatMap((key) => [key, value]));
    if (reply instanceof ReplyError && !REFUSED.test(reply.message)) throw reply;
    if (reply === 'OK') this.acknowledged++;
    for (const key of keys)
      this.known.set(key, { acked: reply === 'OK' ? value : this.known.get(key)!.acked, pending: null });
  }

  /** Throws unless the server has what must be there; from now on that is what is known. */
  async check(client: RespClient): Promise<void> {
    for (const [key, { acked, pending }] of this.known) {
      const value = (await client.must('GET', key)) as string | null;
      if (value !== acked && (pending === null || value !== pending))
        throw new Error(`${key} is ${short(value)}; acknowledged: ${short(acked)}, sent: ${short(pending)}`);
      this.known.set(key, { acked: value, pending: null });
    }
    const [left, right] = this.pair.map((key) => this.known.get(key)!.acked);
    if (left !== right)
      throw new Error(`one command wrote ${this.pair}, but they are ${short(left)} and ${short(right)}`);
    noteChecked(this.acknowledged);
    this.acknowledged = 0;
  }
}

function short(value: string | null): string {
  return value === null ? 'nothing' : value.slice(0, 30);
}

export class WriteLoad {
  private readonly writers: Writer[];
  private runs: Promise<unknown> = Promise.resolve();
  private on = false;

  constructor(clients: number, seed: number) {
    this.writers = Array.from({ length: clients }, (_, n) => new Writer(`w${n}`, seed + n));
  }

  get acknowledged(): number {
    return this.writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  async begin(server: ServerProcess): Promise<void> {
    this.on = true;
    const clients = await Promise.all(this.writers.map(() => server.connect()));
    this.runs = Promise.all(this.writers.map((writer, n) => writer.run(clients[n], () => this.on)));
    // whoever waits for the end sees it
    this.runs.catch(() => {});
  }

  /** Ends when every writer has its last answer, or lost its connection. */
  async end(): Promise<void> {
    this.on = false;
    await this.runs;
  }

  async check(server: ServerProcess): Promise<void> {
    const client = await server.connect();
    for (const writer of this.writers) await writer.check(client);
    client.close();
  }
}
