/** What MONITOR shows: every command that runs, but the administrator's own. */
import type { CommandRow } from '../commands/command-table.ts';
import { isSecretArgument } from '../commands/secret-arguments.ts';
import { FLAG } from '../commands/spec.ts';
import type { EventLog } from '../pubsub/event-log.ts';
import { appendMonitorLine } from '../pubsub/monitor-lines.ts';
import type { Args } from '../resp/args.ts';
import type { Session } from './session.ts';

const HIDDEN = FLAG.skip_monitor | FLAG.admin;

/** Tells the connections in MONITOR of a command of this session. */
export function feedMonitors(log: EventLog, session: Session, row: CommandRow, args: Args): void {
  if ((row.flagBits & HIDDEN) !== 0 || session.server.loading) return;
  const origin = session.isUnixSocket ? `unix:${session.addr.replace(/:0$/, '')}` : session.addr;
  const isSecret = (arg: number): boolean => isSecretArgument(row, args, arg);
  appendMonitorLine(log, session.server.clockMicros(), session.db, origin, args, isSecret);
}
