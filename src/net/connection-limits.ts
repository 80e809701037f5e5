/** The settings that bound a connection, as plain numbers of its thread; read again whenever settings have changed. */
import { OUTPUT_LIMIT_NUMBERS } from '../admin/settings-codec-lists.ts';
import type { SettingsStore } from '../admin/settings-store.ts';
import { INDEX } from '../admin/settings-table.ts';

/** Output that may be owed to a connection of one class; Infinity where the setting says 0. */
export interface OutputLimit {
  /** Beyond it the connection is closed at once. */
  hardBytes: number;
  /** Beyond it for so long, it is closed as well. */
  softBytes: number;
  softMs: number;
}

/** One object per thread. */
export interface ConnectionLimits {
  /** client-query-buffer-limit and proto-max-bulk-len. */
  queryBytes: number;
  bulkBytes: number;
  /** There is a password; without one nobody needs to authenticate, whoever connected when. */
  passwordSet: boolean;
  /** client-output-buffer-limit, by OUTPUT_CLASS. */
  readonly output: readonly OutputLimit[];
}

/** Classes of connections, in the order of the setting. */
export const OUTPUT_CLASS = { normal: 0, replica: 1, pubsub: 2 } as const;

export function newConnectionLimits(): ConnectionLimits {
  const output = Object.values(OUTPUT_CLASS).map(() => ({ hardBytes: 0, softBytes: 0, softMs: 0 }));
  return { queryBytes: 0, bulkBytes: 0, passwordSet: false, output };
}

export function readConnectionLimits(settings: SettingsStore, into: ConnectionLimits): void {
  into.queryBytes = settings.number('client-query-buffer-limit');
  into.bulkBytes = settings.number('proto-max-bulk-len');
  into.passwordSet = settings.text('requirepass') !== '';
  const first = INDEX['client-output-buffer-limit'];
  for (let i = 0; i < into.output.length; i++) {
    const at = first + i * OUTPUT_LIMIT_NUMBERS;
    const [hard, soft, softSeconds] = settings.values.subarray(at, at + OUTPUT_LIMIT_NUMBERS);
    into.output[i].hardBytes = hard === 0 ? Number.POSITIVE_INFINITY : hard;
    into.output[i].softBytes = soft === 0 ? Number.POSITIVE_INFINITY : soft;
    into.output[i].softMs = softSeconds * 1000;
  }
}
