/** A take-along package is made of an archive, and read again, without a browser. */
import { describe, expect, test } from 'vitest';
import { imageObject, SMALL } from '../../gateway/test/setup/image-object.ts';
import { Trouble } from '../src/data/trouble.ts';
import type { Instance } from '../src/domain/instance.ts';
import { OpenedPackage, type SealedPart } from '../src/domain/package/container.ts';
import type { PackageIndex } from '../src/domain/package/content.ts';
import type { PatientRecord } from '../src/domain/record/record.ts';
import { packedRecord } from '../src/features/package/packed-record.ts';
import { Packing, type PackageFacts } from '../src/features/package/packing.ts';
import type { Imaging } from '../src/state/stage/imaging.ts';
import { packagedImages } from '../src/package/packaged-images.ts';
import { packagedRecord } from '../src/package/packaged-record.ts';

const STUDY = '1.2.3';
const SERIES = `${STUDY}.1`;
const EXPLICIT = '1.2.840.10008.1.2.1';
const PASSCODE = 'blue whale 72';
const AT = { dicomweb: 'https://archive.example/dicom-web' };
const UIDS = ['1', '2', '3'].map((end) => `1.2.${end}.1.1`);
const PIXELS = UIDS.map((_, at) => new Uint8Array(16).fill(at + 1));
const FILES = PIXELS.map(
  (pixels, at) => new Uint8Array(imageObject(`1.2.${at + 1}`, EXPLICIT, SMALL, pixels)),
);
const PALETTE = 'https://archive.example/bulk/palette';
const PDF = 'https://archive.example/Binary/7';

const us = (value: number) => ({ vr: 'US', Value: [value] });
const METADATA: Instance[] = UIDS.map((uid) => ({
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.7'] },
  '00080018': { vr: 'UI', Value: [uid] },
  '00280002': us(1),
  '00280010': us(4),
  '00280011': us(4),
  '00280100': us(8),
  '7FE00010': { vr: 'OB', BulkDataURI: `https://archive.example/bulk/${uid}` },
  ...(uid === UIDS[0] && {
    '00082112': { vr: 'SQ', Value: [{ '00281201': { vr: 'OW', BulkDataURI: PALETTE } }] },
  }),
}));

const RECORD: PatientRecord = {
  person: { id: 'helen', name: 'Helen Castellanos', mrns: ['MRN-1'] },
  allergies: [{ id: 'a', concept: { text: 'Penicillin' }, high: true }],
  problems: [],
  medications: [],
  studies: [
    {
      uid: STUDY,
      id: 's',
      modalities: ['CT'],
      series: [{ uid: SERIES, number: 4, modality: 'CT', numberOfInstances: 3 }],
      location: AT,
    },
    { uid: '1.2.99', id: 'other', modalities: ['MR'], series: [], location: AT },
  ],
  reports: [
    {
      id: 'r',
      concept: { text: 'CT chest' },
      status: 'final',
      text: 'No nodule.',
      attachments: [{ contentType: 'application/pdf', url: PDF }],
      studies: [STUDY],
      results: [],
    },
    {
      id: 'q',
      concept: { text: 'MRI' },
      status: 'final',
      text: '',
      attachments: [],
      studies: ['1.2.99'],
      results: [],
    },
  ],
  timeline: [
    { kind: 'study', id: 's', title: 'CT', studies: [STUDY], reports: [], results: [] },
    { kind: 'study', id: 'other', title: 'MR', studies: ['1.2.99'], reports: [], results: [] },
    {
      kind: 'laboratory',
      id: 'l',
      title: 'Creatinine',
      studies: [],
      reports: [],
      results: [{ id: 'c', concept: { text: 'Creatinine', code: '2160-0' }, value: '1.1', flags: [] }],
    },
  ],
  missing: [],
};
const TREND = [{ concept: { text: 'Creatinine' }, points: [{ date: '2026-01-01', value: 1.1, flags: [] }] }];

