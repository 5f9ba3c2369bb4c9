/** Reads structure sets of radiotherapy (PS3.3 §A.19, modules §C.8.8.5 and §C.8.8.6): contours in millimetres. */
import { items, texts } from '../../../../schema/dicom/dicom.ts';
import { number, numbers, positive, text, type Instance } from '../instance.ts';
import { vectorOf, type Vector } from '../space/vectors.ts';
import { segmentColour, type Colour } from './cielab.ts';
import { Areas, type Contour } from './contour-areas.ts';
import type { Part, Reader, Reading, Shape } from './overlay.ts';
import { MOST_PARTS } from './segmentation.ts';
import { pointsOn, type Target } from './target.ts';

export const structures: Reader = {
  kind: 'structures',
  sopClasses: ['1.2.840.10008.5.1.4.1.1.481.3'],
  modality: 'RTSTRUCT',
  read: readStructures,
};

/** A region of interest: what it has in one frame of reference. */
interface Region extends Part {
  frameOfReference: string;
  areas: Areas;
  lines: readonly Contour[];
  points: readonly Vector[];
}

/** An item of ROI Contour Sequence, and its contours that can be read. */
interface Drawn {
  item: Instance;
  contours: readonly Contour[];
}

function readStructures(instance: Instance): Reading {
  const drawn = items(instance, '30060039').map((item) => ({ item, contours: contoursOf(item) }));
  const regions = regionsOf(instance, drawn);
  if (regions.length === 0) return { refused: 'empty' };
  if (regions.length > MOST_PARTS) return { refused: 'too-many-parts' };
  const known = new Map(regions.map((region) => [region.id, region]));
  if (known.size < regions.length) return { refused: 'contradictory' };
  const broken = drawn.some(({ item, contours }) => contours.length < items(item, '30060040').length);
  return {
    content: {
      ...(broken && { undone: ['broken'] }),
      parts: regions.map(({ id, name, colour }) => ({ id, name, colour })),
      framesOfReference: new Set(regions.map(({ frameOfReference }) => frameOfReference)),
      instances: new Set(),
      shapesOn: (target, { id }) => shapesOf(known.get(id)!, target),
    },
  };
}

/** Returns the regions that have something to draw. A region says itself in which frame of reference it is. */
function regionsOf(instance: Instance, all: readonly Drawn[]): Region[] {
  const drawn = new Map(all.map((one) => [number(one.item, '30060084'), one]));
  const only = items(instance, '30060010').map((item) => text(item, '00200052'));
  return items(instance, '30060020').flatMap((item, index): Region[] => {
    const own = number(item, '30060022');
    const { item: look, contours = [] } = drawn.get(own) ?? {};
    const frameOfReference = text(item, '30060024') ?? (only.length === 1 ? only[0] : undefined);
    if (own === undefined || frameOfReference === undefined || !look || contours.length === 0) return [];
    const of = (kind: Contour['kind']) => contours.filter((one) => one.kind === kind);
    return [
      {
        id: String(own),
        name: text(item, '30060026') ?? String(own),
        colour: colourOf(look) ?? segmentColour(index + 1),
        frameOfReference,
        areas: new Areas(of('closed')),
        lines: of('open'),
        points: of('point').flatMap(({ points }) => points),
      },
    ];
  });
}

/** ROI Display Color, as it is on a screen. */
function colourOf(item: Instance): Colour | undefined {
  const [red, green, blue] = numbers(item, '3006002A', 3) ?? [];
  if (red === undefined || green === undefined || blue === undefined) return undefined;
  const within = (value: number) => Math.min(Math.max(Math.round(value), 0), 255);
  return [within(red), within(green), within(blue)];
}

const KINDS: Readonly<Record<string, Contour['kind']>> = {
  POINT: 'point',
  OPEN_PLANAR: 'open',
  OPEN_NONPLANAR: 'open',
  CLOSED_PLANAR: 'closed',
  CLOSEDPLANAR_XOR: 'closed',
};

/** Returns the contours that can be read; one whose coordinates are no triples of numbers is left out. */
function contoursOf(region: Instance): Contour[] {
  return items(region, '30060040').flatMap((item): Contour[] => {
    const kind = KINDS[text(item, '30060042') ?? ''];
    const values = texts(item, '30060050').map(Number);
    if (!kind || values.length === 0 || values.length % 3 !== 0 || !values.every(Number.isFinite)) return [];
    const points = Array.from({ length: values.length / 3 }, (_, at) =>
      vectorOf(values.slice(3 * at, 3 * at + 3)),
    );
    const isArea = kind === 'closed' && points.length > 2;
    return [{ kind: kind === 'closed' && !isArea ? 'open' : kind, points, slab: positive(item, '30060044') }];
  });
}

function shapesOf({ frameOfReference, areas, lines, points }: Region, target: Target): Shape[] {
  const { rectangle, halfSlice } = target;
  if (!rectangle || rectangle.frameOfReference !== frameOfReference) return [];
  const rings = areas.on(rectangle, halfSlice);
  const place = (all: readonly Vector[]) => pointsOn(target, frameOfReference, all);
  return [
    ...(rings.length > 0 ? [{ kind: 'area', rings } as const] : []),
    ...lines.flatMap((line): Shape[] => {
      const on = place(line.points);
      return on ? [{ kind: 'line', points: on }] : [];
    }),
    ...points.flatMap((point): Shape[] => {
      const [at] = place([point]) ?? [];
      return at ? [{ kind: 'point', at }] : [];
    }),
  ];
}
