/**
 * The longest pause a client meets while many keys are loaded: one connection loads as fast as it can, from a thread of its
 * own, and an idle second connection sends a PING every millisecond. Reads `event_loop_pause_max_us` of INFO where the
 * server measures itself.
 *
 *   npx node bench/load-pause.ts [--keys 10000000] [--data 8] [--workers 1] [--server redis-server]
 */
import net from 'node:net';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { SKEIN, STOCK } from '../test/server/server-command.ts';
import { ServerProcess } from '../test/server/server-process.ts';
import { infoNumber } from './compare-servers.ts';
import { type LoadPlan, loadKeys } from './load-keys.ts';

/** Round trips of PING on one connection, one at a time, at least `everyMs` apart. */
class Pinger {
  maxMs = 0;
  count = 0;
  slow = 0;
  private readonly socket: net.Socket;
  private readonly timer: NodeJS.Timeout;
  private sentAt = 0;

  constructor(port: number, everyMs: number) {
    this.socket = net.connect(port, '127.0.0.1').setNoDelay(true);
    this.socket.on('data', () => this.answered());
    this.timer = setInterval(() => this.ping(), everyMs);
  }

  close(): void {
    clearInterval(this.timer);
    this.socket.destroy();
  }

  private ping(): void {
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
  const server = await ServerProcess.start({ command, skeinOptions: { workers: values.workers } });
  const pinger = new Pinger(server.port, 1);
  const plan: LoadPlan = { port: server.port, keys: Number(values.keys), valueBytes: Number(values.data) };
  const loader = new Worker(new URL(import.meta.url), { workerData: plan });
  const tookMs = await new Promise<number>((resolve, reject) => loader.once('message', resolve).once('error', reject));
  pinger.close();
  const own = await infoNumber(server, 'event_loop_pause_max_us');
  console.log(
    `${command.kind}: ${values.keys} keys in ${(tookMs / 1000).toFixed(1)} s; ${pinger.count} pings, ` +
      `longest ${pinger.maxMs.toFixed(2)} ms, ${pinger.slow} over 10 ms` +
      (own === null ? '' : `; the server's own longest event-loop pause ${(own / 1000).toFixed(2)} ms`),
  );
  await server.remove();
}

if (isMainThread) await main();
else parentPort?.postMessage(await loadKeys(workerData as LoadPlan));
