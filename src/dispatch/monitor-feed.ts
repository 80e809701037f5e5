/** What MONITOR shows: every command that runs, but the administrator's own. */
import type { CommandRow } from '../commands/command-table.ts';
import { isSecretArgument } from '../commands/secret-arguments.ts';
import { FLAG } from '../commands/spec.ts';
import type { EventLog } from '../pubsub/event-log.ts';
import { appendMonitorLine } from '../pubsub/monitor-lines.ts';
import type { Args } from '../resp/args.ts';
import type { Session } from './session.ts';

const HIDDEN = FLAG.skip_monitor | FLAG.admin;

/**
 * Tells the connections in MONITOR of a command of this session. `byScript`: a script of its calls it; the script itself is shown in front of
 * what it calls, although its row says that MONITOR skips it, as in Redis.
 */
export function feedMonitors(log: EventLog, session: Session, row: CommandRow, args: Args, byScript = false): void {
  if (((row.flagBits & HIDDEN) !== 0 && !row.isScript) || session.server.loading) return;
  const address = session.isUnixSocket ? `unix:${session.addr.replace(/:0$/, '')}` : session.addr;
  const origin = byScript ? 'lua' : address;
  const isSecret = (arg: number): boolean => isSecretArgument(row, args, arg);
  appendMonitorLine(log, session.server.clockMicros(), session.db, origin, args, isSecret);
}
