import { defineConfig } from 'vitest/config';

/** Every test of the house. They run real servers, hence the patience; a worker is a process (native modules). */
export default defineConfig({
  // One graphql for our sources and Apollo's: Vite would take its ESM build, Node (and so Apollo) its CommonJS one.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['{schema,gateway,subgraphs,viewer}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    globalSetup: ['gateway/test/setup/parts.ts'],
    pool: 'forks',
    // By default one core is left free, which of two is half: the tests wait for servers more than they compute.
    maxWorkers: '100%',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    unstubEnvs: true,
    restoreMocks: true,
  },
});
