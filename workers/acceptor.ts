/** The main thread: settings, shared memory, the other threads, listening and hand-off, supervision, shutdown. Wiring only. */
import { Acceptor } from '../src/net/acceptor.ts';
import { prepareStart } from '../src/net/start-options.ts';

/** Starts the server of this process. Returns when it accepts connections; ends the process where it cannot. */
export async function startServer(args: readonly string[]): Promise<void> {
  const start = prepareStart(args);
  if (start === null) return;
  await new Acceptor(start).run();
}
