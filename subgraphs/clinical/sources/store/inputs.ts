import type { Bundle, Resource } from 'fhir/r4.js';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseFhirJson, withDecimals, writeFhirJson } from '../../../../schema/fhir/decimal.ts';
import { FHIR_ID } from '../../../../schema/fhir/fhir.ts';
import { resourcesOfBundle, withId } from '../bundle.ts';
import type { Entry } from './store-writer.ts';

/** Bytes that are read together. */
const CHUNK = 1 << 20;
const LINE_FEED = 10;

/** A file of FHIR data. */
export interface Input {
  /** Path below the folder. */
  name: string;
  path: string;
  size: number;
  mtimeMs: number;
}

/** Returns the FHIR files at `path`, a file or a folder with subfolders, sorted by name. */
export function inputFiles(path: string): Input[] {
  const isFile = statSync(path).isFile();
  const names = isFile ? [basename(path)] : readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => /\.(json|ndjson)$/.test(name))
    .sort()
    .map((name) => {
      const at = isFile ? path : join(path, name);
      const { size, mtimeMs } = statSync(at);
      return { name, path: at, size, mtimeMs };
    });
}

/** Returns the SHA-256 of a file. @param onBytes is called after each part that was read */
export function contentHash(path: string, onBytes: (bytes: number) => void): string {
  const hash = createHash('sha256');
  for (const chunk of chunksOf(path, 0)) {
    hash.update(chunk);
    onBytes(chunk.length);
  }
  return hash.digest('hex');
}

/** A resource, and the place in its file from which reading goes on after it. */
export interface PlacedEntry {
  entry: Entry;
  place: number;
}

/**
 * Reads the resources of a file from a place, which is 0 for its start. NDJSON is read line by line: a bulk export may be
 * larger than the longest string. Other files have only the place 0: they are read again as a whole.
 * @throws Error that names the file when it is not FHIR JSON
 */
export function* resourcesIn({ name, path }: Input, place: number): Generator<PlacedEntry> {
  try {
    if (name.endsWith('.ndjson')) return yield* linesOf(path, place);
    const resource = parseFhirJson(readFileSync(path, 'utf8')) as Resource;
    const resources =
      resource.resourceType === 'Bundle'
        ? resourcesOfBundle(resource as Bundle)
        : resource.resourceType
          ? [withId(resource)]
          : [];
    for (const found of resources) yield { entry: entryOf(found), place: 0 };
  } catch (error) {
    throw new Error(`${name} is not FHIR JSON: ${(error as Error).message}`, { cause: error });
  }
}

function* linesOf(path: string, start: number): Generator<PlacedEntry> {
  let place = start;
  let rest: Buffer[] = [];
  const read = function* (bytes: Buffer): Generator<PlacedEntry> {
    place += bytes.length;
    const line = bytes.toString('utf8').trim();
    if (line !== '') yield { entry: entryOfLine(line, place - bytes.length), place };
  };
  for (const chunk of chunksOf(path, start)) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      const line = chunk.subarray(from, end + 1);
      yield* read(rest.length > 0 ? Buffer.concat([...rest, line]) : line);
      rest = [];
      from = end + 1;
    }
    if (from < chunk.length) rest.push(Buffer.from(chunk.subarray(from)));
  }
  if (rest.length > 0) yield* read(Buffer.concat(rest));
}

/** Yields the bytes of a file. Each chunk is valid until the next one. */
function* chunksOf(path: string, start: number): Generator<Buffer> {
  const file = openSync(path, 'r');
  const buffer = Buffer.allocUnsafe(CHUNK);
  try {
    let place = start;
    // From the start, without a position: the file may be a pipe.
    const position = (): number | null => (start === 0 ? null : place);
    for (let bytes; (bytes = readSync(file, buffer, 0, CHUNK, position())) > 0; place += bytes) {
      yield buffer.subarray(0, bytes);
    }
  } finally {
    closeSync(file);
  }
}

/** A line that is as `writeFhirJson` writes it, as most are, is parsed once. */
function entryOfLine(line: string, place: number): Entry {
  try {
    const resource = JSON.parse(line) as Resource | null;
    if (resource === null) throw notResource();
    const { resourceType: type, id } = resource;
    if (!isText(type)) throw notResource();
    if (!isText(id) || !FHIR_ID.test(id)) return entryOf(withId(parseFhirJson(line) as Resource));
    const isAsWritten = writeFhirJson(resource) === line;
    return { type, id, json: isAsWritten ? line : writeFhirJson(parseFhirJson(line)), resource };
  } catch (error) {
    throw new Error(`the line at byte ${place}: ${(error as Error).message}`, { cause: error });
  }
}

const isText = (value: unknown): value is string => typeof value === 'string';
const notResource = () => new Error('a resource without resourceType');

/** @param resource with marked decimals */
export function entryOf(resource: Resource & { id: string }): Entry {
  if (!isText(resource.resourceType)) throw notResource();
  const marked = JSON.stringify(resource);
  const json = withDecimals(marked);
  const plain = json === marked ? resource : (JSON.parse(json) as Resource);
  return { type: resource.resourceType, id: resource.id, json, resource: plain };
}
