import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { TransferSyntax, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { isPixelData } from '../../dicom/part10/dataset.ts';
import { dicomJson } from '../../dicom/part10/json.ts';
import { pixelLayout, readFrame } from '../../dicom/part10/pixels.ts';
import { readWhole } from '../../dicom/part10/test/whole-file.ts';
import { pixelDescription } from '../codecs/description.ts';
import type { DecodedFrame } from '../codecs/decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';

/** The frames of a file on disk as a source gives them. */
export interface FileFrames {
  dataset: DicomJson;
  /** Of the frames. Native frames are in little endian. */
  transferSyntax: string;
  pixels: PixelDescription;
  frames: Buffer[];
}

/** Reads the frames of a file. @returns undefined for a file without pixels */
export async function fileFrames(path: string): Promise<FileFrames | undefined> {
  return framesOf(readFileSync(path));
}

/** As `fileFrames`, for the bytes of a file. */
export async function framesOf(bytes: Buffer): Promise<FileFrames | undefined> {
  const file = readWhole(bytes)!;
  const dataset = dicomJson(file.bytes, file.elements, file.encoding);
  const element = file.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
  const pixels = pixelDescription(dataset);
  if (!element || !pixels) return undefined;
  const layout = pixelLayout(file, element, pixels);
  const read = async (offset: number, length: number) => file.bytes.slice(offset, length);
  const frames: Buffer[] = [];
  for (let number = 1; number <= pixels.numberOfFrames; number++)
    frames.push(await readFrame(layout, number, read));
  const native = layout.kind === 'native';
  return {
    dataset,
    pixels,
    frames,
    transferSyntax: native ? TransferSyntax.ExplicitVRLittleEndian : file.transferSyntax,
  };
}

/** Returns the description of each frame and a hash of its samples, to compare many frames at once. */
export function fingerprints(frames: readonly DecodedFrame[]): object[] {
  return frames.map(({ samples, ...description }) => {
    const { buffer, byteOffset, byteLength } = samples;
    const sha256 = createHash('sha256')
      .update(new Uint8Array(buffer, byteOffset, byteLength))
      .digest('hex');
    return { ...description, type: samples.constructor.name, length: samples.length, sha256 };
  });
}
