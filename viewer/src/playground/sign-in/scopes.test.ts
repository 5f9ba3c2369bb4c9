import { expect, test } from 'vitest';
import { pastedGrant } from './pasted-token.ts';
import { scopesFor, scopesInWords, type Part, type Whose } from './scopes.ts';

test.each<[Whose, Part[], string]>([
  ['patient', [], 'launch/patient patient/*.rs online_access'],
  ['user', [], 'user/*.rs online_access'],
  [
    'patient',
    ['images', 'results'],
    'launch/patient patient/Patient.rs patient/ImagingStudy.rs patient/Endpoint.rs patient/Observation.rs online_access',
  ],
])('%s, %j', (whose, parts, scope) => {
  expect(scopesFor(whose, parts)).toBe(scope);
});

test.each([
  ['launch/patient patient/*.rs online_access', ['one patient: everything']],
  ['patient/Patient.rs patient/Observation.rs?category=laboratory', ['one patient: Patient, Observation']],
  [
    'user/Patient.r system/*.rs',
    ['all patients that the user may see: Patient', 'all patients that the program may see: everything'],
  ],
  ['openid fhirUser', []],
])('%j in words', (scope, words) => {
  expect(scopesInWords(scope)).toEqual(words);
});

const NOW = 1_800_000_000_000;
const jwt = (claims: object) =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2lnbmF0dXJl`;

test('a pasted JWT says its scopes, its patient and its end', () => {
  const token = jwt({ exp: NOW / 1000 + 60, scope: 'patient/*.rs', patient: 'ünïcode-1' });
  expect(pastedGrant(` Bearer ${token}\n`)).toEqual({
    token,
    expires: NOW + 60_000,
    scope: 'patient/*.rs',
    patient: 'ünïcode-1',
  });
});

test.each(['opaque', 'a.b.c', jwt({ exp: 'soon', scope: 7 })])('%j says nothing of itself', (token) => {
  expect(pastedGrant(token)).toEqual({ token, expires: Infinity });
});
