/** Content items of a Structured Report (PS3.3 §C.17.3), each read by itself. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { text, type Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import { codeOf, type Code } from '../../../../schema/dicom/code.ts';

/** An image, or another object, that a report refers to. */
export interface ObjectReference {
  /** SOP Instance UID. */
  instance: string;
  sopClass?: string;
  /** Undefined where the report does not say in which series the object is. */
  study?: string;
  series?: string;
  /** Numbers from 1; empty for the whole object. */
  frames: readonly number[];
  /** The middle of the shape on the image that the report is about. */
  point?: ImagePoint;
}

export type SrValue =
  | { kind: 'container' }
  | { kind: 'text'; text: string }
  | { kind: 'code'; code: Code }
  | { kind: 'number'; value: string; unit?: Code; qualifier?: Code }
  /** A person, as `Family Given`. */
  | { kind: 'person'; text: string }
  /** DICOM DA, TM or DT. */
  | { kind: 'time'; text: string }
  | { kind: 'uid'; text: string }
  | { kind: 'references'; references: readonly ObjectReference[] }
  /** A shape on an image, in space or in time; its points are counted only, and of one on an image the middle is known. */
  | { kind: 'region'; shape: string; points: number; centre?: ImagePoint }
  /** Another item of the same report (PS3.3 §C.17.3.2.5). */
  | { kind: 'item'; position: string }
  /** The item has no value, or one that its type does not allow. */
  | { kind: 'broken'; type: string };

const BROKEN = (type: string | undefined): SrValue => ({ kind: 'broken', type: type ?? '' });

/** Returns the value of a content item. @param places study and series of the objects that the report names */
export function valueOf(item: Instance, places: ReadonlyMap<string, ObjectReference>): SrValue {
  const type = text(item, '0040A040');
  const position = item['0040DB73']?.Value;
  if (type === undefined && position) return { kind: 'item', position: position.join('.') };
  return VALUES[type ?? '']?.(item, places) ?? BROKEN(type);
}

type Read = (item: Instance, places: ReadonlyMap<string, ObjectReference>) => SrValue | undefined;

const words =
  (kind: 'text' | 'person' | 'time' | 'uid', tag: string): Read =>
  (item) => {
    const found = text(item, tag);
    if (found === undefined) return undefined;
    return { kind, text: kind === 'person' ? found.replaceAll('^', ' ').trim() : found };
  };

const references: Read = (item, places) => {
  const found = items(item, '00081199').flatMap((one) => referenceOf(one, places) ?? []);
  return found.length > 0 ? { kind: 'references', references: found } : undefined;
};

function region(item: Instance, dimensions: 2 | 3): SrValue | undefined {
  const shape = text(item, '00700023');
  const points = Math.floor((item['00700022']?.Value?.length ?? 0) / dimensions);
  return shape === undefined ? undefined : { kind: 'region', shape, points };
}

/** Reads Graphic Data (PS3.3 §C.18.6.1.1): 0.5/0.5 is the centre of the first pixel, and a circle begins with its own. */
const regionOnImage: Read = (item) => {
  const found = region(item, 2);
  const data = (item['00700022']?.Value ?? []).map(Number);
  // Of tiles (0048,0301) the numbers may be of the whole slide.
  const isKnown = data.length >= 2 && data.every(Number.isFinite) && text(item, '00480301') !== 'VOLUME';
  if (found?.kind !== 'region' || !isKnown) return found;
  const middle = (from: 0 | 1) => {
    const all = data.filter((_, at) => at % 2 === from).slice(0, found.shape === 'CIRCLE' ? 1 : undefined);
    return (Math.min(...all) + Math.max(...all)) / 2 - 0.5;
  };
  return { ...found, centre: [middle(0), middle(1)] };
};

/** By Value Type (0040,A040), PS3.3 §C.17.3.2.1. */
const VALUES: Readonly<Record<string, Read>> = {
  CONTAINER: () => ({ kind: 'container' }),
  TEXT: words('text', '0040A160'),
  CODE: (item) => {
    const code = codeOf(item, '0040A168');
    return code && { kind: 'code', code };
  },
  NUM: measured,
  PNAME: words('person', '0040A123'),
  DATETIME: words('time', '0040A120'),
  DATE: words('time', '0040A121'),
  TIME: words('time', '0040A122'),
  UIDREF: words('uid', '0040A124'),
  IMAGE: references,
  COMPOSITE: references,
  WAVEFORM: references,
  SCOORD: regionOnImage,
  SCOORD3D: (item) => region(item, 3),
  TCOORD: (item) => {
    const shape = text(item, '0040A130');
    return shape === undefined ? undefined : { kind: 'region', shape, points: 0 };
  },
};

/** Reads a number: an empty one may have a qualifier that says why (PS3.3 §C.18.1). */
function measured(item: Instance): SrValue | undefined {
  const [measurement = {}] = items(item, '0040A300');
  const value = (measurement['0040A30A']?.Value ?? []).join(', ');
  const qualifier = codeOf(item, '0040A301');
  if (value === '' && !qualifier) return undefined;
  const unit = codeOf(measurement, '004008EA');
  return { kind: 'number', value, ...(unit && { unit }), ...(qualifier && { qualifier }) };
}

function referenceOf(
  item: Instance,
  places: ReadonlyMap<string, ObjectReference>,
): ObjectReference | undefined {
  const instance = text(item, '00081155');
  if (instance === undefined) return undefined;
  const sopClass = text(item, '00081150');
  const frames = (item['00081160']?.Value ?? []).map(Number).filter((frame) => frame >= 1);
  return { ...(sopClass && { sopClass }), ...places.get(instance), instance, frames };
}

/** Sequences that say in which study and series an object is: evidence of this procedure, other evidence. */
const EVIDENCE = ['0040A375', '0040A385'];

/** Returns where the objects are that a report names, by SOP Instance UID (PS3.3 §C.17.2.1). */
export function placesOf(report: Instance): Map<string, ObjectReference> {
  const places = new Map<string, ObjectReference>();
  for (const study of EVIDENCE.flatMap((sequence) => items(report, sequence))) {
    for (const series of items(study, '00081115')) {
      for (const object of items(series, '00081199')) {
        const found = referenceOf(object, new Map());
        const [inStudy, inSeries] = [text(study, '0020000D'), text(series, '0020000E')];
        if (found && inStudy && inSeries)
          places.set(found.instance, { ...found, study: inStudy, series: inSeries });
      }
    }
  }
  return places;
}
