/** Makes files of measurements and key images, and gives them to the browser. */
import { writePart10 } from '../../domain/dicom/part10.ts';
import type { Instance } from '../../domain/instance.ts';
import type { OfImage } from '../../domain/files/content.ts';
import { uidOf, type Authorship } from '../../domain/files/document.ts';
import { bundleOf } from '../../domain/files/fhir-bundle.ts';
import { selectionOf, type Keyed } from '../../domain/files/key-selection.ts';
import { reportOf, type Measured } from '../../domain/files/measurement-report.ts';
import { stateOf, type View } from '../../domain/files/presentation-file.ts';
import { isWritable } from '../../domain/files/quantities.ts';
import type { Measurement } from '../../domain/measure/measurement.ts';
import { frameId, frameName, type FrameName } from '../../domain/study.ts';
import { keyImagesOf } from '../../state/stage/key-images.svelte.ts';
import { measurementsOf } from '../../state/stage/measurements.svelte.ts';
import type { Page } from '../../ui/context.ts';
import { saveBlob } from '../../ui/controls/save-blob.ts';
import { imagesNamed } from './found-images.ts';

export interface Choice {
  /** Measurements, as a DICOM report. */
  report: boolean;
  /** Key images, as a DICOM list. */
  selection: boolean;
  /** Images as they were shown, as DICOM presentation states. */
  states: boolean;
  fhir: boolean;
}

export interface Saved {
  /** Number of files. */
  count: number;
  /** Measurements without a number, which are in no report. */
  numberless: readonly Measurement[];
}

interface NamedFile {
  name: string;
  input: Uint8Array<ArrayBuffer> | string;
}

/**
 * Saves files of all measurements and key images: one as it is, several in a zip.
 * @throws Trouble, or an error of a writer; then nothing is saved
 */
export async function save(page: Page, choice: Choice, person: string | undefined): Promise<Saved> {
  const by: Authorship = { person, now: new Date(), uuid: () => crypto.randomUUID() };
  const { measured, keyed } = await marksOf(page);
  const views = viewsOf(measured, keyed);
  const studies = [...new Set(views.map(({ image }) => image.study))];
  const files = studies.flatMap((study, at) => {
    const ofStudy = <One extends OfImage>(all: readonly One[]) =>
      all.filter(({ image }) => image.study === study);
    const end = studies.length > 1 ? `-${at + 1}` : '';
    const dicom = (name: string, instance: Instance): NamedFile => ({
      name: `${name}.dcm`,
      input: writePart10(instance),
    });
    const [ownMeasured, ownKeyed] = [ofStudy(measured), ofStudy(keyed)];
    const report = choice.report ? reportOf(ownMeasured, by) : undefined;
    const series = uidOf(by.uuid());
    return [
      ...(report ? [dicom(`measurements${end}`, report)] : []),
      ...(choice.selection && ownKeyed.length > 0
        ? [dicom(`key-images${end}`, selectionOf(ownKeyed, by))]
        : []),
      ...(choice.states ? ofStudy(views) : []).map((view, index) =>
        dicom(
          `view${end}-${String(index + 1).padStart(3, '0')}`,
          stateOf(view, { series, at: index + 1 }, by),
        ),
      ),
    ];
  });
  if (choice.fhir) files.push(fhirFile(page, { measured, keyed }, by));
  if (files.length > 0) await give(files);
  return {
    count: files.length,
    numberless:
      choice.report || choice.fhir
        ? measured.flatMap(({ measurement }) => (isWritable(measurement) ? [] : [measurement]))
        : [],
  };
}

interface Marks {
  measured: readonly Measured[];
  keyed: readonly Keyed[];
}

async function marksOf(page: Page): Promise<Marks> {
  const [measurements, keys] = [measurementsOf(page.workspace).all, keyImagesOf(page.workspace).all];
  const names = [...measurements.map(({ frame }) => frameName(frame)), ...keys.map(({ image }) => image)];
  const found = await imagesNamed(page, names);
  const on = (image: FrameName): OfImage => {
    const { stack, index } = found.get(frameId(image)) ?? {};
    const metadata = stack?.frames[index!]?.metadata;
    if (!metadata?.['00080016']?.Value?.[0]) throw new Error('an image that the archive does not describe');
    return { image, metadata };
  };
  return {
    measured: measurements.map((measurement) => ({ measurement, ...on(frameName(measurement.frame)) })),
    keyed: keys.map((key) => ({ key, ...on(key.image) })),
  };
}

/** Returns key images in their order, and then the other images that something is measured on. */
function viewsOf(measured: readonly Measured[], keyed: readonly Keyed[]): View[] {
  const views = new Map<string, View>();
  for (const { key, ...on } of keyed) views.set(frameId(on.image), { ...on, key, measurements: [] });
  for (const { measurement, ...on } of measured) {
    const view = views.get(measurement.frame) ?? { ...on, measurements: [] };
    views.set(measurement.frame, { ...view, measurements: [...view.measurements, measurement] });
  }
  return [...views.values()];
}

function fhirFile({ record }: Page, marks: Marks, by: Authorship): NamedFile {
  const { person, studies } = record.record!;
  const bundle = bundleOf({ ...marks, patient: person.id, studies }, by);
  return { name: 'measurements-and-key-images.fhir.json', input: JSON.stringify(bundle, undefined, 2) };
}

async function give(files: readonly NamedFile[]): Promise<void> {
  const [first] = files;
  if (first && files.length === 1) {
    const type = first.name.endsWith('.dcm') ? 'application/dicom' : 'application/fhir+json';
    return saveBlob(new Blob([first.input], { type }), first.name);
  }
  const { makeZip } = await import('client-zip');
  const zip = await new Response(makeZip(files)).blob();
  saveBlob(new Blob([zip], { type: 'application/zip' }), 'measurements-and-key-images.zip');
}
