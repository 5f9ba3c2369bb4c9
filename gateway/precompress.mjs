/**
 * Compresses the files of the viewer at build time, with Brotli at its highest quality and with gzip, beside each file. It
 * is plain JavaScript, as the build.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const ENCODERS = {
  br: (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  gz: (bytes) => promisify(gzip)(bytes, { level: 9 }),
};

const COMPRESSED = /\.(js|css|wasm|json|svg|webmanifest)$/;
/** Bytes of a file for which a compressed form saves packets. */
const WORTH_COMPRESSING = 1400;

/**
 * Writes `name.br` and `name.gz` for each file below a folder. What was compressed before is taken from the cache by the
 * digest of its content, because this takes seconds and most files do not change.
 * @param {string} folder
 * @param {string} cache folder of compressed forms
 * @returns {Promise<number>} files that were compressed anew
 */
export async function precompress(folder, cache) {
  mkdirSync(cache, { recursive: true });
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && COMPRESSED.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  // Node compresses in its own threads, as many at a time as there are.
  const made = await Promise.all(
    paths.flatMap((path) => {
      const bytes = readFileSync(path);
      if (bytes.length < WORTH_COMPRESSING) return [];
      const digest = createHash('sha256').update(bytes).digest('hex');
      return Object.keys(ENCODERS).map((kind) =>
        compressed(path, bytes, { kind, kept: join(cache, `${digest}.${kind}`) }),
      );
    }),
  );
  return made.filter(Boolean).length;
}

/** @returns {Promise<boolean>} true if it was not in the cache */
async function compressed(path, bytes, { kind, kept }) {
  const isNew = !existsSync(kept);
  if (isNew) {
    const draft = `${kept}.${process.pid}`;
    writeFileSync(draft, await ENCODERS[kind](bytes));
    renameSync(draft, kept);
  }
  copyFileSync(kept, `${path}.${kind}`);
  return isNew;
}
