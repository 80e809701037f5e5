/** Short forms for the parts of command rows that come again and again. */
import type { CommandDocArgument, CommandGroup, CommandSpec, DataHandler, FlagName, KeyFlag, KeySpec } from './spec.ts';

/** One key at argument `begin`. */
export function oneKey(begin: number, ...flags: KeyFlag[]): KeySpec {
  return { flags, begin, find: { kind: 'range', last: 0, step: 1, limit: 0 } };
}

/** Keys from argument `begin` to the last one. */
export function keysFrom(begin: number, ...flags: KeyFlag[]): KeySpec {
  return { flags, begin, find: { kind: 'range', last: -1, step: 1, limit: 0 } };
}

export function keyArgument(name = 'key', keySpecIndex = 0): CommandDocArgument {
  return { name, type: 'key', keySpecIndex };
}

export function token(name: string, since?: string): CommandDocArgument {
  return since === undefined
    ? { name: name.toLowerCase(), type: 'pure-token', token: name }
    : { name: name.toLowerCase(), type: 'pure-token', token: name, since };
}

export function optionalToken(name: string, since?: string): CommandDocArgument {
  return { ...token(name, since), optional: true };
}

export function oneOf(name: string, ...choices: CommandDocArgument[]): CommandDocArgument {
  return { name, type: 'oneof', arguments: choices };
}

export const MULTI_SHARD_SUM = ['request_policy:multi_shard', 'response_policy:agg_sum'];
export const NONDETERMINISTIC = ['nondeterministic_output'];

/** Makes the rows of a family out of what differs between them. */
export function familyRow(category: string, group: CommandGroup) {
  return (
    name: string,
    arity: number,
    flags: FlagName[],
    keys: KeySpec[],
    since: string,
    summary: string,
    complexity: string,
    args: CommandDocArgument[],
    run: DataHandler,
  ): CommandSpec => {
    const acl = [category];
    return { name, arity, flags, keys, acl, since, group, summary, complexity, arguments: args, run };
  };
}
