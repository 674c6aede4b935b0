import { defineConfig } from 'vitest/config';

// With ANYCHIP_DEBUG every graph and every kernel that a test compiles is verified; what it prints is shown for tests that fail.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], testTimeout: 60_000, pool: 'forks', maxWorkers: '100%', env: { ANYCHIP_DEBUG: '1' }, silent: 'passed-only' },
});
