/** Reads a file of plain records through, as any Redis writes them, without running one: where is the last of them that is whole? */
import { type Files, OPEN } from '../env/files.ts';
import { DamageError } from './damage.ts';
import { replaySteps, TornRecordError } from './replay.ts';

export interface RecordsSurveyed {
  records: number;
  /** Offset behind the last whole record, or transaction (MULTI … EXEC). */
  wholeTo: number;
  /** Bytes of the file. What lies between them is a torn write. */
  size: number;
  /** What cannot be understood, and is no torn write; null: nothing. */
  damage: DamageError | null;
}

/** Surveys the file from byte `from` on, in steps. Throws the system's errors. */
export function* surveyRecords(files: Files, path: string, from: number): Generator<void, RecordsSurveyed, void> {
  const surveyed: RecordsSurveyed = { records: 0, wholeTo: from, size: sizeOf(files, path), damage: null };
  let openedAt = -1;
  const handler = {
    apply: () => {
      surveyed.records++;
      return true;
    },
    bracket: (opens: boolean, offset: number) => {
      if (opens === openedAt < 0) openedAt = opens ? offset : -1;
      else throw new DamageError(path, offset, opens ? 'MULTI within MULTI' : 'EXEC without MULTI');
    },
    progress() {},
  };
  try {
    yield* replaySteps(files, [{ path, from, end: surveyed.size }], handler);
    surveyed.wholeTo = surveyed.size;
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    surveyed.wholeTo = error.offset;
    if (!(error instanceof TornRecordError)) surveyed.damage = error;
  }
  if (openedAt >= 0) surveyed.wholeTo = openedAt;
  return surveyed;
}

export function sizeOf(files: Files, path: string): number {
  const fd = files.open(path, OPEN.read);
  try {
    return files.size(fd);
  } finally {
    files.close(fd);
  }
}
