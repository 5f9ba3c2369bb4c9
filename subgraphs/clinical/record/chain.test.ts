/** Rights of searches inside searches: scope × patients × search → answer, over the embedded store. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessOf, startClinical } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;

beforeAll(async () => {
  clinical = await startClinical();
});
afterAll(() => clinical.end());

const all = 'patient/*.rs';

describe('FG-20 SM-6 SM-16 chains, _has, _list and _filter', () => {
  it.each<[scope: string, patients: string[] | 'all', search: string, outcome: string[] | string]>([
    // The patients in reach bind them at every level.
    [all, ['ana'], 'Condition?encounter.subject:Patient.gender=female', ['asthma']],
    [all, ['ana'], 'Condition?encounter.subject:Patient=bob', 'forbidden'],
    [all, ['ana'], 'Patient?_has:Condition:patient:code:text=asthma', ['ana']],
    [all, ['ana'], 'Patient?_has:Condition:patient:code:text=gout', []],
    [all, ['ana'], 'Patient?_has:Condition:patient:patient=bob', 'forbidden'],
    [all, ['ana'], 'Patient?_has:Observation:performer:subject=Patient/bob', 'forbidden'],
    [all, ['ana'], 'Patient?_has:Observation:performer:category=survey', []],
    [all, 'all', 'Patient?_has:Observation:performer:category=survey', ['ana']],
    [all, ['ana'], 'Encounter?_has:Condition:encounter:patient.gender=female', ['visit']],
    [all, ['bob'], 'Encounter?_has:Condition:encounter:patient.gender=female', []],
    [all, ['ana'], 'Condition?patient._has:Observation:patient:status=final', ['asthma', 'flu']],
    [all, ['ana'], 'Patient?_has:Group:member:_id=group', 'forbidden'],
    [all, 'all', 'Patient?_has:Group:member:_id=group', ['ana']],
    // A shared resource that belongs to another patient is no way to that patient.
    [all, ['ana'], 'Patient?_has:Device:patient:_id=pacemaker', []],
    [all, ['bob'], 'Patient?_has:Device:patient:_id=pacemaker', ['bob']],
    [all, ['ana'], 'Patient?_list=list', 'forbidden'],
    [all, 'all', 'Patient?_list=list', []],
    [all, ['ana'], 'Condition?_filter=patient eq bob or code pr true', 'forbidden'],
    [all, ['ana'], 'Condition?_filter=not (patient eq ana)', []],
    [all, ['ana'], 'Condition?_filter=patient.gender eq male or onset-date eq 2010', ['asthma']],
    [all, ['ana'], 'Patient?general-practitioner.name=house', 'invalid_request'],
    // An absolute reference to this record is a reference to it; one to another server is not.
    [all, 'all', 'Condition?subject=http://localhost:4000/test/fhir/Patient/bob', ['bobs']],
    [all, 'all', 'Condition?subject=http://localhost:4000/other/fhir/Patient/bob', []],
    [all, 'all', 'Condition?encounter.subject=http://localhost:4000/test/fhir/Patient/ana', ['asthma']],
    // Each type that is looked at needs its scope, for all its resources.
    ['patient/Patient.rs', 'all', 'Patient?_has:Condition:patient:code:text=asthma', 'insufficient_scope'],
    [
      'patient/Patient.rs patient/Condition.r',
      'all',
      'Patient?_has:Condition:patient:code=x',
      'insufficient_scope',
    ],
    [
      'patient/Patient.rs patient/Condition.s',
      'all',
      'Patient?_has:Condition:patient:code:text=gout',
      ['bob'],
    ],
    [
      'patient/Patient.rs patient/Observation.rs?category=laboratory',
      ...(['all', 'Patient?_has:Observation:patient:status=final', 'insufficient_scope'] as const),
    ],
    [
      'patient/Condition.rs patient/Encounter.s',
      'all',
      'Condition?encounter.subject:Patient.name=x',
      'insufficient_scope',
    ],
    ['patient/Condition.rs', 'all', 'Condition?_filter=patient.gender eq male', 'insufficient_scope'],
    ['patient/Patient.rs', 'all', 'Patient?_list=list', 'insufficient_scope'],
  ])('%s of %j: %s is %j', async (scope, patients, search, outcome) => {
    const [type = '', query = ''] = search.split('?');
    const record = clinical.subgraph.open(clinical.tenant, accessOf(scope, patients));
    const found = record.list(type, { params: [...new URLSearchParams(query)] });
    if (typeof outcome === 'string') await expect(found).rejects.toMatchObject({ code: outcome });
    else expect((await found).map(({ id }) => id).toSorted()).toEqual(outcome);
  });
});

describe('FG-20 sort keys without an order', () => {
  it.each(['code-value-quantity', '-patient.name', '_has:Condition:patient:code', 'code:text', '_list'])(
    'refuses _sort=%s',
    async (sort) => {
      const record = clinical.subgraph.open(clinical.tenant, accessOf(all));
      const sorted = record.search('Observation', { params: [], sort, strict: true });
      await expect(sorted).rejects.toMatchObject({ code: 'unsupported_parameter' });
    },
  );
});
