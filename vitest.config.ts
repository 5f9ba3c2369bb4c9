import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { svelte, vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { CHROMIUM } from './gateway/test/setup/chromium.ts';
import { emulate } from './viewer/test/setup/emulate.ts';
import { judgeVideo } from './viewer/test/setup/judge-video.ts';

/** Tests that replace modules: in a shared process these would be replaced for the next file too. */
const ISOLATED = ['subgraphs/imaging/fhir/once.test.ts', 'subgraphs/analysis/sql/start.test.ts'];
/** Tests of the viewer's components, in Chromium. */
const COMPONENTS = ['viewer/test/component/*.test.ts'];
const SETUP = join(import.meta.dirname, 'gateway/test/setup');
const FOLDERS = '{schema,gateway,subgraphs,viewer,conformance,docs}';
/** All tests of servers and functions, by default in one project: another one would load every module again. */
const ALL = [`${FOLDERS}/**/*.test.ts`];
/** Those that `npm test` leaves to `npm run test:all`: large tables, whole pages, processes that start and end. */
const WHOLE = [`${FOLDERS}/**/*.whole.test.ts`];
const isUsualOnly = process.env['TESTS'] === 'usual';
/** Tests that measure what others notice of an attack, or how long answers take: alone, after all others. */
const ALONE = [`${FOLDERS}/**/*.alone.test.ts`];
const NEVER = ['**/node_modules/**', '**/dist/**'];

/**
 * Spreads the files of `WHOLE`, which keep the processor busy, among the others, which mostly wait. Begins with a file that
 * is a short text and takes a minute; the others begin by their size.
 */
class WholeAmongOthers extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLongest = ({ moduleId }: TestSpecification) =>
      moduleId.endsWith('/viewer/test/journeys.whole.test.ts');
    const isWhole = ({ moduleId }: TestSpecification) => moduleId.endsWith('.whole.test.ts');
    const spread = (some: TestSpecification[]) =>
      some.map((file, index) => ({ file, at: isLongest(file) ? -1 : index / some.length }));
    return [...spread(sorted.filter(isWhole)), ...spread(sorted.filter((file) => !isWhole(file)))]
      .sort((one, other) => one.at - other.at)
      .map(({ file }) => file);
  }
}

/** Every test of the project. They run real servers, hence the patience; a worker is a process (native modules). */
export default defineConfig({
  // One graphql for our sources and Apollo's: Vite would take its ESM build, Node (and so Apollo) its CommonJS one.
  resolve: {
    alias: [
      { find: /^graphql$/, replacement: 'graphql/index.js' },
      // Threads of tests run the build, where there is one: hundreds of them would each load the compiler.
      { find: /^.*\/process\/thread-module\.ts$/, replacement: join(SETUP, 'thread-module.ts') },
    ],
  },
  test: {
    // Files share processes: otherwise each would load the modules of the gateway and warm up the compiler again.
    isolate: false,
    sequence: { sequencer: WholeAmongOthers },
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: ALL,
          exclude: [...NEVER, ...ISOLATED, ...ALONE, ...COMPONENTS, ...(isUsualOnly ? WHOLE : [])],
        },
      },
      {
        plugins: [svelte({ configFile: false, preprocess: vitePreprocess({ script: false }) })],
        // Found while tests run, they would reload the page.
        optimizeDeps: {
          include: [
            'axe-core',
            'bits-ui',
            'graphql',
            'hyparquet-writer',
            'jose',
            'lean-qr',
            'mediabunny',
            'uplot',
            'vitest-browser-svelte',
            '@tanstack/table-core',
            '@tanstack/table-core/store-reactivity-bindings',
            '@tanstack/virtual-core',
          ],
          // An icon that is new would be found late.
          exclude: ['@lucide/svelte'],
        },
        test: {
          name: 'components',
          include: COMPONENTS,
          exclude: [...NEVER, ...(isUsualOnly ? WHOLE : [])],
          globalSetup: ['gateway/test/setup/parts.ts', 'viewer/messages.ts', 'viewer/dicom-names.ts'],
          testTimeout: 40_000,
          expect: { poll: { timeout: 20_000 } },
          browser: {
            enabled: true,
            headless: true,
            provider: playwright({ launchOptions: CHROMIUM }),
            instances: [{ browser: 'chromium' }],
            commands: { emulate, judgeVideo },
            // One page for all files; each test opens the viewer anew.
            isolate: false,
            fileParallelism: false,
            screenshotFailures: false,
          },
        },
      },
      { extends: true, test: { name: 'isolated', include: ISOLATED, exclude: NEVER, isolate: true } },
      {
        extends: true,
        test: {
          name: 'alone',
          include: isUsualOnly ? [] : ALONE,
          exclude: NEVER,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    globalSetup: ['gateway/test/setup/parts.ts', 'gateway/test/setup/demo-images.ts', 'viewer/messages.ts'],
    setupFiles: ['check-retrievals.ts', 'equal-bytes.ts', 'usual-time.ts'].map((name) => join(SETUP, name)),
    pool: 'forks',
    // More than there are cores: a test that waits for servers, or for time to pass, needs no core.
    maxWorkers: 2 * availableParallelism(),
    // A second attempt in CI only, which names what needed it: other runs have none, and must pass without.
    retry: process.env['CI'] ? 1 : 0,
    // Long, for a machine that others use too.
    testTimeout: 40_000,
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
    // A failure tells all values: some cannot be made a second time.
    chaiConfig: { truncateThreshold: 0 },
    unstubEnvs: true,
    restoreMocks: true,
  },
});
