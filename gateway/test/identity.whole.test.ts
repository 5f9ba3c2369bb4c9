/**
 * Identity over time (docs/identity.md), through the whole gateway with an EHR, a folder and a real Orthanc: a token shows
 * the images of the surviving patient, and never those of one who was split off again (DW-21, IA-7).
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logger } from '../http/logger.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { IDENTITY_CASES, type IdentityCase } from './setup/identities.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { smallObjects } from './setup/small-objects.ts';
import { testEach } from './setup/usual-run.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const SOURCES = ['folder', 'dicom-web'] as const;
const DEFAULT_STUDIES = ['a', 'b'];
/** A case whose records are corrected while the tokens live. */
const LIVING: IdentityCase = {
  title: 'living',
  records: {
    A: { active: true, numbers: ['a'], links: ['replaces B'] },
    B: { active: false, numbers: ['b'], links: ['replaced-by A'] },
    C: { active: true, numbers: ['d'] },
  },
  studies: ['a', 'b', 'c', 'd'],
  shows: {},
};
const CASES = [...IDENTITY_CASES, LIVING];
const indexOf = (one: IdentityCase) => CASES.indexOf(one) + 1;
/** Ids and numbers of a case are its own, so that all cases are in one EHR and one archive. */
const idOf = (one: IdentityCase, letter: string) => `case${indexOf(one)}-${letter}`;
const numberOf = (one: IdentityCase, letter: string) => `C${indexOf(one)}-${letter}`;
const studiesOf = ({ studies = DEFAULT_STUDIES }: IdentityCase) => studies;
const studyUid = (one: IdentityCase, study: string) =>
  `1.2.99.${indexOf(one)}.${studiesOf(one).indexOf(study) + 1}`;

function patient(one: IdentityCase, letter: string, record = one.records[letter]!) {
  const { active, numbers, links = [] } = record;
  const identifier = numbers.map((number) => {
    const [value, more] = number.split(' ') as [string, string | undefined];
    return {
      value: numberOf(one, value),
      type: { coding: [{ code: 'MR' }] },
      ...(more?.startsWith('urn:') && { system: more }),
      ...(more === 'old' && { use: 'old' }),
      ...(more === 'ended' && { period: { end: '2020-01-31' } }),
    };
  });
  const link = links.map((text) => {
    const [type, other] = text.split(' ') as [string, string];
    const base = other.slice(0, -1);
    return { type, other: { reference: `${base}Patient/${idOf(one, other.slice(-1))}` } };
  });
  return {
    resourceType: 'Patient',
    id: idOf(one, letter),
    ...(active !== undefined && { active }),
    identifier,
    link,
  };
}

function objectsOf(one: IdentityCase): Buffer[] {
  return studiesOf(one).flatMap((study) => {
    const [number, more] = study.split(' ') as [string, string | undefined];
    const other = more?.startsWith('+') ? { otherPatientId: numberOf(one, more.slice(1)) } : { issuer: more };
    const studied = { studyUid: studyUid(one, study), patientId: numberOf(one, number) };
    return smallObjects({ ...studied, ...(more !== undefined && (other as object)) });
  });
}

let ehr: AuthorizationServer;
let gateway: TestGateway;
let archive: Orthanc;
let folder: string;
let clock = Date.now();
const logged: string[] = [];
const sink = new Writable({
  write(chunk: Buffer, _encoding, done) {
    logged.push(chunk.toString());
    done();
  },
});

beforeAll(async () => {
  ehr = await authorizationServer();
  ehr.now = () => clock;
  folder = await mkdtemp(join(tmpdir(), 'identity-'));
  const files = CASES.flatMap(objectsOf);
  for (const [index, file] of files.entries()) await writeFile(join(folder, `${index}.dcm`), file);
  archive = await startOrthanc({ files });
  const { dicomWebUrl, username, password } = archive;
  const lookup = 'studies-by-mrn';
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const images = {
    folder: { type: 'folder', lookup, path: folder },
    'dicom-web': {
      type: 'dicom-web',
      endpoint: dicomWebUrl,
      lookup,
      authentication: { type: 'http-basic', username, password },
    },
  };
  gateway = await buildTestGateway(
    () => Object.fromEntries(Object.entries(images).map(([key, images]) => [key, { authorization, images }])),
    { images: '', patients: '' },
    undefined,
    { now: () => clock, log: logger('warn', sink) },
  );
  const exp = Math.floor(clock / 1000) + 360_000;
  for (const one of CASES) {
    for (const letter of Object.keys(one.records)) {
      const id = idOf(one, letter);
      ehr.patients.set(id, patient(one, letter));
      ehr.tokens.set(id, { client_id: 'app', exp, patient: id, scope: 'patient/*.rs' });
    }
  }
  ehr.tokens.set('user', { client_id: 'app', exp, sub: 'someone', scope: 'user/*.rs' });
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await archive?.stop();
  await rm(folder, { recursive: true, force: true });
});

const multipart = 'multipart/related; type="application/dicom"; transfer-syntax=*';

