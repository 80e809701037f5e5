/** CLIENT PAUSE and UNPAUSE: a fact of the whole server; the answer comes when it holds on all threads. */
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { wrongFormError } from './errors.ts';

export function clientPause(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count > 4) return reply.error(wrongFormError(args, 'CLIENT'));
  const all = args.count === 3 || args.equalsIgnoreCase(3, 'all');
  if (!all && !args.equalsIgnoreCase(3, 'write')) return reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
  const timeoutMs = parseInteger(args.buf, args.starts[2], args.ends[2]);
  if (Number.isNaN(timeoutMs)) return reply.error('ERR timeout is not an integer or out of range');
  if (timeoutMs < 0) return reply.error('ERR timeout is negative');
  const { control, nowMs } = session.server;
  if (timeoutMs === 0) return reply.ok();
  control.pause(session, nowMs() + timeoutMs, all);
}

export function clientUnpause(session: Session, _args: Args, _reply: ReplyWriter): void {
  session.server.control.pause(session, 0, false);
}
