import type { Bundle, Resource } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { authorizationServer, type AuthorizationServer } from '../authorization-server.ts';
import { freePort } from '../setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../setup/orthanc.ts';
import { buildTestGateway, type TestGateway } from '../test-gateway.ts';
import { CASES, objects, RECORD, STUDY, type Case } from './cases.ts';

/** Answer of GraphQL. */
interface Answer {
  data: Record<string, never>;
  errors?: { message: string; path: string[]; extensions: { code: string } }[];
}

/**
 * Starts the gateway over the record of `cases.ts` before the tests of a file, and ends it after. Tenants: `folder`; `away`
 * with an archive that does not answer; `smart` with tokens; `acsn-only`, which joins by fewer numbers; and, over Orthanc,
 * `orthanc` by DICOMweb and `dimse` by C-FIND and C-GET.
 */
export function joinedGateway({ withOrthanc = false } = {}) {
  let directory: string;
  let gateway: TestGateway;
  let orthanc: Orthanc | undefined;
  let ehr: AuthorizationServer;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'joins-'));
    const data = { images: join(directory, 'images'), patients: join(directory, 'record.ndjson') };
    await mkdir(data.images);
    const files = objects();
    await Promise.all(files.map((bytes, index) => writeFile(join(data.images, `${index}.dcm`), bytes)));
    await writeFile(data.patients, RECORD.map((one) => JSON.stringify(one)).join('\n'));
    ehr = await authorizationServer();
    if (withOrthanc) orthanc = await startOrthanc({ files });
    const port = await freePort();
    gateway = await buildTestGateway((demo) => tenantFiles(demo, ehr, orthanc), data, undefined, {
      dimse: { host: '127.0.0.1', port, maxBytes: 1e8 },
    });
    for (const id of ['ana', 'bob']) ehr.patients.set(id, RECORD.find((one) => one.id === id) as never);
  }, 60_000);
  afterAll(async () => {
    await gateway?.close();
    await orthanc?.stop();
    await ehr?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const authorized = (token?: string) => ({ ...(token && { authorization: `Bearer ${token}` }) });
  return {
    /** Sends a GraphQL query. */
    async graph(tenant: string, query: string, token?: string) {
      const answer = await gateway.app.inject({
        method: 'POST',
        url: `/${tenant}/graphql`,
        payload: { query },
        headers: { 'content-type': 'application/json', ...authorized(token) },
      });
      return answer.json<Answer>();
    },
    /** Searches studies by REST; gives the names of matches and included resources, sorted. */
    async search(tenant: string, query: string, token?: string, headers: object = {}) {
      const url = `/${tenant}/fhir/ImagingStudy?${query}`;
      const answer = await gateway.app.inject({ url, headers: { ...headers, ...authorized(token) } });
      const bundle = answer.json<Bundle>();
      const named = (mode: string): string[] =>
        (bundle.entry ?? [])
          .filter((entry) => entry.search?.mode === mode)
          .map(({ resource }) => nameOf(resource!))
          .sort();
      return { status: answer.statusCode, bundle, matches: named('match'), included: named('include') };
    },
    /** Makes a token. */
    give(token: string, scope: string, patient = 'ana'): string {
      const exp = Math.floor(Date.now() / 1000) + 3600;
      ehr.tokens.set(token, { client_id: 'app', patient, scope, exp });
      return token;
    },
  };
}

function tenantFiles(
  { images: path, patients }: { images: string; patients: string },
  { fhirBaseUrl, client }: AuthorizationServer,
  orthanc: Orthanc | undefined,
) {
  const lookup = 'studies-by-mrn';
  const record = { type: 'store', path: patients };
  const own = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: record,
    images: { type: 'folder', path, lookup },
  };
  const web = (endpoint: string, more = {}) => ({ type: 'dicom-web', endpoint, lookup, ...more });
  return {
    folder: own,
    away: { ...own, images: web('http://127.0.0.1:1/') },
    smart: { ...own, authorization: { type: 'smart-on-fhir', fhirBaseUrl, client } },
    'acsn-only': { ...own, joins: { accessionTypes: ['ACSN'], requisition: false } },
    ...(orthanc && {
      orthanc: { ...own, images: web(orthanc.dicomWebUrl, { authentication: basic(orthanc) }) },
      dimse: { ...own, images: { ...dimse(orthanc), lookup } },
    }),
  };
}

const basic = ({ username, password }: Orthanc) => ({ type: 'http-basic', username, password });
const dimse = ({ dicomPort, aet }: Orthanc) => ({
  type: 'dicom-dimse',
  endpoint: `dimse://127.0.0.1:${dicomPort}`,
  ae: 'GATEWAY',
  calledAe: aet,
  retrieval: 'c-get',
});

export const nameOf = ({ resourceType, id }: Resource) => `${resourceType}/${id}`;
export const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id).sort();
export const uidsOf = (names: readonly (keyof typeof STUDY)[]) => names.map((name) => STUDY[name]).sort();
/** Names of studies, as `search` gives them. */
export const studyNames = (...names: (keyof typeof STUDY)[]) =>
  uidsOf(names).map((uid) => `ImagingStudy/${uid}`);
/**
 * The studies of a case. By C-FIND, Orthanc returns no sequences, so that it gives no issuers: then a number of any issuer
 * joins.
 */
export const studiesIn = (tenant: string, { what, studies }: Case): Case['studies'] =>
  tenant === 'dimse' && what.endsWith('number of another issuer') ? ['issued'] : studies;
/** The ids of the resources of a type that belong to a study. */
export const belonging = (type: string, uid: string, tenant = 'folder') =>
  CASES.filter(
    (one) => one.resource.resourceType === type && uidsOf(studiesIn(tenant, one)).includes(uid as never),
  )
    .map(({ resource }) => resource.id!)
    .sort();
