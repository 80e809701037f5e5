/** What the acceptor knows of scripts: which threads run one, and since when. */
import { RUNS, ScriptStore, type ScriptStoreMemory } from '../scripting/script-store.ts';

export class RunningScripts {
  private readonly store: ScriptStore;

  constructor(memory: ScriptStoreMemory) {
    this.store = new ScriptStore(memory);
  }

  /** Codes of all libraries of functions (latin1); under all latches. */
  libraryCodes(): string[] {
    return this.store.libraryPayloads().map((code) => code.toString('latin1'));
  }

  /** Does this thread run a script? */
  isRunning(thread: number): boolean {
    return this.store.runs(thread) !== RUNS.nothing;
  }

  /** Does a script run for so long that others are told so (`afterMs`, 0: never)? */
  isBusy(afterMs: number, steadyMs: number): boolean {
    return afterMs > 0 && this.store.slowThread(afterMs, steadyMs) !== 0;
  }
}
