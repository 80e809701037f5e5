/** TIME, LASTSAVE, ROLE, SHUTDOWN. */
import { SAVE } from '../admin/save-state.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { busyRefusal } from './script-cache.ts';

export function time(session: Session, _args: Args, reply: ReplyWriter): void {
  const micros = session.server.clockMicros();
  const seconds = Math.floor(micros / 1_000_000);
  reply.array(2);
  reply.bulkText(String(seconds));
  reply.bulkText(String(micros - seconds * 1_000_000));
}

/** The start of the process stands for the first snapshot, as in Redis. */
export function lastsave(session: Session, _args: Args, reply: ReplyWriter): void {
  reply.integer(Math.floor(session.server.saves[SAVE.lastSaveMs] / 1000));
}

export function save(session: Session, _args: Args, _reply: ReplyWriter): void {
  session.server.control.save(session, 'save');
}

export function bgrewriteaof(session: Session, _args: Args, _reply: ReplyWriter): void {
  session.server.control.save(session, 'rewrite');
}

export function bgsave(session: Session, args: Args, reply: ReplyWriter): void {
  const scheduled = args.count > 1;
  if (args.count > 2 || (scheduled && !args.equalsIgnoreCase(1, 'schedule'))) return reply.error(ERR.SYNTAX);
  session.server.control.save(session, scheduled ? 'schedule' : 'bgsave');
}

export function role(_session: Session, _args: Args, reply: ReplyWriter): void {
  reply.array(3);
  reply.bulkText('master');
  reply.integer(0);
  reply.array(0);
}

export function shutdown(session: Session, args: Args, reply: ReplyWriter): void {
  let save: boolean | null = null;
  let now = false;
  let force = false;
  let abort = false;
  for (let i = 1; i < args.count; i++) {
    const isSave = args.equalsIgnoreCase(i, 'save');
    if (isSave || args.equalsIgnoreCase(i, 'nosave')) {
      if (save !== null && save !== isSave) return reply.error(ERR.SYNTAX);
      save = isSave;
    } else if (args.equalsIgnoreCase(i, 'now')) now = true;
    else if (args.equalsIgnoreCase(i, 'force')) force = true;
    else if (args.equalsIgnoreCase(i, 'abort')) abort = true;
    else return reply.error(ERR.SYNTAX);
  }
  const control = session.server.control;
  const refusal = save === false ? null : busyRefusal(session);
  if (refusal !== null) return reply.error(refusal);
  if (!abort) {
    session.park();
    return control.shutdown(session, { save, now, force });
  }
  if (save !== null || now || force) return reply.error(ERR.SYNTAX);
  if (control.abortShutdown()) reply.ok();
  else reply.error('ERR No shutdown in progress.');
}
