/** The lines of MONITOR: `+seconds.micros [db address] "argument" …`. */
import type { Args } from '../resp/args.ts';
import { ReplyWriter } from '../resp/reply-writer.ts';
import { EVENT, type EventLog } from './event-log.ts';

const REDACTED = '"(redacted)"';
const ESCAPES: Record<number, string> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};
/** By byte: how it is shown between the quotes. */
const SHOWN: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const escaped = ESCAPES[byte];
  if (escaped !== undefined) return escaped;
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
});

function quoted(args: Args, arg: number): string {
  let text = '"';
  for (let i = args.starts[arg]; i < args.ends[arg]; i++) text += SHOWN[args.buf[i]];
  return `${text}"`;
}

const line = new ReplyWriter(1024);

/**
 * Appends the line of a command. `origin`: its client's address, or 'lua'. Arguments that `isSecret` names are not shown; a line that
 * the log cannot hold is left out.
 */
export function appendMonitorLine(
  log: EventLog,
  micros: number,
  db: number,
  origin: string,
  args: Args,
  isSecret: (arg: number) => boolean,
): void {
  const seconds = Math.floor(micros / 1_000_000);
  let text = `${seconds}.${String(micros - seconds * 1_000_000).padStart(6, '0')} [${db} ${origin}]`;
  for (let arg = 0; arg < args.count; arg++) text += ` ${isSecret(arg) ? REDACTED : quoted(args, arg)}`;
  line.rewind(0);
  line.simple(text);
  if (line.pos <= log.maxBytes) log.append(EVENT.monitor, -1, 0, 0, line.buf, 0, line.pos);
}
