/** Many patients with ten studies each, and a token for each of them: the data of several benchmarks. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { AuthorizationServer } from '../test/authorization-server.ts';
import type { DemoData } from '../test/test-gateway.ts';
import { BORN, mrnOf, STUDIES, writePatients } from './data/large-patient.ts';
import type { PatientAnswers } from './peers/stub-data.ts';
import { startWholeGateway, type WholeGateway } from './whole-gateway.ts';

export const PATIENTS = 200;

/** The request for a patient, by number: a path below the tenant, or a body that is posted to it. */
export type Ask = (patient: number) => { path: string; body?: string };

export const QUERY = `query ($id: ID!) { Patient(id: $id) { id birthDate name { family given }
  ImagingStudyList { id started description series { uid modality { code } description } } } }`;

export const ASKED = {
  imagingStudies: (patient) => ({ path: `/fhir/ImagingStudy?patient=p${patient}` }),
  qido: (patient) => ({ path: `/dicomweb/studies?PatientID=${mrnOf(patient)}` }),
  federated: (patient) => ({
    path: '/graphql',
    body: JSON.stringify({ query: QUERY, variables: { id: `p${patient}` } }),
  }),
} satisfies Record<string, Ask>;

export const headersOf = (patient: number, body: string | undefined): Record<string, string> => ({
  authorization: `Bearer token-${patient}`,
  ...(body !== undefined && { 'content-type': 'application/json' }),
});

/** A request as it is posted. */
export interface Posted {
  headers: Record<string, string>;
  body: string;
}

/** Returns the posted request of each patient. @throws for a request that is not posted */
export function postedBy(ask: Ask): Posted[] {
  return Array.from({ length: PATIENTS }, (_, at) => {
    const { path, body } = ask(at + 1);
    if (body === undefined) throw new Error(`${path} has no body.`);
    return { headers: headersOf(at + 1, body), body };
  });
}

/** Writes the data, the tenant and a token for each patient. @param instances of each series */
export async function prepare(directory: string, ehr: AuthorizationServer, instances = 1): Promise<DemoData> {
  const data = await writePatients(directory, { count: PATIENTS, resources: 1, instances });
  await writeTenant(directory, data, ehr);
  for (let patient = 1; patient <= PATIENTS; patient++)
    giveToken(ehr, `token-${patient}`, { id: `p${patient}`, mrn: mrnOf(patient) });
  return data;
}

/** Returns the tenant over these data. @param authorization its setting */
export const tenantOver = ({ images, patients }: DemoData, authorization: object): object => ({
  authorization,
  clinical: { type: 'store', path: patients },
  images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
});

/** Writes the tenant `t`, for tokens of an EHR. */
async function writeTenant(directory: string, data: DemoData, ehr: AuthorizationServer): Promise<void> {
  const { fhirBaseUrl, client } = ehr;
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl, client, introspectionTtl: 3600 };
  await mkdir(join(directory, 'tenants'));
  await writeFile(join(directory, 'tenants/t.json'), JSON.stringify(tenantOver(data, authorization)));
}

/** Lets the EHR know a patient, and a token that reaches all of the patient's data for a day. */
export function giveToken(
  ehr: AuthorizationServer,
  token: string,
  { id, mrn }: { id: string; mrn: string },
): void {
  const identifier = [{ value: mrn, type: { coding: [{ code: 'MR' }] } }];
  const exp = Math.floor(Date.now() / 1000) + 24 * 3600;
  ehr.patients.set(id, { resourceType: 'Patient', id, identifier, birthDate: BORN });
  ehr.tokens.set(token, { client_id: 'app', sub: id, exp, patient: id, scope: 'patient/*.rs' });
}

/** Starts a gateway over them, and waits until it has read all images. @param checkout folder with a build */
export async function startOver(
  checkout: string,
  directory: string,
  named: { name: string; environment?: Readonly<Record<string, string>> },
): Promise<WholeGateway> {
  const server = await startWholeGateway({ checkout, directory, status: 200, ...named });
  await untilIndexed(server.origin);
  return server;
}

/** Asks a gateway. @throws for an answer with errors */
export async function answerOf({ origin }: { origin: string }, ask: Ask, patient: number): Promise<string> {
  const { path, body } = ask(patient);
  const headers = headersOf(patient, body);
  const answer = await request(`${origin}/t${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    ...(body !== undefined && { body }),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || text.includes('"errors"'))
    throw new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return text;
}

/** Returns what this gateway answers for each patient: the peers' subgraphs answer the same. */
export async function answersOf(ours: WholeGateway): Promise<PatientAnswers> {
  const entries: [string, PatientAnswers[string]][] = [];
  for (let patient = 1; patient <= PATIENTS; patient++) {
    const text = await answerOf(ours, ASKED.federated, patient);
    const { data } = JSON.parse(text) as { data: { Patient: PatientAnswers[string] } };
    entries.push([data.Patient.id, data.Patient]);
  }
  return Object.fromEntries(entries);
}

/** Waits until a gateway has read all images. */
export async function untilIndexed(origin: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const found = await answerOf({ origin }, ASKED.qido, PATIENTS).catch(() => '[]');
    if ((JSON.parse(found) as unknown[]).length === STUDIES) return;
    await sleep(200);
  }
  throw new Error('The folder was not indexed within a minute.');
}
