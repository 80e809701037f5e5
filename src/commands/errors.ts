/** Error replies that several families share; texts as Redis 7.2 sends them, code first. */
import type { Args } from '../resp/args.ts';

export const ERR = {
  WRONGTYPE: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  SYNTAX: 'ERR syntax error',
  NOT_INTEGER: 'ERR value is not an integer or out of range',
  NOT_FLOAT: 'ERR value is not a valid float',
  OUT_OF_RANGE: 'ERR value is out of range',
  NO_SUCH_KEY: 'ERR no such key',
  DB_INDEX: 'ERR DB index is out of range',
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  STRING_TOO_LONG: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
  OFFSET_RANGE: 'ERR offset is out of range',
  OVERFLOW: 'ERR increment or decrement would overflow',
  NOT_POSITIVE: 'ERR value is out of range, must be positive',
} as const;

/** `expires` outside the representable range or not positive, for the command named in lower case. */
export function invalidExpireTime(commandName: string): string {
  return `ERR invalid expire time in '${commandName}' command`;
}

/** For a subcommand with arguments that its row's arity lets through and Redis's handler does not. */
export function wrongFormError(args: Args, container: string): string {
  const name = args
    .text(1)
    .slice(0, 128)
    .replace(/[\r\n]/g, ' ');
  return `ERR unknown subcommand or wrong number of arguments for '${name}'. Try ${container} HELP.`;
}
