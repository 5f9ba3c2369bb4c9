/** Records of servers that are not ours, as they may be by the standard: with a `fetch` that answers as such a server. */
import { describe, expect, test } from 'vitest';
import { Transport } from '../transport.ts';
import { RestSource } from './rest-source.ts';

const EHR = 'https://ehr.example/r4';
const IMAGING = 'https://imaging.example/fhir';
const never = new AbortController().signal;
const PATIENT = { resourceType: 'Patient', id: 'p1', name: [{ family: 'Lee', given: ['Ann'] }] };
const subject = { reference: 'Patient/p1' };

type Answers = Record<string, unknown>;

const bundle = (...resources: object[]) => ({
  resourceType: 'Bundle',
  entry: resources.map((resource) => ({ resource })),
});

/**
 * Returns a source whose servers have these answers, by the beginning of the address, and the requests that they were sent.
 * A number is a status. Other types are unknown to them.
 */
function foreign(answers: Answers) {
  const seen: { url: string; hasToken: boolean }[] = [];
  const fetch = async (input: unknown, init?: RequestInit): Promise<Response> => {
    const url = String(input);
    seen.push({ url, hasToken: new Headers(init?.headers).has('authorization') });
    const [, found] = Object.entries(answers).find(([begin]) => url.startsWith(begin)) ?? [];
    if (typeof found === 'number') return new Response(null, { status: found });
    const isText = typeof found === 'string';
    const headers = { 'content-type': isText ? 'text/plain' : 'application/fhir+json' };
    return new Response(isText ? found : JSON.stringify(found ?? {}), { status: found ? 200 : 404, headers });
  };
  const credentials = { token: async () => 'secret', renew: async () => false };
  const transport = new Transport([EHR], { credentials, fetch: fetch as typeof globalThis.fetch });
  return { source: new RestSource(EHR, transport), transport, seen };
}

const RECORD: Answers = {
  [`${EHR}/Patient/p1`]: PATIENT,
  [`${EHR}/.well-known/smart-configuration`]: {
    associated_endpoints: [{ url: `${IMAGING}/`, capabilities: ['smart-imaging-access'] }],
  },
};

const UID = '1.2.840.1';
const study = (endpoint: string, rest: object = {}) => ({
  resourceType: 'ImagingStudy',
  id: 'study-7',
  status: 'available',
  subject,
  identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${UID}` }],
  started: '2026-03-01',
  modality: [{ code: 'CT' }],
  endpoint: [{ reference: endpoint }],
  series: [{ uid: '1.2.840.1.1', modality: { code: 'CT' } }],
  ...rest,
});
const endpoint = (rest: object = {}) => ({
  resourceType: 'Endpoint',
  id: 'e1',
  status: 'active',
  address: 'https://pacs.example/wado/',
  connectionType: { code: 'dicom-wado-rs' },
  ...rest,
});

describe('IA-1, IA-17, IA-18 images of another server', () => {
  const places: [string, Answers][] = [
    ['contained', { [`${IMAGING}/ImagingStudy`]: bundle(study('#e1', { contained: [endpoint()] })) }],
    ['included', { [`${IMAGING}/ImagingStudy`]: bundle(study('Endpoint/e1'), endpoint()) }],
    [
      'included by its URN',
      {
        [`${IMAGING}/ImagingStudy`]: {
          resourceType: 'Bundle',
          entry: [
            { resource: study('urn:uuid:0b1') },
            { fullUrl: 'urn:uuid:0b1', resource: endpoint({ id: undefined }), search: { mode: 'include' } },
          ],
        },
      },
    ],
    [
      'read by its id',
      { [`${IMAGING}/ImagingStudy`]: bundle(study('Endpoint/e1')), [`${IMAGING}/Endpoint/e1`]: endpoint() },
    ],
  ];

  test.each(places)('the Endpoint is %s, and its server gets the token', async (_how, answers) => {
    const { source, transport, seen } = foreign({ ...RECORD, ...answers });
    const record = await source.record('p1', never);
    expect(record.missing).toEqual([]);
    expect(record.studies).toMatchObject([
      { uid: UID, id: 'study-7', location: { dicomweb: 'https://pacs.example/wado' } },
    ]);
    await transport
      .send('https://pacs.example/wado/studies/1/metadata', { accept: '*/*' })
      .catch(() => undefined);
    expect(seen.at(-1)).toMatchObject({ hasToken: true });
  });

  test.each([
    [
      'needs no token',
      { extension: [{ url: 'http://x/StructureDefinition/requires-access-token', valueBoolean: false }] },
      true,
    ],
    ['is off', { status: 'off' }, false],
    ['is no DICOMweb server', { connectionType: { code: 'hl7-fhir-rest' } }, false],
  ])('an Endpoint that %s', async (_what, rest, isOpened) => {
    const found = study('#e1', { contained: [endpoint(rest)] });
    const { source, transport, seen } = foreign({ ...RECORD, [`${IMAGING}/ImagingStudy`]: bundle(found) });
    const { studies } = await source.record('p1', never);
    expect(studies[0]!.location !== undefined).toBe(isOpened);
    await transport.send('https://pacs.example/wado/studies/1', { accept: '*/*' }).catch(() => undefined);
    expect(seen.at(-1)).toMatchObject({ hasToken: false });
  });

  test('reports find their study by reference, by UID, by accession number, and by their order', async () => {
    const acsn = { type: { coding: [{ code: 'ACSN' }] }, value: 'A-1' };
    const found = study('#e1', { basedOn: [{ identifier: acsn }] });
    const report = (id: string, rest: object) => ({
      resourceType: 'DiagnosticReport',
      id,
      status: 'final',
      subject,
      ...rest,
    });
    const reports = bundle(
      report('by-reference', { imagingStudy: [{ reference: `${IMAGING}/ImagingStudy/study-7` }] }),
      report('by-uid', { identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${UID}` }] }),
      report('by-accession', { identifier: [acsn] }),
      report('by-order', { basedOn: [{ reference: 'ServiceRequest/o1' }] }),
      report('other', { identifier: [{ value: 'A-1' }] }),
      report('wrong', { identifier: [acsn], status: 'entered-in-error' }),
    );
    const { source } = foreign({
      ...RECORD,
      [`${IMAGING}/ImagingStudy`]: bundle(found),
      [`${EHR}/DiagnosticReport`]: reports,
      [`${EHR}/ServiceRequest`]: bundle({
        resourceType: 'ServiceRequest',
        id: 'o1',
        identifier: [acsn],
        subject,
      }),
    });
    const record = await source.record('p1', never);
    expect(record.reports.map(({ id, studies }) => [id, studies.length])).toEqual([
      ['by-accession', 1],
      ['by-order', 1],
      ['by-reference', 1],
      ['by-uid', 1],
      ['other', 0],
    ]);
    const entry = record.timeline.find(({ kind }) => kind === 'study')!;
    expect(entry.reports).toHaveLength(4);
  });
});

