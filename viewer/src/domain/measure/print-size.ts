/** The size of an image on paper. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { numbers, positive, text, type Instance } from '../instance.ts';
import { middleOf, sizeOf } from '../space/between-images.ts';
import { scaleOf, shapeOf } from './scale.ts';

/** Millimetres of the patient from one pixel to the next. */
export interface TrueScale {
  across: number;
  down: number;
  /** By which the size at the detector is divided, where the image states no size in the patient. */
  magnification?: number;
}

/** Millimetres. */
export interface PaperSize {
  width: number;
  height: number;
}

/** Modalities of projections: what is nearer to the source is larger on the image. */
const PROJECTIONS: readonly string[] = ['CR', 'DX', 'IO', 'MG', 'PX', 'RF', 'RG', 'XA'];
/** A smaller picture has no room for what is written on it. Millimetres. */
const LEAST = 50;

/**
 * Returns the scale at which an image can be printed in its true size; undefined without one. Pixel Spacing counts, of a
 * projection only where it is calibrated (0028,0A02; PS3.3 §10.7.1.2); a projection with a magnification (0018,1114) has the
 * spacing at its detector, divided by that. Several regions of an ultrasound may have several scales.
 */
export function trueScaleOf(metadata: Instance): TrueScale | undefined {
  const size = sizeOf(metadata);
  if (!size || items(metadata, '00186011').length > 1) return undefined;
  if (isProjection(metadata) && text(metadata, '00280A02') === undefined) {
    const magnification = positive(metadata, '00181114');
    const [down, across] = numbers(metadata, '00181164', 2) ?? [0, 0];
    if (!magnification || !(down! > 0 && across! > 0)) return undefined;
    return { across: across! / magnification, down: down! / magnification, magnification };
  }
  const { unit, across, down } = scaleOf(metadata, [middleOf(size)]);
  return unit === 'mm' ? { across, down } : undefined;
}

function isProjection(metadata: Instance): boolean {
  const modality = text(metadata, '00080060') ?? '';
  // The localizer of a CT is one, too; that of an MR is a slice.
  const isLocalizer = modality === 'CT' && (metadata['00080008']?.Value?.includes('LOCALIZER') ?? false);
  return isLocalizer || PROJECTIONS.includes(modality);
}

/**
 * Returns the size of a picture: as large as its paper allows, or the true one.
 * @param options rotation: degrees clockwise; scale: undefined for as large as possible
 * @returns isCut: true if not all of the image has room
 */
export function printSize(
  metadata: Instance,
  { rotation, scale, paper }: { rotation: number; scale: TrueScale | undefined; paper: PaperSize },
): PaperSize & { isCut: boolean } {
  const [columns, rows] = sizeOf(metadata) ?? [1, 1];
  const { across, down } = scale ?? shapeOf(metadata, [middleOf([columns, rows])]);
  const own = [columns * across, rows * down] as const;
  const [width, height] = rotation % 180 === 0 ? own : [own[1], own[0]];
  const factor = scale ? 1 : Math.min(paper.width / width, paper.height / height);
  const within = (size: number, most: number) => Math.min(Math.max(size * factor, LEAST), most);
  return {
    width: within(width, paper.width),
    height: within(height, paper.height),
    isCut: scale !== undefined && (width > paper.width || height > paper.height),
  };
}
