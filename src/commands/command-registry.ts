/**
 * The one table of commands, for handlers that speak about commands. It is set when the table is built; handlers cannot
 * import the table itself, which imports them.
 */
import type { CommandTable } from './command-row.ts';

let table: CommandTable | null = null;

export function registerCommandTable(built: CommandTable): void {
  table = built;
}

export function commandTable(): CommandTable {
  if (table === null) throw new Error('the command table is not built yet');
  return table;
}
