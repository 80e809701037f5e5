/**
 * What all threads know about scripts (R7): sources by SHA1, the libraries of functions, and which thread runs a script now.
 *
 *   control   Int32:  | lock | generation | end of the log | scripts may all | slow scripts | – … |
 *                     per thread, 8 words:  | kind | wrote | kill | number of the run | bytes of its text | – |
 *             Float64 behind them, per thread: when its script began, steady ms
 *             text behind those, 4 KiB per thread: name and command as JSON, of a script that has been running for long
 *   log       records one after the other:  | kind | bytes of name | bytes of body | name | body | padding to 4 |
 *
 * Threads append under the lock and read without it, each at its own place, into maps of their own.
 *
 * Invariant 1: bytes below `end` never change within a generation; `end` is stored after them (Atomics.store).
 * Invariant 2: a full log is written anew from its first byte under the next generation; a reader that finds a new generation after it
 *              has read forgets what it read and begins again, under the lock.
 * Invariant 3: who has stored a script and answers afterwards is understood everywhere: a reader syncs before it says that a script is
 *              not there.
 */
import { underWordLock } from '../../native-free-shm/word-lock.ts';

const LOG_BYTES = 1 << 29;
const CONTROL_WORDS = 1024;
const MAX_THREADS = 64;
const LOCK = 0;
const GENERATION = 1;
const END = 2;
/** DEBUG SET-DISABLE-DENY-SCRIPTS. */
const FREE = 3;
const SLOW = 4;
const RUNNING = 64;
const RUNNING_WORDS = 8;
const KIND = 0;
const WROTE = 1;
const KILL = 2;
const NUMBER = 3;
const TEXT_LENGTH = 4;
const TEXT_BYTES = 4096;
const TEXTS = CONTROL_WORDS * 4 + MAX_THREADS * 8;
const HEAD_BYTES = 12;

const RECORD = { script: 1, lastingScript: 2, library: 3, noLibrary: 4, noScripts: 5, noLibraries: 6 } as const;
/** What a thread runs. */
export const RUNS = { nothing: 0, script: 1, function: 2 } as const;

export interface ScriptStoreMemory {
  control: SharedArrayBuffer;
  log: SharedArrayBuffer;
}

export function createScriptStore(logBytes: number = LOG_BYTES): ScriptStoreMemory {
  return {
    control: new SharedArrayBuffer(TEXTS + MAX_THREADS * TEXT_BYTES),
    log: new SharedArrayBuffer(logBytes),
  };
}

export interface StoredScript {
  readonly source: Buffer;
  /** SCRIPT LOAD has named it: it does not make room for others. */
  readonly isLasting: boolean;
}

export class ScriptStore {
  /** By SHA1 in lower case. */
  readonly scripts = new Map<string, StoredScript>();
  /** Code of libraries by name. */
  readonly libraries = new Map<string, Buffer>();
  /** Steps whenever scripts were flushed, for who keeps compiled ones. */
  flushes = 0;
  /** Steps whenever a library has come or gone. */
  libraryChanges = 0;
  private readonly words: Int32Array;
  private readonly beganMs: Float64Array;
  private readonly texts: Buffer;
  private readonly log: Buffer;
  private generation = 0;
  private at = 0;

  constructor(memory: ScriptStoreMemory) {
    this.words = new Int32Array(memory.control, 0, CONTROL_WORDS);
    this.beganMs = new Float64Array(memory.control, CONTROL_WORDS * 4, MAX_THREADS);
    this.texts = Buffer.from(memory.control, TEXTS);
    this.log = Buffer.from(memory.log);
  }

  /** Brings the maps up to date. */
  sync(): void {
    const { words } = this;
    if (Atomics.load(words, END) === this.at && words[GENERATION] === this.generation) return;
    underWordLock(words, LOCK, () => this.readOn());
  }

  private readOn(): void {
    const { words } = this;
    if (words[GENERATION] !== this.generation) {
      this.generation = words[GENERATION];
      this.at = 0;
      this.scripts.clear();
      this.libraries.clear();
      this.flushes++;
      this.libraryChanges++;
    }
    const end = words[END];
    while (this.at < end) this.readRecord();
  }

