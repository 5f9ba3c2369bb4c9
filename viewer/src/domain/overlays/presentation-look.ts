/** The look that a presentation state gives an image: window, rotation, area, shutter (PS3.3 §C.11, §C.10.4, §C.10.6, §C.7.6.11). */
import { items, texts } from '../../../../schema/dicom/dicom.ts';
import { isColour } from '../grey/colour.ts';
import { voiOf, type Voi } from '../grey/voi.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import { rescaleOfImage } from '../volume/volume-planes.ts';
import { cielabColour, type Colour } from './cielab.ts';
import type { Line, Look } from './overlay.ts';
import { isNamed, type Target } from './target.ts';

/** True if an item is for the image: it names it, or names none. @param item with or without a Referenced Image Sequence */
export function isFor(item: Instance, target: Target): boolean {
  const named = imagesIn(item);
  return named.length === 0 || named.some((one) => isNamed(target, one));
}

/** Returns the images that an item names (PS3.3 table 10-3). Frames are numbers from 1; none for all. */
export function imagesIn(item: Instance): { instance: string; frames: readonly number[] }[] {
  return items(item, '00081140').flatMap((image) => {
    const instance = text(image, '00081155');
    const frames = (image['00081160']?.Value ?? []).map(Number);
    return instance === undefined ? [] : [{ instance, frames }];
  });
}

export function lookOn(state: Instance, target: Target): Look {
  const turned = turnOf(state);
  const item = areaItem(state, target);
  const ratio = item && text(item, '00700100') === 'MAGNIFY' ? number(item, '00700103') : undefined;
  return {
    ...greyOn(state, target),
    // Here the image is flipped first and then turned; a state does it the other way round.
    rotation: turned.flipped ? (360 - turned.rotation) % 360 : turned.rotation,
    flipped: turned.flipped,
    ...(item && { area: areaOf(item, target) }),
    ...(ratio && { magnification: ratio }),
    shutters: shuttersOf(state, target),
    shutterColour: shutterColour(state),
  };
}

/** Returns the rotation, degrees clockwise, and whether the turned image is then mirrored from left to right. */
function turnOf(state: Instance): { rotation: number; flipped: boolean } {
  const rotation = number(state, '00700042') ?? 0;
  return {
    rotation: rotation % 90 === 0 ? ((rotation % 360) + 360) % 360 : 0,
    flipped: text(state, '00700041') === 'Y',
  };
}

/** Returns the window in the values that the image has here, and whether black and white change their places. */
function greyOn(state: Instance, target: Target): Pick<Look, 'window' | 'inverted'> {
  const { metadata } = target;
  if (isColour(metadata)) return { inverted: false };
  const item = items(state, '00283110').find((one) => isFor(one, target));
  const voi = item && voiOf(item);
  const isInverse = text(state, '20500020') === 'INVERSE';
  // The state says what is black, whatever the image says (PS3.4 §N.2.1.1).
  const differs = text(metadata, '00280004') === 'MONOCHROME1';
  if (item && !voi) return { inverted: isInverse !== differs };
  // A window in the values of a table that is not applied would be another one.
  if (items(state, '00283000').length > 0) return { inverted: isInverse !== differs };
  // Without a modality LUT of its own, a state is about stored values (PS3.4 §N.2.1.2).
  const own = rescaleOfImage(metadata);
  const stated = rescaleOfImage(state);
  const toOwn = (value: number) => own.slope * ((value - stated.intercept) / stated.slope) + own.intercept;
  const [black, white] = (voi ? rangeOf(voi) : storedRange(metadata, stated)).map(toOwn) as [number, number];
  const [low, high] = [Math.min(black, white), Math.max(black, white)];
  const isLinear = (voiOf(metadata)?.function ?? 'LINEAR') === 'LINEAR';
  return {
    window: isLinear
      ? { centre: (low + high) / 2 + 0.5, width: high - low + 1 }
      : { centre: (low + high) / 2, width: high - low },
    inverted: (isInverse !== black > white) !== differs,
  };
}

/** Returns the values that are black and white (PS3.3 §C.11.2.1.2, §C.11.2.1.3.2). */
function rangeOf({ centre, width, function: by }: Voi): [number, number] {
  const [middle, half] = by === 'LINEAR' ? [centre - 0.5, (width - 1) / 2] : [centre, width / 2];
  return [middle - half, middle + half];
}

/** Returns the least and the greatest value that the pixels could have: that is black and white without a window. */
function storedRange(
  metadata: Instance,
  { slope, intercept }: { slope: number; intercept: number },
): number[] {
  const count = 2 ** (number(metadata, '00280101') ?? number(metadata, '00280100') ?? 16);
  const least = number(metadata, '00280103') === 1 ? -count / 2 : 0;
  return [least, least + count - 1].map((value) => value * slope + intercept);
}

