/** The reply of the HELP subcommands: a list of status lines. */
import type { ReplyWriter } from '../resp/reply-writer.ts';

/** `lines`: syntax lines, each followed by its explanation that begins with four blanks. */
export function replyHelp(reply: ReplyWriter, container: string, lines: readonly string[]): void {
  reply.array(lines.length + 3);
  reply.simple(`${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const line of lines) reply.simple(line);
  reply.simple('HELP');
  reply.simple('    Print this help.');
}