  private readRecord(): void {
    const { log, at } = this;
    const kind = log.readInt32LE(at);
    const nameEnd = at + HEAD_BYTES + log.readInt32LE(at + 4);
    const bodyEnd = nameEnd + log.readInt32LE(at + 8);
    const name = log.toString('latin1', at + HEAD_BYTES, nameEnd);
    this.at = (bodyEnd + 3) & ~3;
    if (kind === RECORD.script || kind === RECORD.lastingScript) {
      const source = this.scripts.get(name)?.source ?? Buffer.from(log.subarray(nameEnd, bodyEnd));
      this.scripts.set(name, { source, isLasting: kind === RECORD.lastingScript });
      return;
    }
    if (kind === RECORD.noScripts) {
      this.scripts.clear();
      this.flushes++;
      return;
    }
    this.libraryChanges++;
    if (kind === RECORD.library) this.libraries.set(name, Buffer.from(log.subarray(nameEnd, bodyEnd)));
    else if (kind === RECORD.noLibrary) this.libraries.delete(name);
    else this.libraries.clear();
  }

  /** Appends one record and reads it; false: there is no room for it. */
  private append(kind: number, name: string, body: Buffer | null): boolean {
    return underWordLock(this.words, LOCK, () => {
      this.readOn();
      const bytes = HEAD_BYTES + name.length + (body === null ? 0 : body.length) + 3;
      if (this.at + bytes > this.log.length) this.writeAnew();
      if (this.at + bytes > this.log.length) return false;
      this.write(kind, name, body);
      this.readOn();
      return true;
    });
  }

  private write(kind: number, name: string, body: Buffer | null): void {
    const { log, words } = this;
    const at = words[END];
    const length = body === null ? 0 : body.length;
    log.writeInt32LE(kind, at);
    log.writeInt32LE(name.length, at + 4);
    log.writeInt32LE(length, at + 8);
    log.write(name, at + HEAD_BYTES, 'latin1');
    body?.copy(log, at + HEAD_BYTES + name.length);
    Atomics.store(words, END, (at + HEAD_BYTES + name.length + length + 3) & ~3);
  }

  /** Scripts that only EVAL has brought make room; everything else is written again. */
  private writeAnew(): void {
    const { words } = this;
    const lasting = [...this.scripts].filter(([, script]) => script.isLasting);
    const libraries = [...this.libraries];
    words[GENERATION] = (words[GENERATION] + 1) | 0;
    words[END] = 0;
    for (const [sha, { source }] of lasting) this.write(RECORD.lastingScript, sha, source);
    for (const [name, code] of libraries) this.write(RECORD.library, name, code);
    this.readOn();
  }

  /** Stores a script for all threads; false: there is no room. */
  addScript(sha: string, source: Buffer, isLasting: boolean): boolean {
    const known = this.scripts.get(sha);
    if (known !== undefined && (known.isLasting || !isLasting)) return true;
    return this.append(isLasting ? RECORD.lastingScript : RECORD.script, sha, source);
  }

  flushScripts(): void {
    this.append(RECORD.noScripts, '', null);
  }

  /** Stores a library, in place of the one of that name; false: there is no room. */
  putLibrary(name: string, code: Buffer): boolean {
    return this.append(RECORD.library, name, code);
  }

  deleteLibrary(name: string): void {
    this.append(RECORD.noLibrary, name, null);
  }

  flushLibraries(): void {
    this.append(RECORD.noLibraries, '', null);
  }

  /** Codes of all libraries, for who writes the data set: one RDB record FUNCTION2 each. */
  libraryPayloads(): Buffer[] {
    this.sync();
    return [...this.libraries.values()];
  }

  /** Bytes that scripts and libraries take in memory that all threads share. */
  get storedBytes(): number {
    return this.at;
  }

  /** Bytes of all sources. */
  sourceBytes(): number {
    let bytes = 0;
    for (const { source } of this.scripts.values()) bytes += source.length;
    return bytes;
  }

  libraryBytes(): number {
    let bytes = 0;
    for (const code of this.libraries.values()) bytes += code.length;
    return bytes;
  }

