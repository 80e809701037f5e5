/** CONFIG REWRITE: the configuration file is replaced as a whole, so that a crash leaves the old one or the new one. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { rewriteConfig } from '../admin/settings-rewrite.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { replaceFile, systemFiles } from '../env/files.ts';

/** The real path of an existing folder, or null. */
export function realDirectory(path: string): string | null {
  try {
    return statSync(path).isDirectory() ? realpathSync(path) : null;
  } catch {
    return null;
  }
}

/** Writes the settings in force into the file; null, or the error reply. */
export function rewriteConfigFile(path: string, settings: SettingsStore): string | null {
  if (path === '') return 'ERR The server is running without a config file';
  try {
    const text = rewriteConfig(readFileSync(path, 'latin1'), settings.all());
    replaceFile(systemFiles, dirname(path), basename(path), Buffer.from(text, 'latin1'));
    return null;
  } catch (error) {
    return `ERR Rewriting config file: ${(error as Error).message}`;
  }
}
