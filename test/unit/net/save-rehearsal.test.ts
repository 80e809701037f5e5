import { expect, test } from 'vitest';
import { runRehearsal } from '../../../src/net/save-rehearsal.ts';

test('a rehearsal writes its snapshots, and none once it is not wanted any more', () => {
  const ended = new Int32Array(new SharedArrayBuffer(4));
  const task = { ended: ended.buffer as SharedArrayBuffer };
  expect(runRehearsal(task)).toBe(10);
  ended[0] = 1;
  expect(runRehearsal(task)).toBe(0);
});
