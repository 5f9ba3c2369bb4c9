import { expect, test } from 'vitest';
import { startsInverted } from './inverted.ts';

test.each([
  ['PT', 'MONOCHROME2', true],
  ['PT', 'MONOCHROME1', false],
  // A picture of a PET, in colours.
  ['PT', 'RGB', false],
  ['CT', 'MONOCHROME2', false],
  ['NM', 'MONOCHROME2', false],
])('%s in %s begins black on white: %s', (modality, photometric, expected) => {
  const metadata = {
    '00080060': { vr: 'CS', Value: [modality] },
    '00280004': { vr: 'CS', Value: [photometric] },
  };
  expect(startsInverted(metadata)).toBe(expected);
});
