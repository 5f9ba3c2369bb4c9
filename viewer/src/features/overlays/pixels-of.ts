import type { ImageSource } from '../../data/source.ts';
import { Trouble } from '../../data/trouble.ts';
import { texts } from '../../../../schema/dicom/dicom.ts';
import { instanceUid, number, type Instance } from '../../domain/instance.ts';
import type { ImageLocation } from '../../domain/study.ts';
import { bytesOf } from '../../state/stage/bytes-of.ts';

/** Implicit and explicit little endian: Pixel Data are as they are read. */
const PLAIN = ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.1.99'];
const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
/** Frames that are asked for at the same time. */
const REQUESTS = 4;

export interface PixelsAsked {
  images: Pick<ImageSource, 'bulk' | 'frame'>;
  at: ImageLocation;
  name: { study: string; series: string };
  instance: Instance;
  signal: AbortSignal;
  /** Called with the part that is there, from 0 to 1. */
  onProgress: (part: number) => void;
}

/**
 * Loads the Pixel Data of an object, without compression: as one value where the archive has it so, else frame by frame.
 * @returns frames without padding between them (PS3.5 §8.1.1); fewer bytes if the object has fewer
 * @throws Trouble
 */
export async function pixelsOf(asked: PixelsAsked): Promise<Uint8Array> {
  const { images, instance, signal } = asked;
  const stored = texts(instance, '00083002');
  const isPlain = stored.length > 0 && stored.every((uid) => PLAIN.includes(uid));
  const value = instance['7FE00010'];
  const isValue = value?.BulkDataURI !== undefined || value?.InlineBinary !== undefined;
  if (isValue && (isPlain || stored.length === 0)) {
    const bytes = await bytesOf(value, images, signal).catch(orNothing);
    // A value of another length may be compressed.
    if (bytes && (isPlain || isLength(bytes, instance))) return bytes;
  }
  return byFrames(asked);
}

/** Some servers name values that they give by frames only. */
function orNothing(error: unknown): undefined {
  if (error instanceof Trouble && ['not-found', 'server', 'too-large'].includes(error.kind)) return undefined;
  throw error;
}

/** With one byte of padding at most. */
function isLength({ length }: Uint8Array, instance: Instance): boolean {
  const wanted = lengthOf(instance);
  return length === wanted || length === wanted + (wanted % 2);
}

function sizeOf(instance: Instance) {
  const of = (tag: string) => number(instance, tag) ?? 0;
  const pixels = of('00280010') * of('00280011');
  return { pixels, bits: of('00280100'), count: number(instance, '00280008') ?? 1 };
}

/** Returns the bytes of Pixel Data without compression. */
export function lengthOf(instance: Instance): number {
  const { pixels, bits, count } = sizeOf(instance);
  return Math.ceil((pixels * bits * count) / 8);
}

async function byFrames({
  images,
  at,
  name,
  instance,
  signal,
  onProgress,
}: PixelsAsked): Promise<Uint8Array> {
  const { pixels, bits, count } = sizeOf(instance);
  const all = new Uint8Array(lengthOf(instance));
  const uid = instanceUid(instance);
  const queue = Array.from({ length: count }, (_, index) => index).values();
  let done = 0;
  const load = async () => {
    for (const index of queue) {
      const frame = { ...name, instance: uid, frame: index + 1 };
      const answer = await images.frame(at, frame, signal, EXPLICIT_LITTLE_ENDIAN);
      if (!PLAIN.includes(answer.transferSyntax))
        throw new Trouble('undecodable', `a frame in ${answer.transferSyntax}`);
      put(all, index * pixels * bits, answer.bytes, { pixels, bits });
      onProgress(++done / count);
    }
  };
  await Promise.all(Array.from({ length: REQUESTS }, load));
  return all;
}

/** @param start in bits @throws Trouble `damaged` for a frame of another length */
function put(
  all: Uint8Array,
  start: number,
  frame: Uint8Array,
  { pixels, bits }: { pixels: number; bits: number },
): void {
  // Some servers give a byte for each pixel of one bit.
  const isByte = bits === 1 && frame.length >= pixels;
  if (!isByte && frame.length < Math.ceil((pixels * bits) / 8)) throw new Trouble('damaged', 'a short frame');
  if (bits > 1) return all.set(frame.subarray(0, (pixels * bits) / 8), start / 8);
  for (let at = 0; at < pixels; at++) {
    const isSet = isByte ? frame[at]! > 0 : (frame[at >> 3]! >> (at & 7)) & 1;
    if (isSet) all[(start + at) >> 3]! |= 1 << ((start + at) & 7);
  }
}
