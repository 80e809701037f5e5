/**
 * What the crash tests have done: faults injected, by kind, and acknowledged writes that had to be there and were looked at. Each note
 * is added to a list that tally-total.ts sums up and prints when all files are done: a harness that looks at nothing is green too.
 */
import { appendFileSync } from 'node:fs';

/** The list's path; set by tally-total.ts. */
export const TALLY_FILE = 'SKEIN_FAULT_TALLY';
/** The kind under which checked writes stand in the list. */
export const CHECKED = 'acknowledged writes checked';

export function noteFaults(kind: string, count = 1): void {
  const path = process.env[TALLY_FILE];
  if (path !== undefined) appendFileSync(path, `${count} ${kind}\n`);
}

/** So many acknowledged writes were looked for after a fault, and found. */
export function noteChecked(count: number): void {
  noteFaults(CHECKED, count);
}
