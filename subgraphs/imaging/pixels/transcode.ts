import type { Readable } from 'node:stream';
import { Tag, TransferSyntax } from '../../../schema/dicom.ts';
import { Fault } from '../../../schema/fault.ts';
import { isPixelData, type Element } from '../part10/dataset.ts';
import type { DicomFile } from '../part10/file.ts';
import { pixelLayout, readFrame } from '../part10/pixels.ts';
import { canTranscode, transcode, type Changes } from '../part10/transcode.ts';
import { describedPixels } from './description.ts';
import { canDecode, type PixelDescription } from './frame.ts';
import { ahead } from './ahead.ts';
import { LOSSY_JPEG, lossyAttributes } from './lossy.ts';
import { packFrames } from './pack-frames.ts';
import type { PixelPool } from './pool.ts';
import { canCompress, encoderTakes, type RecodedFrame } from './recode.ts';

/** What pixels can be decoded to; big endian is retired, and given of uncompressed files only. */
const NATIVE: ReadonlySet<string> = new Set([
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
]);

/** Whether a file in the one transfer syntax can be given in the other. */
export function canGive(from: string, to: string): boolean {
  return from === to || canTranscode(from, to) || (canDecode(from) && (NATIVE.has(to) || canCompress(to)));
}

/** A file in another transfer syntax: the one asked for, or Explicit VR Little Endian where that has no room for it. */
export interface Transcoded {
  transferSyntax: string;
  stream: Readable;
}

/**
 * The file in another transfer syntax that `canGive` allows, frame by frame. An object without pixels, or with such
 * that the encoder does not take (1 and 32 bits, floats), comes in Explicit VR Little Endian.
 * @param file read to its end; must stay open until the stream closes
 * @returns once the first frame was decoded
 * @throws DamagedFile, and Fault as the pool does; `not_acceptable` for pixels of 4 GB and more
 */
export async function transcodeFile(
  file: DicomFile,
  to: string,
  pool: PixelPool,
  signal?: AbortSignal,
): Promise<Transcoded> {
  const element = file.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
  const pixels = element && describedPixels(file);
  const fits = !canCompress(to) || (pixels && isCompressible(file, pixels, to));
  const transferSyntax = fits ? to : TransferSyntax.ExplicitVRLittleEndian;
  const decoded = element?.fragments !== undefined || canCompress(transferSyntax);
  if (!pixels || !decoded) return { transferSyntax, stream: transcode(file, transferSyntax) };

  const frames = recodedFrames(file, element, pixels, transferSyntax, pool, signal);
  const first = await frames.next();
  if (first.done) throw new Fault('not_found', 'The object has no pixel data.');
  const written = afterFirst(first.value, frames);
  const values = changedValues(file, element, pixels, first.value.photometricInterpretation);
  // Encoders are given the stored bits alone.
  if (canCompress(transferSyntax) && pixels.highBit !== pixels.bitsStored - 1)
    values.set(Tag.HighBit, us(pixels.bitsStored - 1));
  return {
    transferSyntax,
    stream: transcode(file, transferSyntax, {
      values,
      pixels: canCompress(transferSyntax) ? { vr: 'OB', frames: written } : nativePixels(pixels, written),
    }),
  };
}

function nativePixels(pixels: PixelDescription, frames: AsyncIterable<Uint8Array>): Changes['pixels'] {
  const { rows, columns, samplesPerPixel, bitsAllocated, numberOfFrames } = pixels;
  const bitsPerFrame = rows * columns * samplesPerPixel * bitsAllocated;
  const length = Math.ceil((bitsPerFrame * numberOfFrames) / 8);
  // PS3.5 §7.1: the length has 32 bits, and all ones mean something else.
  if (length > 0xfffffffd)
    throw new Fault(
      'not_acceptable',
      'The pixels are too large for this transfer syntax; ask for them as stored.',
    );
  // PS3.5 §A.2: words, but for samples of bytes.
  const vr = bitsAllocated > 8 ? 'OW' : 'OB';
  return { vr, length, frames: bitsPerFrame % 8 ? packFrames(frames, bitsPerFrame) : frames };
}

/** Whether the encoder takes the pixels. */
function isCompressible({ transferSyntax }: DicomFile, pixels: PixelDescription, to: string): boolean {
  // Of YBR, lossy JPEG alone is decoded to RGB; YBR_ICT and YBR_RCT are another matter.
  const ybr =
    /^YBR_(FULL|PARTIAL)/.test(pixels.photometricInterpretation) && !LOSSY_JPEG.test(transferSyntax);
  return encoderTakes(pixels) && !(ybr && to === TransferSyntax.JPEG2000Lossless);
}

/** Frames in their order, the next ones already at work. */
async function* recodedFrames(
  file: DicomFile,
  element: Element,
  pixels: PixelDescription,
  to: string,
  pool: PixelPool,
  signal: AbortSignal | undefined,
): AsyncGenerator<RecodedFrame> {
  const layout = pixelLayout(file, element, pixels);
  const native = layout.kind === 'native';
  const transferSyntax = native ? TransferSyntax.ExplicitVRLittleEndian : file.transferSyntax;
  const task = { transferSyntax, pixels, to: NATIVE.has(to) ? TransferSyntax.ExplicitVRLittleEndian : to };
  const recode = async (number: number): Promise<RecodedFrame> => {
    const encoded = await readFrame(layout, number, async (offset, length) =>
      file.bytes.slice(offset, length),
    );
    return pool.run('transcode', { ...task, encoded }, signal);
  };
  yield* ahead(pixels.numberOfFrames, recode);
}

async function* afterFirst(
  first: RecodedFrame,
  rest: AsyncGenerator<RecodedFrame>,
): AsyncGenerator<Uint8Array> {
  try {
    yield first.bytes;
    for await (const { bytes, photometricInterpretation } of rest) {
      if (photometricInterpretation !== first.photometricInterpretation)
        throw new Fault('bad_gateway', 'The frames of the stored object differ in their colours.', {
          service: 'imaging',
        });
      yield bytes;
    }
  } finally {
    await rest.return(undefined);
  }
}

const us = (value: number) => ({ vr: 'US', value: Buffer.from(Uint16Array.of(value).buffer) });

/** Attributes that say how pixels are written, PS3.3 §C.7.6.3, as they are now. */
function changedValues(
  file: DicomFile,
  element: Element,
  pixels: PixelDescription,
  photometricInterpretation: string,
): Map<string, { vr: string; value: Buffer } | undefined> {
  const values = new Map<string, { vr: string; value: Buffer } | undefined>();
  if (photometricInterpretation !== pixels.photometricInterpretation) {
    const even = photometricInterpretation.length % 2 ? ' ' : '';
    values.set(Tag.PhotometricInterpretation, {
      vr: 'CS',
      value: Buffer.from(photometricInterpretation + even, 'latin1'),
    });
  }
  if (pixels.samplesPerPixel > 1) values.set(Tag.PlanarConfiguration, us(0));
  // Offset tables and the length of encapsulated pixels, PS3.3 §C.7.6.3.1.8.
  for (const tag of ['7FE00001', '7FE00002', '7FE00003']) values.set(tag, undefined);
  // An icon, which may go (PS3.3 §C.7.6.1.1.6), where it is compressed as the picture was.
  const icon = file.elements.find(({ tag }) => tag === '00880200');
  if (icon?.items?.some(({ elements }) => elements.some(({ fragments }) => fragments)))
    values.set(icon.tag, undefined);
  for (const [tag, value] of lossyAttributes(file, element, pixels)) values.set(tag, value);
  return values;
}
