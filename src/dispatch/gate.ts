/**
 * Every refusal in one place and in Redis's order: unknown command, arity, authentication, ACL, memory, state of the
 * server. Handlers check none of it. The facts that may change while a command waits are looked at again under the latch.
 */
import { arityError, type CommandRow, unknownCommandError, unknownSubcommandError } from '../commands/command-table.ts';
import { protectedRefusal } from '../commands/local-client.ts';
import { busyError } from '../commands/script-cache.ts';
import { FLAG } from '../commands/spec.ts';
import type { Args } from '../resp/args.ts';
import { RUNS } from '../scripting/script-store.ts';
import { BUSY_BITS, STATE, WAIT_BITS } from '../shard/world.ts';
import type { Session } from './session.ts';

const NOAUTH = 'NOAUTH Authentication required.';
const NOT_IN_MULTI = 'ERR Command not allowed inside a transaction';
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const LOADING = 'LOADING Redis is loading the dataset in memory';
const MISCONF_DISK = 'MISCONF Errors writing to the AOF file: ';
const MISCONF_SNAPSHOT =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
  'Commands that may modify the data set are disabled, because this instance is configured to report errors during ' +
  'writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). ' +
  'Please check the Redis logs for details about the RDB error.';
const ONLY_SUBSCRIBERS = 'only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context';
const SHUTTING_DOWN = 'ERR Skein is shutting down';
const DISK_BITS = STATE.diskBroken | STATE.saveFailed;

/** Facts of the process that the gate asks for; supplied by the thread. */
export interface GateFacts {
  /** Bits of STATE. */
  stateBits(): number;
  /** True when a command that may use memory must be refused. */
  overMemory(): boolean;
  diskErrorText(): string;
  /** With STATE.saveFailed: do the settings say that writes are refused then? */
  stopsWritesAfterFailedSave(): boolean;
}

/** Refusals that depend on the command and the connection alone; the error text, or null. */
export function refuseByForm(session: Session, row: CommandRow | null, args: Args): string | null {
  if (row === null) return unknownCommandError(args);
  if (row.isContainer && args.count >= 2 && row.arityFits(args.count)) return unknownSubcommandError(args, row);
  if (!row.arityFits(args.count)) return arityError(row);
  if ((row.flagBits & FLAG.protected) !== 0) {
    const refusal = protectedRefusal(session);
    if (refusal !== null) return refusal;
  }
  if (session.multi !== null && (row.flagBits & FLAG.no_multi) !== 0) return NOT_IN_MULTI;
  if (!session.authenticated && (row.flagBits & FLAG.no_auth) === 0 && isPasswordSet(session)) return NOAUTH;
  return null;
}

/** Without a password the default user needs none, also who connected while there was one. */
function isPasswordSet(session: Session): boolean {
  return session.server.settings.text('requirepass') !== '';
}

/** What a RESP2 connection with subscriptions may do: its replies could not be told from messages. */
const SUBSCRIBER_COMMANDS: ReadonlySet<string> = new Set([
  ...['subscribe', 'ssubscribe', 'psubscribe', 'unsubscribe', 'sunsubscribe', 'punsubscribe'],
  ...['ping', 'quit', 'reset'],
]);

/** Refusals of a connection that has subscriptions. */
export function refuseToSubscriber(session: Session, row: CommandRow): string | null {
  if (session.resp === 3 || SUBSCRIBER_COMMANDS.has(row.fullName)) return null;
  return `ERR Can't execute '${row.fullName}': ${ONLY_SUBSCRIBERS}`;
}

/** Refusals that depend on the state of the server; asked again when a waiting command runs (R3). */
export function refuseByState(row: CommandRow, facts: GateFacts, bits: number): string | null {
  // WATCH: a unit would let time pass in a shard whose records are replayed
  if ((bits & STATE.loading) !== 0 && row.run !== null) return LOADING;
  // who only asks whether the server is well is told as well
  if ((bits & DISK_BITS) !== 0 && row.fullName === 'ping') {
    const refusal = diskRefusal(facts, bits);
    if (refusal !== null) return refusal;
  }
  return refuseByFlags(row.flagBits, facts, bits);
}

/** The same for a set of flags: those of EXEC and of what it will run, or of a command that is queued. */
export function refuseByFlags(flagBits: number, facts: GateFacts, bits: number): string | null {
  if ((flagBits & FLAG.denyoom) !== 0 && facts.overMemory()) return OOM;
  if (bits === 0) return null;
  if ((bits & BUSY_BITS) !== 0 && (flagBits & FLAG.allow_busy) === 0) {
    return busyError((bits & STATE.functionBusy) !== 0 ? RUNS.function : RUNS.script);
  }
  if ((bits & DISK_BITS) !== 0 && (flagBits & FLAG.write) !== 0) {
    const refusal = diskRefusal(facts, bits);
    if (refusal !== null) return refusal;
  }
  if ((bits & STATE.loading) !== 0 && (flagBits & FLAG.loading) === 0) return LOADING;
  if ((bits & STATE.shuttingDown) !== 0 && (flagBits & FLAG.write) !== 0) return SHUTTING_DOWN;
  return null;
}

/** Why writes are refused while the disk fails; null: they are not. */
function diskRefusal(facts: GateFacts, bits: number): string | null {
  if ((bits & STATE.diskBroken) !== 0) return MISCONF_DISK + facts.diskErrorText();
  return facts.stopsWritesAfterFailedSave() ? MISCONF_SNAPSHOT : null;
}

/**
 * Must this command wait until CLIENT PAUSE is over, or until a snapshot has given memory back (R8)? Asked again when a waiting command
 * runs (R3).
 */
export function isPaused(flagBits: number, bits: number): boolean {
  if ((bits & WAIT_BITS) === 0) return false;
  if ((bits & STATE.pausedAll) !== 0 || (flagBits & FLAG.write) !== 0) return true;
  if ((flagBits & FLAG.may_replicate) === 0) return false;
  // a script may write; PUBLISH, which only a pause stops, needs no memory of a snapshot
  return (bits & STATE.pausedWrites) !== 0 || (flagBits & FLAG.noscript) !== 0;
}
