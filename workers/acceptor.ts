/** The main thread: settings, shared memory, the other threads, listening and hand-off, supervision, shutdown. Wiring only. */
import { availableParallelism } from 'node:os';
import { prepareStart } from '../src/net/start-options.ts';
import { startWorkerThreads } from '../src/net/supervisor.ts';

/** Starts the server of this process. Returns when it accepts connections; ends the process where it cannot. */
export async function startServer(args: readonly string[]): Promise<void> {
  const start = prepareStart(args);
  if (start === null) return;
  const workers = startWorkerThreads((start.values.get('workers') as number) || availableParallelism());
  // not before: the workers have twice as many modules to load
  const { Acceptor } = await import('../src/net/acceptor.ts');
  await new Acceptor(start, workers).run();
}
