/**
 * Every refusal in one place and in Redis's order: unknown command, arity, authentication, ACL, memory, state of the
 * server. Handlers check none of it. The facts that may change while a command waits are looked at again under the latch.
 */
import { arityError, type CommandRow, unknownCommandError, unknownSubcommandError } from '../commands/command-table.ts';
import { protectedRefusal } from '../commands/local-client.ts';
import { FLAG } from '../commands/spec.ts';
import type { Args } from '../resp/args.ts';
import { STATE } from '../shard/world.ts';
import type { Session } from './session.ts';

const NOAUTH = 'NOAUTH Authentication required.';
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const LOADING = 'LOADING Redis is loading the dataset in memory';
const MISCONF_DISK = 'MISCONF Errors writing to the AOF file: ';
const SHUTTING_DOWN = 'ERR Skein is shutting down';

/** Facts of the process that the gate asks for; supplied by the thread. */
export interface GateFacts {
  /** Bits of STATE. */
  stateBits(): number;
  /** True when a command that may use memory must be refused. */
  overMemory(): boolean;
  diskErrorText(): string;
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
  if (!session.authenticated && (row.flagBits & FLAG.no_auth) === 0 && isPasswordSet(session)) return NOAUTH;
  return null;
}

/** Without a password the default user needs none, also who connected while there was one. */
function isPasswordSet(session: Session): boolean {
  return session.server.settings.text('requirepass') !== '';
}

/** Refusals that depend on the state of the server; asked again when a waiting command runs (R3). */
export function refuseByState(row: CommandRow, facts: GateFacts, bits: number): string | null {
  if ((row.flagBits & FLAG.denyoom) !== 0 && facts.overMemory()) return OOM;
  if (bits === 0) return null;
  if ((bits & STATE.diskBroken) !== 0 && (row.flagBits & FLAG.write) !== 0) return MISCONF_DISK + facts.diskErrorText();
  if ((bits & STATE.loading) !== 0 && (row.flagBits & FLAG.loading) === 0) return LOADING;
  if ((bits & STATE.shuttingDown) !== 0 && (row.flagBits & FLAG.write) !== 0) return SHUTTING_DOWN;
  return null;
}
