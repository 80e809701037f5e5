import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';

/**
 * Tests of parts, within one process. Not those that ask a stock server: to start it takes a process that has not reserved as much memory
 * as the tests before it have.
 */
const PARTS = 'test/{tidy,native-free-shm,unit}/**/!(*stock*).test.ts';

/** Crash tests are in both projects. */
const TALLY = 'test/crash/tally-total.ts';

const common = {
  // Vite's module runner wraps every binding access and makes hot code about twice as slow; nothing is mocked by its loader
  experimental: { viteModuleRunner: false, nodeLoader: false },
  // Where large memory was freed the C library gives such from its heap from then on, and zeroes it: each test that makes a world of
  // its own would wait 10 ms for that.
  env: { GLIBC_TUNABLES: 'glibc.malloc.mmap_threshold=1048576' },
  setupFiles: ['test/property-seed.ts'],
  // planted faults are compiled by what Node.js itself strips types with, which it calls experimental
  execArgv: ['--disable-warning=ExperimentalWarning'],
  pool: 'forks' as const,
  // some tests only wait: with two at a time on two cores a fifth of the time nobody has anything to do, with three a tenth and more
  maxWorkers: 4,
  testTimeout: 60_000,
  hookTimeout: 30_000,
};

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...common,
          name: 'servers',
          include: ['test/**/*.test.ts'],
          exclude: [PARTS],
          globalSetup: [TALLY, 'test/server/server-bundle.ts'],
        },
      },
      // they share the modules of their processes
      { test: { ...common, name: 'parts', include: [PARTS], isolate: false, globalSetup: [TALLY] } },
    ],
  },
});
