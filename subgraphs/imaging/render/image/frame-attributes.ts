import { items, type DicomElement, type DicomJson } from '../../../../schema/dicom/dicom.ts';

/** Shared Functional Groups Sequence. */
export const SHARED_GROUPS = '52009229';
/** Per-Frame Functional Groups Sequence. */
export const PER_FRAME_GROUPS = '52009230';
/**
 * Macros of functional groups that decide how a frame looks: pixel measures, frame VOI LUT, pixel value transformation.
 */
const MACROS = ['00289110', '00289132', '00289145'];

/** Modality, pixel presentation, spacings at the detector, presentation LUT shape, dose grid scaling. */
const SINGLE = new Set(['00080060', '00089205', '00181164', '00182010', '20500020', '3004000E']);
const LUT_DATA = /^0028(3006|12[02][123])$/;
const OVERLAY = /^60[0-9A-F]{2}/;

/** Returns whether a top-level attribute decides how frames look. */
export function saysHowItLooks(tag: string): boolean {
  return tag.startsWith('0028') || OVERLAY.test(tag) || SINGLE.has(tag);
}

/**
 * Returns the attributes that decide how one frame looks, from the metadata of its instance: image pixel and LUT
 * attributes, overlays, and in their place what the functional groups state for this frame (PS3.3 §C.7.6.16.2).
 * @param frame from 1
 */
export function frameAttributes(instance: DicomJson, frame: number): DicomJson {
  const own = Object.entries(instance).filter(([tag]) => saysHowItLooks(tag));
  const [shared = {}] = items(instance, SHARED_GROUPS);
  return { ...Object.fromEntries(own), ...lookOf(shared), ...ownLook(instance, frame) };
}

/** Returns what the functional groups state for this frame alone. @param frame from 1 */
export function ownLook(instance: DicomJson, frame: number): DicomJson {
  return lookOf(items(instance, PER_FRAME_GROUPS)[frame - 1] ?? {});
}

function lookOf(groups: DicomJson): DicomJson {
  return Object.assign({}, ...MACROS.flatMap((tag) => items(groups, tag))) as DicomJson;
}

/** Keeps the macros of functional groups that decide how frames look. */
export function onlyMacros(groups: DicomJson): DicomJson {
  return Object.fromEntries(Object.entries(groups).filter(([tag]) => MACROS.includes(tag)));
}

/**
 * Returns the attributes with the tables inline that the source has as bulk data.
 * @param read reads the bytes of a URL
 */
export async function withTables(
  attributes: DicomJson,
  overlays: boolean,
  read: (uri: string) => Promise<Uint8Array>,
): Promise<DicomJson> {
  const inline = async ([tag, element]: [string, DicomElement]): Promise<[string, DicomElement]> => {
    if (element.vr === 'SQ') {
      const inlined = items(attributes, tag).map((item) => withTables(item, false, read));
      return [tag, { ...element, Value: await Promise.all(inlined) }];
    }
    const uri = element.BulkDataURI;
    const wanted = LUT_DATA.test(tag) || (overlays && OVERLAY.test(tag));
    if (uri === undefined || !wanted) return [tag, element];
    return [tag, { vr: 'OW', InlineBinary: Buffer.from(await read(uri)).toString('base64') }];
  };
  return Object.fromEntries(await Promise.all(Object.entries(attributes).map(inline)));
}
