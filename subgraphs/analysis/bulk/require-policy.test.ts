import { expect, it } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { requirePolicy } from './require-policy.ts';

const USER = 'https://ehr.example.org/fhir/Practitioner/7';
const POLICY = [
  { client_id: 'etl', patients: ['carl'] },
  { user: USER, patients: ['ana', 'bob'] },
  { user: USER, client_id: 'notebook', patients: ['eve'] },
];

function isAllowed(
  scope: string,
  more: Partial<Access>,
  policy: Parameters<typeof requirePolicy>[1] = POLICY,
) {
  const access = { tenant: 't', patients: [], permissions: parseScopes(scope), expires: 0, ...more };
  try {
    requirePolicy(access, policy);
    return true;
  } catch (error) {
    expect(error).toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('policy of the tenant'),
    });
    return false;
  }
}

const of = (...ids: string[]) => ids.map((id) => ({ id }));

it.each<[string, string, Partial<Access>, boolean]>([
  ['a backend client, whose patients are those of the policy', 'system/*.rs', { patients: of('carl') }, true],
  ['a user of the policy', 'user/*.rs', { user: USER, patients: of('ana', 'bob') }, true],
  [
    'that user in the app of a row',
    'user/*.rs',
    { user: USER, client: 'notebook', patients: of('eve') },
    true,
  ],
  ['that user in another app', 'user/*.rs', { user: USER, client: 'app', patients: of('eve') }, false],
  ['that user with another patient, of a launch', 'user/*.rs', { user: USER, patients: of('dora') }, false],
  ['another user', 'user/*.rs', { user: `${USER}0`, patients: of('ana') }, false],
  ['no user', 'user/*.rs', { patients: of('ana') }, false],
  [
    'a patient',
    'patient/*.rs',
    { user: 'https://ehr.example.org/fhir/Patient/ana', patients: of('ana') },
    false,
  ],
  ['all patients, without a policy', 'user/*.rs', { user: USER, patients: 'all' }, false],
])('%s', (_who, scope, access, isExpected) => {
  expect(isAllowed(scope, access)).toBe(isExpected);
});

it('a service decides for backend clients only', () => {
  const policy = { url: 'https://policy.example.org' };
  expect(isAllowed('system/*.rs', { patients: of('carl') }, policy)).toBe(true);
  expect(isAllowed('user/*.rs', { user: USER, patients: of('ana') }, policy)).toBe(false);
});
