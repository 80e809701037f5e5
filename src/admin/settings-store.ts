/**
 * The settings in force, in shared memory: any thread reads them at any time, any thread may set them.
 *
 *   control  Int32Array     [0] lock: 0 free, 1 held        [1] epoch: even at rest, odd while a writer is at work
 *   values   Float64Array   numbers, flags, enumerations, in the places of INDEX (settings-table.ts)
 *   texts    bytes          [u32 length, bytes] for each text, in the order of TEXT_INDEX
 *
 * Writers: whoever holds the lock, for a few microseconds; readers: everybody, without a lock.
 * Invariant 1: `values` and `texts` change only between an odd and the next even epoch, under the lock.
 * Invariant 2: a reader that saw the same even epoch before and after decoding has texts that belong together.
 * Invariant 3: one number is never torn (aligned Float64); numbers that belong together need a look at the epoch.
 */
import type { SettingValue } from './settings-codec.ts';
import { Refusal } from './settings-codec.ts';
import { parseAlone } from './settings-row.ts';
import type { SettingName } from './settings-table.ts';
import { enumWord, INDEX, NUMBER_PLACES, SETTINGS, settingByName, TEXT_INDEX } from './settings-table.ts';

const LOCK = 0;
const EPOCH = 1;
/** Room for all texts together; a set that does not fit is refused. */
const TEXT_BYTES = 1 << 20;

/** What is posted to a thread that attaches. */
export interface SettingsMemory {
  control: SharedArrayBuffer;
  values: SharedArrayBuffer;
  texts: SharedArrayBuffer;
  /** Absolute path of the configuration file; empty when the server runs without one. */
  configFile: string;
}

/** Value of every setting. */
export type SettingValues = Readonly<Record<SettingName, SettingValue>>;

export class SettingsStore {
  /** Numbers, flags (1 = yes) and enumerations by INDEX; plain reads, no lock. Only this class writes. */
  readonly values: Float64Array;
  /** Absolute path of the configuration file, or ''. */
  readonly configFile: string;
  readonly #control: Int32Array;
  readonly #textBytes: Buffer;
  #texts: string[] = [];
  #textsEpoch = -1;

