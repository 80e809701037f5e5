/**
 * The seam between the server and whatever runs scripts. Everything behind it may be replaced; nothing in front of it knows Lua's
 * insides. One engine per thread, made when the thread runs its first script.
 *
 * Invariant 1: an engine keeps no data of the server: what a script changes it changes through `ScriptHost.call`.
 * Invariant 2: when `call` has answered false, no further `call` comes from the running script, whatever it catches.
 */
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

/** What scripts may ask of the server. */
export interface ScriptHost {
  /**
   * One command of the running script. Its reply goes into `reply`, as for a client that speaks `reply.resp`. The arguments lie in the
   * engine's memory and are valid until this returns. False: the script has to end at once; there is no reply.
   */
  call(args: Args, reply: ReplyWriter): boolean;
  /**
   * Called again and again while a script computes, at least once in a millisecond or so: others can be served. It asks nothing of the
   * engine. False: the script has to end.
   */
  runsOn(): boolean;
  /** redis.log; 0 debug … 3 warning. */
  log(level: number, text: string): void;
  /** redis.acl_check_cmd: may the user run this? null: there is no such command. */
  allows(args: Args): boolean | null;
}

/** How a script ended. */
export const OUTCOME = {
  /** Its reply is in the writer. */
  done: 0,
  /** It failed: `failure` tells why. */
  failed: 1,
  /** `ScriptHost.call` ended it. */
  ended: 2,
  /** `ScriptHost.runsOn` stopped it, or it used up its fuel. */
  stopped: 3,
} as const;

export interface ScriptFailure {
  /** The error with its code in front, as bytes (latin1). */
  text: string;
  /** Line of the script, 0 = unknown. */
  line: number;
}

/** What is known of an error that is the script's reply, or that ended it. */
export interface ScriptError {
  /** One of the script's commands has answered it, and `ScriptHost.call` has counted it. */
  isCounted: boolean;
}

/** A function that a library has registered. */
export interface LibraryFunction {
  name: string;
  /** null: none was given. */
  description: string | null;
  flags: string[];
}

export interface ScriptEngine {
  /** Why the last run failed. */
  readonly failure: ScriptFailure;
  /** Of the error, if the last run gave one. */
  readonly error: ScriptError;
  /** It went wrong inside: the last run has failed, and another engine has to take over. */
  readonly isBroken: boolean;
  /** Bytes that the engine's own memory has. */
  memoryBytes(): number;
  /** Compiles a script under a name (its SHA1). null, or the compiler's error. */
  define(name: string, source: Buffer): string | null;
  isDefined(name: string): boolean;
  /** Forgets all scripts. */
  forgetScripts(): void;
  /**
   * Runs a script. KEYS are `keys` arguments from `first` on, ARGV all behind them. The reply goes into `reply`. Returns an OUTCOME.
   */
  run(name: string, args: Args, first: number, keys: number, reply: ReplyWriter): number;
  /** Runs the code of a library, which registers its functions: they are its result. A text: why it was refused. */
  loadLibrary(name: string, code: Buffer): LibraryFunction[] | string;
  forgetLibrary(name: string): void;
  /** As `run`, for a function of a loaded library. */
  callFunction(name: string, args: Args, first: number, keys: number, reply: ReplyWriter): number;
}
