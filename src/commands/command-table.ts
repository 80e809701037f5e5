/** All commands of the server: the families' rows, one after the other. */

import { BITMAP_COMMANDS } from './bitmap-commands.ts';
import { BLOCKING_COMMANDS } from './blocking-commands.ts';
import { registerCommandTable } from './command-registry.ts';
import { CommandTable } from './command-row.ts';
import { CONNECTION_COMMANDS } from './connection-commands.ts';
import { DEBUG_COMMANDS } from './debug-commands.ts';
import { DUMP_COMMANDS } from './dump-commands.ts';
import { EXPIRE_COMMANDS } from './expire-commands.ts';
import { GEO_COMMANDS } from './geo-commands.ts';
import { HASH_COMMANDS } from './hash-commands.ts';
import { HYPER_LOG_LOG_COMMANDS } from './hyper-log-log-commands.ts';
import { KEYS_COMMANDS } from './keys-commands.ts';
import { LATENCY_COMMANDS } from './latency-commands.ts';
import { LIST_COMMANDS } from './list-commands.ts';
import { PUBSUB_COMMANDS } from './pubsub-commands.ts';
import { SCRIPT_COMMANDS } from './script-commands.ts';
import { SERVER_COMMANDS } from './server-commands.ts';
import { SET_COMMANDS } from './set-commands.ts';
import { SORT_COMMANDS } from './sort-commands.ts';
import { SORTED_SET_COMMANDS } from './sorted-set-commands.ts';
import { STREAM_COMMANDS } from './stream-commands.ts';
import { STRING_COMMANDS } from './string-commands.ts';
import { STRING_CONDITIONAL_COMMANDS } from './string-conditional-commands.ts';
import { TRANSACTION_COMMANDS } from './transaction-commands.ts';

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
  ...STRING_CONDITIONAL_COMMANDS,
  ...BITMAP_COMMANDS,
  ...HASH_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...SORT_COMMANDS,
  ...GEO_COMMANDS,
  ...STREAM_COMMANDS,
  ...HYPER_LOG_LOG_COMMANDS,
  ...KEYS_COMMANDS,
  ...LIST_COMMANDS,
  ...BLOCKING_COMMANDS,
  ...DUMP_COMMANDS,
  ...EXPIRE_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...SERVER_COMMANDS,
  ...LATENCY_COMMANDS,
  ...PUBSUB_COMMANDS,
  ...DEBUG_COMMANDS,
  ...TRANSACTION_COMMANDS,
  ...SCRIPT_COMMANDS,
]);
registerCommandTable(COMMANDS);
