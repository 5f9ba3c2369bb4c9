import type { Readable } from 'node:stream';
import { Tag, TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noPixelData } from '../../../schema/fault/refusals.ts';
import { isPixelData, type Element } from '../dicom/part10/dataset.ts';
import type { DicomFile } from '../dicom/part10/file.ts';
import { openFrame, pixelLayout, type PixelLayout, type Read } from '../dicom/part10/pixels.ts';
import {
  canTranscode,
  rewrite,
  written,
  type Rewritten,
  type WrittenPixels,
} from '../dicom/part10/transcode.ts';
import { describedPixels } from './codecs/description.ts';
import { canDecode, type PixelDescription } from './codecs/frame.ts';
import { ahead } from './ahead.ts';
import { LOSSY_JPEG, lossyAttributes } from './codecs/lossy.ts';
import { closeFrame, type FrameBytes } from '../multipart/frame-bytes.ts';
import { NATIVE } from './codecs/native.ts';
import { packFrames } from './pack-frames.ts';
import type { PixelPool } from './pool.ts';
import { canCompress, encoderTakes } from './recode.ts';
import { refuseTooLarge, transcodeFrame, type TranscodedFrame } from './transcode-frame.ts';

/** Whether a file in the one transfer syntax can be given in the other. */
export function canGive(from: string, to: string): boolean {
  return from === to || canTranscode(from, to) || (canDecode(from) && (NATIVE.has(to) || canCompress(to)));
}

/** A file in another transfer syntax: the one asked for, or Explicit VR Little Endian where that has no room for it. */
export interface Transcoded {
  transferSyntax: string;
  stream: Readable;
}

/** How a file is brought into another transfer syntax. */
export interface TranscodePlan {
  transferSyntax: string;
  /** That of the frames as they are stored. */
  from: string;
  /** Where its frames are and what they hold, where they are to be decoded. */
  frames?: { layout: PixelLayout; pixels: PixelDescription };
}

/**
 * Plans it. An object without pixels, or with such that the encoder does not take (1 and 32 bits, floats), comes in
 * Explicit VR Little Endian.
 * @param file read to its end
 * @param to one that `canGive` allows
 * @throws DamagedFile
 */
export function planTranscoding(file: DicomFile, to: string): TranscodePlan {
  const { element, pixels } = imageOf(file);
  const fits = !canCompress(to) || (pixels && isCompressible(file, pixels, to));
  const transferSyntax = fits ? to : TransferSyntax.ExplicitVRLittleEndian;
  const decoded = element?.fragments !== undefined || canCompress(transferSyntax);
  if (!pixels || !decoded) return { transferSyntax, from: file.transferSyntax };
  const layout = pixelLayout(file, element!, pixels);
  const native = layout.kind === 'native';
  const from = native ? TransferSyntax.ExplicitVRLittleEndian : file.transferSyntax;
  return { transferSyntax, from, frames: { layout, pixels } };
}

/**
 * All of the file but its pixels in another transfer syntax; or its pixels too, where they stay as they are.
 * @param photometricInterpretation of other pixels that are to be written
 */
export function rewriteFile(
  file: DicomFile,
  transferSyntax: string,
  photometricInterpretation?: string,
): Rewritten {
  const { element, pixels } = imageOf(file);
  if (photometricInterpretation === undefined || !element || !pixels) return rewrite(file, transferSyntax);
  const values = changedValues(file, element, pixels, photometricInterpretation);
  // Encoders are given the stored bits alone.
  if (canCompress(transferSyntax) && pixels.highBit !== pixels.bitsStored - 1)
    values.set(Tag.HighBit, us(pixels.bitsStored - 1));
  return rewrite(file, transferSyntax, values);
}

function imageOf(file: DicomFile): { element?: Element | undefined; pixels?: PixelDescription | undefined } {
  const element = file.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
  return { element, pixels: element && describedPixels(file) };
}

/** A file as it is transcoded: parsed elsewhere, read here. */
export interface TranscodedFile {
  plan(to: string): Promise<TranscodePlan>;
  rewritten(transferSyntax: string, photometricInterpretation?: string): Promise<Rewritten>;
  read: Read;
}

/**
 * The file in another transfer syntax that `canGive` allows, frame by frame.
 * @param file must stay open until the stream closes
 * @returns once the first frame was decoded
 * @throws DamagedFile, and Fault as the pool does; `not_acceptable` for pixels of 4 GB and more
 */
export async function transcodeFile(
  file: TranscodedFile,
  to: string,
  pool: PixelPool,
  signal?: AbortSignal,
): Promise<Transcoded> {
  const plan = await file.plan(to);
  const { transferSyntax } = plan;
  if (!plan.frames)
    return {
      transferSyntax,
      stream: written(await file.rewritten(transferSyntax), transferSyntax, file.read),
    };

  const frames = recodedFrames(file, plan, pool, signal);
  try {
    const first = await frames.next();
    if (first.done) throw noPixelData();
    const rest = afterFirst(first.value, frames);
    const pixels: WrittenPixels = canCompress(transferSyntax)
      ? { vr: 'OB', frames: rest }
      : nativePixels(plan.frames.pixels, rest);
    const rewritten = await file.rewritten(transferSyntax, first.value.photometricInterpretation);
    const stream = written(rewritten, transferSyntax, file.read, pixels);
    // Where nobody reads as far as the pixels, `rest` never begins, and so never ends the frames.
    stream.once('close', () => void frames.return(undefined).catch(() => undefined));
    return { transferSyntax, stream };
  } catch (error) {
    await frames.return(undefined);
    throw error;
  }
}

function nativePixels(pixels: PixelDescription, frames: AsyncIterable<FrameBytes>): WrittenPixels {
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
  { read }: TranscodedFile,
  { transferSyntax: to, from, frames }: TranscodePlan,
  pool: PixelPool,
  signal: AbortSignal | undefined,
): AsyncGenerator<TranscodedFrame> {
  const { layout, pixels } = frames!;
  const task = {
    transferSyntax: from,
    pixels,
    to: NATIVE.has(to) ? TransferSyntax.ExplicitVRLittleEndian : to,
  };
  refuseTooLarge(task);
  const recode = async (number: number): Promise<TranscodedFrame> =>
    transcodeFrame(pool, await openFrame(layout, number, read), task, signal);
  yield* ahead(pixels.numberOfFrames, recode, ({ bytes }) => closeFrame(bytes));
}

async function* afterFirst(
  first: TranscodedFrame,
  rest: AsyncGenerator<TranscodedFrame>,
): AsyncGenerator<FrameBytes> {
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
