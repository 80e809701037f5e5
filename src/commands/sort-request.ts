/** The arguments of SORT and SORT_RO: key, then BY, GET, LIMIT, ASC, DESC, ALPHA, STORE in any order. */
import type { Args } from '../resp/args.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR } from './errors.ts';
import { longArgument } from './integer-arguments.ts';
import { SHARD_CHOICE } from './spec.ts';

const STAR = 42;
const FIRST_OPTION = 2;

/** Does argument `i` have a place for the element, so that it names other keys? */
function namesKeys(args: Args, i: number): boolean {
  const { buf, ends } = args;
  for (let at = args.starts[i]; at < ends[i]; at++) if (buf[at] === STAR) return true;
  return false;
}

export class SortRequest {
  isDescending = false;
  isAlpha = false;
  /** BY was given, and names no keys: the elements keep their order. */
  isUnsorted = false;
  /** Argument index of the pattern of BY that names keys, 0 where there is none. */
  by = 0;
  /** Argument indexes of the patterns of GET. */
  readonly gets: number[] = [];
  start = 0;
  /** Negative: all. */
  count = -1;
  /** Argument index of the key of STORE, 0 where there is none. */
  store = 0;

  /** False after an error reply. */
  parse(args: Args, mayStore: boolean, reply: ReplyWriter): boolean {
    this.isDescending = this.isAlpha = this.isUnsorted = false;
    this.by = this.store = this.start = this.gets.length = 0;
    this.count = -1;
    for (let i = FIRST_OPTION; i < args.count; i++) {
      const left = args.count - i - 1;
      if (args.equalsIgnoreCase(i, 'asc')) this.isDescending = false;
      else if (args.equalsIgnoreCase(i, 'desc')) this.isDescending = true;
      else if (args.equalsIgnoreCase(i, 'alpha')) this.isAlpha = true;
      else if (left >= 2 && args.equalsIgnoreCase(i, 'limit')) {
        if (!this.parseLimit(args, i, reply)) return false;
        i += 2;
      } else if (left >= 1 && mayStore && args.equalsIgnoreCase(i, 'store')) this.store = ++i;
      else if (left >= 1 && args.equalsIgnoreCase(i, 'by')) this.takeBy(args, ++i);
      else if (left >= 1 && args.equalsIgnoreCase(i, 'get')) this.gets.push(++i);
      else {
        reply.error(ERR.SYNTAX);
        return false;
      }
    }
    return true;
  }

  private parseLimit(args: Args, i: number, reply: ReplyWriter): boolean {
    this.start = longArgument(args, i + 1, reply);
    if (Number.isNaN(this.start)) return false;
    this.count = longArgument(args, i + 2, reply);
    return !Number.isNaN(this.count);
  }

  private takeBy(args: Args, i: number): void {
    // one BY that names no keys is enough
    if (namesKeys(args, i)) this.by = i;
    else this.isUnsorted = true;
  }
}

/** Patterns reach for keys that may lie anywhere: then all shards are needed. */
export function sortShards(args: Args): number {
  for (let i = FIRST_OPTION; i < args.count; i++) {
    const isPattern = args.equalsIgnoreCase(i, 'by') || args.equalsIgnoreCase(i, 'get');
    if (isPattern && i + 1 < args.count && namesKeys(args, i + 1)) return SHARD_CHOICE.all;
    i += valuesOf(args, i);
  }
  return SHARD_CHOICE.keys;
}

/** How many arguments belong to option `i`. */
function valuesOf(args: Args, i: number): number {
  if (args.equalsIgnoreCase(i, 'limit')) return 2;
  return args.equalsIgnoreCase(i, 'by') || args.equalsIgnoreCase(i, 'get') || args.equalsIgnoreCase(i, 'store') ? 1 : 0;
}

/** The keys that SORT names: its own, and that of the last STORE. */
export function sortKeys(args: Args, out: Int32Array): number {
  out[0] = 1;
  let keys = 1;
  for (let i = FIRST_OPTION; i + 1 < args.count; i++) {
    if (args.equalsIgnoreCase(i, 'store')) {
      out[1] = i + 1;
      keys = 2;
    }
    i += valuesOf(args, i);
  }
  return keys;
}

/** The key that SORT_RO names. */
export function sortReadKeys(_args: Args, out: Int32Array): number {
  out[0] = 1;
  return 1;
}
