/** Under durability rules: which shards' positions have to be safe before what a command shows may leave (R13, R21). */
import type { CommandRow } from '../commands/command-table.ts';
import { POLICY } from '../journal/journal-memory.ts';
import type { Args } from '../resp/args.ts';
import type { Unit } from './unit.ts';

/** Sets `waits` (by shard) for the keys of a command that is about to run: the first `keys` of `keyArgs` are their arguments. */
export function noteWaits(
  unit: Unit,
  row: CommandRow,
  args: Args,
  keyArgs: Int32Array,
  keys: number,
  waits: Uint8Array,
): void {
  const rules = unit.rules!;
  // what names no keys may show any; the second database of MOVE and COPY may have a rule
  if (keys <= 0 || (rules.hasDatabases && (row.fullName === 'move' || row.fullName === 'copy'))) {
    for (let i = 0; i < unit.heldCount; i++) waits[unit.held[i]] = 1;
    return;
  }
  for (let i = 0; i < keys; i++) {
    const arg = keyArgs[i];
    const shard = unit.shardOfArg[arg];
    const usual = unit.journals[shard].policy;
    if (rules.policyOf(unit.db, args.buf, args.starts[arg], args.ends[arg], usual) === POLICY.always) waits[shard] = 1;
  }
}
