/** SCRIPT and its subcommands: what is known of scripts, and the end of one that runs. */
import type { Session } from '../dispatch/session.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { scriptSha } from '../scripting/script-sha.ts';
import { RUNS } from '../scripting/script-store.ts';
import { replyHelp } from './help-reply.ts';

const NOTHING_RUNS = 'NOTBUSY No scripts in execution right now.';
const HAS_WRITTEN =
  'UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.';

export function scriptLoad(session: Session, args: Args, reply: ReplyWriter): void {
  const { scripting } = session.server;
  const source = args.bytes(2);
  const sha = scriptSha(source);
  scripting.sourceOf(sha);
  const header = scripting.prepare(sha, source);
  if (typeof header === 'string') return reply.error(header);
  if (!scripting.store.addScript(sha, source, true)) return reply.error('OOM there is no room for another script');
  reply.bulkText(sha);
}

export function scriptExists(session: Session, args: Args, reply: ReplyWriter): void {
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    reply.integer(session.server.scripting.sourceOf(args.text(i).toLowerCase()) === undefined ? 0 : 1);
  }
}

export function scriptFlush(session: Session, args: Args, reply: ReplyWriter): void {
  const isMode = args.count === 3 && (args.equalsIgnoreCase(2, 'sync') || args.equalsIgnoreCase(2, 'async'));
  if (args.count !== 2 && !isMode) return reply.error('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
  session.server.scripting.store.flushScripts();
  reply.ok();
}

export function scriptDebug(_session: Session, args: Args, reply: ReplyWriter): void {
  if (args.equalsIgnoreCase(2, 'no')) return reply.ok();
  if (args.equalsIgnoreCase(2, 'yes') || args.equalsIgnoreCase(2, 'sync')) {
    return reply.error('ERR there is no debugger of scripts here');
  }
  reply.error('ERR Use SCRIPT DEBUG YES/SYNC/NO');
}

export function scriptKill(session: Session, _args: Args, reply: ReplyWriter): void {
  killRunning(session, RUNS.script, reply);
}

/** SCRIPT KILL and FUNCTION KILL: the one that has been running longest. */
export function killRunning(session: Session, kind: number, reply: ReplyWriter): void {
  const { server } = session;
  const { store } = server.scripting;
  const thread = store.slowThread(0, server.steadyMs());
  if (thread === 0 || store.runs(thread) !== kind) {
    if (thread !== 0) return reply.error(busyError(store.runs(thread)));
    return reply.error(NOTHING_RUNS);
  }
  if (store.hasWritten(thread)) return reply.error(HAS_WRITTEN);
  store.kill(thread);
  reply.ok();
}

/** The error while a script runs for so long that others are told so, for a command that is allowed then; null: none does. */
export function busyRefusal({ server }: Session): string | null {
  const { store } = server.scripting;
  const threshold = server.settings.number('busy-reply-threshold');
  const thread = threshold > 0 ? store.slowThread(threshold, server.steadyMs()) : 0;
  return thread === 0 ? null : busyError(store.runs(thread));
}

/** What others are told while a script runs for long; `kind` of RUNS. */
export function busyError(kind: number): string {
  const verb = kind === RUNS.function ? 'FUNCTION' : 'SCRIPT';
  return `BUSY Redis is busy running a script. You can only call ${verb} KILL or SHUTDOWN NOSAVE.`;
}

export function scriptHelp(_session: Session, _args: Args, reply: ReplyWriter): void {
  replyHelp(reply, 'SCRIPT', [
    'DEBUG (YES|SYNC|NO)',
    '    How scripts are debugged; there is no debugger.',
    'EXISTS <sha1> [<sha1> ...]',
    '    Which of these scripts are known.',
    'FLUSH [ASYNC|SYNC]',
    '    Forget all scripts.',
    'KILL',
    '    End the script that runs, unless it has written.',
    'LOAD <script>',
    '    Store a script without running it.',
  ]);
}
