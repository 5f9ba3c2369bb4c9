/** A page of 50 patients, each with conditions and studies: the requests to the EHR and to the archive (FG-6). */
import { HeaderMap } from '@apollo/server';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseScopes } from '../../schema/access/scopes.ts';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { RequestEnd } from '../../schema/process/request-end.ts';
import { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { startClinical, startFhirServer } from '../../subgraphs/clinical/test/servers.ts';
import { imagingSubgraph } from '../../subgraphs/imaging/app.ts';
import { federatedServer, type FederatedServer } from '../federation/apollo/supergraph.ts';
import { DEFAULT_LIMITS } from '../federation/document/limits.ts';
import { logger } from '../http/logger.ts';
import { patientDirectory } from '../joins/record-directory.ts';
import { recordStudies } from '../joins/record-studies.ts';
import { requestRecords } from '../joins/request-records.ts';
import { tenantsOf } from './gateway-alone.ts';

const PATIENTS = 50;
const log = logger('silent');
const subject = (number: number) => ({ reference: `Patient/p${number}` });
/** The archive has the studies below 1.2, the record alone those below 1.3. */
const study = (number: number, uid: string) => ({
  resourceType: 'ImagingStudy',
  id: `s-${uid}`,
  status: 'available',
  subject: subject(number),
  identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${uid}` }],
  note: [{ text: 'said' }],
});
const records = Array.from({ length: PATIENTS }, (_, number) => [
  { resourceType: 'Patient', id: `p${number}`, identifier: [{ value: `MRN-${number}` }] },
  { resourceType: 'Condition', id: `c${number}`, subject: subject(number) },
  { resourceType: 'DiagnosticReport', id: `d${number}`, subject: subject(number), status: 'final' },
  study(number, `1.2.${number}`),
  study(number, `1.3.${number}`),
]).flat();

let ehr: Awaited<ReturnType<typeof startFhirServer>>;
let archive: Server;
let searches: string[] = [];
let server: FederatedServer;
let tenant: Tenant;
let directory: string;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'page-of-patients-'));
  const record = await startClinical();
  const store = await record.tenantOver(records.map((one) => JSON.stringify(one)).join('\n'));
  ehr = await startFhirServer(record.subgraph, store);
  archive = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    searches.push(pathname);
    const rows = (searchParams.get('00100020') ?? '')
      .split(',')
      .map((mrn) => ({
        '00100020': { vr: 'LO', Value: [mrn] },
        '0020000D': { vr: 'UI', Value: [`1.2.${mrn.slice(4)}`] },
        '0020000E': { vr: 'UI', Value: [`1.2.${mrn.slice(4)}.1`] },
      }));
    response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(rows));
  });
  await new Promise<void>((resolve) => archive.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(archive.address() as AddressInfo).port}/`;
  [tenant] = tenantsOf({
    t: {
      authorization: { type: 'mock', disableAuthzChecks: true },
      clinical: { type: 'fhir', baseUrl: ehr.base },
      images: { type: 'dicom-web', endpoint, lookup: 'studies-by-mrn' },
    },
  }).all as [Tenant];
  const clinical = requestRecords(clinicalSubgraph({ dataDir: directory, baseUrl: 'http://localhost' }));
  const imaging = imagingSubgraph({
    baseUrl: 'http://localhost',
    dataDir: directory,
    now: () => Date.now() / 1000,
    log: log as never,
    directory: patientDirectory(clinical.open),
    recordStudies: recordStudies(clinical.open, clinical.subgraph.mayHold),
  });
  const sdl = (name: string) => readFileSync(new URL(`../../schema/${name}.graphql`, import.meta.url));
  server = await federatedServer({
    supergraphSdl: sdl('supergraph'),
    apiSdl: sdl('api'),
    subgraphs: { clinical: clinical.subgraph, imaging },
    limits: DEFAULT_LIMITS,
    log: log as never,
    persisted: undefined as never,
  });
  ends.push(
    () => server.stop(),
    () => clinical.subgraph.close(),
    () => imaging.close(),
  );
  ends.push(
    () => archive.close(),
    () => ehr.end(),
    () => record.end(),
  );
}, 60_000);
afterAll(async () => {
  for (const end of ends) await end();
  await rm(directory, { recursive: true, force: true });
});

async function ask(query: string) {
  ehr.requests.length = 0;
  searches = [];
  const scope = {
    tenant,
    log,
    fhir: false,
    cores: new Map(),
    audit: undefined,
    access: {
      tenant: 't',
      patients: 'all',
      permissions: parseScopes('system/*.rs'),
      expires: Date.now() / 1000 + 60,
    },
    over: new RequestEnd(),
    budget: new AnswerBudget(DEFAULT_LIMITS.cost),
  };
  const { body } = await server.executeHTTPGraphQLRequest({
    httpGraphQLRequest: {
      method: 'POST',
      search: '',
      body: { query },
      headers: new HeaderMap([['content-type', 'application/json']]),
    },
    context: async () => ({ scope }) as never,
  });
  return JSON.parse(body.kind === 'complete' ? body.string : '{}') as { data: unknown; errors?: unknown };
}

const STUDIES =
  'ImagingStudyList { id note { text } } ImagingStudyConnection { count edges { resource { id } } }';
const types = () => ehr.requests.map((path) => path.split('?')[0]!.slice(1)).toSorted();

test.each([
  ['lists', `PatientList { id ConditionList { id } ${STUDIES} }`, ['Condition', 'ImagingStudy', 'Patient']],
  [
    'connections',
    `PatientConnection(_count: 50) { edges { resource { id ConditionConnection { count next edges { resource { id } } } ${STUDIES} } } }`,
    ['Condition', 'ImagingStudy', 'Patient'],
  ],
  [
    'lists and connections',
    `PatientList(_count: 50) { id ConditionList { id } ConditionConnection(_count: 5) { next } ${STUDIES} }`,
    ['Condition', 'ImagingStudy', 'Patient'],
  ],
  // Reports of a study need a field of the other subgraph: a plan.
  [
    'studies with their reports',
    'PatientList { id ConditionList { id } ImagingStudyList { id DiagnosticReportList { id } } }',
    ['Condition', 'DiagnosticReport', 'ImagingStudy', 'Patient'],
  ],
])(
  '%s: one request to the EHR for each type, one QIDO search for each level and for 50 UIDs',
  async (_what, query, asked) => {
    const { data, errors } = await ask(`{ ${query} }`);
    expect(errors).toBeUndefined();
    for (const uid of [/"1\.2\.\d+"/g, /"1\.3\.\d+"/g])
      expect(JSON.stringify(data).match(uid)!.length).toBeGreaterThanOrEqual(PATIENTS);
    expect([types(), searches.length > 4]).toEqual([asked, false]);
  },
);
