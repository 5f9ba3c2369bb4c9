import { readFileSync } from 'node:fs';
import { TransferSyntax, type DicomJson } from '../../../../schema/dicom.ts';
import { Bytes } from '../../part10/bytes.ts';
import { isPixelData } from '../../part10/dataset.ts';
import { readFile } from '../../part10/file.ts';
import { dicomJson } from '../../part10/json.ts';
import { encapsulatedLayout, nativeLayout, pixelAttributes, repack } from '../../part10/pixels.ts';
import { swap } from '../../part10/values.ts';
import { pixelDescription } from '../description.ts';
import type { PixelDescription } from '../frame.ts';

/** The frames of a file on disk as a source gives them. */
export interface FileFrames {
  dataset: DicomJson;
  /** Of the frames: native ones come in little endian. */
  transferSyntax: string;
  pixels: PixelDescription;
  frames: Buffer[];
}

/** @returns undefined for a file without pixels */
export function fileFrames(path: string): FileFrames | undefined {
  const file = readFile(new Bytes(readFileSync(path)))!;
  const dataset = dicomJson(file.bytes, file.elements, file.encoding);
  const element = file.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
  const pixels = pixelDescription(dataset);
  if (!element || !pixels) return undefined;
  if (element.fragments) {
    const { frames } = encapsulatedLayout(file.bytes, element, pixels.numberOfFrames);
    const read = frames.map((parts) =>
      Buffer.concat(parts.map(({ offset, length }) => file.bytes.slice(offset, length))),
    );
    return { dataset, transferSyntax: file.transferSyntax, pixels, frames: read };
  }
  const layout = nativeLayout(element, file.encoding, pixelAttributes(dataset)!);
  const all = swap(file.bytes.slice(element.offset, element.length), layout.swapUnit);
  const frames = Array.from({ length: layout.frames }, (_, i) =>
    repack(all, i * layout.bitsPerFrame, layout.bitsPerFrame),
  );
  return { dataset, transferSyntax: TransferSyntax.ExplicitVRLittleEndian, pixels, frames };
}
