/** `skein check <file …>`: verifies files of a data set, and cuts off a torn end where that was asked for. */
import { readSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OPEN, systemFiles } from '../env/files.ts';
import { type CheckedFile, checkFile } from '../persistence/file-check.ts';
import { realDirectory } from './config-file.ts';

const USAGE = `Usage: skein check [--fix] [--yes] <file> ...

Verifies append-only files (of Skein and of Redis), RDB files, and manifests with all they name; a folder stands for its manifest. Exit status 0: all are whole.
  --fix   cut off the torn end of a last file, after asking
  --yes   do not ask
No server may use the files meanwhile.
`;

interface Wishes {
  paths: string[];
  fix: boolean;
  yes: boolean;
}

/** Runs the command; returns the exit status. */
export function runCheck(args: readonly string[]): number {
  const wishes = parse(args);
  if (wishes === null) {
    process.stderr.write(USAGE);
    return 1;
  }
  let sound = true;
  for (const path of wishes.paths) {
    try {
      for (const file of filesOf(resolve(path)))
        for (const checked of checkFile(systemFiles, file)) sound = settle(checked, wishes) && sound;
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      process.stdout.write(`${path}: ${error.message}\n`);
      sound = false;
    }
  }
  process.stdout.write(sound ? 'All files are valid\n' : 'Not all files are valid\n');
  return sound ? 0 : 1;
}

/** A folder of append-only files stands for the manifest that names them. */
function filesOf(path: string): string[] {
  if (realDirectory(path) === null) return [path];
  const manifests = systemFiles.list(path).filter((name) => name.endsWith('.manifest'));
  return manifests.length === 0 ? [path] : manifests.map((name) => join(path, name));
}

function parse(args: readonly string[]): Wishes | null {
  const wishes: Wishes = { paths: [], fix: false, yes: false };
  for (const arg of args) {
    if (arg === '--fix') wishes.fix = true;
    else if (arg === '--yes') wishes.yes = true;
    else if (arg.startsWith('-')) return null;
    else wishes.paths.push(arg);
  }
  return wishes.paths.length === 0 ? null : wishes;
}

/** Tells what was found, and repairs it if that is wished. True: the file is whole now. */
function settle({ path, lines, problem, cutTo }: CheckedFile, { fix, yes }: Wishes): boolean {
  process.stdout.write(`${path}\n${lines.map((line) => `  ${line}\n`).join('')}`);
  process.stdout.write(problem === '' ? '  valid\n' : `  NOT VALID: ${problem}\n`);
  if (problem === '') return true;
  if (cutTo < 0 || !fix) {
    if (cutTo >= 0) process.stdout.write(`  --fix cuts it to ${cutTo} bytes\n`);
    return false;
  }
  if (!yes && !agreed(`  Cut ${path} to ${cutTo} bytes? [y/N]: `)) return false;
  cut(path, cutTo);
  process.stdout.write(`  Successfully truncated to ${cutTo} bytes\n`);
  return true;
}

function cut(path: string, bytes: number): void {
  const fd = systemFiles.open(path, OPEN.update);
  try {
    systemFiles.truncate(fd, bytes);
    systemFiles.syncData(fd);
  } finally {
    systemFiles.close(fd);
  }
}

function agreed(question: string): boolean {
  process.stdout.write(question);
  const answer = Buffer.alloc(16);
  return /^y(es)?\s*$/i.test(answer.toString('latin1', 0, readSync(0, answer)));
}
