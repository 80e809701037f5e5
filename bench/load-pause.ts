/**
 * The longest pause while many keys are loaded: one connection loads as fast as it can, from a thread of its own. Seen from two sides:
 *
 *   client   an idle second connection sends a PING every millisecond. On a machine of two cores this shows how the system shares them
 *            between server, loader and this very client, too: how late the client's own timer was is said beside it.
 *   server   how long a turn of the worker's event loop took (event-loop-watch.ts), and what of that the thread had a core for: its own
 *            work, GC and page touching included; Skein only.
 *
 *   npx node bench/load-pause.ts [--keys 10000000] [--data 8] [--workers 1] [--server redis-server]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { SKEIN, STOCK } from '../test/server/server-command.ts';
import { ServerProcess } from '../test/server/server-process.ts';
import { type LoopPause, REPORT_MS } from './event-loop-watch.ts';
import { type LoadPlan, loadKeys } from './load-keys.ts';

/** Round trips of PING on one connection, one at a time, at least `everyMs` apart. */
class Pinger {
  maxMs = 0;
  count = 0;
  slow = 0;
  /** How late this thread's own timer was. */
  lateMs = 0;
  private readonly socket: net.Socket;
  private readonly timer: NodeJS.Timeout;
  private readonly everyMs: number;
  private sentAt = 0;
  private tickedAt = performance.now();

  constructor(port: number, everyMs: number) {
    this.socket = net.connect(port, '127.0.0.1').setNoDelay(true);
    this.socket.on('data', () => this.answered());
    this.everyMs = everyMs;
    this.timer = setInterval(() => this.ping(), everyMs);
  }

  close(): void {
    clearInterval(this.timer);
    this.socket.destroy();
  }

  private ping(): void {
    const now = performance.now();
    this.lateMs = Math.max(this.lateMs, now - this.tickedAt - this.everyMs);
    this.tickedAt = now;
    if (this.sentAt !== 0) return;
    this.sentAt = performance.now();
    this.socket.write('PING\r\n');
  }

  private answered(): void {
    const ms = performance.now() - this.sentAt;
    this.sentAt = 0;
    this.count++;
    if (ms > this.maxMs) this.maxMs = ms;
    if (ms > 10) this.slow++;
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      keys: { ...text, default: '10000000' },
      data: { ...text, default: '8' },
      workers: { ...text, default: '1' },
      server: text,
    },
  });
  const command = values.server === 'redis-server' ? STOCK : SKEIN;
  const folder = mkdtempSync(join(tmpdir(), 'skein-pause-'));
  const watchFile = join(folder, 'loops');
  const server = await ServerProcess.start({
    command,
    skeinOptions: { workers: values.workers },
    nodeOptions: ['--import', join(import.meta.dirname, 'event-loop-watch.ts')],
    env: { EVENT_LOOP_WATCH: watchFile },
  });
  writeFileSync(watchFile, '');
  const pinger = new Pinger(server.port, 1);
  const plan: LoadPlan = { port: server.port, keys: Number(values.keys), valueBytes: Number(values.data) };
  const loader = new Worker(new URL(import.meta.url), { workerData: plan });
  const tookMs = await new Promise<number>((resolve, reject) => loader.once('message', resolve).once('error', reject));
  pinger.close();
  // the last second's report
  await new Promise((resolve) => setTimeout(resolve, REPORT_MS + 200));
  console.log(
    `${command.kind}: ${values.keys} keys in ${(tookMs / 1000).toFixed(1)} s; ${pinger.count} pings, ` +
      `longest ${pinger.maxMs.toFixed(2)} ms, ${pinger.slow} over 10 ms; the client's own timer late by up to ${pinger.lateMs.toFixed(2)} ms`,
  );
  if (command.kind === 'skein') console.log(loopReport(watchFile));
  rmSync(folder, { recursive: true });
  await server.remove();
}

function loopReport(file: string): string {
  const seconds = readFileSync(file, 'latin1')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LoopPause);
  const longest = seconds.reduce((a, b) => (b.longestMs > a.longestMs ? b : a));
  const own = Math.max(...seconds.map(({ longestRunMs }) => longestRunMs));
  return (
    `  event loop: longest turn ${longest.longestMs.toFixed(2)} ms (${longest.ranMs.toFixed(2)} ms on a core, ` +
    `${longest.waitedMs.toFixed(2)} ms waiting for one); longest time on a core in one turn ${own.toFixed(2)} ms; ` +
    `longest turn of each second: ${seconds.map(({ longestMs }) => longestMs.toFixed(1)).join(' ')}`
  );
}

if (isMainThread) await main();
else parentPort?.postMessage(await loadKeys(workerData as LoadPlan));
