/** The imaging subgraph as `npm start` runs it, compiled: what is compiled on the way to a benchmark is slower. */
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { startServer, type ImagingServer } from '../test/setup/imaging-server.ts';

const root = join(import.meta.dirname, '../..');
const NAME = 'gateway/test/setup/imaging-server.child';

let compiled: Promise<string> | undefined;

/** @param images of a tenant called `bench`, which anybody may read */
export async function startBuiltServer(images: object, dataDir: string): Promise<ImagingServer> {
  return startServer(images, dataDir, [await (compiled ??= compile())]);
}

async function compile(): Promise<string> {
  execFileSync(process.execPath, [join(root, 'gateway/build.mjs')], { stdio: 'inherit' });
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
