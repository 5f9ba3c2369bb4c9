import { describe, expect, test } from 'vitest';
import type { Access } from './access.ts';
import { Fault } from '../fault/fault.ts';
import type { Interaction } from './scopes.ts';
import { parseScopes, requireScope, scopesMissing } from './scopes.ts';

describe('SM-5 grammar', () => {
  test.each([
    ['patient/ImagingStudy.rs', 'rs'],
    ['patient/ImagingStudy.r', 'r'],
    ['patient/ImagingStudy.s', 's'],
    ['patient/ImagingStudy.read', 'rs'],
    ['patient/ImagingStudy.write', 'cud'],
    ['patient/ImagingStudy.*', 'cruds'],
    ['patient/*.cruds', 'cruds'],
    ['patient/*.*', 'cruds'],
    ['user/*.read', 'rs'],
    ['system/ImagingStudy.rs', 'rs'],
  ])('%s grants %s', (scope, interactions) => {
    expect(parseScopes(scope)).toMatchObject([{ interactions }]);
  });

  test.each([
    ['no letter', 'patient/ImagingStudy.'],
    ['letters out of order', 'patient/ImagingStudy.sr'],
    ['a letter twice', 'patient/ImagingStudy.rr'],
    ['an unknown letter', 'patient/ImagingStudy.rx'],
    ['an unknown level', 'practitioner/ImagingStudy.rs'],
    ['part of a type', 'patient/Imaging*.rs'],
    ['another case', 'patient/imagingStudy.rs'],
    ['trailing text', 'patient/ImagingStudy.rs;x'],
    ['an empty constraint', 'patient/Observation.rs?'],
    ['a constraint without value', 'patient/Observation.rs?category='],
    ['a constraint without name', 'patient/Observation.rs?=laboratory'],
    ['a constraint on a v1 scope', 'patient/Observation.read?category=laboratory'],
    ['scopes that are not clinical', 'openid fhirUser launch/patient offline_access'],
    ['nothing', ''],
  ])('%s grants nothing: %s', (_why, scope) => {
    expect(parseScopes(scope)).toEqual([]);
  });

  test('reads several scopes, separated by any white space', () => {
    expect(parseScopes('openid  patient/Patient.r\npatient/Condition.rs').map(({ type }) => type)).toEqual([
      'Patient',
      'Condition',
    ]);
  });
});

const access = (scope: string): Access => ({
  tenant: 't',
  patients: [],
  permissions: parseScopes(scope),
  expires: 0,
});

const refusal = (run: () => unknown): Fault => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('was not refused');
};

describe('SM-6, IA-6 scope × type × interaction', () => {
  test.each<[string, string, Interaction, boolean]>([
    ['patient/ImagingStudy.rs', 'ImagingStudy', 'r', true],
    ['patient/ImagingStudy.rs', 'ImagingStudy', 's', true],
    ['patient/ImagingStudy.r', 'ImagingStudy', 's', false],
    ['patient/ImagingStudy.s', 'ImagingStudy', 'r', false],
    ['patient/ImagingStudy.read', 'ImagingStudy', 's', true],
    ['patient/ImagingStudy.write', 'ImagingStudy', 'r', false],
    ['patient/ImagingStudy.rs', 'Condition', 's', false],
    ['patient/ImagingStudy.rs', 'Endpoint', 'r', true],
    ['patient/Endpoint.rs', 'Endpoint', 'r', false],
    ['patient/*.read', 'ImagingStudy', 'r', true],
    ['patient/*.rs', 'Condition', 's', true],
    ['patient/Observation.rs patient/Condition.s', 'Condition', 'r', false],
    ['', 'ImagingStudy', 'r', false],
  ])('%s: %s.%s → %s', (scope, type, interaction, allowed) => {
    if (allowed) expect(requireScope(access(scope), type, interaction)).toEqual({});
    else
      expect(refusal(() => requireScope(access(scope), type, interaction)).code).toBe('insufficient_scope');
  });

  test.each<[token: string, type: string, Interaction, needed: string]>([
    ['patient/Observation.rs', 'Patient', 'r', 'patient/Patient.r'],
    ['patient/Patient.r', 'Patient', 's', 'patient/Patient.rs'],
    ['user/Patient.r', 'ImagingStudy', 'r', 'user/ImagingStudy.r'],
    ['system/Patient.r', 'Endpoint', 's', 'system/ImagingStudy.rs'],
  ])(
    'SM-12 the refusal of %s for %s.%s names the least scope, at the level of the token',
    (token, ...asked) => {
      const [type, interaction, needed] = asked;
      const { message, details } = refusal(() => requireScope(access(token), type, interaction));
      expect(details.scope).toBe(needed);
      expect(message).toContain(`${needed} is needed`);
    },
  );

  test('SM-12 a refusal names each type once', () => {
    const missing = [
      { type: 'Patient', interaction: 'r' },
      { type: 'ImagingStudy', interaction: 's' },
      { type: 'Patient', interaction: 's' },
    ] as const;
    const { scope } = scopesMissing(access('patient/Condition.rs'), missing).details;
    expect(scope).toBe('patient/Patient.rs patient/ImagingStudy.rs');
  });

  test('SM-5 constraints narrow, unless another scope covers the request without constraints', () => {
    const narrow =
      'patient/Observation.rs?category=laboratory patient/Observation.rs?category=vital-signs&code=x';
    expect(requireScope(access(narrow), 'Observation', 's')).toEqual({
      constraints: [
        [['category', 'laboratory']],
        [
          ['category', 'vital-signs'],
          ['code', 'x'],
        ],
      ],
    });
    expect(requireScope(access(`${narrow} patient/*.s`), 'Observation', 's')).toEqual({});
    expect(requireScope(access(`${narrow} patient/*.s`), 'Observation', 'r').constraints).toHaveLength(2);
  });
});