function areaItem(state: Instance, target: Target): Instance | undefined {
  return items(state, '0070005A').find((one) => isFor(one, target));
}

/** Returns an area: its corners are numbers of pixels from 1, in the order in which the turned image shows them. */
function areaOf(item: Instance, { metadata }: Target): NonNullable<Look['area']> {
  const corners = ['00700052', '00700053'].flatMap((tag) => [numbers(item, tag, 2) ?? []]);
  const [one, other] = corners.every(({ length }) => length === 2) ? corners : [[1, 1], sizeOf(metadata)];
  const edge = (axis: 0 | 1, which: 'min' | 'max') => Math[which](one![axis]!, other![axis]!);
  return {
    least: [edge(0, 'min') - 1.5, edge(1, 'min') - 1.5],
    most: [edge(0, 'max') - 0.5, edge(1, 'max') - 0.5],
  };
}

const sizeOf = (metadata: Instance): number[] => [
  number(metadata, '00280011') ?? 1,
  number(metadata, '00280010') ?? 1,
];

/** Brings points of the screen to the image, and back: parts of the area as it is shown, 0/0 its upper left corner. */
export interface Display {
  toImage(part: ImagePoint): ImagePoint;
  toPart(image: ImagePoint): ImagePoint;
}

/** Returns how a state shows its area of an image: that of annotations in the units DISPLAY (PS3.3 §C.10.5.1.2). */
export function displayOn(state: Instance, target: Target): Display {
  const { least, most } = areaOf(areaItem(state, target) ?? {}, target);
  const { rotation, flipped } = turnOf(state);
  const [width, height] = [most[0] - least[0], most[1] - least[1]];
  const quarters = rotation / 90;
  const shown = quarters % 2 === 1 ? [height, width] : [width, height];
  const [cos, sin] = [[1, 0, -1, 0][quarters]!, [0, 1, 0, -1][quarters]!];
  const mirror = flipped ? -1 : 1;
  const middle = [(least[0] + most[0]) / 2, (least[1] + most[1]) / 2] as const;
  return {
    toImage([across, down]) {
      const [x, y] = [mirror * (across - 0.5) * shown[0]!, (down - 0.5) * shown[1]!];
      return [middle[0] + x * cos + y * sin, middle[1] - x * sin + y * cos];
    },
    toPart([column, row]) {
      const [x, y] = [column - middle[0], row - middle[1]];
      return [(mirror * (x * cos - y * sin)) / shown[0]! + 0.5, (x * sin + y * cos) / shown[1]! + 0.5];
    },
  };
}

/** Corners of a circle that is a shutter. */
const CORNERS = 180;

/** Returns what each shutter leaves open; rows and columns count from 1. What is open in all of them is seen. */
function shuttersOf(state: Instance, { metadata }: Target): Line[] {
  const [columns, rows] = sizeOf(metadata) as [number, number];
  return texts(state, '00181600').flatMap((shape): Line[] => {
    if (shape === 'RECTANGULAR') {
      const [left = 1, right = columns, upper = 1, lower = rows] = ['1602', '1604', '1606', '1608'].map(
        (tag) => number(state, `0018${tag}`),
      );
      const [x, y, toX, toY] = [left - 1.5, upper - 1.5, right - 0.5, lower - 0.5];
      return [[[x, y], [toX, y], [toX, toY], [x, toY]]]; // prettier-ignore
    }
    if (shape === 'CIRCULAR') {
      const [row, column] = numbers(state, '00181610', 2) ?? [];
      const radius = number(state, '00181612');
      if (row === undefined || column === undefined || radius === undefined) return [];
      return [
        Array.from({ length: CORNERS }, (_, at): ImagePoint => {
          const angle = (2 * Math.PI * at) / CORNERS;
          return [column - 1 + radius * Math.cos(angle), row - 1 + radius * Math.sin(angle)];
        }),
      ];
    }
    const vertices = (state['00181620']?.Value ?? []).map(Number);
    if (shape !== 'POLYGONAL' || vertices.length < 6 || !vertices.every(Number.isFinite)) return [];
    return [
      Array.from({ length: Math.floor(vertices.length / 2) }, (_, at): ImagePoint => [
        vertices[2 * at + 1]! - 1,
        vertices[2 * at]! - 1,
      ]),
    ];
  });
}

function shutterColour(state: Instance): Colour {
  const lab = numbers(state, '00181624', 3);
  return lab ? cielabColour(lab) : greyOf(number(state, '00181622') ?? 0);
}

/** Returns the grey of a P-Value, 0 to 65535. */
export function greyOf(value: number): Colour {
  const grey = Math.round((Math.min(Math.max(value, 0), 65535) / 65535) * 255);
  return [grey, grey, grey];
}
