import { expect, test } from 'vitest';
import type { Access } from '../../../../schema/access/access.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import type { ActiveToken } from '../../token/introspect.ts';
import { studyHints, type StudyHintDeps } from './study-hint.ts';

const tenant = { key: 'demo' } as Tenant;
const STUDY = '1.2.3';
const token = { client_id: 'viewer', sub: 'Practitioner/d1', scope: 'patient/*.rs' };
const NUMBERS: Record<string, string> = { [STUDY]: '4711', '1.2.4': '4712' };
const down = async () => {
  throw new Fault('unavailable', 'down');
};

const imaging: StudyHintDeps['imaging'] = {
  studyOwner: async (_tenant, uid) => NUMBERS[uid],
  open: (_tenant, { patients }) => ({
    find: async () => (patients !== 'all' && patients[0]!.id === 'p2' ? { record: {} } : undefined),
  }),
};

/** Two patients have the number 4711; the study is of the second one. */
function found(study: string, deps: Partial<StudyHintDeps> = {}) {
  const asked: ActiveToken[] = [];
  const find = studyHints({
    imaging,
    record: { holders: async (_tenant, number) => (number === '4711' ? ['p1', 'p2'] : ['p3']) },
    accessOf: async ({ key }, presented): Promise<Access> => {
      asked.push(presented);
      return { tenant: key, patients: [{ id: presented.patient! }], permissions: [], expires: Infinity };
    },
    now: () => 1_000_000,
    ...deps,
  });
  return find(tenant, { study, token }).then((ids) => ({ ids, asked }));
}

test('finds the patient whose token opens the study, with what that token would say', async () => {
  const { ids, asked } = await found(STUDY);
  expect(ids).toEqual(['p2']);
  expect(asked[1]).toEqual({ active: true, ...token, patient: 'p2', exp: 1060 });
});

test.each<[string, string, Partial<StudyHintDeps>]>([
  ['a study that does not exist', '1.2.5', {}],
  ['a study that is withheld from the token', '1.2.4', {}],
  ['no UID', 'Patient/p2', {}],
  ['an archive that does not answer', STUDY, { imaging: { ...imaging, studyOwner: down } }],
  ['a record that does not answer', STUDY, { record: { holders: down } }],
  ['a token that reaches nobody', STUDY, { accessOf: down }],
])('%s: nobody', async (_what, study, deps) => {
  expect((await found(study, deps)).ids).toEqual([]);
});
