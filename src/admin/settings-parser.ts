/**
 * From the command line and the configuration file to the values of a start. Redis's own rules: the file, then standard input
 * (`-`), then `--name value …`, each later line winning; all of them are one text whose lines are counted through.
 */
import { resolve } from 'node:path';
import type { ParseContext, SettingValue } from './settings-codec.ts';
import { Refusal } from './settings-codec.ts';
import type { SettingName } from './settings-table.ts';
import { SETTINGS, settingByName } from './settings-table.ts';
import { fromByteString, quoteWord, splitWords, toByteString, trimLine } from './settings-words.ts';

/** What the parser needs of the world. */
export interface SettingsSources {
  /** Bytes of a file; throws as fs.readFileSync does. */
  readFile(path: string): Uint8Array;
  /** All of standard input. */
  readStdin(): Uint8Array;
  /** Files that match a shell pattern, sorted. */
  listFiles(pattern: string): string[];
  /** Real path of an existing directory, or null. */
  directory(absolutePath: string): string | null;
  /** Working directory of the process. */
  cwd: string;
}

/** A line that is no setting: `rename-command` and `user`. */
export interface Directive {
  /** In lower case. */
  name: string;
  words: string[];
  file: string;
  line: number;
}

export interface LoadedSettings {
  /** Every setting's value. */
  values: Map<SettingName, SettingValue>;
  /** Absolute path of the configuration file, '' without one. */
  configFile: string;
  /** Names that were set away from their default although this version does nothing with them, and such directives. */
  withoutEffect: string[];
  directives: Directive[];
}

/** The start is refused; `message` is the complete text for standard error. */
export class SettingsError extends Error {}

interface CommandLine {
  /** As given; '' = none. */
  configFile: string;
  stdin: boolean;
  /** Lines made of the options. */
  options: string;
}

function isOption(arg: string): boolean {
  return arg.startsWith('--');
}

/** Takes the arguments apart (without the names of the runtime and the script). */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const line: CommandLine = { configFile: '', stdin: false, options: '' };
  let i = 0;
  if (args.length > 0 && !args[0].startsWith('-')) line.configFile = args[i++];
  // A name alone takes the next argument as its value even when that begins with --
  let nameMayFollow = true;
  for (; i < args.length; i++) {
    const arg = toByteString(args[i]);
    const next = i + 1 < args.length ? args[i + 1] : undefined;
    if (arg === '-' && (i === 0 || next === undefined)) {
      line.stdin = true;
    } else if (isOption(arg) && nameMayFollow) {
      if (line.options !== '') line.options += '\n';
      line.options += `${arg.slice(2)} `;
      const nameAlone = splitWords(arg)?.length === 1;
      nameMayFollow = !nameAlone;
      // --save without a value means --save ""
      if (nameAlone && arg.toLowerCase() === '--save' && (next === undefined || isOption(next))) {
        line.options += '""';
        nameMayFollow = true;
      }
    } else {
      line.options += `${quoteWord(arg)} `;
      nameMayFollow = true;
    }
  }
  return line;
}

/** Names that Redis once had and still lets pass, with one value. */
const WITHDRAWN = ['list-max-ziplist-entries', 'list-max-ziplist-value', 'lua-replicate-commands'];

const SYSTEM_ERRORS: Record<string, string> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
};

/**
 * Values of a start with these command-line arguments. Without a configuration file the defaults are those for trying Skein
 * out (a journal in ./data, listening on this machine only); with one they are Redis's. Throws SettingsError.
 */
