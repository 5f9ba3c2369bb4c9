import { expect, test } from 'vitest';
import {
  AXIAL,
  frame,
  HELEN,
  imagesAt,
  of,
  segmentation,
  structureSet,
  targetsOf,
  type Placed,
} from '../../../test/setup/overlay-objects.ts';
import type { Instance } from '../instance.ts';
import { headerOf, misplaced, type Misplaced } from './header.ts';

const IMAGES: Placed = {
  origin: [0, 0, 0],
  orientation: AXIAL,
  rows: 5,
  columns: 5,
  count: 1,
  spacing: [1, 1, 1],
};
const [TARGET] = targetsOf(imagesAt(IMAGES));
const NAMED = '1.2.20.1.1';

test.each<[string, Instance, { frames: string[]; instances: string[] }, Misplaced | undefined]>([
  ['its frame of reference', HELEN, { frames: ['1.2.3'], instances: [] }, undefined],
  ['one of its frames of reference', HELEN, { frames: ['1.2.9', '1.2.3'], instances: [] }, undefined],
  ['another frame of reference', HELEN, { frames: ['1.2.9'], instances: [NAMED] }, 'other-frame'],
  ['its image, without a frame of reference', HELEN, { frames: [], instances: [NAMED] }, undefined],
  ['another image', HELEN, { frames: [], instances: ['1.2.20.1.2'] }, 'other-images'],
  [
    'another number of the patient',
    { ...HELEN, '00100020': of('LO', 'MRN-0000815') },
    { frames: ['1.2.3'], instances: [NAMED] },
    'other-patient',
  ],
  [
    'another name and no number',
    { '00100010': of('PN', { Alphabetic: 'NOVAK^TOMAS' }) },
    { frames: ['1.2.3'], instances: [NAMED] },
    'other-patient',
  ],
  ['no patient', {}, { frames: ['1.2.3'], instances: [NAMED] }, undefined],
])('an overlay with %s', (_, object, { frames, instances }, expected) => {
  const content = { framesOfReference: new Set(frames), instances: new Set(instances) };
  expect(misplaced(object, content, TARGET!)).toBe(expected);
});

test('label, date and author, of a person before those of a program', () => {
  const seg = segmentation({ frames: [frame([0, 0, 0])] });
  expect(headerOf(seg)).toEqual({
    uid: '1.2.20.8.1',
    label: 'Organs',
    date: '20261014',
    author: 'Okafor Ngozi',
  });
  const program = { '00081090': of('LO', 'Planner 2'), '00080070': of('LO', 'Maker') };
  expect(headerOf(structureSet([], program))).toMatchObject({
    label: 'Plan 1',
    date: '20261015',
    author: 'Planner 2',
  });
  expect(headerOf({})).toEqual({ uid: '', label: undefined, date: undefined, author: undefined });
});

test('a report with regions in space has a place on the images that it names, too', () => {
  const content = {
    framesOfReference: new Set(['1.2.9']),
    instances: new Set([NAMED]),
    mixed: true as const,
  };
  expect(misplaced(HELEN, content, TARGET!)).toBeUndefined();
  expect(misplaced(HELEN, { ...content, instances: new Set() }, TARGET!)).toBe('other-frame');
});
