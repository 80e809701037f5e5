/** A row says itself whether this version acts on it: that must be true. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SETTINGS } from '../../../src/admin/settings-table.ts';

const ROOT = new URL('../../../', import.meta.url);
/** Where the rows stand, which name every setting. */
const TABLES = /admin\/settings-(memory|network|own|persistence|process|replication)\.ts$/;

/** Named in code that only shows or checks them. */
const ONLY_NAMED = ['replicaof', 'cluster-enabled', 'maxmemory-policy'];

const code = ['src', 'workers']
  .flatMap((folder) => readdirSync(new URL(folder, ROOT), { recursive: true }).map((name) => `${folder}/${name}`))
  .filter((path) => path.endsWith('.ts') && !TABLES.test(path))
  .map((path) => readFileSync(new URL(path, ROOT), 'utf8'))
  .join('');

test('a setting is marked `works` where, and only where, something reads it', () => {
  const read = SETTINGS.filter(({ name, alias }) => code.includes(`'${name}'`) || code.includes(`'${alias}'`));
  const wanted = SETTINGS.filter((row) => row.effect).map((row) => row.name);
  expect(wanted.length).toBeGreaterThan(50);
  expect(read.map((row) => row.name).filter((name) => !ONLY_NAMED.includes(name))).toEqual(wanted);
});
