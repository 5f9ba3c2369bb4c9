import type { Readable } from 'node:stream';
import { Fault } from '../../../schema/fault/fault.ts';
import { pixelDescription } from '../pixels/codecs/description.ts';
import { unlessAway } from './empty-archive.ts';
import { notInTransferSyntax } from './not-in-transfer-syntax.ts';
import type { OpenedSource } from './open.ts';
import type { Frames, ImagingSource, InstanceTarget, StoredInstance, Target } from './source.ts';
import { transcodedInstance } from './stored/spooled-instance.ts';
import { frameMediaType, TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { giveBack } from '../multipart/buffer-pool.ts';
import { closeFrame, type FrameBytes } from '../multipart/frame-bytes.ts';
import { canDecode } from '../pixels/codecs/frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import type { PixelPool } from '../threads/pool.ts';
import { canCompress, encoderTakes } from '../pixels/transcode-pixels.ts';
import { refuseTooLarge, transcodeFrame } from '../threads/transcode-frame.ts';

/**
 * Objects and frames in every transfer syntax that the gateway can produce (DW-5, DW-15): those that a source refuses
 * are transcoded from its stored objects.
 */

interface Asked {
  /** `*` for as stored, or a UID. */
  transferSyntax: string;
  signal?: AbortSignal | undefined;
}

/** Yields every instance of the target, as `ImagingSource.retrieve` does. */
export async function* objectsAs(
  { source, ...tools }: OpenedSource,
  target: Target,
  asked: Asked,
): AsyncGenerator<StoredInstance> {
  const { transferSyntax, signal } = asked;
  if (transferSyntax === '*') return yield* source.retrieve(target, '*', signal);
  for await (const instance of givenOrStored(source, target, asked)) {
    // Some servers accept another transfer syntax but do not give it.
    const given = instance.transferSyntax === '' || instance.transferSyntax === transferSyntax;
    const made = given ? instance : await transcodedInstance(instance, transferSyntax, tools, signal);
    // A request for one object fails if it cannot be transcoded: it has no pixels, or none that an encoder takes.
    if (!given && target.instanceUid !== undefined && made.transferSyntax !== transferSyntax) {
      made.stream.destroy();
      throw notInTransferSyntax();
    }
    yield made;
  }
}

/** Yields objects in the requested transfer syntax, or all as stored when the source refuses before the first. */
async function* givenOrStored(source: ImagingSource, target: Target, { transferSyntax, signal }: Asked) {
  let begun = false;
  try {
    for await (const instance of source.retrieve(target, transferSyntax, signal)) {
      begun = true;
      yield instance;
    }
  } catch (error) {
    if (begun || !isRefusal(error)) throw error;
    yield* source.retrieve(target, '*', signal);
  }
}

/** Relays the target, as `ImagingSource.relay` does; undefined also for a transfer syntax that the source refuses. */
export async function relayAs(
  source: ImagingSource,
  target: Target,
  { transferSyntax, signal, boundary }: Asked & { boundary: string },
): Promise<Readable | undefined> {
  try {
    return await source.relay?.(target, transferSyntax, boundary, signal);
  } catch (error) {
    if (transferSyntax !== '*' && isRefusal(error)) return undefined;
    throw error;
  }
}

/** Returns frames as stored, with `transcoded`. */
export async function framesAs(
  opened: OpenedSource,
  target: InstanceTarget,
  { numbers, signal }: { numbers: readonly number[]; signal?: AbortSignal | undefined },
): Promise<Frames> {
  const { source, pixels, threads } = opened;
  const frames = await source.frames(target, numbers, signal);
  const describe = async () => {
    // Asked only for transcoding, after the work that `frames` were asked in.
    const [instance] = await unlessAway(opened, () => source.metadata(target, signal));
    if (!instance) return undefined;
    const { json } = instance;
    return pixelDescription(await threads.run('describeImage', { json }));
  };
  return withTranscoding(frames, describe, pixels, signal);
}

function isRefusal(error: unknown): boolean {
  return error instanceof Fault && error.code === 'not_acceptable';
}

/**
 * Adds transcoding to frames: decoded, or compressed without loss (DW-7).
 * @param describe returns the pixel description, called only for transcoding
 */
function withTranscoding(
  frames: Frames,
  describe: () => Promise<PixelDescription | undefined>,
  pool: PixelPool,
  signal: AbortSignal | undefined,
): Frames {
  return {
    ...frames,
    async transcoded(to) {
      const pixels = canDecode(frames.transferSyntax) ? await describe() : undefined;
      const native = to === TransferSyntax.ExplicitVRLittleEndian;
      if (!pixels || !(native || (canCompress(to) && encoderTakes(pixels, to))))
        throw new Fault(
          'not_acceptable',
          'The frames are not available in this transfer syntax. Retrieve them as stored, with transfer-syntax=*.',
        );
      refuseTooLarge({ transferSyntax: frames.transferSyntax, pixels, to, announced: true });
      return {
        mediaType: native ? 'application/octet-stream' : frameMediaType(to),
        transferSyntax: to,
        frames: transcodeEach(frames, { pixels, to }, pool, signal),
      };
    },
  };
}

async function* transcodeEach(
  { frames, transferSyntax }: Frames,
  { pixels, to }: { pixels: PixelDescription; to: string },
  pool: PixelPool,
  signal: AbortSignal | undefined,
): AsyncGenerator<FrameBytes> {
  for await (const encoded of frames) {
    const task = { transferSyntax, pixels, to, announced: true };
    const { bytes } = await transcodeFrame(pool, encoded, task, signal);
    if (encoded instanceof Uint8Array) giveBack(encoded);
    try {
      yield bytes;
    } finally {
      await closeFrame(bytes);
    }
  }
}
