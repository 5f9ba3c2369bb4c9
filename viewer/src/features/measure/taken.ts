import type { ImagePoint } from '../../domain/space/geometry.ts';
import { text } from '../../domain/instance.ts';
import { isComplete, type Kind } from '../../domain/measure/kinds.ts';
import { patientPointsOf, type Measurement } from '../../domain/measure/measurement.ts';
import { sizeOf } from '../../domain/measure/sizes.ts';
import { valuesOf } from '../../domain/measure/values.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';

/** True if what is on the glass can be measured: a computed plane names no stored image that a measurement could be of. */
export function isMeasurable({ shown, view }: Cell): boolean {
  return shown !== undefined && view !== undefined && shown.stack.reformatted === undefined;
}

/** Returns what the pixels on the glass say at some points; undefined while another image is there. */
function valuesOn(cell: Cell, kind: Kind, { frame, points }: Pick<Measurement, 'frame' | 'points'>) {
  const { shown, view } = cell;
  const pixels = shown?.frame === frame ? view?.pixels() : undefined;
  return pixels && shown ? valuesOf(kind, points, { pixels, metadata: shown.image.metadata }) : undefined;
}

/** Returns a measurement of the image on the glass; without size and values while points are missing. */
export function taken(cell: Cell, kind: Kind, points: readonly ImagePoint[]): Measurement | undefined {
  const { shown } = cell;
  if (!shown) return undefined;
  const { frame, stack, index, image } = shown;
  return {
    id: crypto.randomUUID(),
    kind,
    frame,
    points,
    patientPoints: patientPointsOf(points, image.metadata),
    ...(isComplete(kind, points.length)
      ? { size: sizeOf(kind, points, image.metadata), values: valuesOn(cell, kind, { frame, points }) }
      : { size: undefined, values: undefined }),
    place: { series: text(image.metadata, '00200011'), stack: stack.key, image: index + 1 },
  };
}

/** Returns a measurement with other points, as far as its image is on the glass. */
export function moved(cell: Cell, measurement: Measurement, points: readonly ImagePoint[]): Measurement {
  const { shown } = cell;
  if (shown?.frame !== measurement.frame) return measurement;
  return {
    ...measurement,
    points,
    patientPoints: patientPointsOf(points, shown.image.metadata),
    size: sizeOf(measurement.kind, points, shown.image.metadata),
    values: valuesOn(cell, measurement.kind, { frame: measurement.frame, points }),
  };
}
