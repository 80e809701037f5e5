/** What CONFIG GET and CONFIG SET do, without the reply: names in, texts out. Names, values and errors are byte strings. */
import type { SettingValue } from './settings-codec.ts';
import { Refusal } from './settings-codec.ts';
import type { SettingRow } from './settings-row.ts';
import { valueWords } from './settings-row.ts';
import type { SettingsStore } from './settings-store.ts';
import type { SettingName } from './settings-table.ts';
import { settingByName, settingNames } from './settings-table.ts';

/** What CONFIG SET must know of the moment and may ask of the server. */
export interface ConfigSetContext {
  /** The client is on this machine (enable-protected-configs local). */
  localClient: boolean;
  /** The data set is being loaded. */
  loading: boolean;
  /** Absolute real path of a directory, relative ones taken from `base`; null if there is none. */
  directory(base: string, path: string): string | null;
  /** Carries a changed setting out (a new port, …), after it is in the store; null, or why it cannot be. */
  apply(names: readonly string[]): string | null;
}

type Row = SettingRow<SettingName>;

/** One pair of a CONFIG SET: the name in lower case as given (an alias stays an alias). */
interface Wanted {
  row: Row;
  name: string;
  words: string[];
}

/** globMatch of src/keyspace/glob.ts: it lies above this layer, so the caller hands it in. */
export type GlobMatch = (
  pattern: Uint8Array,
  ps: number,
  pe: number,
  text: Uint8Array,
  ts: number,
  te: number,
  nocase: boolean,
) => boolean;

/**
 * Names and values that match any of the patterns, each name once, in the order of the patterns and of the table. A pattern
 * without *, ? and [ is a name, and comes back as it was written.
 */
export function configGet(store: SettingsStore, patterns: readonly string[], globMatch: GlobMatch): [string, string][] {
  const found = new Map<string, [string, string]>();
  const show = (row: Row, shownName: string): void => {
    const key = shownName.toLowerCase();
    if (!found.has(key)) found.set(key, [shownName, row.codec.format(store.value(row.name))]);
  };
  for (const pattern of patterns) {
    if (!/[*?[]/.test(pattern)) {
      const row = settingByName(pattern);
      if (row !== undefined) show(row, pattern);
      continue;
    }
    const glob = Buffer.from(pattern, 'latin1');
    for (const name of settingNames()) {
      const row = settingByName(name) as Row;
      const bytes = Buffer.from(name, 'latin1');
      if (!row.hidden && globMatch(glob, 0, glob.length, bytes, 0, bytes.length, true)) show(row, name);
    }
  }
  return [...found.values()];
}

function failed(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
}

/**
 * Sets all pairs or none. Answers null, or the text of the error reply. The new values are in the store before `apply` is
 * called for each setting that changed; when one cannot be carried out, all get their old values back (and are applied again).
 */
export function configSet(
  store: SettingsStore,
  pairs: readonly (readonly [string, string])[],
  context: ConfigSetContext,
): string | null {
  const wanted = findSettings(store, pairs, context);
  if (typeof wanted === 'string') return wanted.replace(/[\r\n]/g, ' ');
  let error: string | null = null;
  const before = new Map<SettingName, SettingValue>();
  const names = new Map<SettingName, string>();
  const fits = store.change(() => {
    const changes = new Map<SettingName, SettingValue>();
    for (const { row, name, words } of wanted) {
      const previous = changes.get(row.name) ?? store.value(row.name);
      const value = row.codec.parse(words, { previous, starting: false, first: true, directory: context.directory });
      if (value instanceof Refusal) {
        error = failed(name, value.reason);
        return null;
      }
      if (value === previous) continue;
      if (!before.has(row.name)) before.set(row.name, previous);
      names.set(row.name, name);
      changes.set(row.name, value);
    }
    return changes;
  });
  if (error !== null) return error;
  if (!fits) return failed(wanted[0].name, 'the texts of all settings together are too long');
  return applyAll(store, before, names, context);
}

/** Rows of the pairs, or the error reply. The first problem is the one that is answered. */
function findSettings(
  store: SettingsStore,
  pairs: readonly (readonly [string, string])[],
  context: ConfigSetContext,
): Wanted[] | string {
  const wanted: Wanted[] = [];
  const allowed = store.text('enable-protected-configs');
  const guardOpen = allowed === 'yes' || (allowed === 'local' && context.localClient);
  for (const [given, value] of pairs) {
    const row = settingByName(given);
    if (row === undefined) return `ERR Unknown option or number of arguments for CONFIG SET - '${given}'`;
    if (row.atStart) return failed(given, "can't set immutable config");
    if (row.guarded && !guardOpen) return failed(given, "can't set protected config");
    if (row.notWhileLoading && context.loading) return 'LOADING Redis is loading the dataset in memory';
    const name = given.toLowerCase();
    if (wanted.some((other) => other.name === name)) return failed(given, 'duplicate parameter');
    wanted.push({ row, name, words: valueWords(row.codec, value) });
  }
  return wanted;
}

function applyAll(
  store: SettingsStore,
  before: ReadonlyMap<SettingName, SettingValue>,
  names: ReadonlyMap<SettingName, string>,
  context: ConfigSetContext,
): string | null {
  const applied: SettingName[] = [];
  for (const [setting, name] of names) {
    applied.push(setting);
    const reason = context.apply([setting]);
    if (reason === null) continue;
    store.change(() => before);
    for (const done of applied) context.apply([done]);
    return failed(name, reason);
  }
  return null;
}

/** Whether the value of this setting (name or alias, any case) is a secret that logs must not show. */
export function isSecretSetting(name: string): boolean {
  return settingByName(name)?.secret ?? false;
}
