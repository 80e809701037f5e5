/**
 * How long a start takes, from the start of the process to `Ready to accept`, and how much CPU: from the sources, as a package, stock
 * Redis. They take turns; medians. First with the compiled code of an earlier start at hand, then without, as on a new machine.
 *
 *   npx node bench/start-time.ts [--starts 11] [--cold 5] [--workers 2]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleServer } from '../test/server/server-bundle.ts';
import { isInstalled, type ServerCommand, SKEIN_FROM_SOURCE, STOCK } from '../test/server/server-command.ts';
import { ServerProcess } from '../test/server/server-process.ts';

interface Way {
  readonly name: string;
  readonly command: ServerCommand;
  /** Where it keeps compiled code. */
  cache: string;
  readyMs: number[];
  cpuMs: number[];
}

const { values } = parseArgs({
  options: {
    starts: { type: 'string', default: '11' },
    cold: { type: 'string', default: '5' },
    workers: { type: 'string', default: '2' },
  },
});

/** Time that all threads of the process have run so far. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ran = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'latin1').split(' ')[0]));
  return ran.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6;
}

const newCache = (): string => mkdtempSync(join(tmpdir(), 'skein-start-'));

async function startOnce(way: Way): Promise<void> {
  const began = performance.now();
  const server = await ServerProcess.start({
    command: way.command,
    options: { appendonly: 'yes' },
    skeinOptions: { workers: Number(values.workers) },
    env: { TMPDIR: way.cache },
    startsOver: true,
  });
  way.readyMs.push(performance.now() - began);
  way.cpuMs.push(cpuMs(server.pid));
  await server.stop();
}

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1];

function report(title: string, ways: readonly Way[]): void {
  console.log(`\n| ${title} | ready after ms | lowest–highest | CPU ms |\n| --- | --- | --- | --- |`);
  for (const { name, readyMs, cpuMs } of ways) {
    const middle = median(readyMs);
    const range = `${readyMs[0].toFixed(0)}–${readyMs.at(-1)!.toFixed(0)}`;
    console.log(`| ${name} | ${middle.toFixed(0)} | ${range} | ${median(cpuMs).toFixed(0)} |`);
  }
}

const way = (name: string, command: ServerCommand): Way => ({
  ...{ name, command, cache: newCache() },
  ...{ readyMs: [], cpuMs: [] },
});
const ways = [
  way('from the sources', SKEIN_FROM_SOURCE),
  way('as a package', { ...SKEIN_FROM_SOURCE, args: [await bundleServer()] }),
  ...(isInstalled(STOCK.program) ? [way('stock redis-server', STOCK)] : []),
];
try {
  for (const each of ways) await startOnce(each);
  for (const each of ways) [each.readyMs, each.cpuMs] = [[], []];
  for (let i = 0; i < Number(values.starts); i++) for (const each of ways) await startOnce(each);
  report(`${values.workers} workers`, ways);
  for (const each of ways) [each.readyMs, each.cpuMs] = [[], []];
  for (let i = 0; i < Number(values.cold); i++) {
    for (const each of ways) {
      rmSync(each.cache, { recursive: true });
      each.cache = newCache();
      await startOnce(each);
    }
  }
  report('first start', ways);
} finally {
  for (const { cache } of ways) rmSync(cache, { recursive: true, force: true });
}
