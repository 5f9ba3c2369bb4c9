/** Frames of an instance, each with the metadata that hold for it alone. */
import { isVideo } from '../documents/video.ts';
import { items } from '../../../../schema/dicom/dicom.ts';
import { number, text, type Attribute, type Instance } from '../instance.ts';
import { frameId, type FrameId, type FrameName } from '../study.ts';

export interface StackFrame {
  id: FrameId;
  name: FrameName;
  /** Attributes of functional groups stand here as if the frame were an image of its own. */
  metadata: Instance;
  /** Bytes of the frame uncompressed: rows × columns × samples × bytes of a sample. */
  bytes: number;
}

const SHARED_GROUPS = '52009229';
const PER_FRAME_GROUPS = '52009230';

/** Returns true if the instance has an image: Rows and Columns, PS3.3 §C.7.6.3. SR, PDF and RT plans do not. */
function isImage(instance: Instance): boolean {
  return (number(instance, '00280010') ?? 0) > 0 && (number(instance, '00280011') ?? 0) > 0;
}

/**
 * Returns the frames of an instance; a video has none. Attributes of functional groups (PS3.3 §C.7.6.16) stand in a frame's metadata as if
 * it were an image of its own, those of the frame before those that all frames share.
 */
export function framesOf(name: { study: string; series: string }, instance: Instance): StackFrame[] {
  const uid = text(instance, '00080018');
  if (uid === undefined || !isImage(instance) || isVideo(instance)) return [];
  const bytes = bytesOfFrame(instance);
  return metadataOfFrames(instance).map((metadata, index) => {
    const frame = { study: name.study, series: name.series, instance: uid, frame: index + 1 };
    return { id: frameId(frame), name: frame, metadata, bytes };
  });
}

/** Returns the metadata of each frame of an instance. Frames without a functional group of their own share theirs. */
export function metadataOfFrames(instance: Instance): Instance[] {
  const count = Math.max(1, number(instance, '00280008') ?? 1);
  if (!instance[SHARED_GROUPS] && !instance[PER_FRAME_GROUPS])
    return Array.from({ length: count }, () => instance);
  const { [SHARED_GROUPS]: _shared, [PER_FRAME_GROUPS]: _perFrame, ...own } = instance;
  const shared = { ...own, ...attributesOf(items(instance, SHARED_GROUPS)[0]) };
  const perFrame = items(instance, PER_FRAME_GROUPS);
  return Array.from({ length: count }, (_, index) =>
    perFrame[index] ? { ...shared, ...attributesOf(perFrame[index]) } : shared,
  );
}

/**
 * Returns the attributes of all functional groups of one item: each group is a sequence of one item. Groups of a vendor (odd
 * numbers) may repeat standard attributes with other values, and do not count.
 */
function attributesOf(groups: Instance | undefined): Record<string, Attribute> {
  const found: Record<string, Attribute> = {};
  for (const [tag, { vr }] of Object.entries(groups ?? {})) {
    const isPrivate = parseInt(tag[3]!, 16) % 2 === 1;
    if (vr === 'SQ' && !isPrivate) Object.assign(found, items(groups!, tag)[0]);
  }
  return found;
}

/** Returns the length of an uncompressed frame in bytes; samples of one bit are packed (PS3.5 §8.1.1). */
function bytesOfFrame(instance: Instance): number {
  const samples = number(instance, '00280002') ?? 1;
  const bits = number(instance, '00280100') ?? 16;
  return Math.ceil((number(instance, '00280010')! * number(instance, '00280011')! * samples * bits) / 8);
}
