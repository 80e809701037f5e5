/** SLOWLOG: the list of slow commands of all threads. */
import { SLOWLOG_SLOTS } from '../admin/slow-log.ts';
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import { parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { wrongFormError } from './errors.ts';
import { replyHelp } from './help-reply.ts';

const DEFAULT_COUNT = 10;
const BAD_COUNT = 'ERR count should be greater than or equal to -1';

export function slowlogGet(session: Session, args: Args, reply: ReplyWriter): void {
  if (args.count > 3) return reply.error(wrongFormError(args, 'SLOWLOG'));
  let count = DEFAULT_COUNT;
  if (args.count === 3) {
    count = parseInteger(args.buf, args.starts[2], args.ends[2]);
    if (!(count >= -1)) return reply.error(BAD_COUNT);
  }
  const entries = session.server.slowLog.newest(count === -1 ? SLOWLOG_SLOTS : count);
  reply.array(entries.length);
  for (const entry of entries) {
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.unixSeconds);
    reply.integer(entry.micros);
    reply.array(entry.args.length);
    for (const arg of entry.args) reply.bulkText(arg);
    reply.bulkText(entry.addr);
    reply.bulkText(entry.name);
  }
}

export function slowlogLen(session: Session, _args: Args, reply: ReplyWriter): void {
  reply.integer(session.server.slowLog.length());
}

export function slowlogReset(session: Session, _args: Args, reply: ReplyWriter): void {
  session.server.slowLog.reset();
  reply.ok();
}

export function slowlogHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'SLOWLOG', [
    'GET [<count>]',
    '    The newest entries (default: 10, -1: all): id, unix time, microseconds,',
    '    arguments, address and name of the client.',
    'LEN',
    '    How many entries there are.',
    'RESET',
    '    Forget all entries.',
  ]);
}
