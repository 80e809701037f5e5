/** What the acceptor knows of scripts: which threads run one, and how to end it (SCRIPT KILL). */
import { RUNS, ScriptStore, type ScriptStoreMemory } from '../scripting/script-store.ts';

/** Looked at so often, because the script may have refilled its fuel in between. */
const INSIST_MS = 50;

interface StopWord {
  readonly words: Int32Array;
  readonly index: number;
}

export class RunningScripts {
  private readonly store: ScriptStore;
  private readonly stopWords = new Map<number, StopWord>();

  constructor(memory: ScriptStoreMemory) {
    this.store = new ScriptStore(memory);
  }

  /** Codes of all libraries of functions (latin1); under all latches. */
  libraryCodes(): string[] {
    return this.store.libraryPayloads().map((code) => code.toString('latin1'));
  }

  /** A thread has made its engine, or another one. */
  engineMade(thread: number, words: SharedArrayBuffer, index: number): void {
    this.stopWords.set(thread, { words: new Int32Array(words), index });
  }

  /** Does this thread run a script? */
  isRunning(thread: number): boolean {
    return this.store.runs(thread) !== RUNS.nothing;
  }

  /** Takes the fuel away from what a thread runs, until it has ended. */
  stop(thread: number): void {
    const word = this.stopWords.get(thread);
    if (word === undefined || !this.isRunning(thread) || !this.store.isKilled(thread)) return;
    Atomics.store(word.words, word.index, 1);
    setTimeout(() => this.stop(thread), INSIST_MS);
  }
}
