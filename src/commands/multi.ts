/** MULTI, EXEC, DISCARD, WATCH, UNWATCH as handlers. What EXEC runs, and how, is decided in src/dispatch/transactions.ts. */
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

export function multi(session: Session, _args: Args, reply: ReplyWriter): void {
  if (!session.beginMulti()) return reply.error('ERR MULTI calls can not be nested');
  reply.ok();
}

/** Outside of MULTI; inside the dispatcher takes it. */
export function exec(_session: Session, _args: Args, reply: ReplyWriter): void {
  reply.error('ERR EXEC without MULTI');
}

export function discard(session: Session, _args: Args, reply: ReplyWriter): void {
  if (session.multi === null) return reply.error('ERR DISCARD without MULTI');
  session.endMulti();
  session.server.watches.end(session);
  reply.ok();
}

export function watch(unit: Unit, args: Args, reply: ReplyWriter): void {
  const session = unit.session!;
  const { watches } = session.server;
  for (let i = 1; i < args.count; i++) {
    if (!watches.add(unit, session, i)) return reply.error('OOM there is no room for another watched key');
  }
  reply.ok();
}

export function unwatch(session: Session, _args: Args, reply: ReplyWriter): void {
  session.server.watches.end(session);
  reply.ok();
}
