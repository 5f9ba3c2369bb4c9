import { expect, test } from 'vitest';
import type { ScopeLevel } from '../../../../schema/access/scopes.ts';
import { grantable, grantableScopes, needsPatient } from './grantable.ts';

const APP: ScopeLevel[] = ['patient', 'user'];
const BACKEND: ScopeLevel[] = ['system'];

test.each<[string, ScopeLevel[], string | undefined, string]>([
  [
    'openid fhirUser launch/patient patient/*.rs',
    APP,
    undefined,
    'openid fhirUser launch/patient patient/*.rs',
  ],
  ['patient/*.rs patient/*.rs', APP, undefined, 'patient/*.rs'],
  ['system/*.rs user/Patient.r', APP, undefined, 'user/Patient.r'],
  ['patient/*.rs', [], undefined, ''],
  ['openid offline_access system/*.rs', BACKEND, undefined, 'system/*.rs'],
  ['patient/Patient.sr patient/Patient. patient/patient.r x', APP, undefined, ''],
  ['system/Patient.rs', BACKEND, 'system/*.rs', 'system/Patient.rs'],
  ['system/Patient.read', BACKEND, 'system/Patient.rs', 'system/Patient.read'],
  ['system/*.rs', BACKEND, 'system/Patient.rs', ''],
  ['system/Patient.cruds', BACKEND, 'system/*.rs', ''],
  ['system/Patient.rs', BACKEND, '', ''],
  ['patient/Observation.rs', APP, 'patient/Observation.rs?category=a', ''],
  ['patient/Observation.rs?category=b', APP, 'patient/Observation.rs?category=a', ''],
  [
    'patient/Observation.r?category=a',
    APP,
    'patient/Observation.rs?category=a',
    'patient/Observation.r?category=a',
  ],
  ['patient/Observation.rs?category=a', APP, 'patient/Observation.rs', 'patient/Observation.rs?category=a'],
])('%s at %j, registered for %s: %s', (requested, levels, allowed, granted) => {
  expect(grantable(requested, levels, allowed).join(' ')).toBe(granted);
});

test.each<[ScopeLevel[], string | undefined, string]>([
  [
    APP,
    undefined,
    'openid launch launch/patient launch/encounter fhirUser profile offline_access online_access patient/*.rs user/*.rs',
  ],
  [BACKEND, undefined, 'system/*.rs'],
  [BACKEND, 'system/Patient.rs patient/*.rs', 'system/Patient.rs'],
  [BACKEND, 'patient/*.rs', 'none'],
  [[], undefined, 'none'],
])('at %j, registered for %s, a client can get: %s', (levels, allowed, scopes) => {
  expect(grantableScopes(levels, allowed)).toBe(scopes);
});

test.each([
  [['launch/patient'], true],
  [['patient/Observation.r'], true],
  [['openid', 'user/*.rs'], false],
])('%j needs a patient: %s', (scopes, needed) => {
  expect(needsPatient(scopes)).toBe(needed);
});
