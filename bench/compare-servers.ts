/** The servers of a comparison: stock Redis and Skein with several numbers of workers, all up at the same time. */
import { readFileSync } from 'node:fs';
import { type ServerCommand, STOCK } from '../test/server/server-command.ts';
import { type Options, ServerProcess } from '../test/server/server-process.ts';

export interface Contender {
  readonly name: string;
  readonly process: ServerProcess;
}

export type Persistence = 'off' | 'everysec' | 'always';

function persistenceOptions(persistence: Persistence): Options {
  return persistence === 'off'
    ? { save: '', appendonly: 'no' }
    : { save: '', appendonly: 'yes', appendfsync: persistence, 'auto-aof-rewrite-percentage': 0 };
}

/** Starts redis-server and one Skein for each number of workers. */
export async function startContenders(
  skein: ServerCommand,
  workers: readonly number[],
  persistence: Persistence,
  skeinOptions: Options = {},
  more: Options = {},
): Promise<Contender[]> {
  const options = { ...persistenceOptions(persistence), ...more };
  const contenders = [{ name: 'redis', process: await ServerProcess.start({ command: STOCK, options }) }];
  for (const count of workers) {
    const own = { ...skeinOptions, workers: count };
    const process = await ServerProcess.start({ command: skein, options, skeinOptions: own });
    contenders.push({ name: `skein-${count}w`, process });
  }
  return contenders;
}

export async function stopContenders(contenders: readonly Contender[]): Promise<void> {
  for (const { process } of contenders) await process.remove();
}

const TICKS_PER_SECOND = 100; // USER_HZ of Linux, the unit of /proc/<pid>/stat on every architecture Node supports

/** CPU microseconds (user and system, all threads) the process has used so far. */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

/** One number of INFO, or null where the server does not show it. */
export async function infoNumber(server: ServerProcess, field: string): Promise<number | null> {
  const client = await server.connect();
  const info = String(await client.must('INFO', 'everything'));
  client.close();
  const found = new RegExp(`^${field}:([0-9.]+)\r?$`, 'm').exec(info);
  return found ? Number(found[1]) : null;
}
