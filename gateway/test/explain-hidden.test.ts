/** IA-7, FG-28: the explanation of a request is the same for what is hidden from the caller and for what does not exist. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Explained } from '../../viewer/src/playground/cost/explained.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { freePort } from './setup/free-port.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const OWN = 'demo-george-whitfield';
const OTHER = 'demo-maria-alvarez';
const MRN = 'MRN-0019540';
const TENANTS = ['local', 'remote'] as const;

let ehr: AuthorizationServer;
let gateway: TestGateway;

beforeAll(async () => {
  ehr = await authorizationServer();
  const port = await freePort();
  const base = `http://127.0.0.1:${port}/open`;
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const lookup = 'studies-by-mrn';
  const graphql = { explain: true };
  gateway = await buildTestGateway(
    ({ images, patients }) => {
      const clinical = { type: 'store', path: patients };
      const folder = { type: 'folder', path: images, lookup };
      const withheld = { ...smart, withhold: [{ modality: ['XA'] }] };
      return {
        open: { authorization: { type: 'mock', disableAuthzChecks: true }, clinical, images: folder },
        local: { authorization: withheld, clinical, images: folder, graphql },
        // Its servers are the APIs of the tenant `open`.
        remote: {
          authorization: withheld,
          clinical: { type: 'fhir', baseUrl: `${base}/fhir` },
          images: { type: 'dicom-web', endpoint: `${base}/dicomweb`, lookup },
          graphql,
        },
      };
    },
    undefined,
    undefined,
    { port },
  );
  const type = { coding: [{ code: 'MR' }] };
  const identifier = [{ system: 'http://hospital.smarthealthit.org', value: MRN, type }];
  ehr.patients.set(OWN, { resourceType: 'Patient', id: OWN, identifier });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = { client_id: 'app', patient: OWN, exp };
  ehr.tokens.set('all', { ...token, scope: 'patient/*.rs' });
  ehr.tokens.set('laboratory', {
    ...token,
    scope: 'patient/Patient.r patient/Observation.rs?category=laboratory',
  });
}, 120_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

async function explained(tenant: string, query: string, token: string) {
  const answer = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    headers: { authorization: `Bearer ${token}` },
    payload: { query, extensions: { explain: 'run' } },
  });
  const { data, errors, extensions } = answer.json<{
    data: unknown;
    errors?: { message: string; extensions: object }[];
    extensions: { explain: Explained };
  }>();
  return { data, errors, calls: extensions.explain.calls! };
}

/** Returns the ids that the tenant without authorization gives. */
async function idsOf(query: string): Promise<string[]> {
  const answer = await gateway.app.inject({
    method: 'POST',
    url: '/open/graphql',
    payload: { query: `{ list: ${query} { id } }` },
  });
  return answer.json<{ data: { list: { id: string }[] } }>().data.list.map(({ id }) => id);
}

const first = async (query: string) => (await idsOf(query))[0]!;

type Hidden = readonly [
  what: string,
  token: string,
  /** Queries for what is hidden, and for what does not exist. */
  queries: () => Promise<readonly [hidden: string, absent: string]>,
];

const HIDDEN: readonly Hidden[] = [
  [
    'a resource of another patient',
    'all',
    async () => {
      const id = await first(`ConditionList(patient: "${OTHER}", _count: 1)`);
      return [`{ Condition(id: "${id}") { id } }`, '{ Condition(id: "nothing") { id } }'];
    },
  ],
  [
    'a resource that granular scopes leave out',
    'laboratory',
    async () => {
      const id = await first(`ObservationList(patient: "${OWN}", category: "vital-signs", _count: 1)`);
      return [`{ Observation(id: "${id}") { id } }`, '{ Observation(id: "nothing") { id } }'];
    },
  ],
  [
    'a search for what granular scopes leave out',
    'laboratory',
    async () => {
      const list = (category: string) => `{ ObservationList(category: "${category}") { id } }`;
      return [list('vital-signs'), list('therapy')];
    },
  ],
  [
    'a study of another patient',
    'all',
    async () => {
      const id = await first(`ImagingStudyList(patient: "${OTHER}", _count: 1)`);
      return [`{ ImagingStudy(id: "${id}") { id } }`, '{ ImagingStudy(id: "1.2.3.4") { id } }'];
    },
  ],
  [
    'a study that is withheld',
    'all',
    async () => {
      const id = await first(`ImagingStudyList(patient: "${OWN}", modality: "XA", _count: 1)`);
      return [`{ ImagingStudy(id: "${id}") { id } }`, '{ ImagingStudy(id: "1.2.3.4") { id } }'];
    },
  ],
  [
    'a search for studies that are withheld',
    'all',
    async () => {
      const list = (modality: string) => `{ ImagingStudyList(modality: "${modality}") { id } }`;
      return [list('XA'), list('ES')];
    },
  ],
];

test.each(TENANTS.flatMap((tenant) => HIDDEN.map((hidden) => [tenant, ...hidden] as const)))(
  '%s: %s has the explanation of what does not exist',
  async (tenant, _what, token, queries) => {
    const [hidden, absent] = await queries();
    const afresh = (query: string) => {
      gateway.forget();
      return explained(tenant, query, token);
    };
    const known = await afresh(hidden);
    const unknown = await afresh(absent);
    expect(known.data).toEqual(unknown.data);
    expect(known.errors).toEqual(unknown.errors);
    // Calls of two processes begin in any order.
    expect(known.calls.map(shown).sort()).toEqual(unknown.calls.map(shown).sort());
    // Neither how much was found, nor the time of what decided: refusals are delayed, so that they take as long as others.
    for (const call of [...known.calls, ...unknown.calls]) {
      expect(Object.keys(call).sort()).toEqual(['at', 'milliseconds', 'request', 'source']);
      expect(call.request).not.toContain('StudyInstanceUID');
    }
  },
);

const shown = ({ request, source, error }: NonNullable<Explained['calls']>[number]) =>
  [source, request.replace(/(category|modality)=[^&]*/gi, '$1='), error].join(' ');
