import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { stacksOf, type Stack } from './stacks.ts';

const NAME = { study: '1', series: '2' };
const AXIAL = [1, 0, 0, 0, 1, 0];
const SAGITTAL = [0, 1, 0, 0, 0, -1];
const CORONAL = [1, 0, 0, 0, 0, -1];
/** The gantry is tilted by 15° about the patient's left-right axis: rows stay, columns lean. */
const TILTED = [1, 0, 0, 0, 0.9659258, 0.258819];

type Values = Record<string, readonly unknown[]>;
const attributes = (values: Values): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'UN', Value }]));

function image(uid: string, instanceNumber: number, values: Values = {}): Instance {
  return attributes({
    '00080018': [uid],
    '00200013': [instanceNumber],
    '00280010': [2],
    '00280011': [3],
    '00280100': [16],
    ...values,
  });
}
const at = (position: readonly number[], orientation: readonly number[] = AXIAL): Values => ({
  '00200032': position,
  '00200037': orientation,
});
const z = (millimetres: number): Values => at([0, 0, millimetres]);
const uids = ({ frames }: Stack): string => frames.map(({ name }) => name.instance).join(' ');
const told = (stacks: readonly Stack[]): string[] =>
  stacks.map((stack) => `${stack.by ? `${stack.by.what} ${stack.by.value}: ` : ''}${uids(stack)}`);

test.each<[string, Instance[], string[]]>([
  ['by position', [image('a', 1, z(10)), image('c', 2, z(30)), image('b', 3, z(20))], ['a b c']],
  [
    'beginning at the end with the lower instance numbers',
    [image('a', 1, z(10)), image('b', 2, z(-5)), image('c', 3, z(-20))],
    ['a b c'],
  ],
  ['by instance number without positions', [image('b', 2), image('a', 1)], ['a b']],
  [
    'by instance number where positions repeat themselves',
    [image('b', 2, z(1)), image('a', 1, z(1))],
    ['a b'],
  ],
  [
    'once, if an instance comes twice',
    [image('a', 1, z(1)), image('a', 1, z(1)), image('b', 2, z(2))],
    ['a b'],
  ],
  ['without those that have no pixels', [attributes({ '00080018': ['sr'] })], []],
  ['without an instance that has no name', [attributes({ '00280010': [2], '00280011': [2] })], []],
  [
    'along the tilted normal of a gantry',
    [
      image('c', 3, at([0, 9, 10], TILTED)),
      image('a', 1, at([0, -9, 0], TILTED)),
      image('b', 2, at([0, 0, 5], TILTED)),
    ],
    ['a b c'],
  ],
  [
    'along the common normal: sagittal images of rounded directions stay in their order',
    [
      image('a', 1, at([10, -800, 0], SAGITTAL)),
      image('b', 2, at([12, 800, 0], [0.004, 0.99999, 0, 0, 0, -1])),
      image('c', 3, at([14, -800, 0], SAGITTAL)),
    ],
    ['a b c'],
  ],
])('images are sorted %s', (_, instances, expected) =>
  expect(told(stacksOf(NAME, instances))).toEqual(expected),
);

test.each<[string, Instance[], string[]]>([
  [
    'the three planes of a localizer, by orientation',
    [
      image('a', 1, z(0)),
      image('b', 2, at([0, 0, 0], CORONAL)),
      image('c', 3, at([0, 0, 0], SAGITTAL)),
      image('d', 4, z(5)),
    ],
    ['orientation axial: a d', 'orientation coronal: b', 'orientation sagittal: c'],
  ],
  [
    'two tilts of the same plane, by number',
    [image('a', 1, z(0)), image('b', 2, z(5)), image('c', 3, at([0, 0, 0], TILTED))],
    ['orientation axial: a b', 'orientation axial 2: c'],
  ],
  [
    'a scout of another size',
    [image('a', 1, { ...z(0), '00280010': [9] }), image('b', 2, z(1)), image('c', 3, z(2))],
    ['size 3×2: b c', 'size 3×9: a'],
  ],
  [
    'a colour capture',
    [image('a', 1, z(0)), image('b', 2, z(1)), image('c', 3, { '00280002': [3] })],
    ['kind grey: a b', 'kind colour: c'],
  ],
  [
    'an image without a position among others',
    [image('a', 1), image('b', 2, z(1)), image('c', 3, z(0))],
    ['orientation axial: b c', 'orientation unknown: a'],
  ],
  [
    'echoes of the same positions',
    [0, 5].flatMap((place) => [
      image(`long${place}`, place + 1, { ...z(place), '00180081': [80] }),
      image(`short${place}`, place, { ...z(place), '00180081': [20] }),
    ]),
    ['echo 20: short0 short5', 'echo 80: long0 long5'],
  ],
  [
    'times of the same positions',
    [1, 2].flatMap((time) =>
      [0, 5].map((place) => image(`t${time}p${place}`, time, { ...z(place), '00200100': [time] })),
    ),
    ['temporal 1: t1p0 t1p5', 'temporal 2: t2p0 t2p5'],
  ],
  [
    'b values, and a map without one that was computed of them',
    [undefined, 1000, 0].flatMap((b, nth) =>
      [0, 5].map((place) =>
        image(`${b}p${place}`, nth, { ...z(place), '00189087': b === undefined ? [] : [b] }),
      ),
    ),
    ['diffusion 0: 0p0 0p5', 'diffusion 1000: 1000p0 1000p5', 'undefinedp0 undefinedp5'],
  ],
  [
    'two stacks of an enhanced object',
    [1, 2].flatMap((stack) =>
      [0, 5].map((place) =>
        image(`s${stack}p${place}`, stack, { ...z(place + 2 * stack), '00209056': [`${stack}`] }),
      ),
    ),
    ['stack 1: s1p0 s1p5', 'stack 2: s2p0 s2p5'],
  ],
  [
    'not by stacks of single frames',
    [1, 2, 3].map((n) => image(`i${n}`, n, { ...z(n), '00209056': [`${n}`] })),
    ['i1 i2 i3'],
  ],
])('a series is split: %s', (_, instances, expected) =>
  expect(told(stacksOf(NAME, instances))).toEqual(expected),
);

