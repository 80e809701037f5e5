/** From the settings to each shard's policy. */
import { POLICY, type Policy } from './journal-memory.ts';

const BY_WORD: Record<string, Policy> = {
  no: POLICY.no,
  everysec: POLICY.everysec,
  always: POLICY.always,
  none: POLICY.none,
};

export interface PolicySettings {
  appendonly: boolean;
  /** no, everysec or always. */
  appendfsync: string;
  /** `<shard> <policy>` pairs, separated by blanks: shards that differ from appendfsync. */
  shardPolicies: string;
  shards: number;
}

/** The policy of each shard. Pairs that name a shard beyond the last are without effect. */
export function journalPolicies(settings: PolicySettings): Policy[] {
  if (!settings.appendonly) return new Array<Policy>(settings.shards).fill(POLICY.none);
  const policies = new Array<Policy>(settings.shards).fill(BY_WORD[settings.appendfsync]);
  const words = settings.shardPolicies.split(' ').filter((word) => word !== '');
  for (let i = 0; i + 1 < words.length; i += 2) {
    const shard = Number(words[i]);
    if (shard < settings.shards) policies[shard] = BY_WORD[words[i + 1]];
  }
  return policies;
}
