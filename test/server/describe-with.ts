import { describe, test } from 'vitest';
import { isInstalled } from './server-command.ts';

/**
 * `describe` for tests that need these programs. Without them the tests are skipped, and the reason stands in the report;
 * with CI=true a missing program is a failure.
 */
export function describeWith(programs: readonly string[], title: string, body: () => void): void {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) {
    describe(title, body);
  } else if (process.env['CI']) {
    test(`${title}: needs ${missing.join(', ')}`, () => {
      throw new Error(`not installed: ${missing.join(', ')}`);
    });
  } else {
    describe.skip(`${title} (skipped: ${missing.join(', ')} not installed)`, body);
  }
}
