/**
 * How the value of a setting is read, shown and written back. A codec turns the words of a line into a value (a number for
 * yes/no, enumerations and sizes; a byte string for everything else) or a refusal, and a value into what CONFIG GET shows and
 * CONFIG REWRITE writes. Codecs know no names and no files; the table (settings-table.ts) gives each setting one.
 */
import { memoryText, parseLooseInteger, parseMemory, parseStrictInteger, quoteWord } from './settings-words.ts';

export type SettingValue = number | string;

/** Why a value is not accepted, in Redis's words where it has some. */
export class Refusal {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

export interface ParseContext {
  /** The value that would be replaced: settings with several parts (output buffer limits) keep what is not named. */
  previous: SettingValue;
  /** True while the start's file and options are read: a repeated line of a list setting then adds to the list. */
  starting: boolean;
  /** True for the first line of this setting in this start, which replaces the default. */
  first: boolean;
  /** Absolute path of a directory, relative ones being taken from `base`; null if there is no such directory. */
  directory(base: string, path: string): string | null;
}

/** One line that CONFIG REWRITE may write; `force` = also when the file did not mention the setting. */
export interface RewriteLine {
  words: string;
  force: boolean;
}

export interface Codec {
  readonly kind: 'number' | 'text';
  /** The setting takes any number of words itself; all others take exactly one. */
  readonly manyWords: boolean;
  /** Numbers that the codec keeps beside a text for fast reading (see settings-store.ts). */
  readonly mirrorCount: number;
  /** What may be written, for the documentation. */
  readonly accepts: string;
  parse(words: string[], context: ParseContext): SettingValue | Refusal;
  format(value: SettingValue): string;
  /** What stands behind the name in the file, one element per line; an empty array = the file says nothing. */
  rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[];
  mirror(value: SettingValue, into: Float64Array, at: number): void;
}

abstract class NumberCodec implements Codec {
  readonly kind = 'number';
  readonly manyWords: boolean = false;
  readonly mirrorCount = 0;
  abstract readonly accepts: string;
  abstract parse(words: string[], context: ParseContext): number | Refusal;
  abstract format(value: SettingValue): string;
  rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[] {
    return [{ words: this.format(value), force: value !== fallback }];
  }
  mirror(): void {}
}

export class YesNoCodec extends NumberCodec {
  readonly accepts = 'yes | no';
  parse(words: string[]): number | Refusal {
    const word = words[0].toLowerCase();
    if (word === 'yes') return 1;
    if (word === 'no') return 0;
    return new Refusal("argument must be 'yes' or 'no'");
  }
  format(value: SettingValue): string {
    return value === 1 ? 'yes' : 'no';
  }
}

/** One word out of a list. The value is the word's place in the list; synonyms share the place of the first. */
export class EnumCodec extends NumberCodec {
  readonly words: readonly string[];
  readonly #synonyms: Readonly<Record<string, string>>;
  readonly accepts: string;
  constructor(words: readonly string[], synonyms: Readonly<Record<string, string>> = {}) {
    super();
    this.words = words;
    this.#synonyms = synonyms;
    this.accepts = words.join(' | ');
  }
  parse(words: string[]): number | Refusal {
    const word = words[0].toLowerCase();
    const index = this.words.indexOf(word);
    if (index < 0) return new Refusal(`argument(s) must be one of the following: ${this.words.join(', ')}`);
    const synonym = this.#synonyms[word];
    return synonym === undefined ? index : this.words.indexOf(synonym);
  }
  format(value: SettingValue): string {
    return this.words[value as number];
  }
}

/** Several words out of a list, as a set of bits; `none` is the word for the empty set. */
export class FlagsCodec extends NumberCodec {
  override readonly manyWords = true;
  readonly accepts: string;
  readonly #none: string;
  readonly #words: readonly string[];
  readonly #check: (has: (word: string) => boolean) => string | null;
  constructor(none: string, words: readonly string[], check: (has: (word: string) => boolean) => string | null) {
    super();
    this.#none = none;
    this.#words = words;
    this.#check = check;
    this.accepts = `${none} | any of ${words.join(', ')}`;
  }
  parse(words: string[]): number | Refusal {
    let bits = 0;
    // one argument may hold several words
    const given = words.length === 1 ? words[0].split(' ') : words;
    for (const word of given.length === 0 ? [''] : given) {
      const lowered = word.toLowerCase();
      if (lowered === this.#none) continue;
      const index = this.#words.indexOf(lowered);
      if (index < 0) {
        const all = [this.#none, ...this.#words].join(', ');
        return new Refusal(`argument(s) must be one of the following: ${all}`);
      }
      bits |= 1 << index;
    }
    const problem = this.#check((word) => (bits & (1 << this.#words.indexOf(word))) !== 0);
    return problem === null ? bits : new Refusal(problem);
  }
  format(value: SettingValue): string {
    const bits = value as number;
    if (bits === 0) return this.#none;
    return this.#words.filter((_, index) => (bits & (1 << index)) !== 0).join(' ');
  }
}

export type IntegerForm = 'integer' | 'memory' | 'octal' | 'memory or percent';

export interface IntegerRange {
  min: bigint;
  max: bigint;
  /** Redis compares this one as an unsigned number, so that -1 counts as a very big one. */
  unsigned?: boolean;
  form?: IntegerForm;
  /** Values outside are accepted and drawn to this range. */
  clamp?: [number, number];
}

/** Integers, sizes in bytes, octal modes, and "size or percentage" (a percentage is kept as a negative number). */
export class IntegerCodec extends NumberCodec {
  readonly #range: IntegerRange;
  readonly #form: IntegerForm;
  readonly accepts: string;
  constructor(range: IntegerRange) {
    super();
    this.#range = range;
    this.#form = range.form ?? 'integer';
    const radix = this.#form === 'octal' ? 8 : 10;
    this.accepts = `${this.#form} ${range.min.toString(radix)}..${range.max.toString(radix)}`;
  }
  parse(words: string[]): number | Refusal {
    const parsed = this.#read(words[0]);
    if (parsed instanceof Refusal) return parsed;
    const problem = this.#outside(parsed);
    if (problem !== null) return new Refusal(problem);
    const value = Number(parsed);
    const clamp = this.#range.clamp;
    return clamp === undefined ? value : Math.min(Math.max(value, clamp[0]), clamp[1]);
  }
  #read(word: string): bigint | Refusal {
    if (this.#form === 'integer') {
      return parseStrictInteger(word) ?? new Refusal("argument couldn't be parsed into an integer");
    }
    if (this.#form === 'octal') {
      return parseLooseInteger(word, 8) ?? new Refusal("argument couldn't be parsed as an octal number");
    }
    const bytes = parseMemory(word);
    if (bytes !== null) return this.#range.unsigned ? bytes : BigInt.asIntN(64, bytes);
    if (this.#form === 'memory') return new Refusal('argument must be a memory value');
    const percent = word.endsWith('%') ? parseStrictInteger(word.slice(0, -1)) : null;
    if (percent === null || percent < 0n) return new Refusal('argument must be a memory or percent value');
    return -percent;
  }
  #outside(parsed: bigint): string | null {
    const { min, max, unsigned } = this.#range;
    if (this.#form === 'memory or percent' && parsed < 0n) {
      return parsed < min ? `percentage argument must be less or equal to ${-min}` : null;
    }
    const value = unsigned ? BigInt.asUintN(64, parsed) : parsed;
    if (value >= min && value <= max) return null;
    const radix = this.#form === 'octal' ? 8 : 10;
    return `argument must be between ${min.toString(radix)} and ${max.toString(radix)} inclusive`;
  }
  format(value: SettingValue): string {
    const number = value as number;
    if (this.#form === 'octal') return number.toString(8);
    if (this.#form === 'memory or percent' && number < 0) return `${-number}%`;
    return this.#exact(number).toString();
  }
  override rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[] {
    const force = value !== fallback;
    const isSize = this.#form === 'memory' || (this.#form === 'memory or percent' && (value as number) >= 0);
    return [{ words: isSize ? memoryText(this.#exact(value as number)) : this.format(value), force }];
  }
  /** The limits of 64 bits are no doubles: the nearest one stands for the limit itself. */
  #exact(value: number): bigint {
    const exact = BigInt(value);
    return exact > this.#range.max ? this.#range.max : exact;
  }
}

abstract class WordsCodec implements Codec {
  readonly kind = 'text';
  readonly manyWords: boolean = true;
  readonly mirrorCount: number = 0;
  abstract readonly accepts: string;
  abstract parse(words: string[], context: ParseContext): string | Refusal;
  format(value: SettingValue): string {
    return value as string;
  }
  abstract rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[];
  mirror(_value: SettingValue, _into: Float64Array, _at: number): void {}
}

/** Base of the settings whose value is a text made of several words (settings-codec-lists.ts). */
export { WordsCodec };

/** Any one text. With `emptyIsUnset`, the empty text means "not set", and CONFIG REWRITE then drops the line. */
export class TextCodec extends WordsCodec {
  override readonly manyWords = false;
  readonly accepts = 'text';
  readonly #emptyIsUnset: boolean;
  readonly #check: ((value: string) => string | null) | undefined;
  constructor(emptyIsUnset: boolean, check?: (value: string) => string | null) {
    super();
    this.#emptyIsUnset = emptyIsUnset;
    this.#check = check;
  }
  parse(words: string[]): string | Refusal {
    const problem = this.#check?.(words[0]) ?? null;
    return problem === null ? words[0] : new Refusal(problem);
  }
  rewrite(value: SettingValue, fallback: SettingValue): RewriteLine[] {
    if (value === '' && this.#emptyIsUnset) return [];
    return [{ words: quoteWord(value as string), force: value !== fallback }];
  }
}

/** A directory: kept as an absolute path, refused when it does not exist. */
export class DirectoryCodec extends WordsCodec {
  override readonly manyWords = false;
  readonly accepts = 'path of a directory';
  parse(words: string[], context: ParseContext): string | Refusal {
    return context.directory(context.previous as string, words[0]) ?? new Refusal('No such file or directory');
  }
  rewrite(value: SettingValue): RewriteLine[] {
    return [{ words: quoteWord(value as string), force: true }];
  }
}
