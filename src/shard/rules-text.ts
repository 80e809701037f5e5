/** The durability rules in force (R21), as the setting writes them, in the process words: what units go by, and all threads at once. */
import { PROCESS, RULES_TEXT_BYTES } from './world.ts';

/** Bit of the word PROCESS.durabilityRules: there are rules. What lies above it counts the changes. */
export const ANY_RULES = 1;

function textBytes(process: Int32Array): Buffer {
  return Buffer.from(process.buffer, process.byteOffset + (PROCESS.rulesText + 1) * 4, RULES_TEXT_BYTES);
}

export function rulesText(process: Int32Array): string {
  return textBytes(process).toString('latin1', 0, process[PROCESS.rulesText]);
}

/** Puts rules in force; under the latches of all shards. `text`: at most RULES_TEXT_BYTES characters, latin1. */
export function setRulesText(process: Int32Array, text: string): void {
  if (text.length > RULES_TEXT_BYTES) throw new Error(`durability rules of ${text.length} bytes`);
  textBytes(process).write(text, 'latin1');
  process[PROCESS.rulesText] = text.length;
  const changes = (process[PROCESS.durabilityRules] & ~ANY_RULES) + 2 * ANY_RULES;
  Atomics.store(process, PROCESS.durabilityRules, text === '' ? changes : changes | ANY_RULES);
}
