/** Reads the regions of structured reports (PS3.16 TID 1410, 1411, 1501 and others), with their values as they are written. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { codeOf, isCode } from '../../../../schema/dicom/code.ts';
import { placesOf, valueOf, type ObjectReference } from '../documents/sr-item.ts';
import { unitWords } from '../documents/unit.ts';
import { text, type Instance } from '../instance.ts';
import { normalOf, type ImagePoint } from '../space/geometry.ts';
import { along, dot, minus, type Vector } from '../space/vectors.ts';
import { segmentColour } from './cielab.ts';
import { figureOf, pairs } from './figures.ts';
import type { Part, Reader, Reading, Shape } from './overlay.ts';
import { isNamed, pointsOn, type Target } from './target.ts';

/** Reports whose content may have coordinates: enhanced, comprehensive, in three dimensions, extensible, and those of CAD. */
const CLASSES = ['22', '33', '34', '35', '50', '65', '69'].map((end) => `1.2.840.10008.5.1.4.1.1.88.${end}`);

export const reportRegions: Reader = {
  kind: 'report',
  sopClasses: CLASSES,
  modality: 'SR',
  has: (report) => hasRegion(report),
  read: readRegions,
};

const TRACKING_UID = new Set(['DCM 112040']);
const TRACKING_NAME = new Set(['DCM 112039']);
const FINDING = new Set(['DCM 121071', 'DCM 121072']);

const MOST_DEPTH = 64;
const MOST_REGIONS = 2000;
/** Of one region; a group can have hundreds of values. */
const MOST_LINES = 4;

/** A shape of a report, on images that it names or in the patient. */
interface Region {
  part: string;
  type: string;
  words: readonly string[];
  place: OnImages | InPatient;
}

interface OnImages {
  images: readonly ObjectReference[];
  points: readonly ImagePoint[];
}

/** Points in millimetres. */
interface InPatient {
  frameOfReference: string;
  points: readonly Vector[];
}

/** Words of the items above an item. */
interface Above {
  /** Of measurements that belong together. */
  group: { part: string; words: readonly string[] } | undefined;
  /** The measurement or the finding that was made of the item. */
  own: readonly string[] | undefined;
}

interface Found {
  report: Instance;
  places: ReadonlyMap<string, ObjectReference>;
  parts: Map<string, Part>;
  regions: Region[];
  broken: number;
  ellipsoids: number;
  left: number;
}

function readRegions(report: Instance): Reading {
  const found: Found = {
    report,
    places: placesOf(report),
    parts: new Map(),
    regions: [],
    broken: 0,
    ellipsoids: 0,
    left: MOST_REGIONS,
  };
  walk(report, { group: undefined, own: undefined }, { found, depth: 0 });
  const { regions, parts, broken, ellipsoids, left } = found;
  if (left < 0) return { refused: 'too-many-parts' };
  if (regions.length + broken + ellipsoids === 0) return { refused: 'empty' };
  return {
    content: {
      parts: [...parts.values()].filter(({ id }) => regions.some(({ part }) => part === id)),
      framesOfReference: new Set(
        regions.flatMap(({ place }) => ('images' in place ? [] : place.frameOfReference)),
      ),
      mixed: true,
      instances: new Set(
        regions.flatMap(({ place }) =>
          'images' in place ? place.images.map(({ instance }) => instance) : [],
        ),
      ),
      undone: [
        ...(ellipsoids > 0 ? (['ellipsoid'] as const) : []),
        ...(broken > 0 ? (['broken'] as const) : []),
      ],
      shapesOn: (target, part) =>
        regions.filter((region) => region.part === part.id).flatMap((region) => drawn(region, target)),
    },
  };
}

function hasRegion(item: Instance, depth = 0): boolean {
  if ((text(item, '0040A040') ?? '').startsWith('SCOORD')) return true;
  return depth < MOST_DEPTH && items(item, '0040A730').some((child) => hasRegion(child, depth + 1));
}

