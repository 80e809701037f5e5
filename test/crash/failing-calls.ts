/** A server whose calls of the file system fail now and then, as long as a switch is on: what a disk that is full or ill does. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plant } from '../faults/planted-server.ts';

/** Calls that change something. Those that sync file content are apart: one that fails is for good. */
const CHANGING = ['open', 'writeAt', 'writePartsAt', 'truncate', 'rename', 'remove', 'syncFolder', 'makeFolder'];

const WRAPPED = `
const failing = JSON.parse(process.env['FAILING_CALLS']);
const toss = (oneIn) => Math.floor(Math.random() * oneIn) === 0;
const oneIn = () => (fs.existsSync(failing.switch) ? Number(fs.readFileSync(failing.switch, 'latin1')) : Infinity);
function mayFail(name, call) {
  return (...args) => {
    const changes = name !== 'open' || args[1] === OPEN.create;
    const names = failing.names.includes(name) || (name === 'syncData' && fs.existsSync(failing.switch + '.sync'));
    if (!names || !changes || !toss(oneIn())) return call(...args);
    if (name === 'writeAt' && args[3] > 1 && toss(2)) return call(args[0], args[1], args[2], args[3] >> 1, args[4]);
    fs.appendFileSync(failing.switch + '.count', '.');
    throw Object.assign(new Error('ENOSPC: planted, ' + name), { errno: -28, code: 'ENOSPC', syscall: name });
  };
}
export const systemFiles: Files = Object.fromEntries(
  Object.entries(soundFiles).map(([name, call]) => [name, mayFail(name, call)]),
) as any;
const ERRNO_EIO = -5;`;

/** Wraps the file system of the server (src/env/files.ts). */
const PLANTS: readonly Plant[] = [
  { file: 'src/env/files.ts', text: 'export const systemFiles: Files = {', replacement: 'const soundFiles: Files = {' },
  { file: 'src/env/files.ts', text: 'const ERRNO_EIO = -5;', replacement: WRAPPED },
];

export class FailingCalls {
  readonly plants = PLANTS;
  readonly env: Readonly<Record<string, string>>;
  private readonly folder = mkdtempSync(join(tmpdir(), 'skein-failing-'));
  private readonly path = join(this.folder, 'on');

  constructor() {
    this.env = { FAILING_CALLS: JSON.stringify({ names: CHANGING, switch: this.path }) };
  }

  /** From now on one of so many calls fails; `syncs`: those that sync a file, too. */
  begin(oneIn: number, syncs: boolean): void {
    if (syncs) writeFileSync(`${this.path}.sync`, '');
    writeFileSync(`${this.path}.new`, String(oneIn));
    renameSync(`${this.path}.new`, this.path);
  }

  end(): void {
    for (const path of [this.path, `${this.path}.sync`]) rmSync(path, { force: true });
  }

  /** Calls that have failed since this was asked last. */
  takeCount(): number {
    const path = `${this.path}.count`;
    if (!existsSync(path)) return 0;
    const count = readFileSync(path).length;
    rmSync(path, { force: true });
    return count;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
