/**
 * Compresses the files of pages at build time, with Brotli, at its highest quality but for the largest, and with gzip, beside each file. It
 * is plain JavaScript, as the build.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const ENCODERS = {
  br: (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: bytes.length > RARE ? 9 : constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  gz: (bytes) => promisify(gzip)(bytes, { level: 9 }),
};

const COMPRESSED = /\.(js|css|wasm|json|svg|webmanifest)$/;
/** A file of more bytes is not part of a page that opens, and would take longer than all others. */
const RARE = 4_000_000;
/** Bytes of a file for which a compressed form saves packets. */
const WORTH_COMPRESSING = 1400;

/**
 * Writes `name.br` and `name.gz` for each file below some folders. What was compressed by the last build is taken from the cache
 * by the digest of its content, because this takes seconds and most files do not change.
 * @param {string[]} folders
 * @param {string} cache folder of the compressed forms of the last build
 * @returns {Promise<number>} forms that were made anew
 */
export async function precompress(folders, cache) {
  mkdirSync(cache, { recursive: true });
  const kept = new Set(readdirSync(cache));
  const wanted = folders.flatMap(filesBelow).flatMap((path) => {
    const bytes = readFileSync(path);
    if (bytes.length < WORTH_COMPRESSING) return [];
    const digest = createHash('sha256').update(bytes).digest('hex');
    return Object.keys(ENCODERS).map((kind) => ({ path, bytes, kind, name: `${digest}.${kind}` }));
  });
  const missing = wanted.filter(({ name }) => !kept.has(name));
  // Node compresses in its own threads, as many at a time as there are.
  await Promise.all(missing.map((form) => compress(form, join(cache, form.name))));
  for (const { path, kind, name } of wanted) copyFileSync(join(cache, name), `${path}.${kind}`);
  const names = new Set(wanted.map(({ name }) => name));
  for (const name of kept) if (!names.has(name)) rmSync(join(cache, name), { force: true });
  return missing.length;
}

/** @returns {string[]} paths of the files that are compressed */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && COMPRESSED.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Compresses a file in the cache; an interruption leaves no part of it under its name. */
async function compress({ bytes, kind }, target) {
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, await ENCODERS[kind](bytes));
  renameSync(draft, target);
}
