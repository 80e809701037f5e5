/** Values of every type, in every form that it has, and the digest of what a server holds. */
import { ReplyError } from '../server/reply-reader.ts';
import type { Command } from '../server/resp-client.ts';
import type { ServerProcess } from '../server/server-process.ts';

const many = (count: number, make: (i: number) => (string | number)[]): (string | number)[] =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

/** Values of every type, in every form that it has. */
const FILL: Command[] = [
  ['SET', 'text', 'value'],
  ['SET', 'number', 12345],
  ['SET', 'long', 'abc'.repeat(60_000)],
  ['SET', 'mortal', 'x', 'EX', 100_000],
  ['SETBIT', 'bits', 900, 1],
  ['RPUSH', 'list', 'a', 3, -70000, 'b'.repeat(70)],
  ['RPUSH', 'long list', ...many(3000, (i) => [`element ${i}`])],
  ['RPUSH', 'list of long', 'x'.repeat(20_000), 'y'],
  ['SADD', 'integers', 1, 2, -3],
  ['SADD', 'long integers', ...many(400, (i) => [100_000 + i]), '5000000000'],
  ['SADD', 'set', 1, 'two', '3.0'],
  ['SADD', 'long set', ...many(900, (i) => [`member ${i}`])],
  ['HSET', 'hash', 'a', 1, 'b', 'two'],
  ['HSET', 'long hash', ...many(800, (i) => [`field ${i}`, i])],
  ['HSET', 'hash of long', 'f', 'v'.repeat(9000)],
  ['ZADD', 'sorted', 1, 'a', 2.5, 'b', '-inf', 'c'],
  ['ZADD', 'long sorted', ...many(900, (i) => [i / 3, `member ${i}`])],
  ['PFADD', 'log', ...many(500, (i) => [i])],
  ...Array.from({ length: 300 }, (_, i): Command => ['XADD', 'stream', `${i + 1}-0`, 'a', i, 'b', `value ${i}`]),
  ['XDEL', 'stream', '7-0', '200-0'],
  ['XGROUP', 'CREATE', 'stream', 'group', '0'],
  ['XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', '5', 'STREAMS', 'stream', '>'],
  ['XREADGROUP', 'GROUP', 'group', 'bob', 'COUNT', '3', 'STREAMS', 'stream', '>'],
  ['XACK', 'stream', 'group', '2-0'],
];

/** Writes them, and something into another database. */
export async function fill(server: ServerProcess): Promise<void> {
  const client = await server.connect();
  const replies = await client.pipeline([...FILL, ['SELECT', 5], ['SET', 'other', 'database']]);
  const refused = replies.find((reply) => reply instanceof ReplyError);
  if (refused !== undefined) throw refused;
  client.close();
}

export async function digestOf(server: ServerProcess): Promise<string> {
  const client = await server.connect();
  const digest = String(await client.must('DEBUG', 'DIGEST'));
  client.close();
  return digest;
}
