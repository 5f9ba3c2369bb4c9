/** The imaging subgraph compiled, as `npm start` runs it: code that is compiled while it runs is slower. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { startServer, type ImagingServer } from '../test/setup/imaging-server.ts';

const root = join(import.meta.dirname, '../..');
const NAME = 'gateway/test/setup/imaging-server.child';

let compiled: Promise<string> | undefined;

/** Starts the compiled server. @param images of a tenant called `bench`, open to everybody */
export async function startBuiltServer(images: object, dataDir: string): Promise<ImagingServer> {
  return startServer(images, dataDir, [await (compiled ??= compile())]);
}

/** Builds the product into `dist/`, if something has changed since the last build. */
export function buildProduct(): void {
  execFileSync(process.execPath, [join(root, 'gateway/build.mjs')], { stdio: 'inherit' });
}

async function compile(): Promise<string> {
  buildProduct();
  const target = join(root, 'dist', `${NAME}.js`);
  const { outputText } = ts.transpileModule(await readFile(join(root, `${NAME}.ts`), 'utf8'), {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      rewriteRelativeImportExtensions: true,
    },
  });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, outputText);
  return target;
}
