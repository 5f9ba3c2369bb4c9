/** One ImagingStudy of what the record and a real archive have (IA-34), by DICOMweb and by DIMSE. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shown, startOneStudy } from './one-study.ts';
import { freePort } from './setup/free-port.ts';
import { archiveObjects, SAID, uidOf } from './setup/one-study.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { testEach } from './setup/usual-run.ts';

let archive: Orthanc;
let world: Awaited<ReturnType<typeof startOneStudy>>;

beforeAll(async () => {
  const port = await freePort();
  archive = await startOrthanc({
    files: Object.values(archiveObjects()),
    modalities: { gateway: { aet: 'GATEWAY', port } },
  });
  const { dicomWebUrl, username, password, dicomPort, aet } = archive;
  const lookup = 'studies-by-mrn';
  const dimse = { type: 'dicom-dimse', lookup, ae: 'GATEWAY', calledAe: aet, retrieval: 'c-get' };
  world = await startOneStudy(
    {
      'dicom-web': {
        type: 'dicom-web',
        endpoint: dicomWebUrl,
        lookup,
        authentication: { type: 'http-basic', username, password },
      },
      dimse: { ...dimse, endpoint: `dimse://127.0.0.1:${dicomPort}` },
      'away-dimse': { ...dimse, endpoint: 'dimse://127.0.0.1:1' },
    },
    { host: '127.0.0.1', port, maxBytes: 1e8 },
  );
}, 90_000);
afterAll(async () => {
  await world?.close();
  await archive?.stop();
});

const SOURCES = ['dicom-web', 'dimse'] as const;

test.each(SOURCES)(
  'IA-34 %s: the same studies as from a folder, by both APIs',
  async (tenant) => {
    for (const patient of ['p', 'q']) {
      const expected = await world.list('own', patient);
      expect(Object.keys(expected).length).toBeGreaterThan(2);
      expect(await world.list(tenant, patient)).toEqual(expected);
    }
    for (const id of [uidOf('both'), 'Rboth']) {
      const { body } = await world.rest(tenant, `ImagingStudy/${id}`);
      expect(body).toMatchObject({
        note: SAID.note,
        reasonCode: SAID.reasonCode,
        id: uidOf('both'),
        series: [{ instance: [{}, {}] }],
      });
    }
    for (const id of [uidOf('of q'), 'Rof-q', 'Rrecord-of-q'])
      expect(await world.read(tenant, id)).toBeUndefined();
  },
  60_000,
);

type Row = readonly [id: string, shown: string | undefined, token?: string];
/** Halves that are absent, and halves of different patients. */
const HALVES: readonly Row[] = [
  [uidOf('archived'), 'available with images'],
  [uidOf('registered'), 'registered'],
  ['only-cancelled', 'cancelled'],
  [uidOf('registered'), undefined, 'q'],
  ['Rbare', 'available'],
  ['Raccession', 'available with images'],
  ['Rtwin', 'available'],
  ['Rcancelled', 'cancelled with images'],
  [uidOf('archive of q'), 'available'],
  ['Rarchive-of-q', 'available'],
  [uidOf('archive of q'), 'available with images', 'q'],
  ['Rarchive-of-q', undefined, 'q'],
  [uidOf('record of q'), 'available with images'],
  ['Rrecord-of-q', undefined],
  [uidOf('record of q'), 'available', 'q'],
  [uidOf('of q'), undefined],
];

testEach(
  SOURCES.flatMap((source) => HALVES.map((row) => [source, ...row] as const)),
  (_, index) => index % 4 === 0,
)('IA-34 %s: %s is read as %s (token %s)', async (tenant, id, expected, token = 'p') => {
  const found = await world.read(tenant, id, token);
  expect(found && shown(found)).toBe(expected);
});

test.each(SOURCES)('IA-34 %s: each contradiction is logged and counted', async (tenant) => {
  world.reported();
  const { body } = await world.rest(`all-${tenant}`, 'ImagingStudy?_count=100');
  const ids = body.entry!.map(({ resource }) => resource!.id!);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(['Rarchive-of-q', uidOf('archive of q'), 'Rrecord-of-q']));
  const { contradictions, logged } = world.reported();
  expect(contradictions).toBe(2);
  expect(logged.match(/name different patients/g)).toHaveLength(2);
  expect(logged).not.toMatch(/MRN-|Patient\//);
});

testEach(SOURCES, (source) => source === 'dimse')(
  'IA-31 %s: a withheld study does not appear through its other half',
  async (source) => {
    const tenant = `withholding-${source}`;
    const listed = Object.keys(await world.list(tenant));
    for (const name of ['withheld', 'labelled', 'mammography', 'registered'] as const) {
      expect(listed).not.toContain(uidOf(name));
      expect(await world.read(tenant, uidOf(name))).toBeUndefined();
    }
  },
);

test('IA-34 dimse: an archive that is away leaves the halves of the record, with a notice', async () => {
  const { status, body } = await world.rest('away-dimse', 'ImagingStudy?patient=q', 'q');
  expect(status).toBe(200);
  const found = body.entry!.filter(({ search }) => search!.mode === 'match');
  expect(body.entry!.length - found.length).toBe(1);
  expect(found.map(({ resource }) => resource!.id).sort()).toEqual(
    [uidOf('record of q'), uidOf('of q')].sort(),
  );
  for (const id of ['Rboth', uidOf('both')]) {
    const read = await world.rest('away-dimse', `ImagingStudy/${id}`);
    expect([read.status, read.body.endpoint]).toEqual([200, undefined]);
    expect(String(read.headers['warning'])).toMatch(/did not answer/);
    expect((await world.rest('withholding-away-dimse', `ImagingStudy/${id}`)).status).toBe(503);
  }
}, 60_000);
