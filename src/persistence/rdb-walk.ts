/** Steps through the entries of an RDB file: what stands between them is understood here, what an entry is for is the subclass's. */
import { DamagedRdbError } from '../datatypes/rdb-reader.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { RDB_OPCODE } from '../keyspace/rdb-types.ts';
import type { RdbFileReader } from './rdb-file-reader.ts';

export abstract class RdbWalk {
  /** Libraries of functions that were met. */
  libraries = 0;
  protected readonly reader: RdbFileReader;
  protected db = 0;
  /** Unix ms of the entry that follows. */
  protected deadline = NO_DEADLINE;
  protected idleSeconds = -1;
  private readonly databases: number;

  /** `databases`: how many there may be. */
  constructor(reader: RdbFileReader, databases: number) {
    this.reader = reader;
    this.databases = databases;
  }

  /** The reader stands before the key of an entry of form `rdbType`: steps over it. */
  protected abstract entry(rdbType: number): void;

  /** Entries of database `db` follow. */
  protected selected(): void {}

  /** The file says that so many keys of the database follow. It may be wrong. */
  protected expect(_keys: number): void {}

  /** A library of functions: its code, one byte per character. */
  protected library(_code: string): void {}

  /** Reads one entry, or what stands between entries; true at the end. Throws DamagedRdbError and DamageError. */
  next(): boolean {
    const { reader } = this;
    const code = reader.byte();
    switch (code) {
      case RDB_OPCODE.eof:
        reader.checkSum();
        return true;
      case RDB_OPCODE.selectDb:
        this.db = reader.length();
        if (this.db >= this.databases)
          throw new DamagedRdbError(`it has a database ${this.db}, there are ${this.databases} here`);
        this.selected();
        return false;
      case RDB_OPCODE.resizeDb:
        this.expect(reader.length());
        reader.length();
        return false;
      case RDB_OPCODE.aux:
        reader.string();
        reader.string();
        return false;
      case RDB_OPCODE.expireTimeMs:
        this.deadline = reader.millis();
        return false;
      case RDB_OPCODE.expireTime:
        this.deadline = reader.seconds() * 1000;
        return false;
      case RDB_OPCODE.freq:
        reader.byte();
        return false;
      case RDB_OPCODE.idle:
        this.idleSeconds = reader.length();
        return false;
      case RDB_OPCODE.function2:
        this.library(reader.stringText());
        this.libraries++;
        return false;
      case RDB_OPCODE.functionPreGa:
      case RDB_OPCODE.moduleAux:
        throw new DamagedRdbError('it holds data of modules or of an unfinished Redis version');
    }
    this.entry(code);
    this.deadline = NO_DEADLINE;
    this.idleSeconds = -1;
    return false;
  }
}
