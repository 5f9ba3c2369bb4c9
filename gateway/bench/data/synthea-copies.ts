/**
 * A population made of the shared Synthea bundles, as a Bulk Data export: copies of their patients with other ids,
 * shifted dates and varied values. The same size gives the same files on every machine.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from 'fhir/r4.js';
import { resourcesOfBundle } from '../../../subgraphs/clinical/sources/bundle.ts';
import { sharedDataPath } from '../../test/setup/shared-data.ts';
import { Random } from '../../test/setup/random.ts';

const UUID = /[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/g;
const DATE = /"(\d{4}-\d{2}-\d{2})(?=["T])/g;
const VALUE = /"value":(\d+\.?\d*)/g;
const DAY = 24 * 60 * 60 * 1000;

/** The resources that were written. */
export interface Population {
  resources: number;
  /** Logical ids of all patients, in the order of the files. */
  patients: string[];
}

/**
 * Writes one NDJSON file per resource type into a folder.
 * @param patients how many; each has about 245 resources
 */
export function writePopulation(folder: string, patients: number): Population {
  mkdirSync(folder, { recursive: true });
  const originals = readdirSync(sharedDataPath('fhir/synthea'))
    .sort()
    .map((name) => JSON.parse(readFileSync(sharedDataPath('fhir/synthea', name), 'utf8')) as Bundle)
    .map((bundle) => resourcesOfBundle(bundle).map((found) => [found.resourceType, JSON.stringify(found)]));
  const files = new Map<string, NdjsonFile>();
  const written: Population = { resources: 0, patients: [] };
  for (let copy = 0; written.patients.length < patients; copy++) {
    // Patients share organizations and practitioners.
    const shared = new Set<string>();
    for (const bundle of originals) {
      const vary = variation(copy, written.patients.length);
      for (const [type = '', json = ''] of bundle) {
        if (shared.has(json)) continue;
        if (type === 'Organization' || type === 'Practitioner') shared.add(json);
        const text = vary(json);
        let file = files.get(type);
        if (!file) files.set(type, (file = new NdjsonFile(join(folder, `${type}.ndjson`))));
        file.add(text);
        written.resources++;
        if (type === 'Patient') written.patients.push((JSON.parse(text) as { id: string }).id);
      }
      if (written.patients.length >= patients) break;
    }
  }
  for (const file of files.values()) file.close();
  return written;
}

/** Returns the changes of one patient's copy; the first copy keeps the ids. */
function variation(copy: number, seed: number): (json: string) => string {
  const random = new Random(seed + 1);
  const shift = Math.floor(random.next() * 3000 - 2000) * DAY;
  const mask = Math.imul(copy, 0x9e3779b1) >>> 0;
  return (json) =>
    json
      .replace(UUID, (part) => ((Number.parseInt(part, 16) ^ mask) >>> 0).toString(16).padStart(8, '0'))
      .replace(DATE, (_, date: string) => `"${new Date(Date.parse(date) + shift).toISOString().slice(0, 10)}`)
      .replace(VALUE, (_, value: string) => {
        const decimals = value.split('.')[1]?.length ?? 0;
        return `"value":${(Number(value) * (0.8 + 0.4 * random.next())).toFixed(decimals)}`;
      });
}

class NdjsonFile {
  readonly #file: number;
  #lines: string[] = [];

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  add(line: string): void {
    if (this.#lines.push(line) >= 1000) this.#write();
  }

  close(): void {
    this.#write();
    closeSync(this.#file);
  }

  #write(): void {
    writeSync(this.#file, this.#lines.map((line) => `${line}\n`).join(''));
    this.#lines = [];
  }
}
