import { items, Tag, type DicomElement, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { utf8 } from '../../../../schema/process/texts.ts';
import { onlyMacros, ownLook, PER_FRAME_GROUPS, saysHowItLooks, SHARED_GROUPS } from './frame-attributes.ts';

/**
 * Selects what rendering needs of the metadata of an instance, in a thread: an object may have a hundred thousand
 * attributes.
 */

/** Maximum bytes of JSON of the selected attributes. */
const MAX_BYTES = 1024 * 1024;

/** Attributes for labels and times of frames, the kind of document, and the document. */
const PICKED = new Set<string>([
  Tag.SOPClassUID,
  Tag.Modality,
  Tag.PatientName,
  Tag.PatientID,
  Tag.PatientBirthDate,
  Tag.PatientSex,
  Tag.StudyDate,
  Tag.AccessionNumber,
  Tag.SeriesNumber,
  Tag.SeriesDescription,
  Tag.InstanceNumber,
  '00180050',
  '00180060',
  '00180080',
  '00180081',
  '00181151',
  '00201041',
  '00082144',
  '00180040',
  '00181063',
  '00181065',
  '00420011',
  '00420015',
]);

/** Content of a report, and groups of frames: only their presence matters. */
const NOTED = new Set(['0040A730', PER_FRAME_GROUPS]);
const WAVEFORM = '54000100';

/** Metadata of an instance, as `ObjectMetadata` has them. */
export interface DescribeTask {
  json: Uint8Array;
}

/**
 * Selects the attributes that decide what an instance shows.
 * @throws Fault `too_large` if they are more than any image has
 */
export function describeImage({ json }: DescribeTask): DicomJson {
  const picked: DicomJson = {};
  for (const [tag, element] of Object.entries(parsed(json))) {
    const found = pick(tag, element);
    if (found) picked[tag] = found;
  }
  return bounded(picked);
}

function pick(tag: string, element: DicomElement): DicomElement | undefined {
  if (NOTED.has(tag)) return { vr: element.vr };
  const [first] = items({ [tag]: element }, tag);
  // Only the first item of either is drawn.
  if (tag === WAVEFORM) return { vr: element.vr, Value: first ? [first] : [] };
  if (tag === SHARED_GROUPS) return { vr: element.vr, Value: first ? [onlyMacros(first)] : [] };
  return PICKED.has(tag) || tag.startsWith('7FE0') || saysHowItLooks(tag) ? element : undefined;
}

/**
 * Selects what the functional groups state of single frames.
 * @param task frames from 1
 * @throws Fault `too_large`
 */
export function describeFrames({ json, frames }: DescribeTask & { frames: readonly number[] }): DicomJson[] {
  const dataset = parsed(json);
  return bounded(frames.map((frame) => ownLook(dataset, frame)));
}

function parsed(json: Uint8Array): DicomJson {
  return JSON.parse(utf8(json)) as DicomJson;
}

function bounded<T>(picked: T): T {
  if (JSON.stringify(picked).length <= MAX_BYTES) return picked;
  throw new Fault('too_large', 'The header of the object is too large to be rendered here; retrieve it.');
}
