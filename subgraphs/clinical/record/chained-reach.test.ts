import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessOf, startClinical } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
beforeAll(async () => {
  clinical = await startClinical();
});
afterAll(() => clinical.end());

describe('SM-16 a chain from a record that names two patients', () => {
  const appointment = (actor: string) => ({ actor: { reference: actor }, status: 'accepted' });
  const lines = [
    {
      resourceType: 'Patient',
      id: 'ana',
      name: [{ family: 'Núñez' }],
      link: [{ other: { reference: 'Patient/bob' } }],
    },
    { resourceType: 'Patient', id: 'bob', name: [{ family: 'Nunn' }], birthDate: '1975-11-03' },
    { resourceType: 'Condition', id: 'bobs', subject: { reference: 'Patient/bob' }, code: { text: 'Gout' } },
    { resourceType: 'Appointment', id: 'both', participant: ['Patient/ana', 'Patient/bob'].map(appointment) },
    {
      resourceType: 'Observation',
      id: 'note',
      subject: { reference: 'Patient/ana' },
      focus: [{ reference: 'Condition/bobs' }],
    },
  ];
  it.each([
    ['Appointment?actor:Patient.name=nunez', ['both']],
    ['Appointment?actor:Patient.name=nunn', []],
    ['Appointment?patient.name=nunn', []],
    ['Patient?link:Patient.birthdate=1975', []],
    ['Observation?focus:Condition.code:text=gout', []],
  ])('%s reveals nothing about the other patient: %j', async (search, ids) => {
    const tenant = await clinical.tenantOver(lines.map((line) => JSON.stringify(line)).join('\n'));
    const record = clinical.subgraph.open(tenant, accessOf('patient/*.rs', ['ana']));
    const [type = '', query = ''] = search.split('?');
    const found = await record.search(type, { params: [...new URLSearchParams(query)], total: 'accurate' });
    expect(found.resources.map(({ id }) => id)).toEqual(ids);
    expect(found.total).toBe(ids.length);
  });
});
