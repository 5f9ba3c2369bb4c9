/** Joined lists of a page of studies or patients: requests to the EHR (FG-6, FG-9). */
import { graphql } from 'graphql';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { joinedTypes } from '../../../schema/fhir/joined-types.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';

const PATIENTS = 50;
const ref = (reference: string) => ({ reference });
const records = Array.from({ length: PATIENTS }, (_, n) => {
  const own = { subject: ref(`Patient/p${n}`), encounter: ref(`Encounter/e${n}`) };
  const basedOn = [ref(`ServiceRequest/o${n}`)];
  return [
    { resourceType: 'Patient', id: `p${n}` },
    { resourceType: 'Encounter', id: `e${n}`, subject: own.subject },
    {
      resourceType: 'ServiceRequest',
      id: `o${n}`,
      ...own,
      identifier: [{ value: `A${n}`, type: { coding: [{ code: 'ACSN' }] } }],
    },
    { resourceType: 'DiagnosticReport', id: `r${n}`, ...own, basedOn },
    { resourceType: 'Procedure', id: `c${n}`, ...own, report: [ref(`DiagnosticReport/r${n}`)] },
    { resourceType: 'Media', id: `m${n}`, ...own, basedOn },
    { resourceType: 'Observation', id: `b${n}`, ...own, derivedFrom: [ref(`Media/m${n}`)] },
    {
      resourceType: 'DocumentReference',
      id: `d${n}`,
      subject: own.subject,
      context: { encounter: [own.encounter], related: basedOn },
    },
  ];
}).flat();

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let remote: Tenant;

beforeAll(async () => {
  clinical = await startClinical();
  const store = await clinical.tenantOver(records.map((one) => JSON.stringify(one)).join('\n'));
  server = await startFhirServer(clinical.subgraph, store);
  remote = tenantOf({ type: 'fhir', baseUrl: server.base });
});
afterAll(async () => {
  await server.end();
  await clinical.end();
});
beforeEach(() => void (server.requests.length = 0));

async function ask(source: string) {
  const contextValue = { clinical: clinical.subgraph.open(remote, accessOf('system/*.rs')) };
  const { data, errors } = await graphql({ schema: clinical.subgraph.schema, source, contextValue });
  expect(errors).toBeUndefined();
  return JSON.parse(JSON.stringify(data)) as Record<string, Record<string, { id: string }[]>[]>;
}

/** Requests by type. */
function requests(): Record<string, number> {
  const types = server.requests.map((path) => /^\/(\w+)/.exec(path)![1]!);
  return Object.fromEntries(types.map((type) => [type, types.filter((one) => one === type).length]));
}

/** Each type is searched once by patient; a batch of reads, and one search by encounter, may add to that. */
const MOST = 3;

test('all lists of 50 studies of 50 patients are a few requests for each type', async () => {
  const studies = Array.from(
    { length: PATIENTS },
    (_, n) =>
      `{ __typename: "ImagingStudy", id: "1.2.${n}", _patientId: "p${n}", _accessionNumbers: ["A${n}"] }`,
  );
  const lists = joinedTypes.map((type) => `${type}List { id }`).join(' ');
  const { _entities: found } = await ask(
    `{ _entities(representations: [${studies.join(' ')}]) { ... on ImagingStudy { ${lists} } } }`,
  );
  const letters = 'rocbmde';
  expect(found).toEqual(
    studies.map((_, n) =>
      Object.fromEntries(
        joinedTypes.map((type, index) => [`${type}List`, [{ id: `${letters[index]}${n}` }]]),
      ),
    ),
  );
  expect(Object.keys(requests()).sort()).toEqual([...joinedTypes, 'ImagingStudy'].sort());
  for (const [type, count] of Object.entries(requests())) expect([type, count <= MOST]).toEqual([type, true]);
});

test.each([
  ['Encounter', 9],
  ['Observation', 4],
  ['DiagnosticReport', 3],
])('the links of 50 resources of type %s are at most %i requests', async (type, most) => {
  const { [`${type}List`]: found } = await ask(`{ ${type}List { _accessionNumbers } }`);
  expect(found!.map(({ _accessionNumbers }) => _accessionNumbers![0] as unknown).sort()).toEqual(
    Array.from({ length: PATIENTS }, (_, n) => `A${n}`).sort(),
  );
  expect([server.requests.length <= most, server.requests]).toEqual([true, expect.anything()]);
});
