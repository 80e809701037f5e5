/**
 * The one table of settings: every name of Redis 7.2 and Skein's own. Parser, CONFIG GET/SET/REWRITE, shared store and
 * skein.conf are made from it. Each row also has its places in the shared store:
 *
 *   numbers  Float64Array: [ row 0 | row 1 | … ]   one per yes/no, enumeration and number; `mirrorCount` of them for a text
 *                                                  that is read as numbers (client-output-buffer-limit …)
 *   texts    one per row whose codec is of kind 'text', in the order of the table
 */
import { MEMORY_SETTINGS } from './settings-memory.ts';
import { NETWORK_SETTINGS } from './settings-network.ts';
import { OWN_SETTINGS } from './settings-own.ts';
import { PERSISTENCE_SETTINGS } from './settings-persistence.ts';
import { PROCESS_SETTINGS } from './settings-process.ts';
import { REPLICATION_SETTINGS } from './settings-replication.ts';
import type { SettingRow } from './settings-row.ts';

/** Themes in the order of skein.conf. */
export const SETTING_THEMES = [
  { title: 'Skein', rows: OWN_SETTINGS },
  { title: 'Network and clients', rows: NETWORK_SETTINGS },
  { title: 'Process', rows: PROCESS_SETTINGS },
  { title: 'Memory', rows: MEMORY_SETTINGS },
  { title: 'Persistence', rows: PERSISTENCE_SETTINGS },
  { title: 'Replication and cluster', rows: REPLICATION_SETTINGS },
] as const;

export type SettingName = (typeof SETTING_THEMES)[number]['rows'][number]['name'];

export const SETTINGS: readonly SettingRow<SettingName>[] = SETTING_THEMES.flatMap(
  (theme): readonly SettingRow<SettingName>[] => theme.rows,
);

const byName = new Map<string, SettingRow<SettingName>>();
for (const row of SETTINGS) {
  for (const name of row.alias === undefined ? [row.name] : [row.name, row.alias]) {
    if (byName.has(name)) throw new Error(`two settings are called ${name}`);
    byName.set(name, row);
  }
}

/** Row of a setting by name or alias, in any case; undefined if there is none. */
export function settingByName(name: string): SettingRow<SettingName> | undefined {
  return byName.get(name.toLowerCase());
}

/** Every name and alias. */
export function settingNames(): string[] {
  return [...byName.keys()];
}

const index: Partial<Record<SettingName, number>> = {};
const textIndex = new Map<SettingName, number>();
let places = 0;
for (const row of SETTINGS) {
  if (row.codec.kind === 'text') textIndex.set(row.name, textIndex.size);
  index[row.name] = places;
  places += row.codec.kind === 'number' ? 1 : row.codec.mirrorCount;
}

/**
 * Place of a setting's (first) number in the store's `values`. Hot code takes it once:
 * `const MAXMEMORY = INDEX.maxmemory; … store.values[MAXMEMORY]`. A text without numbers has no place of its own: do not read it here.
 */
export const INDEX = index as Record<SettingName, number>;
/** Length of the store's `values`. */
export const NUMBER_PLACES: number = places;
/** Place of a text among the texts. */
export const TEXT_INDEX: ReadonlyMap<SettingName, number> = textIndex;

/** How the number of a setting is shown, for instance enumWord('appendfsync', 1) = 'always'. */
export function enumWord(name: SettingName, value: number): string {
  return (byName.get(name) as SettingRow<SettingName>).codec.format(value);
}
