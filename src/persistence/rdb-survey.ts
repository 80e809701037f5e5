/** Reads an RDB file through, entry by entry, and tells what is in it; nothing is loaded. */
import { DamagedRdbError } from '../datatypes/rdb-reader.ts';
import type { Files } from '../env/files.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { skipRdbValue } from '../keyspace/rdb-value-skip.ts';
import { RdbFileReader } from './rdb-file-reader.ts';
import { RdbWalk } from './rdb-walk.ts';

const ENTRIES_PER_STEP = 64;

export interface RdbSurveyed {
  version: number;
  keys: number;
  /** Keys with a deadline. */
  deadlines: number;
  libraries: number;
  /** Databases that have keys. */
  databases: number;
  /** Bytes of the RDB data; records of an append-only file may follow. */
  endOffset: number;
}

/** In steps. Throws DamageError, whose offset is where the file cannot be understood, and the system's errors. */
export function* surveyRdb(files: Files, path: string): Generator<void, RdbSurveyed, void> {
  const reader = new RdbFileReader(files, path);
  try {
    const survey = new Survey(reader, Number.POSITIVE_INFINITY);
    for (let entries = 1; !survey.next(); entries++) if (entries % ENTRIES_PER_STEP === 0) yield;
    const { keys, deadlines, libraries } = survey;
    const { version, offset } = reader;
    return { version, keys, deadlines, libraries, databases: survey.databasesMet.size, endOffset: offset };
  } catch (error) {
    if (error instanceof DamagedRdbError) throw reader.damage(error.message);
    throw error;
  } finally {
    reader.close();
  }
}

class Survey extends RdbWalk {
  keys = 0;
  deadlines = 0;
  readonly databasesMet = new Set<number>();

  protected override entry(rdbType: number): void {
    this.reader.string();
    skipRdbValue(rdbType, this.reader);
    this.keys++;
    if (this.deadline !== NO_DEADLINE) this.deadlines++;
    this.databasesMet.add(this.db);
  }
}
