import Database from 'better-sqlite3';
import type { Bundle, Resource } from 'fhir/r4.js';
import { createHash, randomUUID } from 'node:crypto';
import { chmodSync, createReadStream, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { parseFhirJson } from '../../../schema/fhir/decimal.ts';
import { isRunning } from '../../../schema/process/is-running.ts';
import { tables } from '../../../schema/fhir/tables.ts';
import { resourcesOfBundle, rewriteReferences, withId } from './bundle.ts';
import { STORE_VERSION, StoreWriter } from './store-index.ts';

/** Unique name for the files that this process builds: process ids repeat, in a container they are always the same. */
const BUILDER = `${process.pid}-${randomUUID()}`;

export interface LoadProgress {
  files: number;
  of: number;
  resources: number;
}

/**
 * Updates the database at `file` to the FHIR data at `path`: a file, or a folder with subfolders, of Bundles, single
 * resources and NDJSON. It reads nothing when names, sizes and times are as at the last load, and builds nothing when only
 * the times differ. A new database replaces the old one when it is complete.
 * @throws Error that names the file that cannot be read
 */
export async function loadStore(
  path: string,
  file: string,
  onProgress: (progress: LoadProgress) => void = () => {},
): Promise<void> {
  const inputs = await inputFiles(path);
  const stats = fingerprint(inputs.map(({ name, size, mtimeMs }) => `${name} ${size} ${mtimeMs}`));
  const known = storedFingerprints(file);
  if (known['stats'] === stats) return;
  const hashes: string[] = [];
  for (const { name, path } of inputs) {
    hashes.push(`${name} ${await contentHash(path)}`);
  }
  const content = fingerprint(hashes);
  if (known['content'] === content) return rememberStats(file, stats);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  removeLeftovers(file);
  const building = `${file}.building-${BUILDER}-${randomUUID()}`;
  const db = new Database(building);
  chmodSync(building, 0o600);
  try {
    db.pragma('journal_mode = OFF');
    db.pragma('synchronous = OFF');
    await fill(db, inputs, onProgress, { stats, content });
    db.pragma('journal_mode = WAL');
    db.close();
    removeDatabase(file);
    renameSync(building, file);
  } catch (error) {
    db.close();
    removeDatabase(building);
    throw error;
  }
}

async function fill(
  db: Database.Database,
  inputs: readonly Input[],
  onProgress: (progress: LoadProgress) => void,
  fingerprints: Record<string, string>,
): Promise<void> {
  const writer = new StoreWriter(db);
  const identifiers = new Map<string, string>();
  const conditional: (Resource & { id: string })[] = [];
  let resources = 0;
  db.exec('BEGIN');
  for (const [index, { path, name }] of inputs.entries()) {
    for await (const resource of resourcesIn(path, name)) {
      rememberIdentifiers(resource, identifiers);
      if (JSON.stringify(resource).includes('?identifier=')) conditional.push(resource);
      else writer.put(resource);
      resources++;
    }
    onProgress({ files: index + 1, of: inputs.length, resources });
  }
  // `Practitioner?identifier=…` may point into a file that is read later (R4 §3.1.0.11.3).
  for (const resource of conditional) {
    rewriteReferences(resource, (reference) => identifiers.get(safelyDecoded(reference)));
    writer.put(resource);
  }
  db.exec('COMMIT');
  writer.finish(fingerprints);
}

function rememberIdentifiers(resource: Resource & { id: string }, identifiers: Map<string, string>): void {
  const { identifier } = resource as { identifier?: { system?: string; value?: string }[] };
  if (!Array.isArray(identifier)) return;
  for (const { system, value } of identifier) {
    const target = `${resource.resourceType}/${resource.id}`;
    identifiers.set(`${resource.resourceType}?identifier=${system ?? ''}|${value}`, target);
    identifiers.set(`${resource.resourceType}?identifier=${value}`, target);
  }
}

function safelyDecoded(text: string): string {
  try {
    return text.includes('?') ? decodeURIComponent(text) : text;
  } catch {
    return text;
  }
}

/** Reads the resources of a file. NDJSON is read line by line: a bulk export may be larger than the longest string. */
async function* resourcesIn(path: string, name: string): AsyncGenerator<Resource & { id: string }> {
  try {
    if (name.endsWith('.ndjson')) {
      for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
        if (line.trim() !== '') yield withId(parseFhirJson(line) as Resource);
      }
      return;
    }
    const resource = parseFhirJson(await readFile(path, 'utf8')) as Resource;
    if (resource.resourceType === 'Bundle') yield* resourcesOfBundle(resource as Bundle);
    else if (resource.resourceType) yield withId(resource);
  } catch (error) {
    throw new Error(`${name} is not FHIR JSON: ${(error as Error).message}`, { cause: error });
  }
}

async function contentHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

interface Input {
  name: string;
  path: string;
  size: number;
  mtimeMs: number;
}

async function inputFiles(path: string): Promise<Input[]> {
  const isFile = (await stat(path)).isFile();
  const names = isFile ? [basename(path)] : await readdir(path, { recursive: true });
  const wanted = names.filter((name) => /\.(json|ndjson)$/.test(name)).sort();
  return Promise.all(
    wanted.map(async (name) => {
      const at = isFile ? path : join(path, name);
      const { size, mtimeMs } = await stat(at);
      return { name, path: at, size, mtimeMs };
    }),
  );
}

/** Returns a hash of the lines, the version and the search parameters: a change of any of them rebuilds the store. */
function fingerprint(lines: readonly string[]): string {
  const hash = createHash('sha256').update(`${STORE_VERSION}\n`);
  hash.update(JSON.stringify(tables.searchParameters));
  return hash.update(lines.join('\n')).digest('hex');
}

function storedFingerprints(file: string): Record<string, string> {
  try {
    const db = new Database(file, { readonly: true, fileMustExist: true });
    const rows = db.prepare('SELECT name, value FROM fingerprint').all() as { name: string; value: string }[];
    db.close();
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  } catch {
    return {};
  }
}

function rememberStats(file: string, stats: string): void {
  const db = new Database(file);
  db.prepare("UPDATE fingerprint SET value = ? WHERE name = 'stats'").run(stats);
  db.close();
}

/** Removes files of loads whose process has ended. */
function removeLeftovers(file: string): void {
  const prefix = `${basename(file)}.building-`;
  for (const name of readdirSync(dirname(file))) {
    const builder = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (builder === '' || builder.startsWith(BUILDER) || isRunning(Number.parseInt(builder))) continue;
    rmSync(join(dirname(file), name));
  }
}

function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
}