interface Options {
  /** Files of each answer to a request for the series; `undefined` is where the line breaks. */
  answers?: (Uint8Array<ArrayBuffer> | undefined)[][];
  bulk?: (url: string) => Promise<Uint8Array>;
  metadata?: () => Promise<Instance[]>;
  whole?: boolean;
  signal?: AbortSignal;
}

async function made({ answers = [FILES], bulk, metadata, whole = true, signal }: Options = {}) {
  const asked = answers.values();
  const images: Imaging['images'] = {
    frame: () => Promise.reject(new Trouble('not-found', 'no frame')),
    rendered: () => Promise.reject(new Trouble('not-found', 'no picture')),
    thumbnail: () => Promise.resolve(new Blob([new Uint8Array([7])], { type: 'image/jpeg' })),
    async *instances() {
      for (const file of asked.next().value ?? []) {
        if (!file) throw new Trouble('offline', 'the line is cut');
        yield await Promise.resolve(file);
      }
    },
    bulk: bulk ?? ((url) => Promise.resolve(new TextEncoder().encode(url))),
  };
  const [study] = RECORD.studies;
  const series = study!.series.map((one) => ({ ...one, location: AT }));
  const packing = new Packing(
    {
      record: packedRecord(RECORD, { study: study!, series, whole }),
      study: { uid: STUDY, series },
      passcode: PASSCODE,
    },
    {
      imaging: { images, metadataOf: metadata ?? (() => Promise.resolve(METADATA)) },
      records: { trend: () => Promise.resolve(TREND) },
    },
    { signal: signal ?? new AbortController().signal, onProgress: () => undefined },
  );
  const parts: SealedPart[] = [];
  const texts: string[] = [];
  let facts: PackageFacts | undefined;
  for await (const { name, input } of packing.files((known) => ((facts = known), []))) {
    expect(name).toMatch(/^data\/part-\d{5}\.js$/);
    texts.push(name, input as string);
    const [, number, iv, data] = /^part\((\d+),"([^"]+)","([^"]+)"\);\n$/.exec(input as string)!;
    parts[Number(number)] = { iv: iv!, data: data! };
  }
  return { parts, texts, facts: facts! };
}

async function opened(options?: Options) {
  const { parts, facts } = await made(options);
  const of = await OpenedPackage.open<PackageIndex>(facts, PASSCODE, (number) =>
    Promise.resolve(parts[number]!),
  );
  return { facts, index: of.index, images: packagedImages(of), record: packagedRecord(of.index) };
}
const { signal } = new AbortController();
const NAME = { study: STUDY, series: SERIES };

async function filesOf(images: Awaited<ReturnType<typeof opened>>['images']) {
  const files: Uint8Array[] = [];
  let trouble: unknown;
  try {
    for await (const file of images.instances(AT, NAME, signal)) files.push(file);
  } catch (error) {
    trouble = error;
  }
  return { files, trouble };
}

test('images, files, values, documents, trends and the record are in it', async () => {
  const { facts, images, record } = await opened();
  expect(facts).toMatchObject({ images: 3, missing: [] });
  expect(await images.series(AT, NAME, signal)).toEqual(METADATA);
  for (const [at, instance] of UIDS.entries()) {
    const frame = await images.frame(AT, { ...NAME, instance, frame: 1 }, signal);
    expect(frame).toEqual({ bytes: PIXELS[at], transferSyntax: EXPLICIT });
    expect(await images.bulk(`https://archive.example/bulk/${instance}`, signal)).toEqual(PIXELS[at]);
  }
  expect(await filesOf(images)).toEqual({ files: FILES, trouble: undefined });
  for (const url of [PALETTE, PDF])
    expect(new TextDecoder().decode(await images.bulk(url, signal))).toBe(url);
  expect((await images.thumbnail(AT, NAME, signal)).type).toBe('image/jpeg');
  const read = await record.record('helen', signal);
  expect(read.allergies).toEqual(RECORD.allergies);
  expect(read.studies.map(({ uid }) => uid)).toEqual([STUDY]);
  expect(read.reports.map(({ id }) => id)).toEqual(['r']);
  expect(read.timeline.map(({ id }) => id)).toEqual(['s', 'l']);
  expect(await record.trend('helen', '2160-0', signal)).toEqual(TREND);
  for (const other of ['constructor', 'x'])
    await expect(record.trend('helen', other, signal)).rejects.toMatchObject({ kind: 'not-found' });
});

