/**
 * Bundles each program of the compiled server with its libraries. Node then reads about fifty files in place of two thousand,
 * without their comments: the server starts sooner and needs less memory. It is plain JavaScript, as the build.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { rolldown } from 'rolldown';

/** The server, a command that the image has beside it, and the modules that run in threads of their own. */
const PROGRAMS =
  /^gateway\/(main|demo\/load-samples)\.js$|^(gateway|schema|subgraphs)\/.*\/(worker|[a-z-]+-thread)\.js$/;

/**
 * Stay packages: those with native code, WebAssembly or threads, which have files of their own; what few installations load;
 * and one that asks for the `module` of CommonJS to find out that it runs in Node.
 */
const PACKAGES =
  /^(better-sqlite3.*|@duckdb\/.*|sharp|@cornerstonejs\/.*|piscina|pino|ioredis|@apollo\/utils\.createhash)$/;

/** Packages of which a module reads a part by `require`, when it first needs it. */
const REQUIRED = /^(fhirpath|@lhncbc\/ucum-lhc)$/;

/** Tells whether the image has a package beside the bundles. */
const isInImage = (name) => PACKAGES.test(name) || REQUIRED.test(name);

/** Names that exist in a CommonJS package, and not in a bundle. */
const OF_PACKAGE = /(?<!typeof )\b__dirname\b|\bmodule\.require\b/;

/** Stands for the path from a written file to the folder of the build. */
const TO_BUILD = '__PATH_TO_BUILD__';

/**
 * Replaces the programs in `dist` by bundles; what they share is written to `dist/chunks`.
 * @param {string} dist folder of the compiled server: one JavaScript file for each source
 * @throws {Error} when a module is missing, or a bundled one looks for files beside itself
 */
export async function bundle(dist) {
  const programs = readdirSync(dist, { recursive: true }).filter((path) => PROGRAMS.test(path));
  const modules = await rolldown({
    input: Object.fromEntries(programs.map((path) => [path, join(dist, path)])),
    platform: 'node',
    transform: { target: 'node20' },
    external: PACKAGES,
    plugins: [placesOfModules(dist), withoutTranscoding],
    // A module of a package that describes its functions by `eval`.
    checks: { eval: false },
    onLog(_level, { message }) {
      throw new Error(message);
    },
  });
  const { output } = await modules.generate({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name]',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // Libraries read names of classes, and people those of functions, in the traces of errors.
    keepNames: true,
    comments: { legal: false, annotation: false, jsdoc: false },
  });
  for (const { fileName, code } of output) {
    const own = OF_PACKAGE.exec(code);
    if (own)
      throw new Error(`${fileName}: a bundled package uses ${own[0]}: name it in PACKAGES (bundle.mjs)`);
    const toBuild = JSON.stringify(`${relative(dirname(fileName), '')}/`);
    mkdirSync(dirname(join(dist, fileName)), { recursive: true });
    writeFileSync(join(dist, fileName), ascii(code.replaceAll(TO_BUILD, toBuild)));
  }
  writeImagePackage(
    dist,
    output.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]),
  );
  writeLicences(
    dist,
    output.flatMap(({ moduleIds }) => moduleIds),
  );
}

/** The SQLite that the other versions of Node use (schema/process/sqlite.ts). */
const OTHER_SQLITE = Number.parseInt(process.versions.node) < 22 ? 'better-sqlite3-node22' : 'better-sqlite3';

/**
 * Writes `image-package.json`: package.json as the image needs it, with the packages that stay packages only.
 * @param {string} dist folder of the bundles, below that of package.json
 * @param {Iterable<string>} imported packages that bundles import
 */
function writeImagePackage(dist, imported) {
  const read = (path) => JSON.parse(readFileSync(join(dist, '..', path), 'utf8'));
  const {
    scripts: _,
    devDependencies: __,
    optionalDependencies,
    dependencies,
    ...rest
  } = read('package.json');
  const listed = { ...dependencies, ...optionalDependencies };
  const names = new Set([...Object.keys(listed), ...imported]);
  const kept = [...names].filter((name) => isInImage(name) && name !== OTHER_SQLITE).sort();
  const version = (name) => listed[name] ?? read(join('node_modules', name, 'package.json')).version;
  const image = { ...rest, dependencies: Object.fromEntries(kept.map((name) => [name, version(name)])) };
  writeFileSync(join(dist, 'image-package.json'), JSON.stringify(image, null, 2));
}

/** Writes `THIRD-PARTY-LICENSES`: the licence text of each package that bundles contain. */
function writeLicences(dist, modulePaths) {
  const folders = new Set(
    modulePaths.flatMap((path) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    const parts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
    return [`${name} ${version} (${license})`, ...parts].join('\n\n');
  });
  writeFileSync(join(dist, 'THIRD-PARTY-LICENSES'), texts.join(`\n\n${'-'.repeat(80)}\n\n`));
}

/** Leaves out the codecs of dcmjs-dimse, which are for objects that it transcodes: it receives them as they are. */
const withoutTranscoding = {
  name: 'without transcoding',
  resolveId: (name) => (name === 'dcmjs-codecs' ? `\0${name}` : undefined),
  load: (id) => (id === '\0dcmjs-codecs' ? 'export {};' : undefined),
};

/** Lets our modules find files as if each were still where it was compiled. */
function placesOfModules(dist) {
  const transform = (text, path) => {
    if (!path.startsWith(dist) || !text.includes('import.meta')) return undefined;
    for (const [, name] of text.matchAll(/\brequire\(['"]((?:@[^/'"]+\/)?[^/.'"][^/'"]*)/g))
      if (!isInImage(name))
        throw new Error(
          `${path} requires ${name}, which the image would not have: name it in REQUIRED (bundle.mjs)`,
        );
    const place = `new URL(${JSON.stringify(relative(dist, path))}, new URL(${TO_BUILD}, import.meta.url)).href`;
    return text.replaceAll(/import\.meta(\.\w+)?/g, (expression) => {
      if (expression === 'import.meta.url') return place;
      throw new Error(`${path}: ${expression} has no place in a bundle; import.meta.url has`);
    });
  };
  return { name: 'places of modules', transform };
}

/** Writes other characters as escapes: V8 keeps a text with one of them in two bytes for each character. */
const ascii = (code) =>
  code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
