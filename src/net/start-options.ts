/** From the command line to the settings of a start, and what the command line may want instead of a server. */
import { globSync, readFileSync } from 'node:fs';
import {
  informationWanted,
  type LoadedSettings,
  loadSettings,
  SettingsError,
  type SettingsSources,
  USAGE,
} from '../admin/settings-parser.ts';
import { REDIS_VERSION, SKEIN_VERSION } from '../admin/version.ts';
import { realDirectory } from './config-file.ts';

const SOURCES: SettingsSources = {
  readFile: (path) => readFileSync(path),
  readStdin: () => readFileSync(0),
  listFiles: (pattern) => globSync(pattern).sort(),
  directory: realDirectory,
  cwd: process.cwd(),
};

/** The settings of a start; null: the command line wanted information, which was printed. Bad settings end the process. */
export function prepareStart(args: readonly string[]): LoadedSettings | null {
  const wanted = informationWanted(args);
  if (wanted === 'version')
    process.stdout.write(`Skein server v=${SKEIN_VERSION} redis=${REDIS_VERSION} node=${process.versions.node}\n`);
  if (wanted === 'help') process.stdout.write(USAGE);
  if (wanted !== null) return null;
  try {
    return loadSettings(args, SOURCES);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
