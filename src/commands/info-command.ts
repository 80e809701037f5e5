/** INFO. */
import { infoText } from '../admin/info.ts';
import type { InfoCommand } from '../admin/info-source.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { commandTable } from './command-registry.ts';

/** Lines of commandstats: every row by its name, hidden subcommands under their container's. */
function commandsWithStatistics(): InfoCommand[] {
  const byName = Map.groupBy(commandTable().rows, (row) => row.shownName);
  return [...byName].map(([name, rows]) => ({ name, rows: rows.map((row) => row.id) }));
}

export function info(session: Session, args: Args, reply: ReplyWriter): void {
  const names: string[] = [];
  for (let i = 1; i < args.count; i++) names.push(args.text(i).toLowerCase());
  reply.verbatim(infoText(session.server, names, commandsWithStatistics()), 'txt');
}
