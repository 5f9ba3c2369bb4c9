import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile, type Element } from './dicom-file.ts';

/** A coded entry of PS3.3 §8.8: code value, coding scheme designator, code meaning. */
export type Code = readonly [value: string, scheme: string, meaning: string];

/** An image that a report refers to. */
export interface ImageReference {
  sopClass: string;
  studyUid: string;
  seriesUid: string;
  sopInstance: string;
}

/** A content item (PS3.3 §C.17.3) with the items below it. */
export interface ContentItem {
  relationship:
    'CONTAINS' | 'HAS CONCEPT MOD' | 'HAS OBS CONTEXT' | 'HAS PROPERTIES' | 'INFERRED FROM' | 'SELECTED FROM';
  elements: Element[];
  items: readonly ContentItem[];
}

type Relationship = ContentItem['relationship'];

const element = (tag: number, vr: string, value: Element['value']): Element => ({ tag, vr, value });

/** Returns a sequence of one code. */
export const codeSequence = (tag: number, [value, scheme, meaning]: Code): Element =>
  element(tag, 'SQ', [
    [element(0x00080100, 'SH', value), element(0x00080102, 'SH', scheme), element(0x00080104, 'LO', meaning)],
  ]);

/** Items below a content item, and its relationship to the one above; `CONTAINS` by default. */
export interface Below {
  items?: readonly ContentItem[];
  relationship?: Relationship;
}

interface Item extends Below {
  valueType: string;
  name?: Code;
  values: Element[];
}

function item({ valueType, name, values, items = [], relationship = 'CONTAINS' }: Item): ContentItem {
  const elements = [element(0x0040a040, 'CS', valueType), ...values];
  if (name) elements.push(codeSequence(0x0040a043, name));
  return { relationship, elements, items };
}

/** Returns a container with its items. */
export function container(name: Code, items: readonly ContentItem[]): ContentItem {
  return item({ valueType: 'CONTAINER', name, values: [element(0x0040a050, 'CS', 'SEPARATE')], items });
}

export function code(name: Code, value: Code, below?: Below): ContentItem {
  return item({ valueType: 'CODE', name, values: [codeSequence(0x0040a168, value)], ...below });
}

export function text(name: Code, value: string, below?: Below): ContentItem {
  return item({ valueType: 'TEXT', name, values: [element(0x0040a160, 'UT', value)], ...below });
}

export function personName(name: Code, value: string, below?: Below): ContentItem {
  return item({ valueType: 'PNAME', name, values: [element(0x0040a123, 'PN', value)], ...below });
}

export function uidReference(name: Code, value: string, below?: Below): ContentItem {
  return item({ valueType: 'UIDREF', name, values: [element(0x0040a124, 'UI', value)], ...below });
}

/** @param value DICOM DT */
export function dateTime(name: Code, value: string): ContentItem {
  return item({ valueType: 'DATETIME', name, values: [element(0x0040a120, 'DT', value)] });
}

/** Returns a measurement. @param quantity with the code and the name of its unit in UCUM */
export function measurement(
  name: Code,
  [value, unit, meaning]: readonly [value: number, unit: string, meaning: string],
  below?: Below,
): ContentItem {
  const measured = [
    element(0x0040a30a, 'DS', String(value)),
    codeSequence(0x004008ea, [unit, 'UCUM', meaning]),
  ];
  return item({ valueType: 'NUM', name, values: [element(0x0040a300, 'SQ', [measured])], ...below });
}

export function image(reference: ImageReference, below?: Below): ContentItem {
  return item({ valueType: 'IMAGE', values: [element(0x00081199, 'SQ', [referenced(reference)])], ...below });
}

/** Returns a line between two points, in columns and rows of the image's pixels (PS3.3 §C.18.6). */
export function line(
  name: Code,
  points: readonly [column: number, row: number][],
  reference: ImageReference,
): ContentItem {
  const graphic = new Uint8Array(Float32Array.from(points.flat()).buffer);
  return item({
    valueType: 'SCOORD',
    name,
    relationship: 'INFERRED FROM',
    values: [element(0x00700022, 'FL', graphic), element(0x00700023, 'CS', 'POLYLINE')],
    items: [image(reference, { relationship: 'SELECTED FROM' })],
  });
}

const referenced = ({ sopClass, sopInstance }: ImageReference): Element[] => [
  element(0x00081150, 'UI', sopClass),
  element(0x00081155, 'UI', sopInstance),
];

/** Returns the item's own elements with those of the items below it. */
function encoded({ elements, items }: ContentItem): Element[] {
  if (items.length === 0) return elements;
  const below = items.map((one) => [element(0x0040a010, 'CS', one.relationship), ...encoded(one)]);
  return [...elements, element(0x0040a730, 'SQ', below)];
}

/** A document with its content (PS3.3 §A.35). */
export interface StructuredReport {
  sopClass: string;
  /** Identifier of the template of PS3.16. */
  template: string;
  root: ContentItem;
  /** Images of this study that the content refers to. */
  evidence: readonly ImageReference[];
}

/** Elements of an image's identity that other objects do not have. */
const OF_IMAGES = new Set([0x00080022, 0x00080032, 0x00200052, 0x00201040, 0x00204000]);

/** Returns the identity of an object that is no image. @param identity as `identityElements` gives it */
export function identityOfDocument(identity: readonly Element[]): Element[] {
  return identity.filter(({ tag }) => !OF_IMAGES.has(tag) && tag >>> 16 !== 0x0028);
}

export const KEY_OBJECT_SELECTION = '1.2.840.10008.5.1.4.1.1.88.59';

/**
 * Writes a Structured Report or a Key Object Selection (Explicit VR Little Endian), the same on every machine.
 * @param identity patient, study, series and instance, as `identityElements` gives them
 */
export function structuredReportFile(report: StructuredReport, identity: readonly Element[]): Buffer {
  const { sopClass, template, root, evidence } = report;
  const isSelection = sopClass === KEY_OBJECT_SELECTION;
  return writeDicomFile(EXPLICIT_LITTLE_ENDIAN, [
    ...identityOfDocument(identity),
    ...encoded(root),
    element(0x00080016, 'UI', sopClass),
    element(0x00080060, 'CS', isSelection ? 'KO' : 'SR'),
    element(0x00080070, 'LO', 'SMART Imaging Gateway'),
    element(0x00081090, 'LO', 'Synthetic chest phantom'),
    element(0x00081111, 'SQ', []),
    element(0x00181000, 'LO', 'DEMO-1'),
    element(0x00181020, 'LO', '1'),
    ...(evidence.length > 0 ? [element(0x0040a375, 'SQ', evidence.map(evidenceItem))] : []),
    ...(isSelection ? [] : STATUS),
    element(0x0040a504, 'SQ', [[element(0x00080105, 'CS', 'DCMR'), element(0x0040db00, 'CS', template)]]),
  ]);
}

/** Module SR Document General has it, and Key Object Document has it not. */
const STATUS = [
  element(0x0040a372, 'SQ', []),
  element(0x0040a491, 'CS', 'COMPLETE'),
  element(0x0040a493, 'CS', 'UNVERIFIED'),
];

function evidenceItem(reference: ImageReference): Element[] {
  const series = [
    element(0x0020000e, 'UI', reference.seriesUid),
    element(0x00081199, 'SQ', [referenced(reference)]),
  ];
  return [element(0x0020000d, 'UI', reference.studyUid), element(0x00081115, 'SQ', [series])];
}
