/** Presentation states of images as they were shown, with what is measured on them (PS3.3 §A.33.1). */
import { voiOf } from '../grey/voi.ts';
import { items } from '../../../../schema/dicom/dicom.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import type { Measurement } from '../measure/measurement.ts';
import { isColour } from '../grey/colour.ts';
import type { KeyImage } from '../series/key-image.ts';
import { middleOf, sizeOf } from '../space/between-images.ts';
import type { ImagePoint } from '../space/geometry.ts';
import { of, reference, sequence, type OfImage } from './content.ts';
import { documentOf, plainName, shortened, timeOf, type Authorship } from './document.ts';
import { figuresOf, graphicOf, type Figure } from './figures.ts';
import { captionOf } from './quantities.ts';
import { srgbProfile } from './srgb-profile.ts';

/** An image with what is marked on it. */
export interface View extends OfImage {
  key?: KeyImage | undefined;
  measurements: readonly Measurement[];
}

const GRAYSCALE_STATE = '1.2.840.10008.5.1.4.1.1.11.1';
const COLOUR_STATE = '1.2.840.10008.5.1.4.1.1.11.2';
const LAYER = 'MARKS';
const MOST_TEXT = 1024;
const MOST_DESCRIPTION = 64;
/** Part of the arrow that its head is long. */
const ARROW_HEAD = 0.2;

/**
 * Returns the state of an image: of a key image as it was shown, of another one as a whole.
 * @param at its number in the series of states, from 1
 * @param series UID of the series of states
 */
export function stateOf(
  view: View,
  { series, at }: { series: string; at: number },
  by: Authorship,
): Instance {
  const { key, measurements, metadata } = view;
  const { date, time } = timeOf(by.now);
  const document = {
    sopClass: isColour(metadata) ? COLOUR_STATE : GRAYSCALE_STATE,
    modality: 'PR',
    series: { uid: series, number: 9003, description: 'Images as they were shown' },
    number: at,
  } as const;
  return {
    ...documentOf(document, view, by),
    '00081115': sequence({ '0020000E': of('UI', view.image.series), '00081140': sequence(reference(view)) }),
    ...sideOf(metadata),
    ...(isColour(metadata) ? COLOURS : greyOf(metadata, key)),
    ...turnOf(key),
    '0070005A': sequence(areaOf(view)),
    ...annotationsOf(view, measurements),
    '00700080': of('CS', key ? `KEY_IMAGE_${at}` : `MEASURED_${at}`),
    '00700081': of('LO', shortened(key?.title ?? '', MOST_DESCRIPTION)),
    '00700082': of('DA', date),
    '00700083': of('TM', time),
    '00700084': of('PN', ...(by.person === undefined ? [] : [{ Alphabetic: plainName(by.person) }])),
  };
}

/** Returns body part and side; an empty side is one that is not known (PS3.3 §C.7.3.1). */
function sideOf(metadata: Instance): Instance {
  const side = text(metadata, '00200060') ?? text(metadata, '00200062');
  const part = text(metadata, '00180015');
  return {
    ...(part && { '00180015': of('CS', part) }),
    '00200060': of('CS', ...(side === 'R' || side === 'L' ? [side] : [])),
  };
}

/** Colours of an image are those of sRGB, as browsers show them (PS3.3 §C.11.15). */
const COLOURS: Instance = {
  '00282000': { vr: 'OB', InlineBinary: btoa(String.fromCharCode(...srgbProfile())) },
  '00282002': of('CS', 'SRGB'),
};

/** Returns modality rescale, window and polarity (PS3.3 §C.11). */
function greyOf(metadata: Instance, key: KeyImage | undefined): Instance {
  const [slope, intercept] = [number(metadata, '00281053'), number(metadata, '00281052')];
  const own = voiOf(metadata);
  const window = key?.window ?? own;
  const isRescaled = slope !== undefined && intercept !== undefined;
  // A window in the values of a table says nothing without it.
  const hasTable = items(metadata, '00283000').length > 0;
  const isInverse = (key?.inverted ?? false) !== (text(metadata, '00280004') === 'MONOCHROME1');
  return {
    ...(isRescaled && {
      '00281052': of('DS', intercept),
      '00281053': of('DS', slope),
      '00281054': of('LO', text(metadata, '00281054') ?? 'US'),
    }),
    ...(window &&
      !hasTable && {
        '00283110': sequence({
          '00281050': of('DS', window.centre),
          '00281051': of('DS', window.width),
          ...(own && own.function !== 'LINEAR' && { '00281056': of('CS', own.function) }),
        }),
      }),
    '20500020': of('CS', isInverse ? 'INVERSE' : 'IDENTITY'),
  };
}

interface Turn {
  /** Degrees clockwise, before the mirror. */
  rotation: number;
  flipped: boolean;
}

