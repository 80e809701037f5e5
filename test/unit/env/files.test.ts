import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  errnoOf,
  errnoText,
  OPEN,
  readFully,
  readWhole,
  replaceFile,
  systemFiles,
  writeAllParts,
} from '../../../src/env/files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function errnoFrom(run: () => void): number {
  try {
    run();
  } catch (error) {
    return errnoOf(error);
  }
  return 0;
}

test('create, write at positions, read, truncate', () => {
  const path = `${folder}/a`;
  const fd = systemFiles.open(path, OPEN.create);
  expect(errnoFrom(() => systemFiles.open(path, OPEN.create))).toBe(-17);
  writeAllParts(systemFiles, fd, [Buffer.from('hello '), Buffer.from('world')], 0);
  expect(systemFiles.writeAt(fd, Buffer.from('xHELLO'), 1, 5, 0)).toBe(5);
  systemFiles.syncData(fd);
  expect(systemFiles.size(fd)).toBe(11);
  const buf = Buffer.alloc(20);
  expect(readFully(systemFiles, fd, buf, 20, 6)).toBe(5);
  expect(readWhole(systemFiles, path).toString()).toBe('HELLO world');
  systemFiles.truncate(fd, 5);
  systemFiles.close(fd);
  expect(readWhole(systemFiles, path).toString()).toBe('HELLO');
});

test('a file is replaced as a whole, whatever an interrupted replacement left', () => {
  writeFileSync(`${folder}/temp-m`, 'rubbish');
  replaceFile(systemFiles, folder, 'm', Buffer.from('one'));
  replaceFile(systemFiles, folder, 'm', Buffer.from('two'));
  expect(readFileSync(`${folder}/m`, 'utf8')).toBe('two');
  expect(systemFiles.list(folder)).toEqual(['m']);
});

test('folders', () => {
  expect(systemFiles.list(`${folder}/none`)).toEqual([]);
  systemFiles.makeFolder(`${folder}/x/y`);
  systemFiles.makeFolder(`${folder}/x/y`);
  systemFiles.rename(`${folder}/x`, `${folder}/z`);
  systemFiles.syncFolder(folder);
  expect(systemFiles.exists(`${folder}/z/y`)).toBe(true);
  systemFiles.removeFolder(`${folder}/z`);
  systemFiles.removeFolder(`${folder}/z`);
  systemFiles.remove(`${folder}/z`);
  expect(systemFiles.exists(`${folder}/z`)).toBe(false);
});

test('errors as numbers and as the words of the system', () => {
  expect(errnoFrom(() => systemFiles.open(`${folder}/none`, OPEN.read))).toBe(-2);
  expect(errnoText(-2)).toBe('no such file or directory');
  expect(errnoText(-28)).toMatch(/no space left/);
  expect(errnoOf(new Error('anything'))).toBe(-5);
});
