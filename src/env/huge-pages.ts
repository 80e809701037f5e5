/** Huge pages behind the shared memory: whether the kernel gives them to who asks. */
import { readFileSync } from 'node:fs';

const MODE_FILE = '/sys/kernel/mm/transparent_hugepage/enabled';

/** True where the kernel gives huge pages to processes that ask (`madvise`); false where it always or never does. */
export function hugePagesOnRequest(): boolean {
  try {
    return readFileSync(MODE_FILE, 'latin1').includes('[madvise]');
  } catch {
    return false;
  }
}
