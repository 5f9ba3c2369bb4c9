import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { decodeSamples } from '../../pixels/codecs/frame.ts';
import type { DecodedFrame } from '../../pixels/codecs/decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { finishFrame, type StreamSamples } from '../../pixels/codecs/samples.ts';
import { encode, encodeMoving, type Labels, type PictureType } from './encode.ts';
import { cropped, type Region } from './geometry.ts';
import { toPicture, storedRange, type Picture, type Range } from './picture.ts';
import { burnOverlays } from './overlay.ts';
import type { Window } from './window.ts';

/** Everything that a worker needs for one picture or animation; plain values, which can pass between threads. */
export interface PictureTask {
  frames: readonly EncodedFrame[];
  transferSyntax: string;
  pixels: PixelDescription;
  type: PictureType;
  /** Size of the result in pixels. */
  size: { width: number; height: number };
  window?: Window | undefined;
  region?: Region | undefined;
  quality?: number | undefined;
  overlays?: boolean | undefined;
  labels?: Labels | undefined;
  /** Milliseconds of each frame of an animation. */
  delays?: readonly number[] | undefined;
}

export interface EncodedFrame {
  /** Frame number, from 1. */
  number: number;
  /** As stored. */
  bytes: Uint8Array;
  /** Attributes from `frameAttributes`, with inline tables. */
  attributes: DicomJson;
}

/** Decodes, applies the display transformations and encodes one picture, in this thread. */
export async function renderPicture(task: PictureTask): Promise<Uint8Array> {
  const { transferSyntax, pixels } = task;
  const decoded: DecodedFrame[] = [];
  const words: (StreamSamples['data'] | undefined)[] = [];
  for (const { bytes } of task.frames) {
    const stream = await decodeSamples(bytes, transferSyntax, pixels);
    // Some codecs know only the stored bits; the next step removes the other bits.
    const whole = task.overlays && pixels.overlaysBeside && stream.precision === pixels.bitsAllocated;
    words.push(whole ? stream.data.slice() : undefined);
    decoded.push(finishFrame(stream, pixels));
  }
  const range = decoded.length > 1 ? commonRange(task, decoded) : undefined;
  const picture = (i: number): Picture => {
    const { attributes, number } = task.frames[i]!;
    const picture = toPicture(decoded[i]!, attributes, { window: task.window, range });
    if (task.overlays) {
      // Samples that are shown unchanged belong to the decoder.
      picture.data = picture.data.slice();
      burnOverlays(picture, attributes, number, words[i]);
    }
    return cropped(picture, task.region);
  };
  return decoded.length === 1 ? encode(picture(0), task) : encodeMoving(decoded.length, picture, task);
}

/** Returns one range for all frames, so that an animation does not flicker. */
function commonRange({ frames }: PictureTask, decoded: readonly DecodedFrame[]): Range {
  const ranges = decoded.map((frame, i) => storedRange(frame, frames[i]!.attributes));
  return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
}
