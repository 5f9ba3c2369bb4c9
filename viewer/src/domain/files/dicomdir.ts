/** The table of contents of a medium with DICOM files: DICOMDIR (PS3.3 §F, PS3.10 §8.6). */
import type { FileMeta } from '../dicom/frame-places.ts';
import { itemLength, writeFile } from '../dicom/part10.ts';
import { text, type Attribute, type Instance } from '../instance.ts';

/** One file of the medium. */
export interface ListedFile {
  /** Its folders and its name: each 1 to 8 capitals, digits or `_` (PS3.10 §8.5). */
  path: readonly string[];
  meta: FileMeta;
  metadata: Instance;
}

const MEDIA_STORAGE_DIRECTORY = '1.2.840.10008.1.3.10';
const CLASSES = '1.2.840.10008.5.1.4.1.1.';

/** Attributes of a record by its type (PS3.3 §F.5): those that it must have, with their VR. */
const PATIENT: Keys = { '00100010': 'PN', '00100020': 'LO' };
const STUDY: Keys = {
  '00080020': 'DA',
  '00080030': 'TM',
  '00080050': 'SH',
  '00081030': 'LO',
  '0020000D': 'UI',
  '00200010': 'SH',
};
const SERIES: Keys = { '00080060': 'CS', '0020000E': 'UI', '00200011': 'IS' };
const NUMBER: Keys = { '00200013': 'IS' };
const CONTENT: Keys = { ...NUMBER, '00080023': 'DA', '00080033': 'TM' };
const TITLED: Keys = { ...CONTENT, '0040A043': 'SQ' };
const PRESENTATION: Keys = {
  ...NUMBER,
  '00700080': 'CS',
  '00700081': 'LO',
  '00700082': 'DA',
  '00700083': 'TM',
  '00700084': 'PN',
  '00081115': 'SQ',
};

type Keys = Readonly<Record<string, string>>;

/** Types of records of objects, by the end of their SOP Class; all others are images. */
const TYPES: readonly [ends: RegExp, type: string, keys: Keys][] = [
  [/^88\.59$/, 'KEY OBJECT DOC', TITLED],
  [/^88\./, 'SR DOCUMENT', { ...TITLED, '0040A491': 'CS', '0040A493': 'CS' }],
  [/^11\./, 'PRESENTATION', PRESENTATION],
  [/^9\./, 'WAVEFORM', CONTENT],
  [/^66$/, 'RAW DATA', CONTENT],
  [/^66\.[13]$/, 'REGISTRATION', { ...CONTENT, '00700080': 'CS', '00700081': 'LO' }],
  [/^66\.2$/, 'FIDUCIAL', { ...CONTENT, '00700080': 'CS', '00700081': 'LO' }],
  [/^67$/, 'VALUE MAP', { ...CONTENT, '00700080': 'CS', '00700081': 'LO' }],
  [/^104\./, 'ENCAP DOC', { ...CONTENT, '00420010': 'ST', '0040A043': 'SQ', '00420012': 'LO' }],
  [/^481\.2$/, 'RT DOSE', { ...NUMBER, '3004000A': 'CS' }],
  [/^481\.3$/, 'RT STRUCTURE SET', { ...NUMBER, '30060002': 'SH', '30060008': 'DA', '30060009': 'TM' }],
  [/^481\.[58]$/, 'RT PLAN', { ...NUMBER, '300A0002': 'SH', '300A0006': 'DA', '300A0007': 'TM' }],
];
const IMAGE = ['IMAGE', NUMBER] as const;

/** Values for those that a record must have and an object does not have, by tag. */
const ABSENT: Readonly<Record<string, (place: number) => string | number>> = {
  '00100020': () => 'NO_ID',
  '00200010': () => '1',
  '00200011': (place) => place,
  '00200013': (place) => place,
};

/** A record before it is known where it stands. */
interface Entry {
  record: Record<string, Attribute>;
  below: Entry[];
}