export function loadSettings(args: readonly string[], sources: SettingsSources): LoadedSettings {
  const line = parseCommandLine(args);
  const embedded = line.configFile === '' && !line.stdin;
  const configFile = line.configFile === '' ? '' : resolve(sources.cwd, line.configFile);
  const start = new Start(sources, embedded);
  let text = configFile === '' ? '' : start.read(configFile);
  const fileLines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (line.stdin) text += latin1(sources.readStdin());
  if (line.options !== '') text += `\n${line.options}`;
  const origin = (number: number): string =>
    configFile !== '' && number <= fileLines
      ? `${configFile}, line ${number}`
      : line.stdin
        ? 'input or options'
        : 'options';
  start.readLines(text, configFile, origin);
  return start.finish(configFile);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

const MAX_INCLUDE_DEPTH = 16;

class Start {
  readonly #sources: SettingsSources;
  readonly #values = new Map<SettingName, SettingValue>();
  readonly #mentioned = new Set<SettingName>();
  readonly #directives: Directive[] = [];
  #depth = 0;

  constructor(sources: SettingsSources, embedded: boolean) {
    this.#sources = sources;
    for (const row of SETTINGS) this.#values.set(row.name, embedded ? (row.embedded ?? row.fallback) : row.fallback);
    // Absolute from the beginning, so that a relative line is taken from the right place.
    this.#values.set('dir', toByteString(resolve(sources.cwd, this.#values.get('dir') as string)));
  }

  read(path: string): string {
    try {
      return latin1(this.#sources.readFile(path));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      const reason = SYSTEM_ERRORS[code] ?? (error as Error).message;
      throw new SettingsError(`Fatal error, can't open config file '${path}': ${reason}`);
    }
  }

  /** `origin` names the place of a line for the error message. */
  readLines(text: string, file: string, origin: (line: number) => string): void {
    const lines = text.split('\n');
    for (let i = 0; i < lines.length; i++) {
      const trimmed = trimLine(lines[i]);
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      const words = splitWords(trimmed);
      const problem = words === null ? 'Unbalanced quotes in configuration line' : this.#readLine(words, file, i + 1);
      if (problem !== null) throw fatal(i + 1, trimmed, problem, origin(i + 1));
    }
  }

  /** Answers why the line is refused, or null. */
  #readLine(words: string[], file: string, line: number): string | null {
    if (words.length === 0) return null;
    const name = words[0].toLowerCase();
    const rest = words.slice(1);
    const row = settingByName(name);
    if (row !== undefined) {
      if (!row.codec.manyWords && rest.length !== 1) return 'wrong number of arguments';
      const value = row.codec.parse(row.codec.manyWords ? apart(rest) : rest, this.#context(row.name));
      if (value instanceof Refusal) return value.reason;
      this.#values.set(row.name, value);
      this.#mentioned.add(row.name);
      return null;
    }
    if (WITHDRAWN.includes(name) && rest.length === 1) return null;
    if (name === 'include' && rest.length === 1) return this.#include(rest[0]);
    if ((name === 'rename-command' && rest.length === 2) || (name === 'user' && rest.length >= 1)) {
      this.#directives.push({ name, words: rest, file, line });
      return null;
    }
    if (name === 'loadmodule' && rest.length >= 1)
      return `Can't load module from ${rest[0]}: native modules are not supported`;
    if (name.includes('.'))
      return 'Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting';
    if (name === 'sentinel') return 'sentinel directive while not in sentinel mode';
    return 'Bad directive or wrong number of arguments';
  }

  #context(name: SettingName): ParseContext {
    return {
      previous: this.#values.get(name) as SettingValue,
      starting: true,
      first: !this.#mentioned.has(name),
      directory: (base, path) => {
        const found = this.#sources.directory(resolve(fromByteString(base), fromByteString(path)));
        return found === null ? null : toByteString(found);
      },
    };
  }

  #include(word: string): string | null {
    if (this.#depth >= MAX_INCLUDE_DEPTH) return 'Files include each other too deeply';
    const path = fromByteString(word);
    // Relative names are taken from the directory in force, as a process that has changed to it does.
    const base = fromByteString(this.#values.get('dir') as string);
    const from = this.#mentioned.has('dir') ? base : this.#sources.cwd;
    const files = /[*?[]/.test(path) ? this.#sources.listFiles(resolve(from, path)) : [resolve(from, path)];
    this.#depth++;
    for (const file of files) this.readLines(this.read(file), file, (line) => `${file}, line ${line}`);
    this.#depth--;
    return null;
  }

  finish(configFile: string): LoadedSettings {
    if (this.#values.get('cluster-enabled') === 1 && this.#values.get('replicaof') !== '') {
      throw new SettingsError(`\n${HEADER}\nreplicaof directive not allowed in cluster mode`);
    }
    const withoutEffect = SETTINGS.filter(
      (row) => !row.effect && this.#mentioned.has(row.name) && this.#values.get(row.name) !== row.fallback,
    ).map((row): string => row.name);
    for (const { name } of this.#directives) if (!withoutEffect.includes(name)) withoutEffect.push(name);
    return { values: this.#values, configFile, withoutEffect, directives: this.#directives };
  }
}

/** Several words may come as one, in quotes: `--save '3600 1'`. */
function apart(words: string[]): string[] {
  return words.length === 1 && words[0].includes(' ') ? (splitWords(words[0]) ?? words) : words;
}

const HEADER = '*** FATAL CONFIG FILE ERROR (Skein) ***';

function fatal(line: number, text: string, reason: string, origin: string): SettingsError {
  const place = `Reading the configuration file, at line ${line}\n>>> '${fromByteString(text)}'`;
  return new SettingsError(`\n${HEADER}\n${place}\n${fromByteString(reason)}\n(${origin})`);
}

/** What the first argument asks for instead of a server: its version, help, or nothing. */
export function informationWanted(args: readonly string[]): 'version' | 'help' | null {
  if (args[0] === '-v' || args[0] === '--version') return 'version';
  if (args[0] === '-h' || args[0] === '--help') return 'help';
  return null;
}

export const USAGE = `Usage: skein [redis.conf] [--name value ...] [-]
       skein --version | --help

The file is a redis.conf; - reads one from standard input. An option is a line of that file:
  skein --port 7000 --appendfsync always
  skein /etc/redis/redis.conf --loglevel verbose --workers 4
  echo 'port 7000' | skein -
Without a file Skein keeps a journal in ./data and listens on this machine only. All settings: skein.conf.
`;
