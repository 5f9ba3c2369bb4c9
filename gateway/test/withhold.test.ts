import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseTenant } from '../../schema/tenant/tenant.ts';

import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const PATIENT = 'demo-george-whitfield';
const MRN = 'MRN-0019540';
const OTHER = 'demo-maria-alvarez';
let ehr: AuthorizationServer;
let gateway: TestGateway;
let service: Server;
let answer: (question: Question) => Reply | Promise<Reply>;
let questions: Question[] = [];

interface Reply {
  status: number;
  body: string;
  headers?: Record<string, string>;
}
interface Question {
  tenant: string;
  patients: string[];
  studies: { studyUid: string; modalities: string[]; bodyParts: string[] }[];
}
interface Study {
  id: string;
  modality: { code: string }[];
  series: { bodySite?: { display?: string } }[];
}

beforeAll(async () => {
  ehr = await authorizationServer();
  service = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      questions.push(JSON.parse(text) as Question);
      void Promise.resolve(answer(questions.at(-1)!)).then(({ status, body, headers }) =>
        response.writeHead(status, headers).end(body),
      );
    });
  });
  await new Promise<void>((done) => service.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  gateway = await buildTestGateway(({ images, patients }) => {
    const withheld = (withhold: object[]) => ({
      authorization: { ...smart, withhold },
      clinical: { type: 'store', path: patients },
      images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
    });
    return {
      all: withheld([]),
      xa: withheld([{ modality: ['XA'] }]),
      'xa-heart': withheld([{ modality: ['XA'], bodyPart: ['Heart'] }]),
      'xa-nowhere': withheld([{ modality: ['XA'], bodyPart: ['NOWHERE'] }]),
      patients: withheld([{ modality: ['XA'], for: 'patient' }]),
      service: withheld([{ url }]),
      'service-failing': withheld([{ url }]),
      'service-nonsense': withheld([{ url }]),
      'service-down': withheld([{ url: 'http://127.0.0.1:9' }]),
    };
  });
  const identifier = [
    { system: 'http://hospital.smarthealthit.org', value: MRN, type: { coding: [{ code: 'MR' }] } },
  ];
  ehr.patients.set(PATIENT, { resourceType: 'Patient', id: PATIENT, identifier });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const user = { client_id: 'viewer', exp, scope: 'user/*.rs' };
  ehr.tokens.set('mother', { ...user, fhirUser: `${ehr.fhirBaseUrl}/RelatedPerson/7` });
  ehr.tokens.set('somebody', { ...user, sub: 'u-7' });
  ehr.tokens.set('physician', { ...user, fhirUser: `${ehr.fhirBaseUrl}/Practitioner/7` });
  ehr.tokens.set('role', { ...user, fhirUser: 'PractitionerRole/7' });
  ehr.patients.set(OTHER, { resourceType: 'Patient', id: OTHER, identifier: [] });
  ehr.tokens.set('proxy-and-user', {
    ...user,
    patient: PATIENT,
    scope: 'patient/*.rs user/*.rs',
    fhirUser: 'RelatedPerson/mother',
  });
  ehr.tokens.set('proxy', { client_id: 'viewer', exp, patient: PATIENT, scope: 'patient/*.rs' });
});
beforeEach(() => {
  questions = [];
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  service?.closeAllConnections();
  service?.close();
});

const headers = { authorization: 'Bearer proxy' };
const get = (url: string, token = 'proxy') =>
  gateway.app.inject({ url, headers: { authorization: `Bearer ${token}` } });

async function listed(tenant: string): Promise<{ fhir: Study[]; graphql: string[]; dicomweb: string[] }> {
  const { body: bundle } = await get(`/${tenant}/fhir/ImagingStudy`);
  const { body: data } = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    headers,
    payload: { query: `{ Patient(id: "${PATIENT}") { ImagingStudyList { id } } }` },
  });
  const { body: rows } = await get(`/${tenant}/dicomweb/series`);
  const { entry = [] } = JSON.parse(bundle) as { entry?: { resource: Study }[] };
  const answered = JSON.parse(data) as { data: { Patient: { ImagingStudyList: { id: string }[] } } };
  const uids = (JSON.parse(rows) as { '0020000D': { Value: [string] } }[]).map(
    (row) => row['0020000D'].Value[0],
  );
  return {
    fhir: entry.map(({ resource }) => resource),
    graphql: answered.data.Patient.ImagingStudyList.map(({ id }) => id).sort(),
    dicomweb: [...new Set(uids)].sort(),
  };
}

