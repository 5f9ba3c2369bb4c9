/** Reads segmentations (PS3.3 §A.51 and §A.52, module §C.8.20): which pixels belong to which segment, frame by frame. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { number, numbers, positive, text, type Instance } from '../instance.ts';
import { planeOf, type Plane } from '../space/geometry.ts';
import { cielabColour, segmentColour } from './cielab.ts';
import type { Part, Reader, Reading } from './overlay.ts';
import { SegmentMasks, type Frame, type Layout, type Source } from './segment-masks.ts';

export const segmentations: Reader = {
  kind: 'segmentation',
  sopClasses: ['1.2.840.10008.5.1.4.1.1.66.4', '1.2.840.10008.5.1.4.1.1.66.7'],
  modality: 'SEG',
  read: readSegmentation,
};

/** More would not be told apart, in a list or by colours. */
export const MOST_PARTS = 150;
/** Bytes of Pixel Data: a label map of 16 bits for 500 slices. */
const MOST_BYTES = 256 * 1024 * 1024;
/** Frames: 150 segments in each of 1,000 slices. */
const MOST_FRAMES = 150_000;

/** Bits of a pixel that each kind may have. */
const BITS: Readonly<Record<Layout['kind'], readonly number[]>> = {
  BINARY: [1],
  FRACTIONAL: [8],
  LABELMAP: [8, 16],
};

async function readSegmentation(instance: Instance, pixels: () => Promise<Uint8Array>): Promise<Reading> {
  const layout = layoutOf(instance);
  if (!layout) return { refused: 'contradictory' };
  const length = Math.ceil((layout.count * layout.rows * layout.columns * layout.bits) / 8);
  if (length > MOST_BYTES || layout.count > MOST_FRAMES) return { refused: 'too-large' };
  const parts = partsOf(instance, layout);
  if (parts.length > MOST_PARTS) return { refused: 'too-many-parts' };
  const known = new Set(parts.map(({ id }) => id));
  if (known.size < parts.length) return { refused: 'contradictory' };
  const frames = framesOf(instance, layout).filter(
    ({ segment }) => segment === undefined || known.has(segment),
  );
  if (parts.length === 0 || frames.length === 0) return { refused: 'empty' };
  if (frames.some(({ grid, sources }) => !grid && sources.length === 0)) return { refused: 'without-place' };
  const bytes = await pixels();
  if (bytes.length < length) return { refused: 'cut' };
  const frameOfReference = text(instance, '00200052');
  const sources = frames.flatMap((frame) => frame.sources.map((source) => source.instance));
  const content = new SegmentMasks({ layout, frames, bytes, frameOfReference });
  return {
    content: {
      parts,
      framesOfReference: new Set(frameOfReference === undefined ? [] : [frameOfReference]),
      instances: new Set([...sources, ...referencedInstances(instance)]),
      shapesOn: (target, part) => content.shapesOn(target, part),
    },
  };
}

function layoutOf(instance: Instance): Layout | undefined {
  const kind = text(instance, '00620001') ?? '';
  if (!isKind(kind)) return undefined;
  const layout = {
    kind,
    rows: number(instance, '00280010') ?? 0,
    columns: number(instance, '00280011') ?? 0,
    count: number(instance, '00280008') ?? 1,
    bits: number(instance, '00280100') ?? 0,
    most: number(instance, '0062000E') ?? 255,
  };
  const { rows, columns, count, most, bits } = layout;
  const isWhole = [rows, columns, count, most].every((one) => Number.isInteger(one) && one > 0);
  return isWhole && BITS[kind].includes(bits) ? layout : undefined;
}

const isKind = (kind: string): kind is Layout['kind'] => Object.hasOwn(BITS, kind);

/** Returns the items of Segment Sequence. Number 0 of a label map is what belongs to none. */
function partsOf(instance: Instance, { kind }: Layout): Part[] {
  return items(instance, '00620002').flatMap((item): Part[] => {
    const own = number(item, '00620004');
    if (own === undefined || (kind === 'LABELMAP' && own === 0)) return [];
    const lab = numbers(item, '0062000D', 3);
    const colour = lab ? cielabColour(lab) : segmentColour(own);
    return [{ id: String(own), name: text(item, '00620005') ?? String(own), colour }];
  });
}

/** Returns the frames with what they say of themselves; what all have in common counts where one says nothing. */
function framesOf(instance: Instance, { kind, count }: Layout): Frame[] {
  const shared = items(instance, '52009229')[0] ?? {};
  const own = instance['52009230']?.Value ?? [];
  return Array.from({ length: count }, (_, index): Frame[] => {
    const groups: Instance = { ...shared, ...(own[index] as Instance | undefined) };
    const segment = number(items(groups, '0062000A')[0] ?? {}, '0062000B');
    // Of a frame that names no segment nobody knows what it shows; one of a label map shows all.
    if (kind !== 'LABELMAP' && segment === undefined) return [];
    return [
      {
        index,
        segment: kind === 'LABELMAP' ? undefined : String(segment),
        ...placeOf(groups),
        sources: sourcesOf(groups),
      },
    ];
  }).flat();
}

function placeOf(groups: Instance): Pick<Frame, 'grid' | 'thickness' | 'distance'> {
  const plane: Plane | undefined = planeOf({
    ...items(groups, '00209113')[0],
    ...items(groups, '00209116')[0],
  });
  const measures = items(groups, '00289110')[0] ?? {};
  const [row, column] = numbers(measures, '00280030', 2) ?? [];
  return {
    grid: plane && row! > 0 && column! > 0 ? { ...plane, spacing: [column!, row!] } : undefined,
    thickness: positive(measures, '00180050'),
    distance: positive(measures, '00180088'),
  };
}

/** Returns the images that the derivation of a frame names (PS3.3 §C.7.6.16.2.6). */
function sourcesOf(groups: Instance): Source[] {
  return items(groups, '00089124')
    .flatMap((derivation) => items(derivation, '00082112'))
    .flatMap((source): Source[] => {
      const instance = text(source, '00081155');
      const frames = (source['00081160']?.Value ?? []).map(Number);
      return instance === undefined ? [] : [{ instance, frames }];
    });
}

/** Returns the SOP Instance UIDs in Referenced Series Sequence. */
function referencedInstances(instance: Instance): string[] {
  return items(instance, '00081115')
    .flatMap((series) => items(series, '0008114A'))
    .flatMap((one) => text(one, '00081155') ?? []);
}
