/** CLIENT KILL: marks connections of any worker for closing and rings those workers. */
import type { ClientInfo } from '../admin/client-records.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { clientTypeArgument, isOfType } from './client.ts';
import { ERR } from './errors.ts';

/** What a connection must be to be closed; null: any. */
interface KillFilter {
  id: number | null;
  type: string | null;
  addr: string | null;
  laddr: string | null;
  user: string | null;
  maxAgeSeconds: number | null;
  skipMe: boolean;
}

const ANYBODY: KillFilter = {
  id: null,
  type: null,
  addr: null,
  laddr: null,
  user: null,
  maxAgeSeconds: null,
  skipMe: true,
};

/** A positive integer argument, or NaN after an error reply. */
function positive(args: Args, index: number, name: string, reply: ReplyWriter): number {
  const value = parseInteger(args.buf, args.starts[index], args.ends[index]);
  if (value > 0) return value;
  reply.error(`ERR ${name} should be greater than 0`);
  return Number.NaN;
}

/** Reads one option and its value (argument `i` + 1) into the filter; false after an error reply. */
function readOption(args: Args, i: number, filter: KillFilter, reply: ReplyWriter): boolean {
  const value = i + 1;
  if (args.equalsIgnoreCase(i, 'id')) {
    filter.id = positive(args, value, 'client-id', reply);
    return !Number.isNaN(filter.id);
  }
  if (args.equalsIgnoreCase(i, 'maxage')) {
    filter.maxAgeSeconds = positive(args, value, 'maxage', reply);
    return !Number.isNaN(filter.maxAgeSeconds);
  }
  if (args.equalsIgnoreCase(i, 'type')) {
    filter.type = clientTypeArgument(args, value, reply);
    return filter.type !== null;
  }
  if (args.equalsIgnoreCase(i, 'user')) {
    filter.user = args.text(value);
    if (filter.user === 'default') return true;
    reply.error(`ERR No such user '${filter.user}'`);
    return false;
  }
  if (args.equalsIgnoreCase(i, 'addr')) filter.addr = args.text(value);
  else if (args.equalsIgnoreCase(i, 'laddr')) filter.laddr = args.text(value);
  else if (args.equalsIgnoreCase(i, 'skipme') && args.equalsIgnoreCase(value, 'yes')) filter.skipMe = true;
  else if (args.equalsIgnoreCase(i, 'skipme') && args.equalsIgnoreCase(value, 'no')) filter.skipMe = false;
  else {
    reply.error(ERR.SYNTAX);
    return false;
  }
  return true;
}

function parseFilter(args: Args, reply: ReplyWriter): KillFilter | null {
  if (args.count === 3) return { ...ANYBODY, addr: args.text(2), skipMe: false };
  const filter = { ...ANYBODY };
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) {
      reply.error(ERR.SYNTAX);
      return null;
    }
    if (!readOption(args, i, filter, reply)) return null;
  }
  return filter;
}

function fits(filter: KillFilter, info: ClientInfo, session: Session): boolean {
  if (filter.addr !== null && info.addr !== filter.addr) return false;
  if (filter.laddr !== null && info.laddr !== filter.laddr) return false;
  if (filter.type !== null && !isOfType(info, filter.type)) return false;
  if (filter.id !== null && info.id !== filter.id) return false;
  if (filter.user !== null && info.user !== filter.user) return false;
  const ageSeconds = Math.floor((session.nowMs - info.createdMs) / 1000);
  if (filter.maxAgeSeconds !== null && ageSeconds < filter.maxAgeSeconds) return false;
  return !(filter.skipMe && info.id === session.id);
}

/** Asks the owners of all fitting connections to close them; returns how many there were. */
function killAll(session: Session, filter: KillFilter): number {
  const { clients } = session.server;
  const workers = new Set<number>();
  let killed = 0;
  for (const info of clients.list()) {
    if (!fits(filter, info, session)) continue;
    killed++;
    if (info.id === session.id) {
      session.closeAfterReply = true;
    } else {
      clients.kill(info.record, info.id);
      workers.add(clients.workerOf(info.record));
    }
  }
  for (const worker of workers) session.server.ringWorker(worker);
  return killed;
}

export function clientKill(session: Session, args: Args, reply: ReplyWriter): void {
  const filter = parseFilter(args, reply);
  if (filter === null) return;
  const killed = killAll(session, filter);
  if (args.count > 3) reply.integer(killed);
  else if (killed > 0) reply.ok();
  else reply.error('ERR No such client');
}
