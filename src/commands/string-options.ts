/** The options of SET and GETEX: which were given, which exclude each other, and the deadline they name. */
import type { Args } from '../resp/args.ts';
import { parseInt64, parseInteger } from '../resp/numbers.ts';
import type { ReplyWriter } from '../resp/reply-writer.ts';
import { ERR, invalidExpireTime } from './errors.ts';

export const OPTION = {
  nx: 1,
  xx: 2,
  get: 4,
  keepttl: 8,
  ex: 16,
  px: 32,
  exat: 64,
  pxat: 128,
  persist: 256,
  ifeq: 512,
  ifne: 1024,
} as const;

const INT64_MAX = 2n ** 63n - 1n;
const CONDITIONS = OPTION.nx | OPTION.xx | OPTION.ifeq | OPTION.ifne;
const EXPIRIES = OPTION.ex | OPTION.px | OPTION.exat | OPTION.pxat;
const SECONDS = OPTION.ex | OPTION.exat;
const RELATIVE = OPTION.ex | OPTION.px;
const LIFETIMES = EXPIRIES | OPTION.keepttl | OPTION.persist;

interface OptionRule {
  readonly word: string;
  readonly bit: number;
  /** Options that may not have come before. */
  readonly excludes: number;
  /** Has an argument of its own. */
  readonly valued: boolean;
}

/** An option may come twice (the last one counts), except those that compare with a value. */
function rule(word: keyof typeof OPTION, group: number, valued: boolean): OptionRule {
  const bit = OPTION[word];
  return { word, bit, excludes: group & ~bit, valued };
}

function valueRule(word: 'ifeq' | 'ifne'): OptionRule {
  return { word, bit: OPTION[word], excludes: CONDITIONS, valued: true };
}

const LIFETIME_RULES = [
  rule('ex', LIFETIMES, true),
  rule('px', LIFETIMES, true),
  rule('exat', LIFETIMES, true),
  rule('pxat', LIFETIMES, true),
];

/** Options of SET. */
export const SET_RULES: readonly OptionRule[] = [
  ...LIFETIME_RULES,
  rule('nx', CONDITIONS, false),
  rule('xx', CONDITIONS, false),
  rule('get', 0, false),
  rule('keepttl', LIFETIMES, false),
  valueRule('ifeq'),
  valueRule('ifne'),
];

/** Options of GETEX. */
export const GETEX_RULES: readonly OptionRule[] = [...LIFETIME_RULES, rule('persist', LIFETIMES, false)];

/** What a command's options said. One object is filled again and again. */
export class StringOptions {
  /** OPTION bits. */
  bits = 0;
  /** Argument that holds the time of EX, PX, EXAT or PXAT. */
  private timeArg = 0;
  /** Argument that IFEQ or IFNE compares with. */
  comparandArg = 0;

  /** Reads arguments from `first` on; false: they break the rules. */
  read(args: Args, first: number, rules: readonly OptionRule[]): boolean {
    this.bits = 0;
    for (let i = first; i < args.count; i++) {
      const found = this.match(args, i, rules);
      if (found === null) return false;
      this.bits |= found.bit;
      if (!found.valued) continue;
      i++;
      if ((found.bit & EXPIRIES) !== 0) this.timeArg = i;
      else this.comparandArg = i;
    }
    return true;
  }

  private match(args: Args, i: number, rules: readonly OptionRule[]): OptionRule | null {
    for (const option of rules) {
      if (!args.equalsIgnoreCase(i, option.word)) continue;
      if ((this.bits & option.excludes) !== 0 || (option.valued && i + 1 === args.count)) return null;
      return option;
    }
    return null;
  }

  get hasTime(): boolean {
    return (this.bits & EXPIRIES) !== 0;
  }

  /** The time is a point of Unix time, not a span from now. */
  get isAbsolute(): boolean {
    return (this.bits & RELATIVE) === 0;
  }

  /** The deadline in unix ms that was given (hasTime), or NaN after an error reply. */
  deadline(args: Args, nowMs: number, commandName: string, reply: ReplyWriter): number {
    const unitMs = (this.bits & SECONDS) !== 0 ? 1000 : 1;
    return deadlineArgument(args, this.timeArg, unitMs, this.isAbsolute ? 0 : nowMs, commandName, reply);
  }
}

/**
 * The deadline in unix ms that argument `index` names, counted from `baseMs` in steps of `unitMs`; NaN after an error reply.
 * Times must be positive. Redis counts in 64 bits, Skein keeps 53 of them: a deadline behind the year 287396 becomes the last one
 * that can be kept, one that 64 bits cannot hold is an error, as in Redis.
 */
export function deadlineArgument(
  args: Args,
  index: number,
  unitMs: number,
  baseMs: number,
  commandName: string,
  reply: ReplyWriter,
): number {
  const given = parseInteger(args.buf, args.starts[index], args.ends[index]);
  const deadline = given * unitMs + baseMs;
  if (given > 0 && Number.isSafeInteger(deadline)) return deadline;
  const exact = parseInt64(args.buf, args.starts[index], args.ends[index]);
  if (exact === null) {
    reply.error(ERR.NOT_INTEGER);
    return Number.NaN;
  }
  if (exact <= 0n || exact * BigInt(unitMs) > INT64_MAX - BigInt(baseMs)) {
    reply.error(invalidExpireTime(commandName));
    return Number.NaN;
  }
  return Number.MAX_SAFE_INTEGER;
}