/** Returns the answers of every API about the studies of a case, each as the list of studies that it shows. */
async function shown(source: string, one: IdentityCase, letter: string): Promise<Record<string, string[]>> {
  const id = idOf(one, letter);
  const headers = { authorization: `Bearer ${id}` };
  const ask = async (url: string, accept: string, payload?: object) =>
    gateway.app.inject({
      method: payload ? 'POST' : 'GET',
      url: `/${source}${url}`,
      headers: { ...headers, accept },
      ...(payload && { payload }),
    });
  const all = studiesOf(one);
  const among = (body: string) => all.filter((study) => body.includes(`"${studyUid(one, study)}"`));
  const query = '{ ImagingStudyList { id subject { reference } } }';
  const answered = async (url: (uid: string) => string, accept: string) => {
    const found = await Promise.all(all.map((study) => ask(url(studyUid(one, study)), accept)));
    return all.filter((_, index) => found[index]!.statusCode === 200);
  };
  const graphql = (await ask('/graphql', 'application/json', { query })).body;
  // A study is the token's patient's, also when it was found by the number of a record that was merged with theirs.
  const others = Object.keys(one.records).filter((other) => other !== letter);
  expect(others.filter((other) => graphql.includes(`Patient/${idOf(one, other)}"`))).toEqual([]);
  return {
    graphql: among(graphql),
    fhir: among((await ask(`/fhir/ImagingStudy?patient=${id}`, 'application/fhir+json')).body),
    qido: among((await ask('/dicomweb/studies', 'application/dicom+json')).body),
    read: await answered((uid) => `/fhir/ImagingStudy/${uid}`, 'application/fhir+json'),
    wado: await answered((uid) => `/dicomweb/studies/${uid}`, multipart),
    metadata: await answered((uid) => `/dicomweb/studies/${uid}/metadata`, 'application/dicom+json'),
  };
}

const APIS = ['graphql', 'fhir', 'qido', 'read', 'wado', 'metadata'];
const everywhere = (studies: string[]) => Object.fromEntries(APIS.map((api) => [api, studies]));

/** Replaces the record of a case, as somebody corrects it in the EHR. */
function correct(one: IdentityCase, letter: string, record: IdentityCase['records'][string]): void {
  ehr.patients.set(idOf(one, letter), patient(one, letter, record));
}

describe.each(SOURCES)('%s', (source) => {
  const rows = IDENTITY_CASES.flatMap((one) =>
    Object.keys(one.shows).map((letter) => ({ one, letter, title: one.title })),
  );
  testEach(rows, (_, index) => source === 'folder' || index % 8 === 0)(
    'DW-21 $title: a token for $letter',
    async ({ one, letter }) => {
      const studies = studiesOf(one).filter((study) => one.shows[letter]!.includes(study));
      expect(await shown(source, one, letter)).toEqual(everywhere(studies));
    },
  );
});

describe('a user token', () => {
  test('IA-9 reaches the same studies of the patient whom it names', async () => {
    for (const one of IDENTITY_CASES) {
      for (const letter of Object.keys(one.shows)) {
        const url = `/folder/fhir/ImagingStudy?patient=${idOf(one, letter)}`;
        const { body } = await gateway.app.inject({ url, headers: { authorization: 'Bearer user' } });
        const found = studiesOf(one).filter((study) => body.includes(`"${studyUid(one, study)}"`));
        expect([one.title, letter, new Set(found)]).toEqual([one.title, letter, new Set(one.shows[letter])]);
      }
    }
  });
});

describe('while a token lives', () => {
  const MERGED_SECONDS = 60;
  const later = () => void (clock += (MERGED_SECONDS + 1) * 1000);
  const both = async (letter: string) => [
    await shown('folder', LIVING, letter),
    await shown('dicom-web', LIVING, letter),
  ];
  const twice = (...studies: string[]) => [everywhere(studies), everywhere(studies)];

  test('DW-21 a merge is undone, a number changes and goes to another patient, within a minute', async () => {
    expect(await both('A')).toEqual(twice('a', 'b'));
    correct(LIVING, 'A', { active: true, numbers: ['a', 'b old'] });
    correct(LIVING, 'B', { active: true, numbers: ['b'] });
    later();
    expect(await both('A')).toEqual(twice('a'));
    expect(await both('B')).toEqual(twice('b'));
    correct(LIVING, 'A', { active: true, numbers: ['c', 'a old'] });
    later();
    expect(await both('A')).toEqual(twice('a', 'c'));
    correct(LIVING, 'B', { active: true, numbers: ['b', 'a'] });
    later();
    expect(await both('A')).toEqual(twice('c'));
  }, 20_000);

  test('what is withheld is logged, without a number or a patient', () => {
    const lines = logged.filter((line) => line.includes('not clear whose'));
    const reasons = lines.map((line) => (JSON.parse(line) as { reason: string }).reason);
    expect(new Set(reasons)).toEqual(new Set(['link', 'held-by-another']));
    expect(lines.filter((line) => /C\d+-|case\d+-/.test(line))).toEqual([]);
  });

  test('SM-9 a merge is not believed while the EHR does not say so; a record that stands alone is', async () => {
    const ask = async (letter: string) => {
      const headers = { authorization: `Bearer ${idOf(LIVING, letter)}` };
      const url = `/folder/fhir/ImagingStudy?patient=${idOf(LIVING, letter)}`;
      return (await gateway.app.inject({ url, headers })).statusCode;
    };
    expect([await ask('A'), await ask('C')]).toEqual([200, 200]);
    ehr.patientMode = 'down';
    clock += 301_000;
    expect([await ask('A'), await ask('C')]).toEqual([503, 200]);
    ehr.patientMode = 'up';
  });
});
