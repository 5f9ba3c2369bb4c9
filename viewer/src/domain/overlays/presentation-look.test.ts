import { expect, test } from 'vitest';
import { items, of } from '../../../test/setup/overlay-objects.ts';
import {
  area,
  contentOf,
  image,
  images,
  lookOf,
  state,
  target,
  turned,
  voi,
  windows,
} from '../../../test/setup/presentation-states.ts';
import type { Instance } from '../instance.ts';
import type { Look } from './overlay.ts';

test.each<[string, Instance, Partial<Look>, Instance?]>([
  ['its own window', windows(voi(40, 400)), { window: { centre: 40, width: 400 }, inverted: false }],
  // The image's values are stored values − 1024, black is 0 − 1024, white 4095 − 1024.
  ['no window: all values', {}, { window: { centre: 1024, width: 4096 } }],
  [
    'no modality LUT: the window is about stored values',
    { '00281052': of('DS'), '00281053': of('DS'), ...windows(voi(1064, 400)) },
    { window: { centre: 40, width: 400 } },
  ],
  [
    // 2·x − 1000 from −2 to 2 (LINEAR: 0 ± 2 around −0.5 + 0.5) is x from 499 to 501, here − 1024.
    'another modality LUT',
    { '00281052': of('DS', -1000), '00281053': of('DS', 2), ...windows(voi(0.5, 5)) },
    { window: { centre: -523.5, width: 3 } },
  ],
  [
    'a falling modality LUT: black and white change places',
    { '00281052': of('DS', 0), '00281053': of('DS', -1), ...windows(voi(-999.5, 3)) },
    { window: { centre: -23.5, width: 3 }, inverted: true },
  ],
  [
    'LINEAR_EXACT',
    windows(voi(100, 50, { '00281056': of('CS', 'LINEAR_EXACT') })),
    { window: { centre: 100.5, width: 51 } },
  ],
  ['INVERSE', { '20500020': of('CS', 'INVERSE') }, { inverted: true }],
  // The image would be drawn with white for 0: the state says black.
  ['IDENTITY of MONOCHROME1', {}, { inverted: true }, { '00280004': of('CS', 'MONOCHROME1') }],
  ['INVERSE of MONOCHROME1', { '20500020': of('CS', 'INVERSE') }, { inverted: false }, { '00280004': of('CS', 'MONOCHROME1') }], // prettier-ignore
  [
    'no window of a colour image',
    windows(voi(40, 400)),
    { inverted: false },
    { '00280002': of('US', 3), '00280004': of('CS', 'RGB') },
  ],
  ['a rotation', turned(90), { rotation: 90, flipped: false }],
  // Turned and then mirrored is mirrored and then turned the other way.
  ['a rotation with a flip', turned(90, 'Y'), { rotation: 270, flipped: true }],
  ['a flip', turned(0, 'Y'), { rotation: 0, flipped: true }],
  [
    // Pixels 11 to 20 are at 10 to 19 from 0, and reach half a pixel farther.
    'an area, from 1, with its corners as a mirrored image shows them',
    { '0070005A': items(area([20, 1], [11, 6])) },
    { area: { least: [9.5, -0.5], most: [19.5, 5.5] } },
  ],
  [
    'magnified',
    {
      '0070005A': items(area([1, 1], [40, 20], { '00700100': of('CS', 'MAGNIFY'), '00700103': of('FL', 2) })),
    },
    { magnification: 2 },
  ],
])('a state shows %s', (_what, more, expected, metadata = {}) => {
  expect(lookOf(state(more), target('1.1', 1, metadata))).toMatchObject(expected);
});

test('a state is for the images that it names, in several series, and for the frames that it names', () => {
  const { lookOn, instances } = contentOf(state());
  const isMeant = (instance: string, frame = 1) => lookOn!(target(instance, frame)) !== undefined;
  expect([isMeant('1.1'), isMeant('1.2'), isMeant('2.1', 1), isMeant('2.1', 2), isMeant('3.1')]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
  expect([...instances]).toEqual(['1.1', '1.2', '2.1']);
});

test('a window and an area may be for some of the images', () => {
  const one = state({
    ...windows(voi(1, 10, images(image('1.2'))), voi(2, 20, images(image('1.1'), image('2.1', 3)))),
    '0070005A': items(
      area([1, 1], [10, 10], images(image('1.2'))),
      area([5, 5], [9, 9], images(image('1.1'))),
    ),
  });
  expect(lookOf(one)).toMatchObject({ window: { centre: 2, width: 20 }, area: { least: [3.5, 3.5] } });
  expect(lookOf(one, target('1.2'))).toMatchObject({ window: { centre: 1 }, area: { most: [9.5, 9.5] } });
  expect(lookOf(one, target('2.1', 3)).window).toEqual({ centre: 2, width: 20 });
});

test.each<[string, Instance, readonly (readonly number[])[][]]>([
  [
    'a rectangle, whose edges are columns and rows from 1',
    { '00181600': of('CS', 'RECTANGULAR'), ...edges(5, 30, 2, 10) },
    [[[3.5, 0.5], [29.5, 0.5], [29.5, 9.5], [3.5, 9.5]]], // prettier-ignore
  ],
  [
    'a polygon, of rows and columns',
    { '00181600': of('CS', 'POLYGONAL'), '00181620': of('IS', 1, 2, 3, 4, 5, 6) },
    [[[1, 0], [3, 2], [5, 4]]], // prettier-ignore
  ],
  ['a circle without a radius', { '00181600': of('CS', 'CIRCULAR'), '00181610': of('IS', 3, 4) }, []],
  ['a bitmap', { '00181600': of('CS', 'BITMAP') }, []],
])('a shutter that is %s', (_what, more, expected) => {
  expect(lookOf(state(more)).shutters).toEqual(expected);
});

test('a shutter of two shapes, and its grey', () => {
  const { shutters, shutterColour } = lookOf(
    state({
      '00181600': of('CS', 'RECTANGULAR', 'CIRCULAR'),
      ...edges(1, 40, 1, 20),
      '00181610': of('IS', 11, 21),
      '00181612': of('IS', 5),
      '00181622': of('US', 32768),
    }),
  );
  expect(shutters).toHaveLength(2);
  for (const [column, row] of shutters[1]!) expect(Math.hypot(column - 20, row - 10)).toBeCloseTo(5);
  expect(shutterColour).toEqual([128, 128, 128]);
});

function edges(left: number, right: number, upper: number, lower: number): Instance {
  return {
    '00181602': of('IS', left),
    '00181604': of('IS', right),
    '00181606': of('IS', upper),
    '00181608': of('IS', lower),
  };
}
