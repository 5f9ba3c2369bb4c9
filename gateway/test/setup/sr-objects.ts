/** Structured reports for tests: content items, the data set in the DICOM JSON model, and the Part 10 file. */
import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from '../../demo/dicom-file.ts';
import { textWithZeros } from '../../../subgraphs/imaging/dicom/numeric-value.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';

type Item = Element[];

const text = (tag: number, vr: string, value: string | undefined): Element[] =>
  value === undefined ? [] : [{ tag, vr, value }];

/** A code sequence of `scheme value meaning`. */
function code(tag: number, written: string): Element {
  const [scheme = '', value = '', ...meaning] = written.split(' ');
  const item = [
    ...text(0x00080100, 'SH', value),
    ...text(0x00080102, 'SH', scheme),
    ...text(0x00080104, 'LO', meaning.join(' ')),
  ];
  return { tag, vr: 'SQ', value: [item] };
}

/** The parts of an item besides its value. */
interface More {
  /** Default `CONTAINS`. */
  as?: string;
  children?: Item[];
}

function item(type: string, name: string | undefined, value: Element[], { as, children }: More = {}): Item {
  return [
    ...text(0x0040a010, 'CS', as ?? 'CONTAINS'),
    ...text(0x0040a040, 'CS', type),
    ...(name === undefined ? [] : [code(0x0040a043, name)]),
    ...value,
    ...(children ? [{ tag: 0x0040a730, vr: 'SQ', value: children }] : []),
  ];
}

export const container = (name: string, ...children: Item[]): Item =>
  item('CONTAINER', name, [{ tag: 0x0040a050, vr: 'CS', value: 'SEPARATE' }], { children });
export const coded = (name: string, value: string, more?: More): Item =>
  item('CODE', name, [code(0x0040a168, value)], more);
export const texted = (name: string, value: string, more?: More): Item =>
  item('TEXT', name, text(0x0040a160, 'UT', value), more);
export const uidref = (name: string, value: string, more?: More): Item =>
  item('UIDREF', name, text(0x0040a124, 'UI', value), more);
export const moment = (name: string, value: string, more?: More): Item =>
  item('DATETIME', name, text(0x0040a120, 'DT', value), more);

/** @param value DS, also an invalid one or none; @param unit undefined for none */
export function num(
  name: string,
  value: string | undefined,
  unit: string | undefined,
  { qualifier, ...more }: More & { qualifier?: string } = {},
): Item {
  const measured = [
    ...text(0x0040a30a, 'DS', value),
    ...(unit === undefined ? [] : [code(0x004008ea, unit)]),
  ];
  const sequence = value === undefined ? [] : [{ tag: 0x0040a300, vr: 'SQ', value: [measured] }];
  return item('NUM', name, [...sequence, ...(qualifier ? [code(0x0040a301, qualifier)] : [])], more);
}

export function image(instance: string, frames?: string, as?: string): Item {
  const sop = [
    ...text(0x00081150, 'UI', '1.2.840.10008.5.1.4.1.1.2'),
    ...text(0x00081155, 'UI', instance),
    ...text(0x00081160, 'IS', frames),
  ];
  return item('IMAGE', undefined, [{ tag: 0x00081199, vr: 'SQ', value: [sop] }], as ? { as } : {});
}

/** Coordinates on an image. */
export function region(children: Item[], as = 'INFERRED FROM'): Item {
  const value = [{ tag: 0x00700023, vr: 'CS', value: 'POINT' }];
  return item('SCOORD', 'DCM 111030 Image Region', value, { as, children });
}

/** An item by reference to another: `[1, 2, 1]`. */
export function reference(path: readonly number[], as = 'INFERRED FROM'): Item {
  const bytes = Buffer.alloc(4 * path.length);
  path.forEach((number, index) => bytes.writeUInt32LE(number, 4 * index));
  return [...text(0x0040a010, 'CS', as), { tag: 0x0040db73, vr: 'UL', value: new Uint8Array(bytes) }];
}

export interface StructuredReport {
  studyUid: string;
  patientId: string;
  /** Root concept. */
  title: string;
  children: readonly Item[];
  /** Default `{studyUid}.9.1`, in the series `{studyUid}.9`. */
  sopInstanceUid?: string;
  date?: string;
  completion?: string;
  verification?: string;
  /** Other attributes. */
  more?: readonly Element[];
}

function elements(report: StructuredReport): Element[] {
  const { studyUid, sopInstanceUid = `${studyUid}.9.1`, date = '20260110' } = report;
  return [
    ...text(0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.88.33'),
    ...text(0x00080018, 'UI', sopInstanceUid),
    ...text(0x00080020, 'DA', date),
    // Reports are written after the images.
    ...text(0x00080023, 'DA', '20260301'),
    ...text(0x00080033, 'TM', '101500'),
    ...text(0x00080060, 'CS', 'SR'),
    ...text(0x00100010, 'PN', 'Test^Person'),
    ...text(0x00100020, 'LO', report.patientId),
    ...text(0x0020000d, 'UI', studyUid),
    ...text(0x0020000e, 'UI', `${studyUid}.9`),
    ...text(0x00200011, 'IS', '9'),
    ...text(0x00200013, 'IS', '1'),
    ...text(0x0040a040, 'CS', 'CONTAINER'),
    code(0x0040a043, report.title),
    ...text(0x0040a050, 'CS', 'SEPARATE'),
    ...text(0x0040a491, 'CS', report.completion ?? 'COMPLETE'),
    ...text(0x0040a493, 'CS', report.verification ?? 'VERIFIED'),
    { tag: 0x0040a730, vr: 'SQ', value: [...report.children] },
    ...(report.more ?? []),
  ];
}

/** Writes the report as a file. */
export function srFile(report: StructuredReport): Buffer {
  return writeDicomFile(EXPLICIT_LITTLE_ENDIAN, elements(report));
}

/** Returns the report in the DICOM JSON model (PS3.18 Annex F). */
export function srJson(report: StructuredReport): DicomJson {
  return jsonOf(elements(report));
}

function jsonOf(dataset: readonly Element[]): DicomJson {
  return Object.fromEntries(
    dataset.map(({ tag, vr, value }) => [
      tag.toString(16).padStart(8, '0').toUpperCase(),
      { vr, Value: valuesOf(vr, value) },
    ]),
  );
}

function valuesOf(vr: string, value: Element['value']): unknown[] {
  if (value instanceof Uint8Array)
    return Array.from({ length: value.length / 4 }, (_, index) => Buffer.from(value).readUInt32LE(4 * index));
  if (typeof value !== 'string') return vr === 'SQ' ? (value as Item[]).map(jsonOf) : value;
  if (vr === 'DS' || vr === 'IS')
    return value
      .split('\\')
      .map((one) => textWithZeros(one) ?? (/^[-+.\de]+$/.test(one) ? Number(one) : one));
  return [value];
}
