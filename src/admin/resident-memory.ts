/** How much of the process is in memory. */

let told = 0;

/** Bytes; where the system does not say (it takes a free file number to ask), what it said last. */
export function residentBytes(): number {
  try {
    told = process.memoryUsage.rss();
  } catch {
    // an answer a little older is better than none: nobody may end the server by asking
  }
  return told;
}
