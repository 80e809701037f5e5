/**
 * Clients that write until the server dies, each on keys of its own, and what they know afterwards: which commands they sent,
 * in which order, and which were acknowledged.
 */
import { dice } from '../checkers/concurrent-clients.ts';
import { STRING_MODEL } from '../checkers/string-model.ts';
import { decodeReply, type Reply } from '../server/reply-reader.ts';
import type { Command, RespClient } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';

export type KeyValues = ReadonlyMap<string, string>;

/** One client's commands in the order in which they take effect. */
export interface ClientHistory {
  readonly client: number;
  readonly keys: readonly string[];
  readonly commands: Command[];
  /** states[i]: the client's keys after the first i commands. */
  readonly states: KeyValues[];
  /** When the answer of command i came, by this process's clock; answers come in order. */
  readonly ackedAtMs: number[];
}

export interface Load {
  readonly clients: number;
  readonly seed: number;
  /** Pipelines of each client; it stops earlier when the server dies. */
  readonly pipelines: number;
  readonly maxDepth: number;
  /** Called after every answer with the number of answers so far. */
  readonly onAnswer?: (answers: number) => void;
}

const KEYS_PER_CLIENT = 7;

export function keysOf(client: number): string[] {
  return Array.from({ length: KEYS_PER_CLIENT }, (_, n) => `c${client}:${n}`);
}

function nextCommand(roll: (limit: number) => number, keys: readonly string[], token: string): Command {
  const one = keys[roll(keys.length)];
  const other = keys[(keys.indexOf(one) + 1 + roll(keys.length - 1)) % keys.length];
  const choices: Command[] = [
    ['SET', one, token],
    ['SET', one, token.padEnd(1 + roll(3000), '.')],
    ['APPEND', one, 'x'],
    ['INCR', one],
    ['DEL', one, other],
    ['MSET', ...keys.slice(roll(3)).flatMap((key) => [key, token])],
    ['MSET', one, token, other, token],
    ['RENAME', one, other],
    ['RENAME', one, other],
    ['COPY', one, other],
    ['GETDEL', one],
    ['SETNX', one, token],
  ];
  return choices[roll(choices.length)];
}

/** Runs a load against a server whose contents are known; returns each client's history. Throws at a wrong reply. */
export async function runLoad(
  server: ServerProcess,
  load: Load,
  before: readonly KeyValues[] = [],
): Promise<ClientHistory[]> {
  let answers = 0;
  const histories = Array.from({ length: load.clients }, (_, client): ClientHistory => {
    const initial = before[client] ?? new Map<string, string>();
    return { client, keys: keysOf(client), commands: [], states: [initial], ackedAtMs: [] };
  });
  const answered = () => load.onAnswer?.(++answers);
  await Promise.all(
    histories.map(async (history) => {
      const connection = await server.connect();
      const roll = dice(load.seed * 100 + history.client);
      for (let i = 0; i < load.pipelines && !connection.isLost; i++) {
        const depth = 1 + roll(load.maxDepth);
        await sendPipeline(connection, history, roll, depth, load.seed, answered);
      }
      connection.close();
    }),
  );
  return histories;
}

async function sendPipeline(
  connection: RespClient,
  history: ClientHistory,
  roll: (limit: number) => number,
  depth: number,
  seed: number,
  answered: () => void,
): Promise<void> {
  const { commands, states } = history;
  const expected: Reply[] = [];
  const burst: Command[] = [];
  for (let i = 0; i < depth; i++) {
    const command = nextCommand(roll, history.keys, `v${history.client}.${seed}.${commands.length}`);
    const { state, output } = STRING_MODEL.apply(states[states.length - 1], command);
    burst.push(command);
    commands.push(command);
    states.push(state);
    expected.push(output);
  }
  const replies = connection.pipelineEach(burst);
  for (let i = 0; i < depth; i++) {
    let bytes: Buffer;
    try {
      bytes = await replies[i];
    } catch {
      return; // the connection is lost, and with it the rest of this pipeline
    }
    const reply = decodeReply(bytes);
    if (!STRING_MODEL.same(reply, expected[i])) {
      throw new Error(`${burst[i].join(' ')}: got ${JSON.stringify(reply)}, expected ${JSON.stringify(expected[i])}`);
    }
    history.ackedAtMs.push(performance.now());
    answered();
  }
}

/** What the server holds of each client's keys. */
export async function readBack(server: ServerProcess, clients: number): Promise<KeyValues[]> {
  const connection = await server.connect();
  const found: KeyValues[] = [];
  for (let client = 0; client < clients; client++) {
    const keys = keysOf(client);
    const values = (await connection.must('MGET', ...keys)) as (string | null)[];
    found.push(new Map(keys.flatMap((key, i) => (values[i] === null ? [] : [[key, values[i]]]))));
  }
  connection.close();
  return found;
}
