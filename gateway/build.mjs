/**
 * Builds the server (TypeScript → dist/), the viewer and the playground (Vite → dist/viewer, dist/playground). A hash of all
 * sources decides if there is anything to do. It is plain JavaScript, because it runs before anything is compiled.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { precompress } from './precompress.mjs';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const stamp = join(dist, '.build-hash');
const folders = ['schema', 'gateway', 'subgraphs', 'viewer'];
const files = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/**
 * Builds when a source has changed since the last build, otherwise returns at once.
 * @param {(line: string) => void} print takes one line of progress
 * @returns {Promise<boolean>} true when it has built
 * @throws {Error} when the compiler or Vite fails; their output has been printed
 */
export async function build(print) {
  const wanted = hashOfSources();
  if (isBuilt(wanted)) return false;
  const start = performance.now();
  const seconds = () => ((performance.now() - start) / 1000).toFixed(1);
  // An interrupted build leaves no stamp and no files of an older build.
  for (const name of ['.build-hash', ...folders, 'chunks', 'playground'])
    rmSync(join(dist, name), { recursive: true, force: true });

  const step = async (name, script, args) => {
    await run(join(root, 'node_modules', script), args);
    print(`  ${name} built (${seconds()} s)`);
  };
  print('Building server and pages; the next start skips this.');
  const steps = await Promise.allSettled([
    // `npm run check` checks the types; a start does not.
    server(step),
    existsSync(join(root, 'viewer/vite.config.ts')) && pages(step),
  ]);
  const failed = steps.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  writeFileSync(stamp, wanted);
  return true;
}

/** Compiles the server, bundles its programs, and prepares its answers to the usual introspections. */
async function server(step) {
  await step('server', 'typescript/bin/tsc', ['-p', join(root, 'tsconfig.build.json'), '--noCheck']);
  copyAssets();
  await run(join(dist, 'gateway/demo/copy-packages.js'), []);
  const { bundle } = await import('./bundle.mjs');
  await bundle(dist);
  const folder = join(dist, 'gateway/federation/introspection');
  const writer = join(folder, 'prepare-thread.js');
  if (!existsSync(writer)) return;
  await run(writer, []);
  const prepared = join(folder, 'prepared');
  await precompress([prepared], join(root, 'node_modules/.cache/introspection'));
  // Only the compressed forms are sent.
  for (const name of readdirSync(prepared)) if (name.endsWith('.json')) rmSync(join(prepared, name));
}

/** Builds the viewer, the page of take-along packages beside it, and the playground, and compresses their files. */
async function pages(step) {
  const vite = (name, config) =>
    step(name, 'vite/bin/vite.js', ['build', join(root, 'viewer'), '--logLevel', 'warn', ...config]);
  await vite('viewer', []);
  await vite('page of packages', ['--config', join(root, 'viewer/package.config.ts')]);
  await vite('playground', ['--config', join(root, 'viewer/playground.config.ts')]);
  const built = ['viewer', 'playground'].map((name) => join(dist, name));
  await precompress(built, join(root, 'node_modules/.cache/precompressed'));
}

/**
 * Returns whether `dist/` is a build of the present sources.
 * @returns {boolean}
 */
export function isBuilt(wanted = hashOfSources()) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

/** Returns the SHA-256 over the name and content of every source. */
function hashOfSources() {
  const hash = createHash('sha256').update(process.version);
  for (const name of [...files, ...folders.flatMap(sourcesBelow)]) {
    const content = readFileSync(join(root, name));
    hash.update(`\0${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/**
 * Files that no build reads: tests and benchmarks, tenants (they are read where they are), type declarations (`npm run
 * check` writes one), documentation, what the build of the viewer writes, hidden files.
 */
const NOT_BUILT = /[\\/](test|bench|node_modules|tenants|compiled)[\\/]|\.test\.ts$|\.d\.ts$|\.md$|[\\/]\./;

/** @param {string} folder below the root @returns {string[]} paths below the root, sorted */
function sourcesBelow(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => !NOT_BUILT.test(path))
    .sort();
}

/** Copies the files that the server reads beside its code: SDL, generated tables, demo records. */
function copyAssets() {
  for (const path of folders.filter((name) => name !== 'viewer').flatMap(sourcesBelow)) {
    if (/\.m?ts$|\.mjs$/.test(path)) continue;
    mkdirSync(dirname(join(dist, path)), { recursive: true });
    copyFileSync(join(root, path), join(dist, path));
  }
}

/**
 * Runs a program, and shows its output only when it fails. It runs in a thread, which always ends with
 * this process: a compiler that goes on would write into the next build.
 */
function run(script, args) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(script, { argv: args, stdout: true, stderr: true });
    let output = '';
    worker.stdout.on('data', (chunk) => (output += chunk));
    worker.stderr.on('data', (chunk) => (output += chunk));
    worker.once('error', reject);
    worker.once('exit', (code) => {
      if (code === 0) return resolve();
      process.stderr.write(output);
      reject(new Error(`${script} failed with exit code ${code}`));
    });
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const built = await build(console.log);
    if (!built) console.log('Nothing to build: dist/ is up to date.');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
