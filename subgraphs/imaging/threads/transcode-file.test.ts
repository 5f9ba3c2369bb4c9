import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { imageObject, SMALL } from '../../../gateway/test/setup/image-object.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { MOST_IN_MEMORY } from '../multipart/frame-bytes.ts';
import { readWhole } from '../dicom/part10/test/whole-file.ts';
import { PixelPool } from './pool.ts';
import { planTranscoding, rewriteFile } from '../pixels/plan-transcoding.ts';
import { transcodeFile, type TranscodedFile } from './transcode-file.ts';

const SIDE = 1200;
const TO = TransferSyntax.ExplicitVRLittleEndian;

describe('a transcoded file with frames in temporary files', () => {
  const pool = new PixelPool();
  afterAll(() => pool.close());
  // PS3.5 §G: one segment with runs of 128 bytes.
  const header = Buffer.alloc(64);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(64, 4);
  const frame = Buffer.concat([header, Buffer.alloc((2 * SIDE * SIDE) / 128, Buffer.of(0x81, 7))]);
  const described = { ...SMALL, rows: SIDE, columns: SIDE, numberOfFrames: 4 };
  const fragments = [Buffer.alloc(0), frame, frame, frame, frame];
  const bytes = imageObject('1.2.3', TransferSyntax.RLELossless, described, fragments);

  function file(rewritten?: TranscodedFile['rewritten']): TranscodedFile {
    const whole = readWhole(bytes)!;
    return {
      plan: async (to) => planTranscoding(whole, to),
      rewritten: rewritten ?? (async (...as) => rewriteFile(whole, ...as)),
      read: async (offset, length) => whole.bytes.slice(offset, length),
    };
  }

  /** Returns the temporary files that the process has open. */
  function openFrames(): string[] {
    const links = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    });
    return links.filter((link) => /\/frame-[^/]+ \(deleted\)$/.test(link));
  }
  const allClosed = () => vi.waitFor(() => expect(openFrames()).toEqual([]), { timeout: 10_000 });

  it('closes them when the stream is destroyed before reading', async () => {
    expect(SIDE * SIDE).toBeGreaterThan(MOST_IN_MEMORY);
    const { stream } = await transcodeFile(file(), TO, pool);
    expect(openFrames()).not.toEqual([]);
    stream.destroy();
    await once(stream, 'close');
    await allClosed();
  });

  it('closes them when the reader leaves', async () => {
    const { stream } = await transcodeFile(file(), TO, pool);
    for await (const chunk of stream) if ((chunk as Buffer).length > 100_000) break;
    await allClosed();
  });

  it('closes them when the header cannot be written', async () => {
    const failing = () => Promise.reject(new Error('no'));
    await expect(transcodeFile(file(failing), TO, pool)).rejects.toThrow('no');
    await allClosed();
  });
});