/** Goes through an item and those below it. */
function walk(item: Instance, above: Above, { found, depth }: { found: Found; depth: number }): void {
  if (depth > MOST_DEPTH || found.left < 0) return;
  const type = text(item, '0040A040');
  const children = items(item, '0040A730');
  if (type === 'SCOORD' || type === 'SCOORD3D') add(item, above, { found, type });
  const group = type === 'CONTAINER' ? (groupOf(children, found) ?? above.group) : above.group;
  // What a region is of stands above it: a measurement, or the finding of a CAD.
  const isOf = type === 'NUM' || (type === 'CODE' && depth > 1);
  const own = isOf ? [wordsOf(item, found)] : type === 'CONTAINER' ? undefined : above.own;
  for (const child of children) walk(child, { group, own }, { found, depth: depth + 1 });
}

/** Returns what a container measures: by its tracking UID it is the same in other rounds. Undefined without measurements. */
function groupOf(children: readonly Instance[], found: Found): Above['group'] {
  const named = (names: ReadonlySet<string>) =>
    children.find((child) => isCode(codeOf(child, '0040A043'), names));
  const numbers = children.filter((child) => text(child, '0040A040') === 'NUM');
  const uid = named(TRACKING_UID);
  const tracked = named(TRACKING_NAME);
  if (numbers.length === 0 && !uid && !tracked) return undefined;
  const finding = codeOf(named(FINDING) ?? {}, '0040A168')?.meaning;
  const name = (tracked && text(tracked, '0040A160')) ?? finding;
  const id = (uid && text(uid, '0040A124')) ?? `group ${found.parts.size + 1}`;
  const lines = [...(name === undefined ? [] : [name]), ...numbers.map((one) => wordsOf(one, found))];
  const words =
    lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), `+${lines.length - MOST_LINES}`] : lines;
  if (!found.parts.has(id)) found.parts.set(id, partOf(id, name ?? words[0] ?? ''));
  return { part: id, words };
}

/** Without the yellow of a person's own measurements. */
const OTHER_COLOURS = [1, 2, 3, 5, 6, 7];

/** The colour goes with the id, so that a lesion has the same in all reports. */
function partOf(id: string, name: string): Part {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.charCodeAt(0)) % 9973;
  return { id, name, colour: segmentColour(OTHER_COLOURS[sum % OTHER_COLOURS.length]!) };
}

/** Returns a measurement or a coded item in words: `Length: 20.5 mm`. */
function wordsOf(item: Instance, { places }: Found): string {
  const name = codeOf(item, '0040A043')?.meaning;
  const value = valueOf(item, places);
  if (value.kind === 'number') {
    const number = value.value || value.qualifier?.meaning;
    return `${name ?? ''}: ${[number, unitWords(value.unit)].filter(Boolean).join(' ')}`;
  }
  return value.kind === 'code' ? value.code.meaning : (name ?? '');
}

function add(
  item: Instance,
  above: Above,
  { found, type }: { found: Found; type: 'SCOORD' | 'SCOORD3D' },
): void {
  if (--found.left < 0) return;
  const graphic = text(item, '00700023') ?? '';
  if (graphic === 'ELLIPSOID') {
    found.ellipsoids++;
    return;
  }
  const place = type === 'SCOORD' ? placeOnImages(item, found) : placeInPatient(item);
  // A shape in space has the same number of points on an image.
  const isShape =
    place &&
    figureOf(
      graphic,
      place.points.map(([x, y]) => [x, y]),
    );
  if (!isShape || place.points.some((point) => !point.every(Number.isFinite))) {
    found.broken++;
    return;
  }
  const words = above.own ?? above.group?.words ?? [codeOf(item, '0040A043')?.meaning ?? ''];
  const part = above.group?.part ?? words.join();
  if (!found.parts.has(part)) found.parts.set(part, partOf(part, words[0] ?? ''));
  found.regions.push({ part, type: graphic, words, place });
}