describe('IA-31 withheld studies are in no list and are 404', () => {
  test.each<[string, (study: Study) => boolean]>([
    ['all', () => false],
    ['xa', ({ modality }) => modality.some(({ code }) => code === 'XA')],
    [
      'xa-heart',
      ({ modality, series }) =>
        modality.some(({ code }) => code === 'XA') &&
        series.some(({ bodySite }) => /heart/i.test(JSON.stringify(bodySite ?? ''))),
    ],
    ['xa-nowhere', () => false],
    ['patients', ({ modality }) => modality.some(({ code }) => code === 'XA')],
    ['service-failing', () => true],
    ['service-nonsense', () => true],
    ['service-down', () => true],
  ])('%s', async (tenant, isWithheld) => {
    answer = ({ tenant: key }) =>
      key === 'service-failing' ? { status: 500, body: '{"withheld":[]}' } : { status: 200, body: '{}' };
    const all = (await listed('all')).fhir;
    const withheld = all.filter(isWithheld);
    const shown = all
      .filter((study) => !isWithheld(study))
      .map(({ id }) => id)
      .sort();
    if (['xa', 'xa-heart', 'patients'].includes(tenant)) {
      expect(withheld.length).toBeGreaterThan(0);
      expect(shown.length).toBeGreaterThan(0);
    }
    const found = await listed(tenant);
    expect(found.fhir.map(({ id }) => id).sort()).toEqual(shown);
    expect(found.graphql).toEqual(shown);
    expect(found.dicomweb).toEqual(shown);
    for (const { id } of withheld.slice(0, 2)) {
      for (const path of [
        'fhir/ImagingStudy/UID',
        'dicomweb/studies/UID',
        'dicomweb/studies/UID/metadata',
        'dicomweb/studies/UID/series',
      ]) {
        const [refused, unknown] = await Promise.all(
          [id, '1.2.3'].map((uid) => get(`/${tenant}/${path.replace('UID', uid)}`)),
        );
        expect([path, refused!.statusCode, refused!.body]).toEqual([path, 404, unknown!.body]);
      }
    }
    for (const id of shown.slice(0, 1)) {
      expect((await get(`/${tenant}/dicomweb/studies/${id}/metadata`)).statusCode).toBe(200);
    }
  });

  test('QIDO-RS pages count only the shown studies', async () => {
    const { length } = (await listed('xa')).dicomweb;
    const pages: unknown[] = [];
    for (let offset = 0; offset < length + 1; offset++) {
      pages.push(
        ...(JSON.parse((await get(`/xa/dicomweb/studies?limit=1&offset=${offset}`)).body) as unknown[]),
      );
    }
    expect(pages).toHaveLength(length);
  });

  test('a decision service is asked once for each listed study and caller, and receives no name or identifier', async () => {
    let chosen = '';
    answer = ({ studies }) => {
      chosen ||= studies[0]!.studyUid;
      return { status: 200, body: JSON.stringify({ withheld: [chosen] }) };
    };
    const all = (await listed('all')).fhir.map(({ id }) => id);
    const found = await listed('service');
    expect(found.graphql).toEqual(all.filter((id) => id !== chosen).sort());
    const asked = () => questions.flatMap(({ studies }) => studies.map(({ studyUid }) => studyUid)).sort();
    expect(asked()).toEqual([...all].sort());
    // A refusal by UID asks again, as for an absent study (IA-7).
    expect((await get(`/service/dicomweb/studies/${chosen}`)).statusCode).toBe(404);
    expect(asked()).toEqual([...all, chosen].sort());
    expect(questions[0]).toMatchObject({ tenant: 'service', client: 'viewer', patients: [PATIENT] });
    expect(JSON.stringify(questions)).not.toContain(MRN);
  });

  describe('a decision is 200 and exactly { "withheld": [UID] } with requested UIDs', () => {
    const shown = async (token: string) => {
      const { statusCode, body } = await get('/service/dicomweb/studies', token);
      expect(statusCode).toBe(200);
      return (JSON.parse(body) as unknown[]).length;
    };
    /** Makes a caller for whom nothing has been decided yet. */
    const caller = (name: string) => {
      const token = name.replace(/\W+/g, '-');
      const exp = Math.floor(Date.now() / 1000) + 3600;
      ehr.tokens.set(token, { client_id: token, exp, patient: PATIENT, scope: 'patient/*.rs' });
      return token;
    };

    test.each<[string, (uid: string) => unknown]>([
      ['an OID as a URN', (uid) => ({ withheld: [`urn:oid:${uid}`] })],
      ['UIDs in objects', (uid) => ({ withheld: [{ studyUid: uid }] })],
      ['null for a UID', () => ({ withheld: [null] })],
      ['an additional error', () => ({ withheld: [], error: 'the database is down' })],
      ['an additional __proto__', () => JSON.parse('{"withheld":[],"__proto__":{"a":1}}') as unknown],
      ['a study that was not requested', (uid) => ({ withheld: [`${uid}.1`] })],
      ['a requested and another study', (uid) => ({ withheld: [uid, '1.2.3'] })],
      ['a UID with a space', (uid) => ({ withheld: [`${uid} `] })],
      ['an object in place of the list', (uid) => ({ withheld: { 0: uid } })],
      ['only a list', (uid) => [uid]],
      ['only a list of URNs', (uid) => [`urn:oid:${uid}`]],
      ['null', () => null],
    ])('%s is no decision, and all studies are withheld', async (name, body) => {
      answer = ({ studies }) => ({ status: 200, body: JSON.stringify(body(studies[0]!.studyUid)) });
      expect(await shown(caller(name))).toBe(0);
    });

    test.each([201, 204, 206, 302, 400, 403, 500, 503])('status %i is no decision', async (status) => {
      answer = () => ({ status, body: status === 204 ? '' : '{"withheld":[]}' });
      expect(await shown(caller(`status-${status}`))).toBe(0);
    });

    test('a redirect of the service is not followed', async () => {
      const { port } = service.address() as AddressInfo;
      answer = () => ({
        status: questions.length === 1 ? 307 : 200,
        headers: { location: `http://127.0.0.1:${port}/` },
        body: '{"withheld":[]}',
      });
      expect(await shown(caller('redirected'))).toBe(0);
      expect(questions).toHaveLength(1);
    });

    test('many reads of one study at once ask once, and without an answer each is 404', async () => {
      const [{ id } = { id: '' }] = (await listed('all')).fhir;
      answer = () => new Promise((done) => setTimeout(done, 300, { status: 500, body: '' }));
      const token = caller('reads');
      for (const uid of [id, '1.2.3']) {
        questions = [];
        const reads = Array.from({ length: 10 }, () => get(`/service/dicomweb/studies/${uid}`, token));
        const statuses = (await Promise.all(reads)).map(({ statusCode }) => statusCode);
        expect(new Set(statuses)).toEqual(new Set([404]));
        // The failure of a moment ago is remembered, whatever study is requested.
        expect(questions).toHaveLength(uid === id ? 1 : 0);
      }
    });

    test('many lists at once ask once, and after a failure the service is not asked for three seconds', async () => {
      answer = () => new Promise((done) => setTimeout(done, 300, { status: 500, body: '' }));
      const token = caller('many');
      const lists = await Promise.all(Array.from({ length: 30 }, () => shown(token)));
      expect(new Set(lists)).toEqual(new Set([0]));
      expect(questions).toHaveLength(1);
      answer = () => ({ status: 200, body: '{"withheld":[]}' });
      expect(await shown(token)).toBe(0);
      expect(questions).toHaveLength(1);
      await new Promise((done) => setTimeout(done, 3100));
      expect(await shown(token)).toBeGreaterThan(0);
    });
  });

  test.each([
    ['mother', '', true],
    ['somebody', '', true],
    // A caller that names another patient beside their own does not escape the rule.
    ['proxy-and-user', `&patient=${OTHER}`, true],
    ['physician', '', false],
    ['role', '', false],
  ])(
    'IA-31 a rule for patients applies to every caller who is no known practitioner: %s%s',
    async (token, more, kept) => {
      const list = async (tenant: string, query: string) => {
        const { statusCode, body } = await get(`/${tenant}/dicomweb/studies?${query}`, token);
        expect(statusCode).toBe(200);
        return (JSON.parse(body) as { '0020000D': { Value: [string] } }[]).map(
          (row) => row['0020000D'].Value[0],
        );
      };
      const everything = await list('all', `patient=${PATIENT}`);
      const [xa] = (await listed('all')).fhir.filter(({ modality }) =>
        modality.some(({ code }) => code === 'XA'),
      );
      expect(everything).toContain(xa!.id);
      expect((await list('patients', `patient=${PATIENT}${more}`)).includes(xa!.id)).toBe(!kept);
      const { statusCode } = await get(
        `/patients/dicomweb/studies/${xa!.id}?patient=${PATIENT}${more}`,
        token,
      );
      expect(statusCode === 404).toBe(kept);
    },
  );

  test.each<[string, object]>([
    ['no condition', {}],
    ['only the callers', { for: 'patient' }],
    ['an empty list', { modality: [] }],
    ['an unknown key', { modality: ['XA'], securityLabel: ['R'] }],
    ['an invalid UID', { studyUid: ['x'] }],
  ])('a tenant file with %s in a rule is refused', (_what, rule) => {
    const file = {
      authorization: { type: 'mock', disableAuthzChecks: true, withhold: [rule] },
      images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1' },
    };
    const origin = { key: 'a', path: 'a', dynamic: false, directory: '/', environment: {} };
    expect(() => parseTenant(file, origin)).toThrow(/withhold/);
  });
});
