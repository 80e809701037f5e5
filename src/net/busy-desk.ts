/**
 * Serves a thread's clients while a script of this thread runs on and on (R30): the script's engine calls in between, and by then the
 * event loop has not turned for long. Whatever has come is read from the sockets at once, and nearly all of it is answered with BUSY.
 *
 *   script ──► a thousand instructions ──► ScriptHost.runsOn ──► look ──► new connections · what clients have sent · SCRIPT KILL
 *
 * Invariant 1: nothing that is served here needs a latch or changes data; what might waits for the end of the script.
 * Invariant 2: the event loop finds everything as if it had served it itself; what was read and not served is its first work.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Scripts } from '../dispatch/scripts.ts';
import type { ToWorker } from '../messages/thread-messages.ts';
import { Args } from '../resp/args.ts';
import { RUNS, type ScriptStore } from '../scripting/script-store.ts';
import { STATE } from '../shard/world.ts';
import type { Outbox } from './outbox.ts';
import type { WorkerClients } from './worker-clients.ts';

/** Clients wait no longer than that for their BUSY. */
const LOOK_EVERY_MS = 10;
/** The script keeps so many times the time that serving takes. */
const SHARE_OF_SCRIPT = 10;
const BUFFER_BYTES = 64 * 1024;

export class BusyDesk {
  /** Of BUSY_BITS, while clients of this thread are served in a script. */
  bits = 0;
  private readonly parts: BusyDeskParts;
  private buffer: Buffer | null = null;
  private readonly args = new Args();
  private readonly later: ToWorker[] = [];
  private nextLookMs = 0;
  /** The script that others know of, by the time when it was told: the same one is told once. */
  private toldRuns = -1;

  constructor(parts: BusyDeskParts) {
    this.parts = parts;
  }

  /** Called by the running script. */
  look(busyAfterMs: number): void {
    const { store, thread, steadyMs, clients, outbox } = this.parts;
    const now = steadyMs();
    if (now < this.nextLookMs || store.runsForMs(thread, now) < busyAfterMs) return;
    this.tell(now);
    this.bits = store.runs(thread) === RUNS.function ? STATE.functionBusy : STATE.scriptBusy;
    this.takeMessages();
    outbox.sendInScript();
    this.buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES);
    clients.serveInScript(this.buffer, this.args);
    this.bits = 0;
    const ended = steadyMs();
    this.nextLookMs = ended + Math.max(LOOK_EVERY_MS, (ended - now) * SHARE_OF_SCRIPT);
  }

  private tell(now: number): void {
    const { store, thread, scripts, log } = this.parts;
    const run = store.runNumber(thread);
    if (this.toldRuns === run) return;
    this.toldRuns = run;
    scripts.describe();
    const verb = store.runs(thread) === RUNS.function ? 'FUNCTION KILL' : 'SCRIPT KILL';
    const ms = Math.round(store.runsForMs(thread, now));
    const name = scripts.runningName;
    log(`A slow script is still running after ${ms} milliseconds; ${verb} ends it. Script name is: ${name}.`);
  }

  private takeMessages(): void {
    const { port, clients } = this.parts;
    for (let taken = receiveMessageOnPort(port); taken !== undefined; taken = receiveMessageOnPort(port)) {
      const message = taken.message as ToWorker;
      if (message.kind === 'client') clients.adopt(message.socket, '');
      else if (this.later.push(message) === 1) setImmediate(this.handleLater);
    }
  }

  /** What the acceptor said meanwhile; called before anything that it says now. */
  readonly handleLater = (): void => {
    for (const message of this.later.splice(0)) this.parts.onMessage(message);
  };
}

export interface BusyDeskParts {
  store: ScriptStore;
  scripts: Scripts;
  clients: WorkerClients;
  outbox: Pick<Outbox, 'sendInScript'>;
  port: MessagePort;
  thread: number;
  steadyMs: () => number;
  log: (text: string) => void;
  onMessage: (message: ToWorker) => void;
}
