/** Parts that every object of ours has besides its content: patient, study, series, maker, time. */
import { text, type Attribute, type Instance } from '../instance.ts';
import { bySeries, codeItem, dcm, item, of, sequence, type Coded, type OfImage } from './content.ts';

/** The author of files, the time, and where new UIDs come from. */
export interface Authorship {
  /** As the person has written it; the program is the author without. */
  person?: string | undefined;
  now: Date;
  /** Returns a new UUID. */
  uuid: () => string;
}

/** Values that an object without them has empty (PS3.3 §C.7.1.1, §C.7.2.1: type 2). */
const ALWAYS: Readonly<Record<string, string>> = {
  '00080020': 'DA', // Study Date
  '00080030': 'TM', // Study Time
  '00080050': 'SH', // Accession Number
  '00080090': 'PN', // Referring Physician's Name
  '00100010': 'PN', // Patient's Name
  '00100020': 'LO', // Patient ID
  '00100030': 'DA', // Patient's Birth Date
  '00100040': 'CS', // Patient's Sex
  '00200010': 'SH', // Study ID
};
/** Values of the patient and of the study that are copied if they are there. */
const SOMETIMES: Readonly<Record<string, string>> = {
  '00080051': 'SQ', // Issuer of Accession Number Sequence
  '00081030': 'LO', // Study Description
  '00081032': 'SQ', // Procedure Code Sequence
  '00100021': 'LO', // Issuer of Patient ID
  '00100024': 'SQ', // Issuer of Patient ID Qualifiers Sequence
  '00100032': 'TM', // Patient's Birth Time
  '00101010': 'AS', // Patient's Age
  '00120062': 'CS', // Patient Identity Removed
  '00120063': 'LO', // De-identification Method
  '00120064': 'SQ', // De-identification Method Code Sequence
};

const MAKER = 'SMART Imaging Gateway';
const MODEL = 'Viewer';

/** True for an object that this viewer has written: what it has can be read back as it was. */
export function isOurs(instance: Instance): boolean {
  return text(instance, '00080070') === MAKER && text(instance, '00081090') === MODEL;
}

/** Returns a UUID as a UID (PS3.5 §B.2). */
export function uidOf(uuid: string): string {
  return `2.25.${BigInt(`0x${uuid.replaceAll('-', '')}`)}`;
}

/** Returns the UUID of a UID; undefined for one that has none. */
export function uuidOf(uid: string): string | undefined {
  const [, digits] = /^2\.25\.(\d{1,39})$/.exec(uid) ?? [];
  const hex = digits && BigInt(digits).toString(16).padStart(32, '0');
  return hex?.length === 32 ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') : undefined;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Returns DICOM DA and TM of the local time. */
export function timeOf(now: Date): { date: string; time: string } {
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return { date, time: `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}` };
}

export interface Document {
  sopClass: string;
  modality: 'SR' | 'KO' | 'PR';
  series: { uid: string; number: number; description: string };
  /** Instance Number. */
  number: number;
}

/** Returns the modules that all objects have; patient and study are those of the image. @param on an image of the study */
export function documentOf(document: Document, { image, metadata }: OfImage, { uuid }: Authorship): Instance {
  const { sopClass, modality, series, number } = document;
  const copied = Object.entries({ ...ALWAYS, ...SOMETIMES }).flatMap(([tag, vr]): [string, Attribute][] => {
    const { [tag]: own } = metadata;
    const hasValue = (own?.Value?.length ?? 0) > 0;
    return hasValue || tag in ALWAYS ? [[tag, { vr, Value: own?.Value ?? [] }]] : [];
  });
  return {
    ...Object.fromEntries(copied),
    '00080016': of('UI', sopClass),
    '00080018': of('UI', uidOf(uuid())),
    '00080060': of('CS', modality),
    '00080070': of('LO', MAKER),
    '0008103E': of('LO', series.description),
    '00081090': of('LO', MODEL),
    '00181000': of('LO', '1'),
    '00181020': of('LO', '1'),
    '0020000D': of('UI', image.study),
    '0020000E': of('UI', series.uid),
    '00200011': of('IS', series.number),
    '00200013': of('IS', number),
  };
}

/** Returns what a structured document has (PS3.3 §C.17.2): when it was written, and the images that it is about. */
export function evidenceOf(all: readonly OfImage[], { now }: Authorship): Instance {
  const { date, time } = timeOf(now);
  const study = all[0]!.image.study;
  return {
    '00080023': of('DA', date),
    '00080033': of('TM', time),
    '00081111': sequence(),
    '0040A375': sequence({ '0020000D': of('UI', study), '00081115': bySeries(all) }),
  };
}

const LANGUAGE: Coded = dcm('121049', 'Language of Content Item and Descendants');
const OBSERVER_TYPE: Coded = dcm('121005', 'Observer Type');

/** Of the program, where nobody is named as the one who has measured. */
const DEVICE = '2.25.138560164322078903327791820317548205447';

/** Returns the language of a document (PS3.16 TID 1204). */
export const languageItem = (): Instance =>
  codeItem('HAS CONCEPT MOD', LANGUAGE, ['en', 'RFC5646', 'English']);

/** Returns who has observed (PS3.16 TID 1002): the person, or the program. */
export function observerItems({ person }: Authorship): Instance[] {
  if (person !== undefined)
    return [
      codeItem('HAS OBS CONTEXT', OBSERVER_TYPE, dcm('121006', 'Person')),
      item({
        type: 'PNAME',
        as: 'HAS OBS CONTEXT',
        name: dcm('121008', 'Person Observer Name'),
        values: { '0040A123': of('PN', { Alphabetic: plainName(person) }) },
      }),
    ];
  return [
    codeItem('HAS OBS CONTEXT', OBSERVER_TYPE, dcm('121007', 'Device')),
    item({
      type: 'UIDREF',
      as: 'HAS OBS CONTEXT',
      name: dcm('121012', 'Device Observer UID'),
      values: { '0040A124': of('UI', DEVICE) },
    }),
    item({
      type: 'TEXT',
      as: 'HAS OBS CONTEXT',
      name: dcm('121013', 'Device Observer Name'),
      values: { '0040A160': of('UT', `${MAKER}, ${MODEL}`) },
    }),
  ];
}

const MOST_NAME = 64;

/**
 * Returns a name that somebody has typed as a Person Name (PS3.5 §6.2.1): which of its words is the family name nobody knows,
 * so all stand in the first component. The caret says that it is one: without any it would be a name of the retired form.
 */
export function plainName(name: string): string {
  const words = name.replaceAll(/[\\^=\s]+/g, ' ').trim();
  return `${shortened(words, MOST_NAME - 1)}^`;
}

/** Returns the first characters of a text; one of two UTF-16 units is not cut. */
export function shortened(characters: string, most: number): string {
  return [...characters].slice(0, most).join('');
}