test('images of different echo times at different positions are one stack', () => {
  const instances = [1, 2, 3].map((n) => image(`i${n}`, n, { ...z(n), '00180081': [n] }));
  expect(told(stacksOf(NAME, instances))).toEqual(['i1 i2 i3']);
});

test('frames without positions follow their numbers; each has its name and its bytes', () => {
  const [stack] = stacksOf(NAME, [image('a', 1, { '00280008': [3] })]);
  expect(stack!.frames.map(({ id }) => id)).toEqual(['1/2/a/1', '1/2/a/2', '1/2/a/3']);
  expect(stack!.frames[0]).toMatchObject({ name: { ...NAME, instance: 'a', frame: 1 }, bytes: 12 });
});

test.each([
  ['16 bits', {}, 12],
  ['8 bits of colour', { '00280002': [3], '00280100': [8] }, 18],
  ['one bit, packed', { '00280100': [1] }, 1],
])('bytes of a frame: %s', (_, values, bytes) => {
  expect(stacksOf(NAME, [image('a', 1, values)])[0]!.frames[0]!.bytes).toBe(bytes);
});

test('PS3.3 C.7.6.16: each frame has the attributes of its functional groups, and is sorted by its position', () => {
  const plane = (position: number): Values => ({
    '00209113': [attributes({ '00200032': [0, 0, position] })],
  });
  const groups = (values: Values): Instance =>
    Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'SQ', Value }]));
  const enhanced: Instance = {
    ...image('a', 1, { '00280008': [3] }),
    '52009229': {
      vr: 'SQ',
      Value: [
        groups({
          '00209116': [attributes({ '00200037': AXIAL })],
          '00289110': [attributes({ '00280030': [0.5, 0.25] })],
          '00289145': [attributes({ '00281052': [-1024] })],
        }),
      ],
    },
    '52009230': { vr: 'SQ', Value: [groups(plane(20)), groups(plane(0)), groups(plane(10))] },
  };
  const [stack] = stacksOf(NAME, [enhanced]);
  expect(stack!.frames.map(({ name, metadata }) => [name.frame, metadata['00200032']?.Value?.[2]])).toEqual([
    [1, 20],
    [3, 10],
    [2, 0],
  ]);
  expect(stack!.spacing).toEqual([0.5, 0.25]);
  expect(stack!.frames[0]!.metadata['00281052']?.Value).toEqual([-1024]);
});

test.each<[string, Values[], readonly number[] | undefined]>([
  ['is that of all frames', [{ '00280030': [0.7, 0.8] }, { '00280030': [0.7, 0.8] }], [0.7, 0.8]],
  ['is unknown if one has another', [{ '00280030': [0.7, 0.7] }, { '00280030': [0.8, 0.8] }], undefined],
  ['is unknown if one has none', [{ '00280030': [0.7, 0.7] }, {}], undefined],
  ['is unknown if only that of the detector is known', [{ '00181164': [0.1, 0.1] }], undefined],
  ['is unknown if it is zero', [{ '00280030': [0, 0] }], undefined],
])('spacing of a stack %s', (_, values, spacing) => {
  const [stack] = stacksOf(
    NAME,
    values.map((one, index) => image(`${index}`, index, one)),
  );
  expect(stack!.spacing).toEqual(spacing);
});

test.each<[string, Values]>([
  ['by its transfer syntax', { '00083002': ['1.2.840.10008.1.2.4.102'] }],
  ['by its class, where the server does not say', { '00080016': ['1.2.840.10008.5.1.4.1.1.77.1.1.1'] }],
])('a video is known %s, and has no frames (DW-28)', (_how, values) => {
  const video = image('v', 2, { '00280008': [3000], ...values });
  expect(told(stacksOf(NAME, [image('a', 1), video]))).toEqual(['a']);
  const jpeg = image('v', 2, {
    '00080016': values['00080016'] ?? [],
    '00083002': ['1.2.840.10008.1.2.4.50'],
  });
  expect(told(stacksOf(NAME, [image('a', 1), jpeg]))).toEqual(['a v']);
});
