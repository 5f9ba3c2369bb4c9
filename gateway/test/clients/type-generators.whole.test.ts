/** FG-1: tools make TypeScript types from the schema that the gateway serves, whose scalars have FHIR's names. */
import { codegen } from '@graphql-codegen/core';
import * as types from '@graphql-codegen/typescript';
import * as operations from '@graphql-codegen/typescript-operations';
import { buildSchema, isScalarType, isSpecifiedScalarType, parse } from 'graphql';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { transpile, ModuleKind } from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGatewayAlone, type GatewayAlone } from '../gateway-alone.ts';

const root = join(import.meta.dirname, '../../..');
const run = promisify(execFile);
/** The code of docs/build-an-app.md, as its reader pastes it. */
const page = readFileSync(join(root, 'docs/build-an-app.md'), 'utf8');
const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
const CODEGEN = blocks.find((code) => code.includes('CodegenConfig'))!;
const TADA = blocks.find((code) => code.includes('initGraphQLTada'))!;
/** `plugins` of tsconfig.json. */
const PLUGINS = JSON.parse(`{${/^```json\n(.*?)^```$/ms.exec(page)![1]!}}`) as { plugins: object[] };
const QUERY = `query Story($id: ID!) { Patient(id: $id) { birthDate
  ObservationList(_count: 5) { effectiveDateTime valueQuantity { value unit } subject { resource { ...on Patient { id } } } }
  ImagingStudyList { started series { numberOfInstances } } } }`;
/** Uses the types of an answer: each line would fail with \`any\`, or with another type. */
const USES = `
type Observation = NonNullable<NonNullable<NonNullable<Story['Patient']>['ObservationList']>[number]>;
export const when: Observation['effectiveDateTime'] = '2026-01-31';
export const value: NonNullable<Observation['valueQuantity']>['value'] = 1.5;
// @ts-expect-error a date is text
export const noDate: Observation['effectiveDateTime'] = 20260131;
// @ts-expect-error a decimal is a number
export const noNumber: NonNullable<Observation['valueQuantity']>['value'] = 'much';
// @ts-expect-error it was not selected
export const nothing: Observation['status'] = 'final';
`;

let gateway: GatewayAlone;
let directory: string;
let schema: string;
let config: { generates: Record<string, { plugins: string[] }>; config: { scalars: Record<string, string> } };

beforeAll(async () => {
  gateway = await startGatewayAlone({});
  schema = await (await fetch(`${gateway.url}/schema.graphql`)).text();
  // Inside the project, so that imports of packages are found.
  await mkdir(join(root, 'node_modules/.cache'), { recursive: true });
  directory = await mkdtemp(join(root, 'node_modules/.cache/type-generators-'));
  await writeFile(join(directory, 'schema.graphql'), schema);
  const file = join(directory, 'codegen.mjs');
  await writeFile(file, transpile(CODEGEN, { module: ModuleKind.ESNext }));
  ({ default: config } = (await import(pathToFileURL(file).href)) as { default: typeof config });
});
afterAll(async () => {
  await gateway?.close();
  if (directory) await rm(directory, { recursive: true });
});

/** Writes a strict configuration of the compiler for some files. */
async function configure(...files: string[]): Promise<void> {
  const compilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: 'es2023',
    types: [],
    module: 'esnext',
    moduleResolution: 'bundler',
    allowImportingTsExtensions: true,
    ...PLUGINS,
  };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
}

/** Checks the configured files. Rejects with the compiler's messages. */
async function typeCheck(): Promise<void> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [compiler, '-p', directory]).catch((error: { stdout?: string }) => {
    throw new Error(error.stdout, { cause: error });
  });
}

test('FG-1 the scalars of docs/build-an-app.md are those of the schema', () => {
  const custom = Object.values(buildSchema(schema).getTypeMap())
    .filter((type) => isScalarType(type) && !isSpecifiedScalarType(type))
    .map(({ name }) => name)
    .sort();
  expect(Object.keys(config.config.scalars).sort()).toEqual(custom);
  const [scalars = ''] = /type Scalars = .*?^};/ms.exec(TADA) ?? [];
  expect([...scalars.matchAll(/(?<=')\w+(?=')|\w+(?=:)/g)].map(String).sort()).toEqual(custom);
});

test('FG-1 graphql-codegen generates types, and a query file that uses them compiles', async () => {
  const generated = await codegen({
    filename: 'types.ts',
    schema: parse(schema),
    config: config.config,
    documents: [{ location: 'query.graphql', document: parse(QUERY) }],
    plugins: config.generates['src/types.ts']!.plugins.map((name) => ({ [name]: {} })),
    pluginMap: { typescript: types, 'typescript-operations': operations },
  });
  await writeFile(join(directory, 'types.ts'), generated);
  await writeFile(
    join(directory, 'codegen.ts'),
    `import type { StoryQuery as Story } from './types.ts';\n${USES}`,
  );
  await configure('codegen.ts');
  await expect(typeCheck()).resolves.toBeUndefined();
}, 120_000);

/** Runs a command of gql.tada in the folder. Rejects with its output. */
async function tada(command: string): Promise<void> {
  const cli = join(root, 'node_modules/gql.tada/bin/cli.js');
  const failed = (error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${error.stdout}${error.stderr}`, { cause: error });
  };
  await run(process.execPath, [cli, command, '-c', directory]).catch(failed);
}

test('FG-1 gql.tada check names a misspelled field', async () => {
  await writeFile(
    join(directory, 'misspelled.ts'),
    `import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './env.d.ts';
${TADA}export const patients = graphql(\`{ PatientList { birthDat } }\`);
`,
  );
  await configure('misspelled.ts');
  await tada('generate-output');
  await expect(tada('check')).rejects.toThrow('birthDat');
}, 120_000);

test('FG-1 gql.tada generates types, and a query file that uses them compiles', async () => {
  await writeFile(
    join(directory, 'tada.ts'),
    `import { initGraphQLTada, type ResultOf } from 'gql.tada';
import type { introspection } from './src/graphql-env.d.ts';
${TADA}export const story = graphql(\`${QUERY}\`);
type Story = ResultOf<typeof story>;
${USES}`,
  );
  await configure('tada.ts');
  await tada('generate-output');
  await expect(typeCheck()).resolves.toBeUndefined();
}, 120_000);
