/**
 * Listening on TCP and handing fresh connections to the worker with the fewest of them. Knows nothing of commands.
 */
import net from 'node:net';
import { systemClock } from '../env/clock.ts';

export interface ListenOptions {
  /** Addresses to bind; a leading '-' means: not being able to is no failure. */
  bind: readonly string[];
  port: number;
  backlog: number;
  /** Seconds, 0 = off. */
  keepAliveSeconds: number;
}

/**
 * Opens the listening sockets; `accept` gets each fresh, paused, unread connection, `warn` a line for the log when the system hands
 * one out no more. Throws the first failure.
 */
export async function listenTcp(
  options: ListenOptions,
  accept: (socket: net.Socket) => void,
  warn: (text: string) => void,
): Promise<net.Server[]> {
  const servers: net.Server[] = [];
  for (const address of options.bind) {
    const optional = address.startsWith('-');
    const host = optional ? address.slice(1) : address;
    try {
      const server = await listenOne(host === '*' ? '0.0.0.0' : host === '::*' ? '::' : host, options, accept);
      reportAcceptErrors(server, warn);
      servers.push(server);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (optional && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) continue;
      for (const server of servers) server.close();
      throw error;
    }
  }
  return servers;
}

function listenOne(host: string, options: ListenOptions, accept: (socket: net.Socket) => void): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer(
      {
        pauseOnConnect: true,
        noDelay: true,
        allowHalfOpen: true,
        keepAlive: options.keepAliveSeconds > 0,
        keepAliveInitialDelay: options.keepAliveSeconds * 1000,
      },
      accept,
    );
    server.once('error', reject);
    // `*` and `::*` listen side by side
    server.listen({ host, port: options.port, backlog: options.backlog, ipv6Only: host.includes(':') }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

const ACCEPT_ERRORS_EVERY_MS = 1000;

/** A listening socket that fails to accept (no file numbers are left) goes on listening; it is said once a second at most. */
export function reportAcceptErrors(server: net.Server, warn: (text: string) => void): void {
  let nextMs = 0;
  server.on('error', (error) => {
    const now = systemClock.steadyMs();
    if (now < nextMs) return;
    nextMs = now + ACCEPT_ERRORS_EVERY_MS;
    warn(`Error accepting a client connection: ${error.message}`);
  });
}

const DENIED =
  '-DENIED Skein is running in protected mode because protected mode is enabled and no password is set for the default user. ' +
  'In this mode connections are only accepted from the loopback interface. To let other computers connect, set a password ' +
  '(CONFIG SET requirepass), or disable protected mode (CONFIG SET protected-mode no) where the network is trusted.\r\n';
const TOO_MANY = '-ERR max number of clients reached\r\n';

/** Is the peer on this machine? */
export function isLoopback(socket: net.Socket): boolean {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');
}

/** Says so and closes: who stays connected all the same must not keep a file of this process. */
function turnAway(socket: net.Socket, text: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(text, () => socket.destroy());
}

/** Refuses a connection that protected mode forbids. */
export function deny(socket: net.Socket): void {
  turnAway(socket, DENIED);
}

/** Refuses a connection beyond maxclients. */
export function refuseTooMany(socket: net.Socket): void {
  turnAway(socket, TOO_MANY);
}

/** Deals connections out: to the worker that has the fewest open ones among those whose event loops turn (R30). */
export class HandOff {
  private readonly handed: Float64Array;
  private readonly finished: (worker: number) => number;
  private readonly isStuck: (worker: number) => boolean;

  /**
   * `finished(worker)`: how many of its connections a worker has closed, as a 32-bit count that wraps. `isStuck(worker)`: its
   * heartbeat is old.
   */
  constructor(workers: number, finished: (worker: number) => number, isStuck: (worker: number) => boolean) {
    this.handed = new Float64Array(workers);
    this.finished = finished;
    this.isStuck = isStuck;
  }

  openOf(worker: number): number {
    return (this.handed[worker] - this.finished(worker)) | 0;
  }

  get open(): number {
    let sum = 0;
    for (let worker = 0; worker < this.handed.length; worker++) sum += this.openOf(worker);
    return sum;
  }

  /** The worker that gets the next connection, counted as handed to it. Where all are stuck, the one with the fewest. */
  next(): number {
    let best = 0;
    let bestStuck = this.isStuck(0);
    for (let worker = 1; worker < this.handed.length; worker++) {
      const stuck = this.isStuck(worker);
      const better = stuck === bestStuck ? this.openOf(worker) < this.openOf(best) : bestStuck;
      if (!better) continue;
      best = worker;
      bestStuck = stuck;
    }
    this.handed[best]++;
    return best;
  }
}
