/**
 * A thread's scripts and functions: the shared store, and the engine, which is made with the first script.
 *
 * Invariant 1: what the engine has compiled is in the store; after `sync` nothing that is not in the store is run.
 */
import type { LibraryFunction, ScriptEngine } from './engine.ts';
import { libraryName, type ScriptHeader, scriptHeader, withoutHeader } from './script-header.ts';
import type { ScriptStore } from './script-store.ts';

/** A function as FCALL finds it. */
export interface KnownFunction extends LibraryFunction {
  readonly library: string;
}

interface KnownLibrary {
  readonly code: Buffer;
  readonly functions: readonly LibraryFunction[];
}

export class ScriptRuntime {
  readonly store: ScriptStore;
  private readonly makeEngine: () => ScriptEngine;
  private made: ScriptEngine | null = null;
  private flushes = 0;
  private libraryChanges = 0;
  private readonly libraries = new Map<string, KnownLibrary>();
  /** By name in lower case. */
  private readonly functions = new Map<string, KnownFunction>();
  private readonly headers = new Map<string, ScriptHeader>();

  constructor(store: ScriptStore, makeEngine: () => ScriptEngine) {
    this.store = store;
    this.makeEngine = makeEngine;
  }

  /** The engine; a broken one is replaced, and what it had loaded is loaded again. */
  get engine(): ScriptEngine {
    if (this.made?.isBroken === true) this.discard();
    this.made ??= this.makeEngine();
    return this.made;
  }

  private discard(): void {
    this.made = null;
    this.libraries.clear();
    this.functions.clear();
    this.libraryChanges = -1;
  }

  /** Bytes of the engine's memory; 0: there is none yet. */
  memoryBytes(): number {
    return this.made === null ? 0 : this.made.memoryBytes();
  }

  // ---- scripts

  /** Source of a script that some thread has loaded; undefined: nobody has. */
  sourceOf(sha: string): Buffer | undefined {
    const { store } = this;
    store.sync();
    if (store.flushes !== this.flushes) {
      this.flushes = store.flushes;
      this.headers.clear();
      this.made?.forgetScripts();
    }
    return store.scripts.get(sha)?.source;
  }

  /** Makes a script ready to run: its header, or an error text. */
  prepare(sha: string, source: Buffer): ScriptHeader | string {
    const known = this.headers.get(sha);
    if (known !== undefined && this.engine.isDefined(sha)) return known;
    const header = scriptHeader(source);
    if (typeof header === 'string') return header;
    const problem = this.engine.define(sha, withoutHeader(source));
    if (problem !== null) return `ERR Error compiling script (new function): ${problem}`;
    this.headers.set(sha, header);
    return header;
  }

  // ---- functions

  /** Loads what other threads have loaded, and forgets what they have deleted. */
  syncLibraries(): void {
    const { store } = this;
    store.sync();
    if (store.libraryChanges === this.libraryChanges && this.made?.isBroken !== true) return;
    const { engine } = this;
    for (const [name, { code }] of this.libraries) {
      if (store.libraries.get(name)?.equals(code) !== true) this.drop(name);
    }
    for (const [name, code] of store.libraries) {
      if (this.libraries.has(name)) continue;
      const functions = engine.loadLibrary(name, withoutHeader(code));
      // it has been loaded once, so only an engine without memory refuses it
      this.learn(name, code, typeof functions === 'string' ? [] : functions);
    }
    this.libraryChanges = store.libraryChanges;
  }

  private learn(name: string, code: Buffer, functions: readonly LibraryFunction[]): void {
    this.libraries.set(name, { code, functions });
    for (const one of functions) this.functions.set(one.name.toLowerCase(), { ...one, library: name });
  }

  private drop(name: string): void {
    this.made?.forgetLibrary(name);
    this.forgetFunctions(name);
    this.libraries.delete(name);
  }

  private forgetFunctions(library: string): void {
    for (const { name } of this.functionsOf(library)) this.functions.delete(name.toLowerCase());
  }

  /** Stores a library that was loaded once already: out of a file of data. What has no name is left out. */
  storeLibrary(code: Buffer): void {
    const named = libraryName(code);
    if (typeof named !== 'string') this.store.putLibrary(named.name, code);
  }

  findFunction(name: string): KnownFunction | undefined {
    this.syncLibraries();
    return this.functions.get(name.toLowerCase());
  }

  /** Code of the library that has a function. */
  codeOf(name: string): Buffer | undefined {
    const library = this.functions.get(name.toLowerCase())?.library;
    return library === undefined ? undefined : this.libraries.get(library)?.code;
  }

  /** Functions of a library, in the order of their registration. */
  functionsOf(library: string): readonly LibraryFunction[] {
    return this.libraries.get(library)?.functions ?? [];
  }

  functionCount(): number {
    return this.functions.size;
  }

  /** For INFO. */
  figures(): { scripts: number; scriptBytes: number; libraries: number; libraryBytes: number; functions: number } {
    const { store } = this;
    store.sync();
    // without libraries no engine has to be made for an answer
    if (store.libraries.size > 0) this.syncLibraries();
    return {
      scripts: store.scripts.size,
      scriptBytes: store.sourceBytes(),
      libraries: store.libraries.size,
      libraryBytes: store.libraryBytes(),
      functions: store.libraries.size === 0 ? 0 : this.functions.size,
    };
  }

  /**
   * Runs a library's code to see what it registers; under the latches of all shards. Its name and functions, or why it cannot be
   * loaded. Stores nothing: `store.putLibrary` follows, or `syncLibraries` takes it back.
   */
  tryLibrary(code: Buffer, mayReplace: boolean): { name: string } | string {
    const named = libraryName(code);
    if (typeof named === 'string') return named;
    this.syncLibraries();
    const { name } = named;
    if (!mayReplace && this.libraries.has(name)) return `ERR Library '${name}' already exists`;
    const functions = this.engine.loadLibrary(name, withoutHeader(code));
    if (typeof functions === 'string') return functions;
    const problem = this.problemOf(name, functions);
    if (problem !== null) {
      // the engine has it by now: a new one begins with what the store has
      this.discard();
      return problem;
    }
    this.forgetFunctions(name);
    this.learn(name, code, functions);
    return named;
  }

  private problemOf(library: string, functions: readonly LibraryFunction[]): string | null {
    if (functions.length === 0) return 'ERR No functions registered';
    for (const { name } of functions) {
      const other = this.functions.get(name.toLowerCase());
      if (other !== undefined && other.library !== library) return `ERR Function ${name} already exists`;
    }
    return null;
  }
}