test('R4 Attachment.url: the text of a report is fetched from this server only; a PDF stays an attachment', async () => {
  const form = (url: string, contentType = 'text/plain') => ({ contentType, url });
  const report = (id: string, ...presentedForm: object[]) => ({
    resourceType: 'DiagnosticReport',
    id,
    status: 'final',
    subject,
    presentedForm,
  });
  const { source, seen } = foreign({
    ...RECORD,
    [`${EHR}/DiagnosticReport`]: bundle(
      report('here', form('Binary/b1'), form('Binary/b2', 'application/pdf')),
      report('elsewhere', form('https://evil.example/text')),
      report('gone', form('Binary/b3')),
    ),
    [`${EHR}/Binary/b1`]: 'No fracture.',
  });
  const { reports, missing } = await source.record('p1', never);
  const byId = Object.fromEntries(reports.map((one) => [one.id, one]));
  expect(byId['here']).toMatchObject({
    text: 'No fracture.',
    attachments: [{ contentType: 'application/pdf', url: `${EHR}/Binary/b2` }],
  });
  expect(byId['elsewhere']).toMatchObject({ text: '', attachments: [{ url: 'https://evil.example/text' }] });
  expect(seen.some(({ url }) => url.includes('evil'))).toBe(false);
  expect(missing.map(({ message }) => message)).toContain('The text of 1 reports did not arrive.');
});

test('IA-38 all pages are read up to a limit; what was not read is said', async () => {
  const condition = (id: string) => ({ resourceType: 'Condition', id, subject, code: { text: id } });
  const page = (id: string, next: string) => ({
    ...bundle(condition(id)),
    link: [{ relation: 'next', url: next }],
  });
  const pages: Answers = {};
  for (let at = 30; at >= 1; at--)
    pages[`${EHR}/Condition?page=${at}&`] = page(`c${at}`, `Condition?page=${at + 1}&`);
  const { source, seen } = foreign({
    ...RECORD,
    ...pages,
    [`${EHR}/Condition`]: page('c0', 'Condition?page=1&'),
  });
  const { problems, missing } = await source.record('p1', never);
  expect(problems).toHaveLength(10);
  expect(seen.filter(({ url }) => url.includes('/Condition'))).toHaveLength(10);
  expect(missing).toContainEqual({
    part: 'record',
    message: 'Only the first 10 of the type Condition were read.',
  });
});

test('what a server gives of another patient is not shown, and said', async () => {
  const allergy = (id: string, patient: string) => ({
    resourceType: 'AllergyIntolerance',
    id,
    code: { text: id },
    patient: { reference: patient },
  });
  const { source } = foreign({
    ...RECORD,
    [`${EHR}/AllergyIntolerance`]: bundle(
      ...[
        allergy('own', 'Patient/p1'),
        allergy('too', `${EHR}/Patient/p1`),
        allergy('foreign', 'Patient/p11'),
      ],
    ),
  });
  const { allergies, missing } = await source.record('p1', never);
  expect(allergies!.map(({ id }) => id)).toEqual(['own', 'too']);
  expect(missing[0]!.message).toContain('another patient');
});

test.each([
  [`${IMAGING}/ImagingStudy`, { part: 'images', message: 'ImagingStudy: the server answered 401' }],
  [`${EHR}/Condition`, undefined],
])('a 401 of %s ends the record only if it is of the record', async (address, missing) => {
  const { source } = foreign({ ...RECORD, [address]: 401 });
  const record = source.record('p1', never);
  if (missing) expect((await record).missing).toEqual([missing]);
  else await expect(record).rejects.toMatchObject({ kind: 'signed-out' });
});

test.each([500, 403, 404])('allergies that are answered by %d are unknown, not absent', async (status) => {
  const { source } = foreign({
    ...RECORD,
    [`${EHR}/AllergyIntolerance`]: status,
    [`${EHR}/Condition`]: bundle(),
  });
  const { allergies, problems } = await source.record('p1', never);
  expect([allergies, problems]).toEqual([undefined, []]);
});

test('a server that ignores sorting, and has few types, has a record', async () => {
  const { source } = foreign(RECORD);
  const record = await source.record('p1', never);
  expect(record.person).toMatchObject({ name: 'Ann Lee', mrns: [] });
  expect(record.timeline).toEqual([]);
  expect(record.missing).toEqual([
    { part: 'images', message: expect.stringContaining('no imaging') as string },
  ]);
});
