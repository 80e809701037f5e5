/**
 * The other threads of the process as the acceptor sees them: starts workers, talks to them, and ends the process loudly when any
 * thread dies.
 */
import { Worker } from 'node:worker_threads';
import type { FromWorker, ThreadStart, ToWorker } from '../messages/thread-messages.ts';
import { moduleUrl } from './module-url.ts';
import { stackOf } from './source-places.ts';

type Kind = FromWorker['kind'];
type Of<K extends Kind> = Extract<FromWorker, { kind: K }>;

export interface SupervisorParts {
  /** A worker says something that nobody waits for. */
  onMessage: (message: FromWorker) => void;
  /** A thread died although it was not told to end. Must end the process. */
  onDeath: (text: string) => void;
}

interface Wish {
  matches: (message: FromWorker, worker: number) => boolean;
  fulfil: (message: FromWorker) => void;
}

/** Starts the workers' threads: they load their modules while the acceptor loads its own, and serve when it gives them their memory. */
export function startWorkerThreads(workers: number): Worker[] {
  const file = moduleUrl('../../workers/shard', import.meta.url, import.meta.filename);
  return Array.from(
    { length: workers },
    (_, worker) =>
      new Worker(file, {
        name: `skein-worker-${worker}`,
        trackUnmanagedFds: false, // files are the process's: who closes one need not be who has opened it
      }),
  );
}

export class Supervisor {
  readonly workers: readonly Worker[];
  private readonly parts: SupervisorParts;
  private readonly wishes = new Set<Wish>();
  private journalMayEnd = false;

  constructor(workers: readonly Worker[], parts: SupervisorParts) {
    this.workers = workers;
    this.parts = parts;
    for (const [i, worker] of workers.entries()) {
      worker.on('message', (message: FromWorker) => this.dispatch(message, i));
      this.watch(worker, `worker ${i}`, () => false);
    }
  }

  /** A worker begins with what it is given here; it is ready when it says so. */
  give(start: ThreadStart): void {
    this.workers[start.worker].postMessage(start);
  }

  /** A thread of the journal; these end by themselves, with code 0, once they were told to. */
  watchJournal(worker: Worker, name: string): void {
    this.watch(worker, name, () => this.journalMayEnd);
  }

  /** Reports the death of any thread, at any time: workers serve until the process is gone. */
  private watch(worker: Worker, name: string, mayEnd: () => boolean): void {
    worker.on('error', (error: unknown) => this.parts.onDeath(`${name} failed: ${stackOf(error)}`));
    worker.on('exit', (code) => {
      if (code !== 0 || !mayEnd()) this.parts.onDeath(`${name} ended with code ${code}`);
    });
  }

  /** From now on the journal's threads may end. */
  expectJournalEnd(): void {
    this.journalMayEnd = true;
  }

  send(worker: number, message: ToWorker): void {
    if (message.kind === 'client') {
      // @types/node does not know that sockets can be transferred
      this.workers[worker].postMessage(message, [message.socket as unknown as ArrayBuffer]);
    } else {
      this.workers[worker].postMessage(message);
    }
  }

  broadcast(message: ToWorker): void {
    for (let worker = 0; worker < this.workers.length; worker++) this.send(worker, message);
  }

  /** The next message of a kind from one worker. */
  next<K extends Kind>(worker: number, kind: K, also: (message: Of<K>) => boolean = () => true): Promise<Of<K>> {
    return new Promise((resolve) => {
      this.wishes.add({
        matches: (message, from) => from === worker && message.kind === kind && also(message as Of<K>),
        fulfil: (message) => resolve(message as Of<K>),
      });
    });
  }

  /** The next message of a kind from every worker. */
  async nextOfAll(kind: Kind): Promise<void> {
    await Promise.all(this.workers.map((_, worker) => this.next(worker, kind)));
  }

  private dispatch(message: FromWorker, worker: number): void {
    for (const wish of this.wishes) {
      if (!wish.matches(message, worker)) continue;
      this.wishes.delete(wish);
      wish.fulfil(message);
      return;
    }
    this.parts.onMessage(message);
  }
}