/** Returns the bytes of a DICOMDIR. @param uid a new one */
export function writeDicomdir(files: readonly ListedFile[], uid: string): Uint8Array<ArrayBuffer> {
  const roots: Entry[] = [];
  const known = new Map<string, Entry>();
  for (const file of files) {
    const { metadata } = file;
    const [study, series] = [text(metadata, '0020000D') ?? '', text(metadata, '0020000E') ?? ''];
    const patient = `${text(metadata, '00100020')}/${text(metadata, '00100010')}`;
    const within = (above: Entry[], key: string, made: () => [string, Keys]) => {
      const entry = known.get(key) ?? entryOf(metadata, made(), above.length + 1);
      if (!known.has(key)) above.push(entry);
      known.set(key, entry);
      return entry.below;
    };
    const studies = within(roots, patient, () => ['PATIENT', PATIENT]);
    const all = within(studies, `${patient}/${study}`, () => ['STUDY', STUDY]);
    const objects = within(all, `${patient}/${study}/${series}`, () => ['SERIES', SERIES]);
    objects.push(objectEntry(file, objects.length + 1));
  }
  return written(roots, uid);
}

function objectEntry({ path, meta, metadata }: ListedFile, place: number): Entry {
  const ends = meta.sopClass.startsWith(CLASSES) ? meta.sopClass.slice(CLASSES.length) : '';
  const [, ...found] = TYPES.find(([pattern]) => pattern.test(ends)) ?? [undefined, ...IMAGE];
  const entry = entryOf(metadata, found, place);
  Object.assign(entry.record, {
    '00041500': { vr: 'CS', Value: path },
    '00041510': { vr: 'UI', Value: [meta.sopClass] },
    '00041511': { vr: 'UI', Value: [meta.uid] },
    '00041512': { vr: 'UI', Value: [meta.transferSyntax] },
  });
  return entry;
}

function entryOf(metadata: Instance, [type, keys]: readonly [string, Keys], place: number): Entry {
  const own = Object.entries(keys).map(([tag, vr]): [string, Attribute] => {
    const found = metadata[tag];
    const absent = ABSENT[tag]?.(place);
    if (found?.vr === vr && text(metadata, tag) !== undefined) return [tag, found];
    if (vr === 'SQ' && found?.Value) return [tag, found];
    return [tag, absent === undefined ? { vr } : { vr, Value: [absent] }];
  });
  return {
    record: {
      '00041400': { vr: 'UL', Value: [0] },
      '00041410': { vr: 'US', Value: [0xffff] },
      '00041420': { vr: 'UL', Value: [0] },
      '00041430': { vr: 'CS', Value: [type] },
      '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
      ...Object.fromEntries(own),
    },
    below: [],
  };
}

/** Writes records one after the other, each before those below it. They name each other by their first byte in the file. */
function written(roots: readonly Entry[], uid: string): Uint8Array<ArrayBuffer> {
  const all: Entry[] = [];
  const collect = (entries: readonly Entry[]) => {
    for (const entry of entries) {
      all.push(entry);
      collect(entry.below);
    }
  };
  collect(roots);
  const file = (first: number, last: number) =>
    writeFile(
      { sopClass: MEDIA_STORAGE_DIRECTORY, uid },
      {
        '00041130': { vr: 'CS' },
        '00041200': { vr: 'UL', Value: [first] },
        '00041202': { vr: 'UL', Value: [last] },
        '00041212': { vr: 'US', Value: [0] },
        '00041220': { vr: 'SQ', Value: all.map(({ record }) => record) },
      },
    );
  // The sequence is the last attribute; the length of an offset does not depend on its value.
  const lengths = all.map(({ record }) => itemLength(record));
  let at = file(0, 0).length - lengths.reduce((sum, length) => sum + length, 0);
  const places = new Map<Entry | undefined, number>();
  for (const [index, entry] of all.entries()) {
    places.set(entry, at);
    at += lengths[index]!;
  }
  const placeOf = (entry: Entry | undefined) => places.get(entry) ?? 0;
  const link = (entries: readonly Entry[]) => {
    for (const [index, { record, below }] of entries.entries()) {
      record['00041400'] = { vr: 'UL', Value: [placeOf(entries[index + 1])] };
      record['00041420'] = { vr: 'UL', Value: [placeOf(below[0])] };
      link(below);
    }
  };
  link(roots);
  return file(placeOf(roots[0]), placeOf(roots.at(-1)));
}
