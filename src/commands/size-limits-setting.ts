/** Where the size limits of values come from. */
import type { SettingsStore } from '../admin/settings-store.ts';
import type { SizeLimits } from '../datatypes/size-limits.ts';

/** Reads the settings into a thread's copies; called when their epoch has moved. */
export function readSizeLimits(settings: SettingsStore, limits: SizeLimits): void {
  limits.hashMaxListpackEntries = settings.number('hash-max-listpack-entries');
  limits.hashMaxListpackValue = settings.number('hash-max-listpack-value');
  limits.listMaxListpackSize = settings.number('list-max-listpack-size');
  limits.setMaxIntsetEntries = settings.number('set-max-intset-entries');
  limits.setMaxListpackEntries = settings.number('set-max-listpack-entries');
  limits.setMaxListpackValue = settings.number('set-max-listpack-value');
  limits.sortedSetMaxListpackEntries = settings.number('zset-max-listpack-entries');
  limits.sortedSetMaxListpackValue = settings.number('zset-max-listpack-value');
  limits.hllSparseMaxBytes = settings.number('hll-sparse-max-bytes');
  limits.streamNodeMaxBytes = settings.number('stream-node-max-bytes');
  limits.streamNodeMaxEntries = settings.number('stream-node-max-entries');
}
