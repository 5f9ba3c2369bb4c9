import type { Readable } from 'node:stream';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { openFrame, type Read } from '../dicom/part10/pixels.ts';
import { written, type Rewritten, type WrittenPixels } from '../dicom/part10/transcode.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { closeFrame, type FrameBytes, inMemory } from '../multipart/frame-bytes.ts';
import { prefetch } from '../pixels/prefetch.ts';
import { NATIVE } from '../pixels/codecs/native.ts';
import type { TranscodePlan } from '../pixels/plan-transcoding.ts';
import { canCompress } from '../pixels/transcode-pixels.ts';
import type { PixelPool } from './pool.ts';
import { refuseTooLarge, transcodeFrame, type TranscodedFrame } from './transcode-frame.ts';

/**
 * A file in the requested transfer syntax, or in Explicit VR Little Endian if the requested one cannot represent it.
 */
export interface Transcoded {
  transferSyntax: string;
  stream: Readable;
}

/** A file to transcode, which is parsed in other threads. */
export interface TranscodedFile {
  plan(to: string): Promise<TranscodePlan>;
  rewritten(transferSyntax: string, photometricInterpretation?: string): Promise<Rewritten>;
  read: Read;
}

/**
 * Transcodes a file frame by frame to a transfer syntax that `canGive` allows. Returns after the first frame is
 * decoded.
 * @param file must stay open until the stream closes
 * @throws DamagedFile; Faults of the pool; Fault `not_acceptable` for pixels of 4 GB and more
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

  const frames = transcodedFrames(file, plan, pool, signal);
  try {
    const first = await frames.next();
    if (first.done) throw new Fault('not_found', 'The object has no pixel data.');
    const rest = afterFirst(first.value, frames);
    const pixels: WrittenPixels = canCompress(transferSyntax)
      ? { vr: 'OB', frames: rest }
      : nativePixels(plan.frames.pixels, rest);
    const rewritten = await file.rewritten(transferSyntax, first.value.photometricInterpretation);
    const stream = written(rewritten, transferSyntax, file.read, pixels);
    // `rest` ends the frames only if it was started, which needs a reader that gets to the pixels.
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
  // PS3.5 §7.1: the length has 32 bits, and all ones mean an undefined length.
  if (length > 0xfffffffd)
    throw new Fault(
      'not_acceptable',
      'The pixels are too large for this transfer syntax; ask for them as stored.',
    );
  // PS3.5 §A.2: words, except for samples of bytes.
  const vr = bitsAllocated > 8 ? 'OW' : 'OB';
  return { vr, length, frames: bitsPerFrame % 8 ? packFrames(frames, bitsPerFrame) : frames };
}

/** Transcodes frames in order, and starts the next ones early. */
async function* transcodedFrames(
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
  const transcode = async (number: number): Promise<TranscodedFrame> =>
    transcodeFrame(pool, await openFrame(layout, number, read), task, signal);
  yield* prefetch(pixels.numberOfFrames, transcode, ({ bytes }) => closeFrame(bytes));
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

/**
 * Packs frames of one bit a pixel as native pixel data: each frame starts at the bit after the last frame
 * (PS3.5 §8.1.1).
 * @param frames each starts at a byte, and has zero bits after its last pixel
 */
async function* packFrames(
  frames: AsyncIterable<FrameBytes>,
  bitsPerFrame: number,
): AsyncGenerator<Uint8Array> {
  /** Number of bits of the last byte, which waits for the next frame. */
  let held = 0;
  let carry = 0;
  for await (const each of frames) {
    const frame = await inMemory(each);
    const packed = new Uint8Array(Math.ceil((held + bitsPerFrame) / 8));
    packed[0] = carry;
    for (let i = 0; i < frame.length; i++) {
      const bits = frame[i]! << held;
      packed[i]! |= bits & 0xff;
      if (i + 1 < packed.length) packed[i + 1]! |= bits >> 8;
    }
    held = (held + bitsPerFrame) % 8;
    carry = held === 0 ? 0 : packed[packed.length - 1]!;
    yield held === 0 ? packed : packed.subarray(0, packed.length - 1);
  }
  if (held > 0) yield Uint8Array.of(carry);
}