  /**
   * Makes the shared memory and fills it with the values of a start (loadSettings), by name or alias; what is not named has
   * Redis's default. A text for a number is read as a configuration file would have it.
   */
  static create(
    initial: ReadonlyMap<string, SettingValue> | Readonly<Record<string, SettingValue>>,
    configFile = '',
  ): SettingsMemory {
    const memory: SettingsMemory = {
      control: new SharedArrayBuffer(8),
      values: new SharedArrayBuffer(NUMBER_PLACES * 8),
      texts: new SharedArrayBuffer(TEXT_BYTES),
      configFile,
    };
    const store = new SettingsStore(memory);
    const changes = new Map(SETTINGS.map((row) => [row.name, row.fallback]));
    for (const [name, value] of initial instanceof Map ? initial : Object.entries(initial)) {
      const row = settingByName(name);
      if (row === undefined) throw new Error(`there is no setting ${name}`);
      const asItIs = typeof value === 'number' || value === row.fallback;
      const parsed = asItIs ? value : parseAlone(row, value);
      if (parsed instanceof Refusal) throw new Error(`${name}: ${parsed.reason}`);
      changes.set(row.name, parsed);
    }
    if (!store.#write(changes)) throw new Error('the texts of the settings do not fit into their shared memory');
    return memory;
  }

  constructor(memory: SettingsMemory) {
    this.values = new Float64Array(memory.values);
    this.configFile = memory.configFile;
    this.#control = new Int32Array(memory.control);
    this.#textBytes = Buffer.from(memory.texts);
  }

  /** Changes whenever any setting changes; compare it once per batch. Odd = a change is under way. */
  get epoch(): number {
    return this.#control[EPOCH];
  }

  /** Number of a setting: an integer, bytes, 1/0 for yes/no, the place of an enumeration's word. */
  number(name: SettingName): number {
    return this.values[INDEX[name]];
  }

  /** Whether a yes/no setting is yes. */
  flag(name: SettingName): boolean {
    return this.values[INDEX[name]] === 1;
  }

  /**
   * Text of a setting as a byte string (latin1); an enumeration's word, a number's digits. Decodes all texts when the epoch has
   * moved, else it is a look-up: not for the path of every command.
   */
  text(name: SettingName): string {
    const place = TEXT_INDEX.get(name);
    if (place === undefined) return enumWord(name, this.values[INDEX[name]]);
    if (this.#textsEpoch !== this.#control[EPOCH]) this.#decodeTexts();
    return this.#texts[place];
  }

  /** A text that is a path, as the file system wants it (UTF-8 decoded). */
  path(name: SettingName): string {
    return Buffer.from(this.text(name), 'latin1').toString('utf8');
  }

  /** Value of a setting in the form of its codec. */
  value(name: SettingName): SettingValue {
    return TEXT_INDEX.has(name) ? this.text(name) : this.values[INDEX[name]];
  }

  /** All values, as of one moment. */
  all(): SettingValues {
    return this.#underLock(() =>
      Object.fromEntries(SETTINGS.map((row) => [row.name, this.value(row.name)])),
    ) as SettingValues;
  }

  /**
   * Under the lock: asks `decide` for the changes (it may read values of this store, must not throw or wait) and makes them all
   * at once. Answers false, changing nothing, when the texts would not fit. `decide` answers null for "no change".
   */
  change(decide: () => ReadonlyMap<SettingName, SettingValue> | null): boolean {
    return this.#underLock(() => {
      const changes = decide();
      return changes === null || changes.size === 0 || this.#write(changes);
    });
  }

  #underLock<T>(run: () => T): T {
    while (Atomics.compareExchange(this.#control, LOCK, 0, 1) !== 0) Atomics.wait(this.#control, LOCK, 1, 1);
    try {
      return run();
    } finally {
      Atomics.store(this.#control, LOCK, 0);
      Atomics.notify(this.#control, LOCK, 1);
    }
  }

  #write(changes: ReadonlyMap<SettingName, SettingValue>): boolean {
    const encoded = this.#encodeTexts(changes);
    if (encoded !== null && encoded.length > TEXT_BYTES) return false;
    Atomics.add(this.#control, EPOCH, 1);
    if (encoded !== null) encoded.copy(this.#textBytes);
    for (const row of SETTINGS) {
      const value = changes.get(row.name);
      if (value === undefined) continue;
      if (typeof value === 'number') this.values[INDEX[row.name]] = value;
      else row.codec.mirror(value, this.values, INDEX[row.name]);
    }
    Atomics.add(this.#control, EPOCH, 1);
    return true;
  }

  /** Image of the text area after the changes; null when no text changes. */
  #encodeTexts(changes: ReadonlyMap<SettingName, SettingValue>): Buffer | null {
    const names = [...TEXT_INDEX.keys()];
    if (!names.some((name) => changes.has(name))) return null;
    const parts: Buffer[] = [];
    for (const name of names) {
      const bytes = Buffer.from((changes.get(name) ?? this.text(name)) as string, 'latin1');
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      parts.push(length, bytes);
    }
    return Buffer.concat(parts);
  }

  #decodeTexts(): void {
    const texts: string[] = [];
    let before: number;
    do {
      before = Atomics.load(this.#control, EPOCH);
      texts.length = 0;
      let at = 0;
      for (let i = 0; i < TEXT_INDEX.size && at + 4 <= TEXT_BYTES; i++) {
        // A torn length may point anywhere; the epoch then differs and the texts are decoded again.
        const end = Math.min(at + 4 + this.#textBytes.readUInt32LE(at), TEXT_BYTES);
        texts.push(this.#textBytes.toString('latin1', at + 4, end));
        at = end;
      }
    } while ((before & 1) !== 0 || Atomics.load(this.#control, EPOCH) !== before);
    this.#texts = texts;
    this.#textsEpoch = before;
  }
}
