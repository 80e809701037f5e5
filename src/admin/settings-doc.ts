/**
 * Writes skein.conf from the settings table: every setting with its meaning, what it accepts and its default.
 * `npx node src/admin/settings-doc.ts > skein.conf`; a test compares the committed file.
 */
import type { SettingRow } from './settings-row.ts';
import { SETTING_THEMES } from './settings-table.ts';
import { fromByteString } from './settings-words.ts';

const WIDTH = 110;

const PREAMBLE = `# skein.conf: every setting of Skein with its default.
#
# Generated from the settings table (src/admin/settings-table.ts); do not edit here. The format is that of redis.conf, and a
# redis.conf works as it is: npx node src/main.ts /etc/redis/redis.conf. Sizes are written 1k (1000), 1kb (1024), 1m, 1mb, 1g, 1gb.
# Every setting can be given on the command line too: --name value. CONFIG GET, SET and REWRITE know them all.
#
# "no effect yet" marks a setting that is accepted and shown, but which this version does nothing with; the log names those
# that the configuration sets away from their defaults. "at start" marks what CONFIG SET cannot change.
`;

function wrapComment(text: string): string {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return lines.join('\n');
}

function describe(row: SettingRow): string {
  const marks: string[] = [row.codec.accepts];
  if (row.alias !== undefined) marks.push(`also called ${row.alias}`);
  if (row.atStart) marks.push('at start');
  if (row.guarded) marks.push('protected');
  if (!row.effect) marks.push('no effect yet');
  const lines = [wrapComment(row.text), wrapComment(`(${marks.join('; ')})`)];
  if (row.embedded !== undefined) {
    lines.push(wrapComment(`Without a configuration file: ${row.codec.format(row.embedded)}`));
  }
  const settings = row.codec.rewrite(row.fallback, row.fallback).map(({ words }) => `${row.name} ${words}`);
  // A setting that stands at 'not set' has no line that would say so
  const shown = settings.length === 0 ? [`# ${row.name} ${row.codec.format(row.fallback)}`.trimEnd()] : settings;
  return [...lines, ...shown].join('\n');
}

/** Text of skein.conf. Reading it back gives Redis's defaults. */
export function settingsDocument(): string {
  const parts = [PREAMBLE];
  for (const { title, rows } of SETTING_THEMES) {
    parts.push(`\n${'#'.repeat(20)} ${title} ${'#'.repeat(20)}\n`);
    for (const row of rows as readonly SettingRow[]) if (!row.hidden) parts.push(`\n${describe(row)}\n`);
  }
  return fromByteString(parts.join(''));
}

if (import.meta.main) process.stdout.write(settingsDocument());