/** Here an image is mirrored and then turned; a state turns it first (PS3.3 §C.10.6). */
function turnIn(key: KeyImage | undefined): Turn {
  const { rotation = 0, flipped = false } = key?.camera ?? {};
  return { rotation: flipped ? (360 - rotation) % 360 : rotation, flipped };
}

function turnOf(key: KeyImage | undefined): Instance {
  const { rotation, flipped } = turnIn(key);
  return rotation === 0 && !flipped
    ? {}
    : { '00700041': of('CS', flipped ? 'Y' : 'N'), '00700042': of('US', rotation) };
}

/** Returns the part of the image that was shown, in pixels from 1, from its corner that is shown top left (PS3.3 §C.10.4). */
function areaOf({ key, metadata }: View): Instance {
  const size = sizeOf(metadata)!;
  const { zoom = 1, centre = middleOf(size) } = key?.camera ?? {};
  const edges = ([0, 1] as const).map((axis) => {
    const half = size[axis] / zoom / 2;
    const least = Math.round(centre[axis] + 0.5 - half) + 1;
    return [least, Math.max(Math.round(centre[axis] + 0.5 + half), least)];
  }) as [[number, number], [number, number]];
  const { rotation, flipped } = turnIn(key);
  const [cos, sin] = [
    [1, 0, -1, 0],
    [0, 1, 0, -1],
  ].map((turn) => turn[Math.round(rotation / 90) % 4]!) as [number, number];
  /** Returns how far to the right and down a corner is shown. */
  const shown = (x: number, y: number) => (flipped ? -1 : 1) * (x * cos - y * sin) + x * sin + y * cos;
  const corners = [0, 1].flatMap((x) => [0, 1].map((y) => [x, y] as const));
  const [first] = corners.toSorted(
    (a, b) => shown(2 * a[0] - 1, 2 * a[1] - 1) - shown(2 * b[0] - 1, 2 * b[1] - 1),
  );
  const [x, y] = first!;
  return {
    '00700052': of('SL', edges[0][x]!, edges[1][y]!),
    '00700053': of('SL', edges[0][1 - x]!, edges[1][1 - y]!),
    '00700100': of('CS', 'SCALE TO FIT'),
    ...pixelsOf(metadata),
  };
}

/** Returns the size of a pixel, or its form. */
function pixelsOf(metadata: Instance): Instance {
  const spacing = numbers(metadata, '00280030', 2) ?? numbers(metadata, '00181164', 2);
  if (spacing?.every((one) => one > 0)) return { '00700101': of('DS', ...spacing) };
  return { '00700102': of('IS', ...(numbers(metadata, '00280034', 2) ?? [1, 1])) };
}

function annotationsOf(view: View, measurements: readonly Measurement[]): Instance {
  if (measurements.length === 0) return {};
  const units = (tag: string) => ({ [tag]: of('CS', 'PIXEL') });
  const figures = measurements.flatMap((one) => [
    ...figuresOf(one, view.metadata),
    ...(one.kind === 'arrow' ? [headOf(one.points)] : []),
  ]);
  const graphics = figures.map((figure) => ({
    ...units('00700005'),
    ...graphicOf(figure),
    '00700020': of('US', 2),
    '00700021': of('US', figure.points.length),
    '00700024': of('CS', 'N'),
  }));
  const texts = measurements.flatMap((one) => {
    const words = shortened(captionOf(one), MOST_TEXT);
    // Of an arrow it stands at the tail.
    const [column, row] = one.points[one.kind === 'arrow' ? 1 : 0]!;
    return words === ''
      ? []
      : [
          {
            ...units('00700004'),
            '00700006': of('ST', words.replaceAll('\n', '\r\n')),
            '00700014': of('FL', column + 0.5, row + 0.5),
            '00700015': of('CS', 'N'),
          },
        ];
  });
  return {
    '00700001': sequence({
      '00081140': sequence(reference(view)),
      '00700002': of('CS', LAYER),
      ...(texts.length > 0 && { '00700008': sequence(...texts) }),
      '00700009': sequence(...graphics),
    }),
    '00700060': sequence({
      '00700002': of('CS', LAYER),
      '00700062': of('IS', 1),
      '00700068': of('LO', 'Measurements'),
    }),
  };
}

/** Returns the head of an arrow: a line of three points, the second of which is its tip. */
function headOf([tip, tail]: readonly ImagePoint[]): Figure {
  const [x, y] = [tail![0] - tip![0], tail![1] - tip![1]];
  const side = (turn: 1 | -1): ImagePoint => [
    tip![0] + ARROW_HEAD * (x - turn * 0.5 * y),
    tip![1] + ARROW_HEAD * (y + turn * 0.5 * x),
  ];
  return { type: 'POLYLINE', points: [side(1), tip!, side(-1)] };
}
