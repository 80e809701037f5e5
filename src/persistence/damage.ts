/** A file that must not be loaded; names the file and the offset of the first byte that does not check. */
export class DamageError extends Error {
  readonly path: string;
  readonly offset: number;
  readonly problem: string;
  constructor(path: string, offset: number, problem: string) {
    super(`${path} is damaged at byte ${offset}: ${problem}`);
    this.path = path;
    this.offset = offset;
    this.problem = problem;
  }
}
