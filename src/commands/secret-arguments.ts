/** Arguments that no log may show: passwords, and whatever stands where one could. */
import { isSecretSetting } from '../admin/settings-config.ts';
import type { Args } from '../resp/args.ts';
import type { CommandRow } from './command-row.ts';

/** Is argument `arg` of this command a secret? The name itself never is. */
export function isSecretArgument(row: CommandRow, args: Args, arg: number): boolean {
  switch (row.fullName) {
    case 'auth':
      return arg >= 1;
    case 'hello':
      return isBehind(args, arg, 'auth', 2, 2);
    case 'migrate':
      return isBehind(args, arg, 'auth', 6, 1) || isBehind(args, arg, 'auth2', 6, 2);
    case 'config|set':
      return arg >= 3 && arg % 2 === 1 && isSecretSetting(args.text(arg - 1).toLowerCase());
    case 'acl|setuser':
    case 'acl|deluser':
    case 'acl|getuser':
      return arg >= 2;
    default:
      return false;
  }
}

/** Is argument `arg` one of the `count` behind the option `word`, which stands at argument `first` or later? */
function isBehind(args: Args, arg: number, word: string, first: number, count: number): boolean {
  for (let i = Math.max(first, arg - count); i < arg; i++) if (args.equalsIgnoreCase(i, word)) return true;
  return false;
}
