/**
 * One seed for every property of fast-check, so that `npm test` says the same of the same sources each time. The long runs go to new places:
 *
 *   PROPERTY_SEED=random npx vitest run …    or a number; what fails prints seed and path
 */
import fc from 'fast-check';

const wanted = process.env['PROPERTY_SEED'] ?? '20261121';
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) });
