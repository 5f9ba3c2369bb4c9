import { frameMediaType, TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { closeFrame, type FrameBytes } from '../../multipart/frame-bytes.ts';
import { canDecode } from '../../pixels/codecs/frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import type { PixelPool } from '../../threads/pool.ts';
import { canCompress, encoderTakes } from '../../pixels/transcode-pixels.ts';
import { refuseTooLarge, transcodeFrame } from '../../threads/transcode-frame.ts';
import type { Frames } from '../source.ts';

/**
 * Adds transcoding to frames: decoded, or compressed without loss (DW-7).
 * @param describe returns the pixel description, called only for transcoding
 */
export function withTranscoding(
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
    try {
      yield bytes;
    } finally {
      await closeFrame(bytes);
    }
  }
}
