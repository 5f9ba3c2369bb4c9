/** Strict validation of Kubernetes manifests: unknown keys are errors too, as the API server's `--validate=strict` has it. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';
import type { Manifest } from './manifests.ts';

const root = join(import.meta.dirname, '../../..');
const require = createRequire(import.meta.url);
/** Packages with the definitions, by group of the API; those of Kubernetes itself are in the first. */
const PACKAGES: Readonly<Record<string, string>> = {
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'cert-manager.io': '@kubernetes-models/cert-manager',
};

/** Definitions that are parsed already: they are most of the work. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** Returns what is wrong with manifests: each line names the manifest. */
export function strictProblems(manifests: readonly Manifest[]): string[] {
  const known = manifests.filter((manifest) =>
    existsSync(`${join(root, 'node_modules', moduleOf(manifest))}.js`),
  );
  const unknown = manifests.filter((manifest) => !known.includes(manifest));
  return [
    ...unknown.map((manifest) => `${nameOf(manifest)}: unknown kind of ${manifest.apiVersion}`),
    ...known.flatMap((manifest) => schemaProblem(manifest) ?? []),
    ...typeProblems(known),
  ];
}

const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;

function moduleOf({ apiVersion, kind }: Manifest): string {
  return `${PACKAGES[apiVersion.split('/')[0]!] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

type Model = new (manifest: Manifest) => { validate(): void };

/** Validates by the JSON schema: required keys, formats, patterns, enumerations. */
function schemaProblem(manifest: Manifest): string | undefined {
  const { [manifest.kind]: Kind } = require(moduleOf(manifest)) as Record<string, Model>;
  try {
    new Kind!(manifest).validate();
    return undefined;
  } catch (error) {
    return `${nameOf(manifest)}: ${(error as Error).message}`;
  }
}

/** Validates by the types of the same packages: TypeScript refuses unknown keys of an object that is written out. */
function typeProblems(manifests: readonly Manifest[]): string[] {
  const file = join(root, 'gateway/test/kubernetes/manifests.virtual.ts');
  const lines = manifests.map(
    (manifest, index) =>
      `export const m${index}: import('${moduleOf(manifest)}').I${manifest.kind} = ${JSON.stringify(manifest)};`,
  );
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    lib: ['lib.es2022.d.ts'],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const source = lines.join('\n');
  host.fileExists = (path) => path === file || fileExists(path);
  host.readFile = (path) => (path === file ? source : readFile(path));
  host.getSourceFile = (path, language) => {
    if (path === file) return ts.createSourceFile(path, source, language);
    if (!parsed.has(path)) parsed.set(path, getSourceFile(path, language));
    return parsed.get(path);
  };
  return ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)).map((problem) => {
    const text = ts.flattenDiagnosticMessageText(problem.messageText, ' ');
    if (problem.file?.fileName !== file) return text;
    const { line } = problem.file.getLineAndCharacterOfPosition(problem.start!);
    return `${nameOf(manifests[line]!)}: ${text}`;
  });
}
