import type { Observation } from 'fhir/r4.js';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../../schema/fault/fault.ts';
import { Compartment } from '../authorization/compartment.ts';
import { Related } from './related.ts';

const observation = (id: string, subject: Observation['subject']): Observation => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: {},
  ...(subject && { subject }),
});
const of = (...patients: string[]) =>
  patients.map((patient, index) => observation(`o${index}`, { reference: `Patient/${patient}` }));

/** Asks for the observations of patients a and b at the same time. */
async function together(
  answer: () => Promise<{ resources: Observation[]; next?: string }>,
  patients: readonly string[] = ['a', 'b'],
) {
  let asked = 0;
  const related = new Related(() => (asked++, answer()), new Compartment());
  const lists = await Promise.all(
    patients.map((id) =>
      related.together({ type: 'Observation', code: 'subject', target: 'Patient', id }, { params: [] }),
    ),
  );
  return { asked, lists: lists.map((list) => list?.map(({ id }) => id)) };
}

describe('FG-6 resources of many, by one search', () => {
  it('are split by the resources they refer to', async () => {
    const answer = async () => ({ resources: of('a', 'b', 'a', 'b/_history/2') });
    expect(await together(answer)).toEqual({
      asked: 1,
      lists: [
        ['o0', 'o2'],
        ['o1', 'o3'],
      ],
    });
  });

  it('one alone is not searched here', async () => {
    expect(await together(async () => ({ resources: of('a') }), ['a'])).toEqual({
      asked: 0,
      lists: [undefined],
    });
  });

  const inexact: [what: string, answer: Parameters<typeof together>[0]][] = [
    [
      'the server has more than one search may read',
      async () => ({ resources: of('a', 'b'), next: '/next' }),
    ],
    [
      'a resource names its patient in another way',
      async () => ({ resources: [...of('a'), observation('x', { identifier: { value: 'MRN' } })] }),
    ],
    ['a resource names another patient', async () => ({ resources: of('a', 'c') })],
    ['too many would have to be looked through', () => Promise.reject(new Fault('too_large', 'Too many.'))],
  ];
  it.each(inexact)('each is to be searched alone when %s', async (_what, answer) => {
    expect((await together(answer)).lists).toEqual([undefined, undefined]);
  });

  it('a refusal is that of each', async () => {
    const refusal = new Fault('forbidden', 'No.');
    await expect(together(() => Promise.reject(refusal))).rejects.toBe(refusal);
  });
});
