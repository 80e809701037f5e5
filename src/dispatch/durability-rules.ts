/**
 * Rules of durability by key and database, above the policies of the shards (setting durability-rule, R21). The first rule that
 * matches a key decides; a key that none matches has the policy of its shard. Immutable; a thread parses the setting anew where the
 * process word says that it has changed.
 */
import { POLICY, type Policy } from '../journal/journal-memory.ts';
import { globMatch } from '../keyspace/glob.ts';

interface Rule {
  /** The database that it is for, -1: it looks at the key. */
  db: number;
  pattern: Uint8Array;
  policy: Policy;
}

const DATABASE_RULE = /^db:(\d+)$/;
const BY_WORD: Readonly<Record<string, Policy>> = {
  none: POLICY.none,
  everysec: POLICY.everysec,
  always: POLICY.always,
};

export class DurabilityRules {
  /** Some keys may have `none`. */
  readonly hasNone: boolean;
  /** Some keys have `always` whatever their shard has. */
  readonly hasAlways: boolean;
  /** Some keys are to reach stable storage whatever their shard has. */
  readonly promises: boolean;
  /** Some rule is for a database: where a key is may change its policy. */
  readonly hasDatabases: boolean;
  private readonly rules: Rule[] = [];

  /** `text`: pattern and policy in turn, as the setting has them. */
  constructor(text: string) {
    const words = text === '' ? [] : text.split(' ');
    for (let i = 0; i + 1 < words.length; i += 2) {
      const db = DATABASE_RULE.exec(words[i]);
      const pattern = Buffer.from(words[i], 'latin1');
      this.rules.push({ db: db === null ? -1 : Number(db[1]), pattern, policy: BY_WORD[words[i + 1]] });
    }
    this.hasNone = this.rules.some(({ policy }) => policy === POLICY.none);
    this.hasAlways = this.rules.some(({ policy }) => policy === POLICY.always);
    this.promises = this.rules.some(({ policy }) => policy !== POLICY.none);
    this.hasDatabases = this.rules.some(({ db }) => db >= 0);
  }

  /** The policy of the key buf[start, end) of a database, in a shard whose policy is `usual`. */
  policyOf(db: number, buf: Uint8Array, start: number, end: number, usual: Policy): Policy {
    for (const rule of this.rules) {
      if (rule.db >= 0 ? rule.db === db : globMatch(rule.pattern, 0, rule.pattern.length, buf, start, end, false))
        return rule.policy;
    }
    return usual;
  }

  /** Is this key not journalled at all? */
  isNone(db: number, buf: Uint8Array, start: number, end: number): boolean {
    return this.hasNone && this.policyOf(db, buf, start, end, POLICY.no) === POLICY.none;
  }
}