  /** Scripts may run every command: for tests. */
  setFree(isFree: boolean): void {
    Atomics.store(this.words, FREE, isFree ? 1 : 0);
  }

  get isFree(): boolean {
    return this.words[FREE] !== 0;
  }

  // ---- who runs what

  private place(thread: number): number {
    return RUNNING + (thread % MAX_THREADS) * RUNNING_WORDS;
  }

  /** This thread begins to run a script. `kind`: of RUNS. */
  begin(thread: number, kind: number, steadyMs: number): void {
    const { words } = this;
    const at = this.place(thread);
    this.beganMs[thread % MAX_THREADS] = steadyMs;
    words[at + WROTE] = 0;
    words[at + KILL] = 0;
    words[at + NUMBER]++;
    Atomics.store(words, at + KIND, kind);
  }

  end(thread: number): void {
    const at = this.place(thread);
    Atomics.store(this.words, at + KIND, RUNS.nothing);
    this.words[at + KILL] = 0;
    if (this.words[at + TEXT_LENGTH] === 0) return;
    this.words[at + TEXT_LENGTH] = 0;
    Atomics.sub(this.words, SLOW, 1);
  }

  /** Counts the scripts that a thread has begun. */
  runNumber(thread: number): number {
    return this.words[this.place(thread) + NUMBER];
  }

  /** Says of this thread's script how it is called and by which command, for FUNCTION STATS; what is too long is cut off. */
  describe(thread: number, name: string, command: readonly string[]): void {
    const place = (thread % MAX_THREADS) * TEXT_BYTES;
    const told = [name.slice(0, TEXT_BYTES / 16)];
    let left = TEXT_BYTES - JSON.stringify(told).length;
    for (const word of command) {
      left -= JSON.stringify(word).length + 1;
      if (left <= 0) break;
      told.push(word);
    }
    const length = this.texts.write(JSON.stringify(told), place, TEXT_BYTES, 'latin1');
    Atomics.store(this.words, this.place(thread) + TEXT_LENGTH, length);
    Atomics.add(this.words, SLOW, 1);
  }

  /** Some thread has described what it runs: it runs on and on. */
  get isAnySlow(): boolean {
    return this.words[SLOW] !== 0;
  }

  /** What `describe` has said of the script that a thread runs: its name, then the words of the command. null: nothing yet. */
  description(thread: number): string[] | null {
    const at = this.place(thread);
    const number = this.runNumber(thread);
    const length = Atomics.load(this.words, at + TEXT_LENGTH);
    const place = (thread % MAX_THREADS) * TEXT_BYTES;
    const text = this.texts.toString('latin1', place, place + length);
    // it may have ended meanwhile, and the next one begun
    if (length === 0 || this.runs(thread) === RUNS.nothing || this.runNumber(thread) !== number) return null;
    return JSON.parse(text) as string[];
  }

  noteWrite(thread: number): void {
    this.words[this.place(thread) + WROTE] = 1;
  }

  isKilled(thread: number): boolean {
    return this.words[this.place(thread) + KILL] !== 0;
  }

  kill(thread: number): void {
    Atomics.store(this.words, this.place(thread) + KILL, 1);
  }

  /** What this thread runs: of RUNS. */
  runs(thread: number): number {
    return Atomics.load(this.words, this.place(thread) + KIND);
  }

  hasWritten(thread: number): boolean {
    return this.words[this.place(thread) + WROTE] !== 0;
  }

  /** How long it has been running, in ms. */
  runsForMs(thread: number, steadyMs: number): number {
    return steadyMs - this.beganMs[thread % MAX_THREADS];
  }

  /** The thread that runs a script for the longest time, if that is at least `ms`; 0: there is none. */
  slowThread(ms: number, steadyMs: number): number {
    let slowest = 0;
    let longest = ms;
    for (let thread = 1; thread < MAX_THREADS; thread++) {
      if (this.runs(thread) === RUNS.nothing) continue;
      const runs = this.runsForMs(thread, steadyMs);
      if (runs < longest) continue;
      longest = runs;
      slowest = thread;
    }
    return slowest;
  }
}
