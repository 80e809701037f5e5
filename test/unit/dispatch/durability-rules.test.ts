import { describe, expect, test } from 'vitest';
import { DurabilityRules } from '../../../src/dispatch/durability-rules.ts';
import { POLICY, type Policy } from '../../../src/journal/journal-memory.ts';
import { rulesText, setRulesText } from '../../../src/shard/rules-text.ts';
import { createWorldMemory, PROCESS, RULES_TEXT_BYTES } from '../../../src/shard/world.ts';

const policyOf = (rules: DurabilityRules, db: number, key: string, usual: Policy = POLICY.everysec) => {
  const buf = Buffer.from(`..${key}..`, 'latin1');
  return rules.policyOf(db, buf, 2, 2 + key.length, usual);
};

describe('durability rules', () => {
  test('the first rule that matches decides, by key or by database', () => {
    const rules = new DurabilityRules('cache:lock:* always cache:* none db:3 none *:q everysec db:* always');
    expect(policyOf(rules, 0, 'cache:lock:1')).toBe(POLICY.always);
    expect(policyOf(rules, 3, 'cache:lock:1')).toBe(POLICY.always);
    expect(policyOf(rules, 0, 'cache:1')).toBe(POLICY.none);
    expect(policyOf(rules, 3, 'other')).toBe(POLICY.none);
    expect(policyOf(rules, 0, 'other')).toBe(POLICY.everysec);
    expect(policyOf(rules, 0, 'other', POLICY.always)).toBe(POLICY.always);
    expect(policyOf(rules, 0, 'a:q', POLICY.always)).toBe(POLICY.everysec);
    // no database: a pattern like any other
    expect(policyOf(rules, 0, 'db:7')).toBe(POLICY.always);
    expect(rules).toMatchObject({ hasNone: true, hasAlways: true, promises: true, hasDatabases: true });
    expect(new DurabilityRules('a none')).toMatchObject({ hasNone: true, hasAlways: false, promises: false });
    expect(new DurabilityRules('db:[3] none').hasDatabases).toBe(false);
    expect(policyOf(new DurabilityRules(''), 0, 'k')).toBe(POLICY.everysec);
  });

  test('isNone is policyOf none, whatever the shard has', () => {
    const rules = new DurabilityRules('a* everysec ?* none');
    const key = Buffer.from('ab');
    expect(rules.isNone(0, key, 0, 2)).toBe(false);
    expect(rules.isNone(0, key, 1, 2)).toBe(true);
    expect(new DurabilityRules('a always').isNone(0, key, 1, 2)).toBe(false);
  });

  test('their text in the process words: each change is a new number, odd while there are rules', () => {
    const world = createWorldMemory({ shards: 1, workers: 1, databases: 1, arenaBytes: 2 ** 24, hashKey: [1, 2] });
    const process = new Int32Array(world.process);
    const seen = new Set<number>();
    for (const text of ['', 'a none', 'caf\u00e9* always', '', 'x'.repeat(RULES_TEXT_BYTES)]) {
      setRulesText(process, text);
      expect(rulesText(process)).toBe(text);
      expect(process[PROCESS.durabilityRules] & 1).toBe(text === '' ? 0 : 1);
      seen.add(process[PROCESS.durabilityRules]);
    }
    expect(seen.size).toBe(5);
    expect(() => setRulesText(process, 'x'.repeat(RULES_TEXT_BYTES + 1))).toThrow();
  });
});
