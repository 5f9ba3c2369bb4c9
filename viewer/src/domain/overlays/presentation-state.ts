/** Reads presentation states (PS3.3 §A.33): how images are to be shown, and what is drawn on them, layer by layer. */
import { items, texts } from '../../../../schema/dicom/dicom.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import { cielabColour, segmentColour } from './cielab.ts';
import { figureOf, pairs } from './figures.ts';
import type { Part, Reader, Reading, Shape, Undone } from './overlay.ts';
import { displayOn, greyOf, imagesIn, isFor, lookOn, type Display } from './presentation-look.ts';
import { isNamed } from './target.ts';

/** Of grey, colour and pseudo-colour. That of blending shows two images in one, and is not read. */
const CLASSES = ['1', '2', '3'].map((end) => `1.2.840.10008.5.1.4.1.1.11.${end}`);

export const presentationState: Reader = {
  kind: 'presentation',
  sopClasses: CLASSES,
  modality: 'PR',
  offAtStart: true,
  read: readPresentationState,
};

/** A group of annotations in one layer, for some images or for all. */
interface Annotation {
  layer: string;
  item: Instance;
  marks: readonly Mark[];
}

/** A text or a graphic: it is placed on each image by itself. */
type Mark = (display: Display) => readonly Shape[];

function readPresentationState(state: Instance): Reading {
  const images = items(state, '00081115').flatMap(imagesIn);
  if (images.length === 0) return { refused: 'without-place' };
  let broken = 0;
  const annotations = items(state, '00700001').map((item): Annotation => {
    const read = [
      ...items(item, '00700009').map((graphic) => graphicOf(graphic)),
      ...items(item, '00700008').map((words) => textOf(words)),
    ];
    broken += read.filter((one) => one === undefined).length;
    const marks = read.filter((one) => one !== undefined);
    return { layer: text(item, '00700002') ?? '', item, marks };
  });
  const isOn = (target: Parameters<typeof isNamed>[0]) => images.some((one) => isNamed(target, one));
  return {
    content: {
      parts: layersOf(state, annotations),
      framesOfReference: new Set(),
      instances: new Set(images.map((one) => one.instance)),
      undone: [...undoneOf(state), ...(broken > 0 ? (['broken'] as const) : [])],
      lookOn: (target) => (isOn(target) ? lookOn(state, target) : undefined),
      shapesOn(target, part) {
        if (!isOn(target)) return [];
        const display = displayOn(state, target);
        return annotations
          .filter(({ layer, item }) => layer === part.id && isFor(item, target))
          .flatMap(({ marks }) => marks.flatMap((mark) => mark(display)));
      },
    },
  };
}

/** Returns the layers that have something, from the bottom (PS3.3 §C.10.7). */
function layersOf(state: Instance, annotations: readonly Annotation[]): Part[] {
  const used = new Set(annotations.filter(({ marks }) => marks.length > 0).map(({ layer }) => layer));
  const stated = new Map(items(state, '00700060').map((item) => [text(item, '00700002') ?? '', item]));
  const orderOf = (layer: string) => number(stated.get(layer) ?? {}, '00700062') ?? 0;
  return [...used]
    .sort((one, other) => orderOf(one) - orderOf(other))
    .map((id, index) => {
      const item = stated.get(id) ?? {};
      const [lab, grey] = [numbers(item, '00700401', 3), number(item, '00700066')];
      const colour = lab ? cielabColour(lab) : grey === undefined ? segmentColour(index + 2) : greyOf(grey);
      return { id, name: text(item, '00700068') ?? id, colour };
    });
}

/**
 * Returns the points of a place; of the units PIXEL 0/0 is the outer corner of the first pixel (PS3.3 §C.10.5).
 * @returns undefined for units that are not known
 */
function placing(
  units: string | undefined,
): ((point: ImagePoint, display: Display) => ImagePoint) | undefined {
  if (units === 'DISPLAY') return (point, display) => display.toImage(point);
  return units === 'PIXEL' ? ([column, row]) => [column - 0.5, row - 0.5] : undefined;
}

function graphicOf(item: Instance): Mark | undefined {
  const place = placing(text(item, '00700005'));
  const points = pairs(item['00700022']?.Value);
  const type = text(item, '00700023');
  const filled = text(item, '00700024') === 'Y';
  // Of a report only: here a point is one, and a polygon has a line.
  if (!place || !points || !figureOf(type, points)) return undefined;
  return (display) =>
    figureOf(
      type,
      points.map((point) => place(point, display)),
      filled,
    )!;
}

function textOf(item: Instance): Mark | undefined {
  const words = text(item, '00700006')?.replaceAll(/\r\n?/g, '\n').trimEnd();
  const box = ['00700010', '00700011'].flatMap((tag) => pairs(numbers(item, tag, 2)) ?? []);
  const inBox = placing(text(item, '00700003'));
  const [anchor] = pairs(numbers(item, '00700014', 2)) ?? [];
  const ofAnchor = placing(text(item, '00700004'));
  const anchored = (display: Display) => anchor && ofAnchor?.(anchor, display);
  const hasBox = box.length === 2 && inBox !== undefined;
  if (!words || (!hasBox && !(anchor && ofAnchor))) return undefined;
  return (display) => {
    const pointsTo = text(item, '00700015') === 'Y' ? anchored(display) : undefined;
    const leads = pointsTo && { pointsTo };
    if (!hasBox) return [{ kind: 'text', text: words, at: anchored(display)!, ...leads }];
    const parts = box.map((point) => display.toPart(inBox(point, display)));
    const edge = (axis: 0 | 1) => Math.min(...parts.map((part) => part[axis]));
    const centre = (axis: 0 | 1) => (parts[0]![axis] + parts[1]![axis]) / 2;
    const middle = text(item, '00700012') === 'CENTER';
    // It is written upright, also where the image is turned (PS3.3 §C.10.5.1.1).
    const at = display.toImage(middle ? [centre(0), centre(1)] : [edge(0), edge(1)]);
    return [{ kind: 'text', text: words, at, middle, ...leads }];
  };
}

/** Returns the parts of a state that are not shown here. */
function undoneOf(state: Instance): Undone[] {
  const has = (tag: string) => items(state, tag).length > 0;
  const windows = items(state, '00283110');
  const annotations = items(state, '00700001');
  const found: Readonly<Partial<Record<Undone, boolean>>> = {
    'modality-table': has('00283000'),
    'window-table': windows.some((one) => one['00281050'] === undefined && items(one, '00283010').length > 0),
    'window-curve': windows.some((one) => text(one, '00281056') === 'SIGMOID'),
    'grey-table': has('20500010'),
    'colour-table': state['00281101'] !== undefined,
    'bitmap-shutter': texts(state, '00181600').includes('BITMAP'),
    'true-size': items(state, '0070005A').some((one) => text(one, '00700100') === 'TRUE SIZE'),
    'overlay-plane': Object.keys(state).some((tag) => /^60..(1001|3000)$/.test(tag)),
    subtraction: has('00286100'),
    compound: annotations.some((one) => items(one, '00700209').length > 0),
  };
  return (Object.keys(found) as Undone[]).filter((one) => found[one]);
}
