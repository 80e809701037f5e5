/**
 * One row of the settings table and the short forms in which the themed tables write it. To add a setting, add a row to the
 * table of its theme; parser, CONFIG GET/SET/REWRITE, shared store and skein.conf follow from it.
 */
import type { Codec, ParseContext, SettingValue } from './settings-codec.ts';
import { EnumCodec, IntegerCodec, Refusal, TextCodec, YesNoCodec } from './settings-codec.ts';

export interface SettingRow<N extends string = string> {
  readonly name: N;
  /** Second name, listed by CONFIG GET as well. */
  readonly alias: string | undefined;
  readonly codec: Codec;
  /** Redis's default, in effect as soon as a configuration file is given. */
  readonly fallback: SettingValue;
  /** Skein's default when it is started without a configuration file. */
  readonly embedded: SettingValue | undefined;
  /** Can be set at the start only. */
  readonly atStart: boolean;
  /** CONFIG SET only if enable-protected-configs allows it. */
  readonly guarded: boolean;
  /** Not matched by patterns of CONFIG GET. */
  readonly hidden: boolean;
  /** The value is a secret: never in a log. */
  readonly secret: boolean;
  /** CONFIG SET is refused while the data set is loaded. */
  readonly notWhileLoading: boolean;
  /** False: accepted and shown, but this version does nothing with it; named in the log when set to another value. */
  readonly effect: boolean;
  /** What it is for, in one to three sentences. */
  readonly text: string;
}

export interface RowOptions {
  alias?: string;
  embedded?: string;
  atStart?: boolean;
  guarded?: boolean;
  hidden?: boolean;
  secret?: boolean;
  notWhileLoading?: boolean;
  /** This version acts on it. */
  works?: boolean;
}

const NO_CONTEXT: ParseContext = {
  previous: '',
  starting: false,
  first: true,
  directory: (_base, path) => path,
};

/** The words of a value that came as one text (CONFIG SET): none for an empty list, every blank separates. */
export function valueWords(codec: Codec, value: string): string[] {
  if (!codec.manyWords) return [value];
  return value === '' ? [] : value.split(' ');
}

/** A value read by itself, as CONFIG SET splits it: without a file around it, and with every directory taken as it stands. */
export function parseAlone(row: Pick<SettingRow, 'codec' | 'fallback'>, value: string): SettingValue | Refusal {
  return row.codec.parse(valueWords(row.codec, value), { ...NO_CONTEXT, previous: row.fallback });
}

/** A row with a codec of its own; `usual` is the default as one would write it in the file, the words separated by blanks. */
export function special<const N extends string>(
  name: N,
  codec: Codec,
  usual: string,
  text: string,
  options: RowOptions = {},
): SettingRow<N> {
  const read = (words: string, previous: SettingValue): SettingValue => {
    const value = parseAlone({ codec, fallback: previous }, words);
    if (value instanceof Refusal) throw new Error(`default of ${name}: ${value.reason}`);
    return value;
  };
  const fallback = read(usual, usual);
  return {
    name,
    alias: options.alias,
    codec,
    fallback,
    embedded: options.embedded === undefined ? undefined : read(options.embedded, fallback),
    atStart: options.atStart ?? false,
    guarded: options.guarded ?? false,
    hidden: options.hidden ?? false,
    secret: options.secret ?? false,
    notWhileLoading: options.notWhileLoading ?? false,
    effect: options.works ?? false,
    text,
  };
}

const YES_NO = new YesNoCodec();

export function yesNo<const N extends string>(name: N, usual: 'yes' | 'no', text: string, options?: RowOptions) {
  return special(name, YES_NO, usual, text, options);
}

/** One of `words`; `synonyms` maps a word to the one it is shown as. */
export function choice<const N extends string>(
  name: N,
  words: readonly string[],
  usual: string,
  text: string,
  options?: RowOptions & { synonyms?: Record<string, string> },
) {
  return special(name, new EnumCodec(words, options?.synonyms), usual, text, options);
}

export const INT_MIN = -(2 ** 31);
export const INT_MAX = 2 ** 31 - 1;
/** Limits of 64-bit settings (Redis names them in its error texts). */
export const LONG_MAX = 2n ** 63n - 1n;
export const ULONG_MAX = 2n ** 64n - 1n;

interface NumberOptions extends RowOptions {
  unsigned?: boolean;
  clamp?: [number, number];
}

/** An integer `min`..`max`. */
export function integer<const N extends string>(
  name: N,
  usual: number,
  min: number,
  max: number | bigint,
  text: string,
  options?: NumberOptions,
) {
  const range = { min: BigInt(min), max: BigInt(max), unsigned: options?.unsigned, clamp: options?.clamp };
  return special(name, new IntegerCodec(range), String(usual), text, options);
}

/** A number of bytes, written with or without a unit. */
export function size<const N extends string>(
  name: N,
  usual: string,
  min: number,
  max: number | bigint,
  text: string,
  options?: NumberOptions,
) {
  const range = {
    min: BigInt(min),
    max: BigInt(max),
    unsigned: options?.unsigned,
    clamp: options?.clamp,
    form: 'memory' as const,
  };
  return special(name, new IntegerCodec(range), usual, text, options);
}

interface TextOptions extends RowOptions {
  /** The empty text is a value like others; otherwise it means "not set" and CONFIG REWRITE drops the line. */
  mayBeEmpty?: boolean;
  /** Answers why the value is refused, or null. */
  check?: (value: string) => string | null;
}

/** Any text. */
export function text<const N extends string>(name: N, usual: string, about: string, options?: TextOptions) {
  return special(name, new TextCodec(options?.mayBeEmpty !== true, options?.check), usual, about, options);
}
