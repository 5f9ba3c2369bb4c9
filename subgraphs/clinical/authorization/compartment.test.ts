import type { Resource } from 'fhir/r4.js';
import { describe, expect, it } from 'vitest';
import { clinicalResources, searchParameter } from '../../../schema/fhir/tables.ts';
import { bindingParameter, reachOf } from '../search/reach.ts';
import { Compartment } from './compartment.ts';

const ana = { reference: 'Patient/ana' };
const bob = { reference: 'Patient/bob' };
const doctor = { reference: 'Practitioner/dr' };

describe('SM-16 resources that a token of Patient/ana shows', () => {
  const cases: [what: string, resource: object, visible: boolean][] = [
    ['the patient herself', { resourceType: 'Patient', id: 'ana' }, true],
    ['another patient', { resourceType: 'Patient', id: 'bob' }, false],
    ['her condition', { resourceType: 'Condition', subject: ana }, true],
    [
      'another patient’s condition that she asserted',
      { resourceType: 'Condition', subject: bob, asserter: ana },
      false,
    ],
    [
      'an observation of another patient that she performed',
      { resourceType: 'Observation', subject: bob, performer: [ana] },
      false,
    ],
    [
      'an observation without a subject that she performed',
      { resourceType: 'Observation', performer: [ana] },
      true,
    ],
    [
      'an observation of a group that she performed',
      { resourceType: 'Observation', subject: { reference: 'Group/g' }, performer: [ana] },
      false,
    ],
    [
      'an observation with a subject without a reference',
      { resourceType: 'Observation', subject: { display: 'A' }, performer: [ana] },
      false,
    ],
    [
      'an observation without a subject by a doctor',
      { resourceType: 'Observation', performer: [doctor] },
      false,
    ],
    [
      'a condition of Ana on another server',
      { resourceType: 'Condition', subject: { reference: 'https://x.example/Patient/ana' } },
      false,
    ],
    [
      'her appointment with a doctor',
      { resourceType: 'Appointment', participant: [{ actor: doctor }, { actor: ana }] },
      true,
    ],
    ['another patient’s appointment', { resourceType: 'Appointment', participant: [{ actor: bob }] }, false],
    ['her coverage', { resourceType: 'Coverage', beneficiary: ana }, true],
    [
      'another patient’s coverage that she pays',
      { resourceType: 'Coverage', beneficiary: bob, payor: [ana] },
      false,
    ],
    ['a task for her', { resourceType: 'Task', for: ana }, true],
    ['a task for another patient about her', { resourceType: 'Task', for: bob, focus: ana }, false],
    ['provenance of her record', { resourceType: 'Provenance', target: [ana] }, true],
    ['provenance of another patient’s record', { resourceType: 'Provenance', target: [bob] }, false],
    ['a doctor', { resourceType: 'Practitioner', id: 'dr' }, true],
    ['an organization', { resourceType: 'Organization', id: 'org' }, true],
    ['a device without a patient', { resourceType: 'Device', id: 'd' }, true],
    ['her device', { resourceType: 'Device', patient: ana }, true],
    ['another patient’s device', { resourceType: 'Device', patient: bob }, false],
    ['a group with her as a member', { resourceType: 'Group', member: [{ entity: ana }] }, false],
    ['a list about her', { resourceType: 'List', subject: ana }, false],
    ['a binary', { resourceType: 'Binary', id: 'b' }, false],
  ];
  const compartment = new Compartment();
  it.each(cases)('%s (%j): %s', (_what, resource, visible) => {
    expect(compartment.includes(resource as Resource, new Set(['Patient/ana']))).toBe(visible);
  });

  it('a token for several patients shows each of them, a token for none shows nothing', () => {
    expect(
      compartment.includes(
        { resourceType: 'Condition', subject: bob } as Resource,
        new Set(['Patient/ana', 'Patient/bob']),
      ),
    ).toBe(true);
    expect(compartment.includes({ resourceType: 'Condition', subject: ana } as Resource, new Set())).toBe(
      false,
    );
  });
});

describe('owners of a resource', () => {
  const device = { reference: 'Device/d' };
  it.each<[string, object, string[]]>([
    ['a patient', { resourceType: 'Patient', id: 'ana' }, ['ana']],
    ['its subject', { resourceType: 'Condition', subject: ana }, ['ana']],
    ['its patient', { resourceType: 'AllergyIntolerance', patient: ana }, ['ana']],
    [
      'a subject with a version',
      { resourceType: 'Condition', subject: { reference: 'Patient/ana/_history/2' } },
      ['ana'],
    ],
    ['no device', { resourceType: 'Observation', subject: device }, []],
    ['no performer', { resourceType: 'Observation', performer: [ana] }, []],
  ])('%s: %j', (_, resource, owners) => {
    const found = new Compartment().owners(resource as Resource);
    expect([...new Set(found)]).toEqual(owners);
  });

  it('no type has its patient in one element and another one as its subject', () => {
    const elements = (type: string, code: string) =>
      [...(searchParameter(type, code)?.expression ?? '').matchAll(/\b[A-Z]\w+\.(\w+)/g)].map(
        ([, one]) => one!,
      );
    const differ = clinicalResources.filter((type) =>
      elements(type, 'subject').some(
        (one) => !elements(type, 'patient').includes(one) && searchParameter(type, 'patient'),
      ),
    );
    expect(differ).toEqual([]);
  });
});

describe('the patients whose tokens find a resource by search', () => {
  it.each<[string, object, string[]]>([
    ['a patient', { resourceType: 'Patient', id: 'ana' }, ['ana']],
    ['its subject', { resourceType: 'Condition', subject: ana }, ['ana']],
    ['its subject, not its asserter', { resourceType: 'Condition', subject: bob, asserter: ana }, ['bob']],
    ['its patient', { resourceType: 'AllergyIntolerance', patient: ana }, ['ana']],
    [
      'all who take part in it',
      { resourceType: 'Appointment', participant: [{ actor: doctor }, { actor: ana }, { actor: bob }] },
      ['ana', 'bob'],
    ],
    [
      'nobody of another server',
      { resourceType: 'Condition', subject: { reference: 'https://x/Patient/ana' } },
      [],
    ],
    ['nobody of a list', { resourceType: 'Condition', subject: { reference: ['Patient/ana'] } }, []],
    ['nobody of what is no reference', { resourceType: 'Condition', subject: { reference: { a: 1 } } }, []],
    ['nobody of what is shared', { resourceType: 'Practitioner', id: 'dr' }, []],
    ['nobody of what is never shown', { resourceType: 'List', subject: ana }, []],
    [
      'nobody of a group',
      { resourceType: 'Observation', subject: { reference: 'Group/g' }, performer: [ana] },
      [],
    ],
  ])('%s', (_, resource, patients) => {
    expect(new Compartment().finders(resource as Resource)).toEqual(patients);
  });
});

describe('SM-16 by type', () => {
  it('every type of the compartment can be bound to a patient', () => {
    const unbound = clinicalResources.filter(
      (type) => reachOf(type) === 'compartment' && !bindingParameter(type),
    );
    expect(unbound).toEqual([]);
  });

  it('the types that are shared, attached or never shown are a closed list', () => {
    const of = (reach: string) => clinicalResources.filter((type) => reachOf(type) === reach);
    expect(of('shared')).toEqual([
      'Device',
      'Location',
      'Medication',
      'Organization',
      'Practitioner',
      'PractitionerRole',
      'Questionnaire',
    ]);
    expect(of('attached')).toEqual(['Binary']);
    expect(of('never')).toEqual(['Group', 'List', 'OperationOutcome']);
  });
});
