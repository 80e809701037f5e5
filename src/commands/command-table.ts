/** All commands of the server: the families' rows, one after the other. */

import { BITMAP_COMMANDS } from './bitmap-commands.ts';
import { registerCommandTable } from './command-registry.ts';
import { CommandTable } from './command-row.ts';
import { CONNECTION_COMMANDS } from './connection-commands.ts';
import { DEBUG_COMMANDS } from './debug-commands.ts';
import { EXPIRE_COMMANDS } from './expire-commands.ts';
import { KEYS_COMMANDS } from './keys-commands.ts';
import { SERVER_COMMANDS } from './server-commands.ts';
import { STRING_COMMANDS } from './string-commands.ts';

export {
  arityError,
  CommandRow,
  CommandTable,
  REACH,
  unknownCommandError,
  unknownSubcommandError,
} from './command-row.ts';

export const COMMANDS = new CommandTable([
  ...STRING_COMMANDS,
  ...BITMAP_COMMANDS,
  ...KEYS_COMMANDS,
  ...EXPIRE_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...SERVER_COMMANDS,
  ...DEBUG_COMMANDS,
]);
registerCommandTable(COMMANDS);
