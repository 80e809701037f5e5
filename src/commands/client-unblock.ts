/** CLIENT UNBLOCK: ends the waiting of a connection of any worker. */
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';

export function clientUnblock(session: Session, args: Args, reply: ReplyWriter): void {
  const withError = args.count === 4 && args.equalsIgnoreCase(3, 'error');
  if (args.count > 4) return reply.error(ERR.SYNTAX);
  if (args.count === 4 && !withError && !args.equalsIgnoreCase(3, 'timeout')) {
    return reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  }
  const id = parseInteger(args.buf, args.starts[2], args.ends[2]);
  if (Number.isNaN(id)) return reply.error(ERR.NOT_INTEGER);
  const { clients, blocked } = session.server;
  const info = clients.list().find((client) => client.id === id);
  reply.integer(info !== undefined && blocked.unblock(info.record, id, withError) ? 1 : 0);
}
