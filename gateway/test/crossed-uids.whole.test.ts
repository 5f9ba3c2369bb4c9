/**
 * UIDs of the objects of one patient, requested below those of another (DW-21, IA-7, IA-24), from a folder and from
 * real Orthancs through the whole gateway: the caller gets no byte of another patient, and one and the same refusal
 * for everything out of reach.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile } from '../demo/dicom-file.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { isInTurn, testEach } from './setup/usual-run.ts';

type Uids = [study: string, series: string, instance: string];
const A: Uids = ['1.5.1', '1.5.1.1', '1.5.1.1.1'];
const B: Uids = ['1.5.2', '1.5.2.1', '1.5.2.1.1'];
/** Series and instance of the other patient, in another study, with the same UIDs as those of patient A. */
const B_AS_A: Uids = ['1.5.3', A[1], A[2]];
/** A study that both patients have, with different series. */
const BOTH_A: Uids = ['1.5.4', '1.5.4.1', '1.5.4.1.1'];
const BOTH_B: Uids = ['1.5.4', '1.5.4.2', '1.5.4.2.1'];
const NONE: Uids = ['1.5.9', '1.5.9.1', '1.5.9.1.1'];

/** The mark of a patient is in each of their objects: as PatientID and as pixels. */
const MARK = { a: 'PATIENT-A-MARK', b: 'PATIENT-B-MARK' };
type Patient = keyof typeof MARK;
const object = (patient: Patient, [study, series, instance]: Uids) => {
  const us = (tag: number, value: number) => ({ tag, vr: 'US', value: [value] });
  return writeDicomFile(
    EXPLICIT_LITTLE_ENDIAN,
    [
      { tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.7' },
      { tag: 0x00080018, vr: 'UI', value: instance },
      { tag: 0x00080060, vr: 'CS', value: 'OT' },
      { tag: 0x00100020, vr: 'LO', value: MARK[patient] },
      { tag: 0x0020000d, vr: 'UI', value: study },
      { tag: 0x0020000e, vr: 'UI', value: series },
      us(0x00280002, 1),
      { tag: 0x00280004, vr: 'CS', value: 'MONOCHROME2' },
      us(0x00280010, 16),
      us(0x00280011, 16),
      us(0x00280100, 8),
      us(0x00280101, 8),
      us(0x00280102, 7),
      us(0x00280103, 0),
    ],
    { vr: 'OB', bytes: Buffer.alloc(256, MARK[patient]), encapsulated: false },
  );
};

let ehr: AuthorizationServer;
let gateway: TestGateway;
let archives: Orthanc[];
let folder: string;
const SOURCES = ['folder', 'dicom-web', 'c-get', 'c-move', 'several'] as const;

beforeAll(async () => {
  ehr = await authorizationServer();
  const port = await freePort();
  const common = { modalities: { gateway: { aet: 'GATEWAY', port } } };
  const own = [object('a', A), object('a', BOTH_A)];
  const foreign = [object('b', B), object('b', B_AS_A), object('b', BOTH_B)];
  archives = await Promise.all(
    [[...own, ...foreign], own, foreign].map((files) => startOrthanc({ ...common, files })),
  );
  const [all, first, second] = archives as [Orthanc, Orthanc, Orthanc];
  folder = await mkdtemp(join(tmpdir(), 'crossed-uids-'));
  for (const [index, file] of [...own, ...foreign].entries())
    await writeFile(join(folder, `${index}.dcm`), file);
  const lookup = 'studies-by-mrn';
  const web = ({ dicomWebUrl, username, password }: Orthanc) => ({
    type: 'dicom-web',
    endpoint: dicomWebUrl,
    lookup,
    authentication: { type: 'http-basic', username, password },
  });
  const dimse = ({ dicomPort, aet }: Orthanc, retrieval: string) => ({
    type: 'dicom-dimse',
    endpoint: `dimse://127.0.0.1:${dicomPort}`,
    lookup,
    ae: 'GATEWAY',
    calledAe: aet,
    retrieval,
  });
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const images = {
    folder: { type: 'folder', lookup, path: folder },
    'dicom-web': web(all),
    'c-get': dimse(all, 'c-get'),
    'c-move': dimse(all, 'c-move'),
    several: [dimse(first, 'c-move'), web(second)],
  };
  gateway = await buildTestGateway(
    () => Object.fromEntries(Object.entries(images).map(([key, images]) => [key, { authorization, images }])),
    { images: '', patients: '' },
    undefined,
    { dimse: { host: '127.0.0.1', port, maxBytes: 1e9 } },
  );
  const exp = Math.floor(Date.now() / 1000) + 3600;
  for (const id of ['a', 'b'] as const) {
    const identifier = [{ value: MARK[id], type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
    ehr.tokens.set(id, { client_id: 'app', exp, patient: id, scope: 'patient/*.rs' });
  }
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  for (const archive of archives ?? []) await archive.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Lists every way to one object. */
function ways([study, series, instance]: Uids): [path: string, accept: string][] {
  const base = `/dicomweb/studies/${study}/series/${series}`;
  const one = `${base}/instances/${instance}`;
  const uri = `/wado-uri?requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${instance}`;
  const multipart = 'multipart/related; type="application/dicom"; transfer-syntax=*';
  return [
    [base, multipart],
    [base, 'application/zip; transfer-syntax=*'],
    [`${base}/metadata`, 'application/dicom+json'],
    [`${base}/rendered`, 'image/png'],
    [`${base}/thumbnail`, 'image/png'],
    [one, multipart],
    [one, 'application/dicom; transfer-syntax=*'],
    [`${one}/metadata`, 'application/dicom+json'],
    [`${one}/frames/1`, '*/*'],
    [`${one}/rendered`, 'image/png'],
    [`${one}/thumbnail`, 'image/png'],
    [`${one}/bulkdata/7FE00010`, '*/*'],
    [`${base}/bulkdata`, '*/*'],
    [`${one}/pixeldata`, '*/*'],
    [uri, 'image/png'],
    [`${uri}&contentType=application/dicom&transferSyntax=*`, '*/*'],
  ];
}

async function get(source: string, path: string, accept: string, token: Patient) {
  const headers = { authorization: `Bearer ${token}`, accept };
  try {
    const { statusCode, rawPayload } = await gateway.app.inject({ url: `/${source}${path}`, headers });
    return { status: statusCode, bytes: rawPayload };
  } catch {
    // The answer had begun and was cut off.
    return { status: 0, bytes: Buffer.alloc(0) };
  }
}

describe.each(SOURCES)('%s', (source) => {
  const column = SOURCES.indexOf(source);
  testEach<[what: string, token: Patient, uids: Uids]>(
    [
      ['study, series and instance of another patient', 'a', B],
      ['series and instance of another patient below an own study', 'a', [A[0], B[1], B[2]]],
      ['an instance of another patient below an own series', 'a', [A[0], A[1], B[2]]],
      ['own series and instance below a study of another patient', 'a', [B[0], A[1], A[2]]],
      ['the same UIDs in a study of another patient', 'a', B_AS_A],
      ['an own object of a study that another patient has too', 'a', BOTH_A],
      ['an object of another patient in a study that the caller has too', 'a', BOTH_B],
      ['the same, by the other patient', 'b', BOTH_B],
      ['UIDs that two archives or patients have, by the other patient', 'b', A],
      ['a study that does not exist', 'a', NONE],
    ],
    (_, row) => isInTurn([row, column], SOURCES.length),
  )('DW-21, IA-7 %s: 404, equal byte for byte', async (_what, token, uids) => {
    const [missing] = ways(NONE);
    const { bytes: refusal } = await get(source, ...missing!, 'a');
    // Complete objects within an own study are no crossed UIDs.
    const isWhole = (path: string) =>
      uids[0] === A[0] && uids[1] === A[1] && token === 'a' && !path.includes(B[2]);
    // A folder has each Study UID once: the study belongs to the patient whose file comes first.
    const isGiven = source === 'folder' && uids === BOTH_A;
    // Each refusal is delayed by up to 0.1 s, so they are awaited together.
    const expectRefusal = async ([path, accept]: [path: string, accept: string]) => {
      const { status, bytes } = await get(source, path, accept, token);
      if (isGiven) expect([path, status, bytes.includes(MARK.b)]).toEqual([path, 200, false]);
      else expect([path, status, bytes.toString()]).toEqual([path, 404, refusal.toString()]);
    };
    await Promise.all(
      ways(uids)
        .filter(([path]) => !isWhole(path))
        .map(expectRefusal),
    );
  });

  // The first round retrieves, the second may find cached objects; the patients alternate, so that each meets what
  // the other left.
  test.each([1, 2])('IA-24 each patient gets their own objects under the same UIDs, round %i', async () => {
    // `npm test` has each way with every other source.
    for (const index of [...ways(A).keys()].filter((row) => isInTurn([row, column], 2))) {
      for (const [token, other, uids] of [
        ['a', 'b', A],
        ['b', 'a', B_AS_A],
        ['b', 'a', B],
      ] as const) {
        const [path, accept] = ways(uids)[index]!;
        const { status, bytes } = await get(source, path, accept, token);
        expect(bytes.includes(MARK[other])).toBe(false);
        // Orthanc sends by C-GET and C-MOVE the object of the last UID, whatever its study: such an answer is not
        // trusted.
        if (source.startsWith('c-') && uids !== B && status !== 200) {
          expect([path, [0, 502].includes(status)]).toEqual([path, true]);
          continue;
        }
        expect([path, status]).toEqual([path, 200]);
        const pictures = /rendered|thumbnail/.test(path) || accept === 'image/png';
        if (!pictures && !accept.includes('zip'))
          expect([path, bytes.includes(MARK[token])]).toEqual([path, true]);
      }
    }
  });

  test('IA-7 a search by crossed UIDs finds nothing', async () => {
    for (const query of [
      `/studies/${A[0]}/series/${B[1]}/instances`,
      `/studies/${B[0]}/series`,
      ...(source === 'folder' ? [] : [`/studies/${BOTH_A[0]}/instances`]),
      `/studies/${BOTH_B[0]}/series/${BOTH_B[1]}/instances`,
      `/instances?StudyInstanceUID=${A[0]}&SOPInstanceUID=${B[2]}`,
      `/series?SeriesInstanceUID=${B[1]}`,
      `/instances?SOPInstanceUID=${B[2]}`,
    ]) {
      const { status, bytes } = await get(source, `/dicomweb${query}`, '*/*', 'a');
      expect([query, status === 404 || bytes.toString() === '[]']).toEqual([query, true]);
      expect(bytes.includes(MARK.b)).toBe(false);
    }
    const { bytes } = await get(source, `/dicomweb/instances?SOPInstanceUID=${A[2]}`, '*/*', 'a');
    const rows = JSON.parse(bytes.toString()) as { '0020000D': { Value: [string] } }[];
    expect(rows.map((row) => row['0020000D'].Value[0])).toEqual([A[0]]);
  });
});
