/**
 * What a command is: one row of metadata and one handler. Everything that Skein knows of a command (its gate, its keys, its
 * ACL categories, COMMAND DOCS, COMMAND GETKEYS) is derived from its row; to add a command one adds a row to its family.
 */
import type { Session } from '../dispatch/session.ts';
import type { Unit } from '../dispatch/unit.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';

/** Command flags, Redis's names; a row holds them as one bit set. */
export const FLAG = {
  write: 1 << 0,
  readonly: 1 << 1,
  denyoom: 1 << 2,
  admin: 1 << 3,
  pubsub: 1 << 4,
  noscript: 1 << 5,
  blocking: 1 << 6,
  loading: 1 << 7,
  stale: 1 << 8,
  skip_monitor: 1 << 9,
  skip_slowlog: 1 << 10,
  asking: 1 << 11,
  fast: 1 << 12,
  no_auth: 1 << 13,
  may_replicate: 1 << 14,
  sentinel: 1 << 15,
  only_sentinel: 1 << 16,
  no_mandatory_keys: 1 << 17,
  protected: 1 << 18,
  module: 1 << 19,
  no_async_loading: 1 << 20,
  no_multi: 1 << 21,
  allow_busy: 1 << 22,
  movablekeys: 1 << 23,
} as const;
export type FlagName = keyof typeof FLAG;

/** Flags of one key specification, as COMMAND INFO shows them. */
export type KeyFlag =
  | 'RO'
  | 'RW'
  | 'OW'
  | 'RM'
  | 'access'
  | 'update'
  | 'insert'
  | 'delete'
  | 'not_key'
  | 'incomplete'
  | 'variable_flags';

/** Where keys stand: begin_search index + find_keys range (the only form the commands so far need) or keynum. */
export interface KeySpec {
  flags: KeyFlag[];
  /** Index of the first key argument, the command name being 0; with `keyword` where the search for it begins. */
  begin: number;
  /** The keys stand behind the first argument, from `begin` on (negative: from that many before the end backwards), that is this word. */
  keyword?: string;
  find:
    | { kind: 'range'; last: number; step: number; limit: number }
    | { kind: 'keynum'; keynumIndex: number; firstKey: number; step: number }
    /** The arguments do not tell, or only `findKeys` can. */
    | { kind: 'unknown' };
  notes?: string;
}

export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'generic'
  | 'connection'
  | 'server'
  | 'list'
  | 'hash'
  | 'set'
  | 'sorted-set'
  | 'stream'
  | 'hyperloglog'
  | 'geo'
  | 'pubsub'
  | 'scripting'
  | 'transactions'
  | 'cluster';

/** Runs under the latches of the shards of all its keys. Validates before its first change; never throws after it. */
export type DataHandler = (unit: Unit, args: Args, reply: ReplyWriter) => void;
/** Runs on the connection's own thread without latches: connection state, settings, introspection. */
export type SessionHandler = (session: Session, args: Args, reply: ReplyWriter) => void;
/**
 * Which shards a data command latches: those of its keys (default), or every shard (FLUSHALL, KEYS, DBSIZE, RANDOMKEY …).
 * 'chosen': its arguments decide each time, by the spec's `shardChoice`.
 */
export type Reach = 'keys' | 'all' | 'chosen';
/** Answers of a `shardChoice` that are no shard: all shards; those of the keys, as usual. */
export const SHARD_CHOICE = { all: -1, keys: -2 } as const;

export interface CommandDocArgument {
  name: string;
  type: 'string' | 'integer' | 'double' | 'key' | 'pattern' | 'unix-time' | 'pure-token' | 'oneof' | 'block';
  token?: string;
  optional?: boolean;
  multiple?: boolean;
  multipleToken?: boolean;
  keySpecIndex?: number;
  since?: string;
  deprecatedSince?: string;
  /** What a syntax line shows instead of the name. */
  display?: string;
  arguments?: CommandDocArgument[];
}

export interface CommandSpec {
  name: string;
  /** Positive: exactly so many arguments with the name; negative: at least -arity. */
  arity: number;
  flags: FlagName[];
  keys: KeySpec[];
  /** ACL categories without '@'; those that follow from flags (write, read, fast, slow, admin, dangerous …) are added by the table. */
  acl: string[];
  since: string;
  group: CommandGroup;
  /** In our own words. */
  summary: string;
  complexity: string;
  arguments?: CommandDocArgument[];
  tips?: string[];
  history?: [version: string, change: string][];
  deprecatedSince?: string;
  /** Which command stands in its place, in Markdown. */
  replacedBy?: string;
  docFlags?: ('deprecated' | 'syscmd')[];
  reach?: Reach;
  /** With reach 'chosen': the one shard that this call latches, or a SHARD_CHOICE. Runs before the latches are taken. */
  shardChoice?: (args: Args, spaces: readonly Keyspace[], db: number) => number;
  /** What keys with `variable_flags` are used for, given these arguments. */
  keyUse?: (args: Args) => KeyFlag[];
  /** Where the specs do not tell exactly which arguments are keys: writes their indexes into `out`, returns how many there are. */
  findKeys?: (args: Args, out: Int32Array) => number;
  /**
   * Arguments that the command stores as whole strings, as they are: the first of them and the step to the next (0: no other),
   * each under the command's one key, or under the key in front of it. Long ones are copied before the latch is taken.
   */
  storedValues?: { first: number; step: number };
  /** Needs no memory, whatever it removes: runs even where no room is left. */
  freesOnly?: true;
  /**
   * For a client that waits (R10): will the command, run again, be answered with more than nothing? It looks at keys of held shards only,
   * and changes nothing. Without it, a key of the kind that the client waits for is enough.
   */
  isReady?: (unit: Unit, args: Args) => boolean;
  /** For a client that waits: run again it needs the shards of all its keys, not only that of the key which was changed. */
  needsAllKeys?: true;
  /** Runs on the client's own thread always: it changes the client, too (Unit.session). */
  atHome?: true;
  /** Its reply is what a script answers (EVAL, FCALL): the dispatcher runs it as a unit of several commands. */
  runsScript?: true;
  run?: DataHandler;
  session?: SessionHandler;
  /** Rows of the subcommands; their names without the container ('get', not 'config|get'). */
  subcommands?: CommandSpec[];
  /** The subcommand rows serve dispatch only: COMMAND shows the container alone, statistics go to it (DEBUG). */
  hiddenSubcommands?: true;
}
