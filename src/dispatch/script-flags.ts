/** What a script says of itself in its first line, as far as a pause of writes asks for it. */
import type { CommandRow } from '../commands/command-table.ts';
import { FLAG } from '../commands/spec.ts';
import type { Args } from '../resp/args.ts';
import { scriptHeader } from '../scripting/script-header.ts';
import type { ScriptRuntime } from '../scripting/script-runtime.ts';

const NO_WRITES = 'no-writes';

/** The flags of a command, with those of the script that it runs: one with `no-writes` replicates nothing, so no pause of writes stops it. */
export function flagsWithScript(runtime: ScriptRuntime, row: CommandRow, args: Args): number {
  if (!row.isScript || !isReadOnly(runtime, row.spec.name, args)) return row.flagBits;
  return row.flagBits & ~FLAG.may_replicate;
}

function isReadOnly(runtime: ScriptRuntime, name: string, args: Args): boolean {
  if (name === 'fcall') return runtime.findFunction(args.text(1))?.flags.includes(NO_WRITES) === true;
  const source =
    name === 'evalsha' ? runtime.sourceOf(args.text(1).toLowerCase()) : args.buf.subarray(args.starts[1], args.ends[1]);
  if (source === undefined) return false;
  const header = scriptHeader(source);
  return typeof header !== 'string' && header.flags.has(NO_WRITES);
}
