import { expect, test } from 'vitest';
import { EXAMPLES } from './examples.ts';
import { limitOf } from './limits.ts';

const example = (id: string) => EXAMPLES.find((one) => one.id === id)!;
const [OF_ONE, OF_SEVERAL] = [example('record-and-images'), example('ct-since')];
const DEMO = { access: 'sign-in', severalPatients: false } as const;
const EHR = { access: 'sign-in', severalPatients: true } as const;
const ONE = { scope: 'launch/patient patient/*.rs online_access', patient: 'p1' };

test.each([
  ['a token for one patient, and an example of one', OF_ONE, ONE, DEMO, undefined],
  [
    'a token for one patient, and an example of several',
    OF_SEVERAL,
    ONE,
    DEMO,
    'The token is for one patient: the answer has no other. A token of a backend service, with system/*.rs, gives all.',
  ],
  [
    'the same where users sign in for several patients',
    OF_SEVERAL,
    ONE,
    EHR,
    'The token is for one patient: the answer has no other. Sign in for all patients that you may see.',
  ],
  [
    'scopes that leave out a part',
    OF_ONE,
    { scope: 'patient/Patient.rs patient/ImagingStudy.rs', patient: 'p1' },
    DEMO,
    'The token does not open Condition, and the answer lacks it. A token with patient/Condition.rs gives it.',
  ],
  [
    'scopes that only read',
    OF_ONE,
    { scope: 'user/*.r' },
    DEMO,
    'The token does not open Condition and ImagingStudy, and the answer lacks them. A token with user/Condition.rs user/ImagingStudy.rs gives them.',
  ],
  ['a token for several', OF_SEVERAL, { scope: 'system/*.rs' }, DEMO, undefined],
  ['a token that says nothing of itself', OF_SEVERAL, {}, DEMO, undefined],
  ['nobody yet, an example of one', OF_ONE, undefined, DEMO, undefined],
  [
    'nobody yet, an example of several',
    OF_SEVERAL,
    undefined,
    DEMO,
    'A sign-in here is for one patient. A token of a backend service, with system/*.rs, gives all.',
  ],
  [
    'nobody yet, where an analyst can sign in',
    OF_SEVERAL,
    undefined,
    { ...DEMO, analyst: 'Practitioner/analyst' },
    'A sign-in here is for one patient. Sign in as analyst: that gives all.',
  ],
  ['nobody yet, where users sign in for several', OF_SEVERAL, undefined, EHR, undefined],
  ['no token is needed', OF_SEVERAL, undefined, { access: 'none' }, undefined],
] as const)('%s', (_case, which, granted, facts, limit) => {
  expect(limitOf(which, granted, facts)).toBe(limit);
});
