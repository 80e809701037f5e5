import { expect, test } from 'vitest';
import { applySettings, type SettingsTargets } from '../../../src/net/settings-effects.ts';

test('sockets stay as they were opened: a change of port or bind is refused, not ignored', () => {
  const nothing = {} as unknown as SettingsTargets;
  expect(applySettings(['timeout', 'port'], nothing)).toContain('Unable to listen on this port');
  expect(applySettings(['bind'], nothing)).toContain('Failed to bind');
  expect(applySettings(['timeout'], nothing)).toBe(null);
});
