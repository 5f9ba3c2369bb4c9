/**
 * The shared test data: real DICOM files and Synthea bundles that lie beside the repository, never in it.
 * Where they are missing a test is skipped with a message; with CI set it fails.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'vitest';
import { LONG } from './long.ts';

/** One row of `dicom/manifest.json`. */
export interface SharedDicomFile {
  /** Path below `dicom/`. */
  file: string;
  bytes: number;
  sha256: string;
  modality: string;
  transferSyntax: string;
  transferSyntaxName: string;
  sopClassUid: string;
  sopInstanceUid: string;
  /** Absent or empty where the file has none. */
  studyUid?: string;
  seriesUid?: string;
  patientId?: string;
  rows?: number;
  columns?: number;
  frames: number;
  photometric?: string;
  bitsAllocated?: number;
  /** Whether a real Orthanc imports it. */
  importsInOrthanc: boolean;
  note: string;
}

/** One row of `fhir/manifest.json`. */
export interface SharedFhirPatient {
  /** Path of the transaction Bundle below `fhir/`. */
  file: string;
  bytes: number;
  patientId: string;
  name: string;
  gender: string;
  birthDate: string;
  mrn: string;
  /** Resources of each type in the Bundle. */
  counts: Record<string, number>;
}

const root = resolve(process.env['SHARED_DATA'] ?? join(import.meta.dirname, '../../../../shared/data'));

/** True where the shared data are on this machine. */
export const sharedDataPresent = existsSync(join(root, 'dicom/manifest.json'));

/** Returns the absolute path of a file or folder below `../shared/data`, such as `dicom` or `fhir/synthea`. */
export function sharedDataPath(...segments: string[]): string {
  return join(root, ...segments);
}

/** Returns every DICOM file of the manifest; an empty list where the data are missing. */
export function sharedDicomFiles(): SharedDicomFile[] {
  return manifest<{ files: SharedDicomFile[] }>('dicom/manifest.json')?.files ?? [];
}

/** Number of files of one kind that `npm test` reads: more than a page of the tests. */
const OF_ONE_KIND = LONG ? Infinity : 12;

/**
 * Returns DICOM files of every kind in the manifest: all in `npm run test:long`; in `npm test` the first of those that
 * have the same series, transfer syntax and size.
 */
export function variedDicomFiles(): SharedDicomFile[] {
  const counts = new Map<string, number>();
  return sharedDicomFiles().filter((file) => {
    const kind = [
      file.seriesUid ?? file.file,
      file.transferSyntax,
      file.rows,
      file.columns,
      file.frames,
    ].join();
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    return count <= OF_ONE_KIND;
  });
}

/** Returns every Synthea patient of the manifest; an empty list where the data are missing. */
export function sharedFhirPatients(): SharedFhirPatient[] {
  return manifest<{ patients: SharedFhirPatient[] }>('fhir/manifest.json')?.patients ?? [];
}

/**
 * `describe` for tests that read the shared data. Where the data are missing one test takes their place: it fails in
 * CI, and elsewhere is reported as skipped with the path that was looked for.
 */
export function describeWithSharedData(name: string, tests: () => void): void {
  if (sharedDataPresent) return void describe(name, tests);
  const message = `${name}: needs the shared test data, looked for in ${root}`;
  if (!process.env['CI']) return void it.skip(message, () => {});
  it(message, () => {
    throw new Error('The shared test data are missing.');
  });
}

function manifest<T>(path: string): T | undefined {
  return sharedDataPresent ? (JSON.parse(readFileSync(join(root, path), 'utf8')) as T) : undefined;
}
