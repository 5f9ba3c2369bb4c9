/** Many patients with ten studies each, and a token for each of them: the data of several benchmarks. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { AuthorizationServer } from '../test/authorization-server.ts';
import { mrnOf, STUDIES, writePatients } from './data/large-patient.ts';
import { startWholeGateway, type WholeGateway } from './whole-gateway.ts';

export const PATIENTS = 200;

/** The request for a patient, by number: a path below the tenant, or a body that is posted to it. */
export type Ask = (patient: number) => { path: string; body?: string };

const QUERY = `query ($id: ID!) { Patient(id: $id) { id birthDate name { family given }
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

/** Writes the data, the tenant and a token for each patient. */
export async function prepare(directory: string, ehr: AuthorizationServer): Promise<void> {
  const { images, patients } = await writePatients(directory, PATIENTS, 1);
  await mkdir(join(directory, 'tenants'));
  const { fhirBaseUrl, client } = ehr;
  const tenant = {
    authorization: { type: 'smart-on-fhir', fhirBaseUrl, client, introspectionTtl: 3600 },
    clinical: { type: 'store', path: patients },
    images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
  };
  await writeFile(join(directory, 'tenants/t.json'), JSON.stringify(tenant));
  const exp = Math.floor(Date.now() / 1000) + 24 * 3600;
  for (let patient = 1; patient <= PATIENTS; patient++) {
    const id = `p${patient}`;
    const identifier = [{ value: mrnOf(patient), type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier, birthDate: '1970-01-01' });
    ehr.tokens.set(`token-${patient}`, {
      client_id: 'app',
      sub: id,
      exp,
      patient: id,
      scope: 'patient/*.rs',
    });
  }
}

/** Starts a gateway over them, and waits until it has read all images. @param checkout folder with a build */
export async function startOver(checkout: string, directory: string, name: string): Promise<WholeGateway> {
  const server = await startWholeGateway({ checkout, directory, name, status: 200 });
  await untilIndexed(server.origin);
  return server;
}

/** Asks a gateway. @throws for an answer with errors */
export async function answerOf({ origin }: { origin: string }, ask: Ask, patient: number): Promise<string> {
  const { path, body } = ask(patient);
  const headers = headersOf(patient, body);
  const answer = await request(`${origin}/t${path}`, {
    ...{ method: body === undefined ? 'GET' : 'POST', headers },
    ...(body !== undefined && { body }),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || text.includes('"errors"'))
    throw new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return text;
}

async function untilIndexed(origin: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const found = await answerOf({ origin }, ASKED.qido, PATIENTS).catch(() => '[]');
    if ((JSON.parse(found) as unknown[]).length === STUDIES) return;
    await sleep(200);
  }
  throw new Error('The folder was not indexed within a minute.');
}