test('without the record it has the study and its report, and says of nothing that there is none', async () => {
  const read = await (await opened({ whole: false })).record.record('helen', signal);
  expect(read).toMatchObject({ person: RECORD.person, visitsUnread: true });
  expect([read.allergies, read.problems, read.medications]).toEqual([undefined, undefined, undefined]);
  expect(read.timeline.map(({ id }) => id)).toEqual(['s']);
});

test('nobody is named in the clear: no file name and no part has a name, a number or a UID', async () => {
  const { texts } = await made();
  const all = texts.flatMap((text) => [
    text,
    ...text.split('"').map((one) => Buffer.from(one, 'base64').toString('latin1')),
  ]);
  for (const word of ['Helen', 'MRN-1', STUDY, SERIES, ...UIDS, 'archive.example', 'Creatinine'])
    expect(all.filter((text) => text.includes(word))).toEqual([]);
});

describe('images that do not arrive', () => {
  test.each<[string, Options, number, number]>([
    ['a line that breaks once', { answers: [[FILES[0], undefined], FILES] }, 3, 0],
    ['a line that breaks twice', { answers: [[FILES[0], undefined], [undefined]] }, 1, 2],
    ['an archive that leaves one out', { answers: [FILES.slice(1), FILES.slice(1)] }, 2, 1],
    [
      'a file of another object',
      { answers: [[FILES[0], FILES[1]], [new Uint8Array(imageObject('9.9', EXPLICIT, SMALL, PIXELS[0]!))]] },
      2,
      1,
    ],
    [
      'a value of one',
      { answers: [FILES, FILES], bulk: () => Promise.reject(new Trouble('server', 'no')) },
      2,
      1,
    ],
  ])('%s', async (_what, options, there, lost) => {
    const { facts, index, images } = await opened(options);
    expect(facts.images).toBe(there);
    expect(index.missing).toEqual(lost === 0 ? [] : [{ series: '4', count: lost }]);
    expect(facts.missing).toEqual(index.missing);
    // They are in the list of images, and each says that it is not there.
    expect(await images.series(AT, NAME, signal)).toHaveLength(3);
    const frames = UIDS.map((instance) => images.frame(AT, { ...NAME, instance, frame: 1 }, signal));
    const refused = (await Promise.allSettled(frames)).filter(({ status }) => status === 'rejected');
    const { files, trouble } = await filesOf(images);
    if (!options.bulk) expect([refused.length, files.length]).toEqual([lost, there]);
    if (lost > 0 && !options.bulk) expect(trouble).toMatchObject({ kind: 'not-found' });
  });

  test('a document of a report is said to be missing', async () => {
    const bulk = (url: string) =>
      url === PDF ? Promise.reject(new Trouble('offline', 'cut')) : Promise.resolve(new Uint8Array(2));
    const { record } = await opened({ bulk });
    expect((await record.record('helen', signal)).missing).toEqual([
      { part: 'record', message: 'A document of a report did not arrive.' },
    ]);
  });

  test.each<[string, Options]>([
    ['no file', { answers: [[undefined], [undefined]] }],
    ['no metadata', { metadata: () => Promise.reject(new Trouble('offline', 'cut')) }],
  ])('%s: no package', async (_what, options) => {
    await expect(made(options)).rejects.toMatchObject({ kind: 'offline' });
  });
});

test('one that is cancelled ends with the reason', async () => {
  const cancelling = new AbortController();
  const metadata = () => {
    cancelling.abort(new Error('cancelled'));
    return Promise.resolve(METADATA);
  };
  await expect(made({ signal: cancelling.signal, metadata })).rejects.toThrow('cancelled');
});
