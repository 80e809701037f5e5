import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Vite's module runner wraps every binding access and makes hot code about twice as slow
    experimental: { viteModuleRunner: false },
    globalSetup: ['test/crash/tally-total.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 30_000,
  },
});
