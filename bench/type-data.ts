/** Data of each type for bench/compare: what they take of the memory. */
import type { Command } from '../test/server/resp-client.ts';
import { type Contender, infoNumber } from './compare-servers.ts';

export interface Data {
  readonly name: string;
  readonly commands: number;
  readonly command: (i: number) => Command;
}

const COMMANDS_PER_BATCH = 1000;
const MEMBERS_PER_COMMAND = 100;

const digits = (i: number) => String(i).padStart(12, '0');
const upTo = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));

export const DATA: readonly Data[] = [
  {
    name: '1 M hashes of 5 fields',
    commands: 1_000_000,
    command: (i) => ['HSET', `hash:${digits(i)}`, ...upTo(5, (field) => [`field${field}`, `value${i + field}`]).flat()],
  },
  {
    name: '100 k lists of 100 texts',
    commands: 100_000,
    command: (i) => ['RPUSH', `list:${digits(i)}`, ...upTo(100, (at) => `element ${i + at}`)],
  },
  {
    name: '100 k lists of 100 numbers',
    commands: 100_000,
    command: (i) => ['RPUSH', `list:${digits(i)}`, ...upTo(100, (at) => String(i + at))],
  },
  {
    name: '1 sorted set of 1 M',
    commands: 1_000_000 / MEMBERS_PER_COMMAND,
    command: (i) => {
      const first = i * MEMBERS_PER_COMMAND;
      return ['ZADD', 'sorted', ...upTo(MEMBERS_PER_COMMAND, (m) => [`${first + m}`, `m:${digits(first + m)}`]).flat()];
    },
  },
  {
    name: '1 stream of 1 M',
    commands: 1_000_000,
    command: (i) => ['XADD', 'stream', `${1_700_000_000_000 + i}-0`, 'field', `value ${i}`],
  },
  {
    name: '100 k sets of 20 texts',
    commands: 100_000,
    command: (i) => ['SADD', `set:${digits(i)}`, ...upTo(20, (at) => `member:${i + at}`)],
  },
];

/** used_memory that the data took on an empty server, in bytes. */
export async function bytesOf({ process }: Contender, { commands, command }: Data): Promise<number> {
  const before = await infoNumber(process, 'used_memory');
  const client = await process.connect();
  for (let from = 0; from < commands; from += COMMANDS_PER_BATCH)
    await client.pipeline(upTo(Math.min(COMMANDS_PER_BATCH, commands - from), (i) => command(from + i)));
  client.close();
  const after = await infoNumber(process, 'used_memory');
  if (before === null || after === null) throw new Error('the server shows no used_memory');
  return after - before;
}
