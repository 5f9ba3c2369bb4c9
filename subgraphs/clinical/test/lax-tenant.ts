/** A tenant over a lax EHR, asked by REST and GraphQL. */
import type { Bundle, Resource } from 'fhir/r4.js';
import { graphql } from 'graphql';
import { beforeAll, beforeEach } from 'vitest';
import type { LaxBehaviour, LaxEhr } from './lax-ehr.ts';
import { startLaxEhr } from './lax-ehr.ts';
import { accessOf, fhirApp, startClinical, tenantOf } from './servers.ts';

export const CATEGORIES = ['laboratory', 'vital-signs', 'survey'];
const PATIENTS = ['ana', 'bob'].map((id, i) => ({
  resourceType: 'Patient',
  id,
  gender: i ? 'male' : 'female',
  birthDate: `198${i}-05-02`,
  name: [{ family: i ? 'Nunn' : 'Peters' }],
  identifier: [{ system: 'urn:mrn', value: `MRN-${id}` }],
}));
/** 45 Observations, 30 of ana; dates do not follow the order of the list. */
export const OBSERVATIONS = Array.from({ length: 45 }, (_, i) => ({
  resourceType: 'Observation',
  id: `o${String(i).padStart(2, '0')}`,
  status: i % 3 ? 'final' : 'preliminary',
  subject: { reference: `Patient/${i % 3 === 2 ? 'bob' : 'ana'}` },
  category: [{ coding: [{ system: 'urn:c', code: CATEGORIES[i % 2] }] }],
  code: { coding: [{ system: 'urn:o', code: `c${i % 5}` }] },
  effectiveDateTime: `2024-01-${String(1 + ((i * 5) % 28)).padStart(2, '0')}`,
}));
export const idsOf = (keep: (observation: (typeof OBSERVATIONS)[number], i: number) => boolean) =>
  OBSERVATIONS.filter(keep).map(({ id }) => id);
export const FINAL = idsOf(({ status }) => status === 'final');
export const FINAL_OF_ANA = idsOf(
  ({ status, subject }) => status === 'final' && subject.reference === 'Patient/ana',
);

type Patients = readonly string[] | 'all';

interface Answer {
  data: Record<
    string,
    { id: string }[] & { edges: { resource: { id: string } }[]; next: string | null; count: number }
  >;
  errors?: { message: string; extensions: { code: string } }[];
}

/** Path of a link of a Bundle. */
export const pathOf = (url: string): string => url.replace(/^https?:\/\/[^/]+/, '');

/**
 * Registers the hooks of a test file that start a tenant over a lax EHR; each test has an EHR of its own, because what was
 * learnt of one is remembered.
 */
export function laxTenant(resources: readonly object[] = [...PATIENTS, ...OBSERVATIONS]) {
  let clinical: Awaited<ReturnType<typeof startClinical>>;
  let ehr: LaxEhr;
  beforeAll(async () => {
    clinical = await startClinical();
    return () => clinical.end();
  });
  beforeEach(async () => {
    ehr = await startLaxEhr(resources as Resource[]);
    return () => ehr.end();
  });

  const tenant = () => tenantOf({ type: 'fhir', baseUrl: ehr.base });

  async function rest(search: string, { strict = false, patients = 'all' as Patients } = {}) {
    const app = fhirApp(clinical.subgraph, tenant(), () => accessOf('patient/*.rs', patients));
    const answer = await app.inject({
      url: search.startsWith('/') ? search : `/test/fhir/${search}`,
      headers: strict ? { prefer: 'handling=strict' } : {},
    });
    await app.close();
    const bundle = answer.json<Bundle>();
    const link = (name: string) => bundle.link?.find(({ relation }) => relation === name)?.url;
    const ids = (bundle.entry ?? [])
      .filter(({ search }) => search?.mode !== 'outcome')
      .map(({ resource }) => resource?.id);
    return {
      status: answer.statusCode,
      headers: answer.headers,
      bundle,
      ids,
      self: link('self'),
      next: link('next'),
    };
  }

  async function ask(source: string, patients: Patients = 'all'): Promise<Answer> {
    const contextValue = { clinical: clinical.subgraph.open(tenant(), accessOf('patient/*.rs', patients)) };
    const result = await graphql({ schema: clinical.subgraph.schema, source, contextValue });
    return JSON.parse(JSON.stringify(result)) as Answer;
  }

  /** Ids of the only list in an answer, or the code of its error. */
  async function list(source: string, patients: Patients = 'all'): Promise<string[] | string> {
    const { data, errors } = await ask(`{ list: ${source} { id } }`, patients);
    return errors ? errors[0]!.extensions.code : data['list']!.map(({ id }) => id);
  }

  return {
    rest,
    ask,
    list,
    open: (scope: string) => clinical.subgraph.open(tenant(), accessOf(scope)),
    ehr: () => ehr,
    behave: (...behaviours: Partial<LaxBehaviour>[]) => Object.assign(ehr.behaviour, ...behaviours) as void,
  };
}
