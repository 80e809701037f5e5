/** WAIT and WAITAOF. There are no replicas yet: none has acknowledged anything, and none will. */
import type { AwaitedJournals } from '../dispatch/blocked-clients.ts';
import type { ServerContext, Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { msArgument } from './blocking.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';

const LOCAL_RANGE = 'ERR value is out of range, value must between 0 and 1';
const NO_JOURNAL = 'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.';

export function wait(session: Session, args: Args, reply: ReplyWriter): void {
  const replicas = longArgument(args, 1, reply);
  if (Number.isNaN(replicas)) return;
  const timeoutMs = msArgument(args, 2, session.nowMs, reply);
  if (Number.isNaN(timeoutMs)) return;
  if (replicas <= 0 || session.isExecuting) return reply.integer(0);
  session.server.blocked.blockUntil(session, args, timeoutMs, (to) => to.integer(0), null, reply);
}

export function waitaof(session: Session, args: Args, reply: ReplyWriter): void {
  const local = longArgument(args, 1, reply, LOCAL_RANGE);
  if (Number.isNaN(local)) return;
  if (local < 0 || local > 1) return reply.error(LOCAL_RANGE);
  const replicas = longArgument(args, 2, reply, ERR.NOT_POSITIVE);
  if (Number.isNaN(replicas)) return;
  if (replicas < 0) return reply.error(ERR.NOT_POSITIVE);
  const timeoutMs = msArgument(args, 3, session.nowMs, reply);
  if (Number.isNaN(timeoutMs)) return;
  const { journals } = session.server;
  if (local === 1 && !journals.some((journal) => journal.enabled)) return reply.error(NO_JOURNAL);
  const awaited = journalEnds(journals);
  const answer = (to: ReplyWriter): void => {
    to.array(2);
    to.integer(awaited.stamps.length > 0 && awaited.areSafe() ? 1 : 0);
    to.integer(0);
  };
  const isDone = replicas === 0 && (local === 0 || awaited.areSafe());
  if (isDone || session.isExecuting) return answer(reply);
  // there are no replicas to wait for: such a client waits for its timeout
  const { blocked } = session.server;
  blocked.blockUntil(session, args, timeoutMs, answer, replicas === 0 ? awaited : null, reply);
}

/** What this connection has written is in front of these positions. Shards without a journal promise nothing, and hold nobody up. */
function journalEnds(journals: ServerContext['journals']): AwaitedJournals {
  const stamps: number[] = [];
  for (const journal of journals) if (journal.enabled) stamps.push(journal.shard, journal.head());
  return {
    stamps,
    areSafe: () => {
      for (let i = 0; i < stamps.length; i += 2) if (journals[stamps[i]].safe() < stamps[i + 1]) return false;
      return true;
    },
  };
}
