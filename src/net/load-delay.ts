/**
 * Setting key-load-delay: what the keys that were loaded make their loader wait. It is owed as one sum, and paid between slices by a timer,
 * so that the event loop turns meanwhile; a lower setting forgives what is still owed beyond it.
 */
const MICROS_PER_MS = 1000;
/** No timer waits longer: the setting may change meanwhile. */
const MAX_WAIT_MS = 20;

export class LoadDelay {
  private readonly setting: () => number;
  /** Microseconds per key. */
  private perKey = 0;
  private owedMs = 0;
  /** When the wait began that is going on; -1: none is. */
  private waitBeganMs = -1;

  /** `setting`: microseconds per key; -n: one microsecond per n keys. */
  constructor(setting: () => number) {
    this.setting = setting;
  }

  /** A slice begins: the wait before it is over, the setting may be another one. */
  look(nowMs: number): void {
    const micros = this.setting();
    const perKey = micros < 0 ? -1 / micros : micros;
    if (perKey < this.perKey) this.owedMs *= perKey / this.perKey;
    this.perKey = perKey;
    if (this.waitBeganMs >= 0) this.owedMs -= nowMs - this.waitBeganMs;
    this.waitBeganMs = -1;
  }

  loaded(keys: number): void {
    this.owedMs += (keys * this.perKey) / MICROS_PER_MS;
  }

  get isOn(): boolean {
    return this.perKey > 0;
  }

  /** Is a timer's worth owed? */
  get isDue(): boolean {
    return this.owedMs >= 1;
  }

  /** So long the loader has to wait now before it looks again, in ms. */
  beginWait(nowMs: number): number {
    this.waitBeganMs = nowMs;
    return Math.min(this.owedMs, MAX_WAIT_MS);
  }
}
