/** The first line of a script or library: `#!lua name=… flags=…`. */
import { Args } from '../resp/args.ts';
import { splitInline } from '../resp/inline-request.ts';

export const SCRIPT_FLAGS = ['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'] as const;

export interface ScriptHeader {
  /** False: an old script without a first line of that kind. */
  readonly exists: boolean;
  readonly flags: ReadonlySet<string>;
}

const NO_HEADER: ScriptHeader = { exists: false, flags: new Set() };

function firstLine(source: Buffer): string {
  const end = source.indexOf(10);
  return source.toString('latin1', 0, end < 0 ? source.length : end).replace(/\r$/, '');
}

/** Its words; quotes are understood as in inline commands. Where they do not match there are none. */
function wordsOf(source: Buffer): string[] {
  const line = Buffer.from(firstLine(source), 'latin1');
  const words = new Args();
  if (!splitInline(line, 0, line.length, words)) return [];
  return Array.from({ length: words.count }, (_, i) => words.text(i));
}

/** The header of a script, or the error that Redis answers. */
export function scriptHeader(source: Buffer): ScriptHeader | string {
  if (source[0] !== 35 || source[1] !== 33) return NO_HEADER;
  if (source.indexOf(10) < 0) return 'ERR Invalid script shebang';
  const [engine, ...words] = wordsOf(source);
  if (engine !== '#!lua') return `ERR Unexpected engine in script shebang: ${engine ?? ''}`;
  const flags = new Set<string>();
  for (const word of words) {
    if (!word.startsWith('flags=')) return `ERR Unknown lua shebang option: ${word}`;
    for (const flag of word.slice(6).split(',')) {
      if (flag === '') continue;
      if (!(SCRIPT_FLAGS as readonly string[]).includes(flag)) return `ERR Unexpected flag in script shebang: ${flag}`;
      flags.add(flag);
    }
  }
  return { exists: true, flags };
}

/** What is compiled: the header is left out, its line stays. */
export function withoutHeader(source: Buffer): Buffer {
  if (source[0] !== 35 || source[1] !== 33) return source;
  const end = source.indexOf(10);
  return end < 0 ? Buffer.alloc(0) : source.subarray(end);
}

/** Name of the library that this code makes, or the error that Redis answers. */
export function libraryName(code: Buffer): { name: string } | string {
  if (code[0] !== 35 || code[1] !== 33) return 'ERR Missing library metadata';
  if (code.indexOf(10) < 0) return 'ERR Invalid library metadata';
  const [engine, ...words] = wordsOf(code);
  let name: string | null = null;
  for (const word of words) {
    if (!/^name=/i.test(word)) return `ERR Invalid metadata value given: ${word}`;
    if (name !== null) return 'ERR Invalid metadata value, name argument was given multiple times';
    name = word.slice(5);
  }
  if (name === null) return 'ERR Library name was not given';
  if (!isLibraryName(name)) {
    return 'ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long';
  }
  const language = (engine ?? '').slice(2);
  if (language.toLowerCase() !== 'lua') return `ERR Engine '${language}' not found`;
  return { name };
}

export function isLibraryName(name: string): boolean {
  return /^[A-Za-z0-9_]+$/.test(name);
}