/** Returns points of which 0/0 was the outer corner of the first pixel (PS3.3 §C.18.6.1.1), and the images that they are on. */
function placeOnImages(item: Instance, found: Found): OnImages | undefined {
  const images = items(item, '0040A730').flatMap((child) => {
    const value = valueOf(child, found.places);
    const meant = value.kind === 'item' ? itemAt(found.report, value.position) : child;
    const of = meant && valueOf(meant, found.places);
    return of?.kind === 'references' ? of.references : [];
  });
  const points = pairs(item['00700022']?.Value)?.map(([column, row]): ImagePoint => [
    column - 0.5,
    row - 0.5,
  ]);
  // Of tiles the numbers may be of the whole slide.
  const isOfSlide = text(item, '00480301') === 'VOLUME';
  return images.length > 0 && points && !isOfSlide ? { images, points } : undefined;
}

/** Returns the item at a position of the tree: numbers from 1, the first of which is the report (PS3.3 §C.17.3.2.5). */
function itemAt(report: Instance, position: string): Instance | undefined {
  const [, ...below] = position.split('.').map(Number);
  return below.reduce<Instance | undefined>((item, at) => item && items(item, '0040A730')[at - 1], report);
}

function placeInPatient(item: Instance): InPatient | undefined {
  const frameOfReference = text(item, '30060024');
  const values = (item['00700022']?.Value ?? []).map(Number);
  const points = Array.from({ length: Math.floor(values.length / 3) }, (_, at): Vector => [
    values[3 * at]!,
    values[3 * at + 1]!,
    values[3 * at + 2]!,
  ]);
  return frameOfReference !== undefined && values.length % 3 === 0 ? { frameOfReference, points } : undefined;
}

/** Returns a region on an image, with its words beside it. */
function drawn({ type, words, place }: Region, target: Target): readonly Shape[] {
  const shapes = 'images' in place ? onImage(type, place, target) : inPatient(type, place, target);
  const of = shapes.flatMap(pointsOf);
  return of.length > 0 ? [...shapes, { kind: 'label', text: words.join('\n'), of }] : [];
}

function onImage(type: string, { images, points }: OnImages, target: Target): readonly Shape[] {
  return images.some((one) => isNamed(target, one)) ? figureOf(type, points)! : [];
}

/** Returns what lies within half a slice: of a shape in one plane all of it, of points and lines those parts that do. */
function inPatient(type: string, { frameOfReference, points }: InPatient, target: Target): readonly Shape[] {
  const whole = pointsOn(target, frameOfReference, points);
  if (whole) return figureOf(type, whole)!;
  const parts =
    type === 'MULTIPOINT'
      ? points.map((point) => [point])
      : type === 'POLYLINE'
        ? points.slice(1).flatMap((to, at) => withinSlice(points[at]!, to, target))
        : [];
  return parts.flatMap((part) => {
    const placed = pointsOn(target, frameOfReference, part);
    return placed ? figureOf(type, placed)! : [];
  });
}

/** Returns the part of a line that is no farther from the image than half a slice. */
function withinSlice(from: Vector, to: Vector, { rectangle, halfSlice }: Target): Vector[][] {
  if (!rectangle) return [];
  const height = (point: Vector) => dot(minus(point, rectangle.position), normalOf(rectangle));
  const [start, way] = [height(from), height(to) - height(from)];
  if (way === 0) return [[from, to]];
  const ends = [-halfSlice, halfSlice].map((limit) => (limit - start) / way).sort((a, b) => a - b);
  const [enters, leaves] = [Math.max(ends[0]!, 0), Math.min(ends[1]!, 1)];
  const at = (part: number) => along(from, minus(to, from), part);
  return enters < leaves ? [[at(enters), at(leaves)]] : [];
}

/** Returns the outermost points of a figure, for its words. */
function pointsOf(shape: Shape): readonly ImagePoint[] {
  switch (shape.kind) {
    case 'line':
      return shape.points;
    case 'point':
      return [shape.at];
    case 'ellipse':
      return shape.ends;
    case 'circle': {
      const [x, y] = shape.centre;
      const radius = Math.hypot(shape.edge[0] - x, shape.edge[1] - y);
      return [[x + radius, y], [x, y + radius], [x - radius, y], [x, y - radius]]; // prettier-ignore
    }
    default:
      return [];
  }
}
