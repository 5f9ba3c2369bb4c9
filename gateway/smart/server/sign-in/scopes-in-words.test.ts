import { expect, test } from 'vitest';
import { inWords } from './scopes-in-words.ts';

test.each([
  ['patient/*.rs', 'See everything in the record'],
  ['patient/ImagingStudy.read', 'See images: X-rays, CT, MR and other studies'],
  ['patient/Condition.cruds', 'See and change health problems and diagnoses'],
  ['patient/Condition.write', 'Change health problems and diagnoses'],
  ['user/Patient.r', 'See name, birth date and contact details, of every patient open to you'],
  ['patient/FamilyMemberHistory.rs', 'See family member history entries'],
  [
    'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory',
    'See measurements and test results (only where category laboratory)',
  ],
  ['offline_access', 'Keep this access when you are not using the app'],
  ['openid', undefined],
  ['launch/patient', undefined],
  ['patient/Observation.sr', undefined],
  ['constructor', undefined],
])('%s: %s', (scope, words) => {
  expect(inWords(scope)).toBe(words);
});
