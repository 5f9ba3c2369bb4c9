import type { FhirResource } from 'fhir/r4.js';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isRunning } from '../../../schema/process/is-running.ts';
import { studyFiles } from './images.ts';
import { inventPerson, POPULATION } from './person.ts';
import { hospital, recordOf } from './record.ts';

/** Modules that what is written depends on. */
const MODULES = [
  'build',
  'images',
  'person',
  'random',
  'record',
  'tables',
  '../dicom-file',
  '../identity',
  '../stories',
];
/** Name of the file that says of which code a folder is. It is written last. */
const MARKER = 'content-version';
/** Milliseconds between two looks whether another process has finished. */
const LOOK_AGAIN = 250;

/** Returns the paths of the data in the folder of the population. */
export const populationPaths = (folder: string) => ({
  records: join(folder, 'records'),
  images: join(folder, 'images'),
});

/**
 * Writes the record and the images of the population, unless the folder has them: 1,000 patients with 3 studies each. They
 * are written beside the folder, which is then renamed: what a killed process has left is removed, and a second process waits
 * for the first.
 * @param onProgress is called with the files that are written, of all files
 */
export async function buildPopulation(
  folder: string,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<void> {
  const version = versionOfCode();
  const [parent, prefix] = [dirname(folder), `.${basename(folder)}.building-`];
  await mkdir(parent, { recursive: true });
  while (!isOfVersion(folder, version)) {
    const left = (await readdir(parent)).filter((name) => name.startsWith(prefix));
    if (left.some((name) => isRunning(Number(name.slice(prefix.length))))) {
      await delay(LOOK_AGAIN);
      continue;
    }
    for (const name of left) await rm(join(parent, name), { recursive: true });
    const building = join(parent, `${prefix}${process.pid}`);
    await write(building, onProgress);
    await writeFile(join(building, MARKER), version);
    // Another process that began in the same moment may have finished.
    if (!isOfVersion(folder, version)) {
      await rm(folder, { recursive: true, force: true });
      await rename(building, folder);
    } else await rm(building, { recursive: true });
  }
}

/** Returns a hash of what the files depend on. */
function versionOfCode(): string {
  const here = fileURLToPath(import.meta.url);
  const hash = createHash('sha256');
  for (const module of MODULES) hash.update(readFileSync(join(dirname(here), module + extname(here))));
  return hash.digest('hex');
}

function isOfVersion(folder: string, version: string): boolean {
  const marker = join(folder, MARKER);
  return existsSync(marker) && readFileSync(marker, 'utf8') === version;
}

async function write(folder: string, onProgress: (done: number, total: number) => void): Promise<void> {
  const { records, images } = populationPaths(folder);
  const lines = hospital().map(lineOf);
  let done = 0;
  for (let number = 1; number <= POPULATION; number++) {
    const person = inventPerson(number);
    lines.push(...recordOf(person).map(lineOf));
    const own = join(images, person.id);
    await mkdir(own, { recursive: true });
    const files = person.studies.flatMap((study) =>
      [...studyFiles(person, study)].map((bytes, index) =>
        writeFile(join(own, `${study.key}-${index + 1}.dcm`), bytes),
      ),
    );
    await Promise.all(files);
    done += files.length;
    onProgress(done, files.length * POPULATION);
  }
  await mkdir(records);
  await writeFile(join(records, 'population.ndjson'), lines.join(''));
}

const lineOf = (resource: FhirResource): string => `${JSON.stringify(resource)}\n`;
