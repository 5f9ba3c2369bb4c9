/** The rules of the house about who may import whom, as a pure check of one source file. */
import { posix } from 'node:path';
import ts from 'typescript';

/** The parts that know each other only through `schema/`. */
const parts = ['schema', 'gateway', 'subgraphs/clinical', 'subgraphs/imaging', 'viewer'] as const;
type Part = (typeof parts)[number];

/** What each part may import besides itself. */
const mayImport: Record<Part, readonly Part[]> = {
  schema: [],
  gateway: ['schema'],
  'subgraphs/clinical': ['schema'],
  'subgraphs/imaging': ['schema'],
  viewer: ['schema'],
};

/** The composition root, the tests of the whole system, and the benchmarks may import every part. */
const seesEverything = /^gateway\/(main|app)\.ts$|^(gateway|viewer)\/(test|bench)\//;
/** Starting real servers and finding the shared data serves the tests of every part. */
const testSetup = /^gateway\/test\/setup\//;
const isTest = /\.test\.ts$|\/(test|bench)\//;

/** The environment is read in one place of the running program; tests and configuration have their own. */
const mayReadEnvironment = /^gateway\/main\.ts$|^(gateway|viewer)\/(test|bench)\/|^[^/]+\.config\.ts$/;
/** Tool configuration and Svelte components have a default export by contract. */
const isServerCode = /^(schema|gateway|subgraphs)\/.*\.ts$/;
/** Runs only on a developer's machine, and may use what is installed there. */
const isGenerator = /^schema\/(generate|compose)/;
const meaninglessName = /(^|\/)(utils?|helpers?|common|misc|index)\.ts$/;

/**
 * Every rule that a file breaks, in words; empty when it keeps the house.
 * @param file path below the repository root, with forward slashes
 * @param text its content; of a `.svelte` file the scripts are looked at
 * @param dependencies what package.json installs in production
 */
export function violations(file: string, text: string, dependencies: readonly string[]): string[] {
  const code = file.endsWith('.svelte') ? scriptsOf(text) : text;
  const found: string[] = [];
  for (const { fileName: specifier } of ts.preProcessFile(code, true, true).importedFiles) {
    const refusal = specifier.startsWith('.') ? refusedImport(file, specifier) : undefined;
    if (refusal) found.push(refusal);
  }
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true);
  if (!mayReadEnvironment.test(file) && readsEnvironment(source)) {
    found.push('reads process.env; take the value as an argument from gateway/main.ts');
  }
  if (isServerCode.test(file)) {
    if (meaninglessName.test(file)) found.push('is named after nothing; use the word of the standard');
    for (const statement of source.statements) {
      found.push(...refusedStatement(statement, isTest.test(file)));
      const missing = isTest.test(file) || isGenerator.test(file) ? undefined : packageOf(statement);
      if (missing && !dependencies.includes(missing)) {
        found.push(`imports ${missing}, which is not among the dependencies of package.json`);
      }
    }
  }
  return found;
}

function refusedImport(file: string, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(file), specifier);
  const from = partOf(file);
  const to = partOf(target);
  if (!from || !to || from === to || mayImport[from].includes(to)) return undefined;
  if (seesEverything.test(file) || (isTest.test(file) && testSetup.test(target))) return undefined;
  return `imports ${target}; ${from} may import ${['itself', ...mayImport[from]].join(' and ')}`;
}

function partOf(path: string): Part | undefined {
  return parts.find((part) => path.startsWith(`${part}/`));
}

/** The package whose code an import loads; types are gone when it runs, `node:` modules are there. */
function packageOf(statement: ts.Statement): string | undefined {
  if (
    !ts.isImportDeclaration(statement) ||
    statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
  ) {
    return undefined;
  }
  const specifier = (statement.moduleSpecifier as ts.StringLiteral).text;
  if (/^(\.|node:)/.test(specifier)) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function readsEnvironment(node: ts.Node): boolean {
  const direct =
    ts.isPropertyAccessExpression(node) &&
    node.name.text === 'env' &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'process';
  return direct || (ts.forEachChild(node, (child) => readsEnvironment(child) || undefined) ?? false);
}

function refusedStatement(statement: ts.Statement, test: boolean): string[] {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  if (
    ts.isExportAssignment(statement) ||
    modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
  ) {
    return ['has a default export; name it'];
  }
  if (ts.isExportDeclaration(statement) && !statement.exportClause) {
    return ['re-exports a whole module; import from where things are'];
  }
  const isMutable =
    ts.isVariableStatement(statement) && !(statement.declarationList.flags & ts.NodeFlags.Const);
  return isMutable && !test ? ['keeps mutable module state; pass it or put it in a class'] : [];
}

function scriptsOf(component: string): string {
  return [...component.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, script]) => script).join('\n');
}
