// Rules that the compiler does not check. docs/checks.whole.test.ts plants a violation of each and sees it refused.
import svelte from 'eslint-plugin-svelte';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { ANSWERED_AT_ONCE, LARGE_FILES, LARGE_FUNCTIONS, OWN_CACHES } from './eslint.exceptions.js';

const SERVER = ['{schema,gateway,subgraphs,conformance}/**/*.ts', 'docs/{generate/,test/,}*.ts'];
const SAMPLE = ['docs/sample-app/**/*.ts'];
const VIEWER = ['viewer/src/**/*.ts', 'viewer/*.ts', ...SAMPLE];
const COMPONENTS = ['{viewer,docs/sample-app}/**/*.svelte'];
const TESTS = ['**/*.test.ts', '**/test/**', '{gateway,viewer}/bench/**'];
const GENERATED = [
  '**/messages/compiled/**',
  '**/*.generated.ts',
  'schema/generated/**',
  '**/*-env.d.ts',
  '**/*.d.ts',
];

/** The environment is read in one place of the running program. */
const READS_ENVIRONMENT = [
  'gateway/{main,serve,demo/load-samples}.ts',
  'conformance/main.ts',
  '{gateway,viewer,conformance}/{test,bench}/**',
];

/** Lines of code: comments that say why cost nothing. */
const CODE = { skipBlankLines: true, skipComments: true };

const defaultExport = { selector: 'ExportDefaultDeclaration', message: 'Name what you export.' };
const wholeModule = {
  selector: 'ExportAllDeclaration',
  message: 'Import from where things are; a module is not exported whole again.',
};
const privateKeyword = {
  selector:
    'PropertyDefinition[accessibility="private"][declare!=true], MethodDefinition[accessibility="private"][kind!="constructor"]',
  message: 'A private member is written #name.',
};
const moduleState = {
  selector: ':matches(Program, Program > ExportNamedDeclaration) > VariableDeclaration[kind=/^(let|var)$/]',
  message: 'A module keeps no state that changes: pass it, or put it in a class.',
};
const undefinedSpread = {
  selector:
    'ObjectExpression > SpreadElement > LogicalExpression > BinaryExpression.left[right.type="Identifier"][right.name="undefined"]',
  message: 'A property may be undefined: write it, without a spread.',
};

const literalSpread = {
  selector:
    ':matches(ObjectExpression > SpreadElement > ObjectExpression, ArrayExpression > SpreadElement > ArrayExpression)',
  message: 'A literal is not spread into a literal: write its members.',
};

/** A docstring that begins with a question word says less than a verb or a noun. */
const plainDocs = {
  create: (context) => ({
    Program() {
      for (const { value, loc } of context.sourceCode.getAllComments())
        if (/^\*[\s*]*(What|Whose|Who|Which|How|Where)\b/.test(value))
          context.report({ loc, message: 'Begin with a verb for a function, with a noun for a value.' });
    },
  }),
};
const house = { rules: { 'plain-docs': plainDocs } };

const ownCache = { name: 'lru-cache', message: 'Make the cache by schema/cache/bounded-cache.ts.' };
const awaitable = {
  group: ['**/process/awaitable.ts'],
  message: 'Use await: only files on the way of a usual request go on without a promise (decision 12).',
};

const castAgainst = {
  selector: 'TSAsExpression > TSNeverKeyword, TSAsExpression > TSAsExpression > TSUnknownKeyword',
  message:
    'Mend the type. A cast against it stands only in a function at the edge of a library, with its reason.',
};

const SYNTAX = [defaultExport, wholeModule, privateKeyword, literalSpread];

const promises = {
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-misused-promises': 'error',
};

const everywhere = {
  '@typescript-eslint/no-explicit-any': 'error',
  '@typescript-eslint/max-params': ['error', { max: 4 }],
  'max-lines': ['error', { max: 300, ...CODE }],
  'max-lines-per-function': ['error', { max: 80, ...CODE }],
  'prefer-const': ['error', { ignoreReadBeforeAssign: true }],
  eqeqeq: 'error',
  'no-restricted-imports': ['error', { paths: [ownCache] }],
  'house/plain-docs': 'error',
};

/** One program for all files of a project: a service that opens them one by one takes several times as long. */
const typed = (project) => ({
  parser: tseslint.parser,
  parserOptions: {
    project,
    tsconfigRootDir: import.meta.dirname,
    disallowAutomaticSingleRunInference: false,
  },
});

/** Files for which a rule does not hold. @param files each with its reason */
const except = (rule, files) =>
  Object.keys(files).map((file) => ({ files: [file], rules: { [rule]: 'off' } }));

export default defineConfig(
  globalIgnores(['**/node_modules/', 'dist/', '.data/', 'coverage/', ...GENERATED]),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: [...SERVER, ...VIEWER, 'viewer/test/**', 'viewer/bench/*.ts', '*.ts'],
    plugins: { '@typescript-eslint': tseslint.plugin, house },
    rules: { ...everywhere, ...promises },
  },
  {
    files: [...SERVER, 'viewer/test/**', 'viewer/bench/*.ts', '*.ts'],
    languageOptions: typed('./tsconfig.json'),
  },
  { files: [...VIEWER, 'viewer/test/component/**'], languageOptions: typed('./viewer/tsconfig.json') },
  { files: SAMPLE, languageOptions: typed('./docs/sample-app/tsconfig.json') },
  {
    files: SERVER,
    rules: {
      'no-restricted-syntax': ['error', ...SYNTAX, moduleState, undefinedSpread, castAgainst],
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'Take the value as an argument from gateway/main.ts.',
        },
      ],
    },
  },
  {
    files: SERVER,
    ignores: TESTS,
    rules: { 'no-restricted-imports': ['error', { paths: [ownCache], patterns: [awaitable] }] },
  },
  {
    files: VIEWER,
    rules: { 'no-restricted-syntax': ['error', undefinedSpread, literalSpread, castAgainst] },
  },
  { files: READS_ENVIRONMENT, rules: { 'no-restricted-properties': 'off' } },
  {
    files: TESTS,
    rules: {
      // A `describe` is one function however many tests it holds; the columns of a table are parameters of its test.
      'max-lines-per-function': 'off',
      '@typescript-eslint/max-params': 'off',
      // It has to know the type of every argument, which takes twice as long as all other rules. A test hides nothing by it.
      '@typescript-eslint/no-misused-promises': 'off',
      'house/plain-docs': 'off',
      'no-restricted-syntax': ['error', ...SYNTAX],
    },
  },
  {
    files: Object.keys(ANSWERED_AT_ONCE),
    rules: { 'no-restricted-imports': ['error', { paths: [ownCache] }] },
  },
  {
    files: Object.keys(OWN_CACHES),
    rules: { 'no-restricted-imports': ['error', { patterns: [awaitable] }] },
  },
  except('max-lines', LARGE_FILES),
  except('max-lines-per-function', LARGE_FUNCTIONS),
  {
    files: COMPONENTS,
    extends: [svelte.configs.recommended],
    plugins: { '@typescript-eslint': tseslint.plugin, house },
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    rules: {
      ...everywhere,
      'prefer-const': 'off',
      'max-lines-per-function': 'off',
      'no-restricted-syntax': ['error', undefinedSpread, literalSpread, castAgainst],
    },
  },
);
