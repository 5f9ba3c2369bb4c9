/** Overlays in the bits beside the pixels (retired), compared with those of DCMTK for the same files (DW-8). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { encoderTakes } from '../../pixels/transcode-pixels.ts';
import { fileFrames } from '../../pixels/test/file-frames.ts';
import { frameAttributes } from './frame-attributes.ts';
import { renderPicture } from './picture-task.ts';

const SIDE = 16;

interface Pixels {
  stored: number;
  high: number;
  signed?: boolean;
  /** Bits of the overlays of groups 6000, 6002 and so on. */
  positions: readonly number[];
}

/** Two frames of a slope. Each overlay `n` is a different line, at another place in the second frame. */
function words({ stored, high, signed = false, positions }: Pixels): number[] {
  return Array.from({ length: 2 * SIDE * SIDE }, (_, i) => {
    const [frame, row, column] = [Math.floor(i / (SIDE * SIDE)), Math.floor(i / SIDE) % SIDE, i % SIDE];
    const level = Math.round((2 ** stored - 1) * ((row * SIDE + column) / (SIDE * SIDE)));
    const value = signed ? level - 2 ** (stored - 1) : level;
    const pixel = (value & (2 ** stored - 1)) << (high + 1 - stored);
    const bits = positions.map(
      (position, n) => ((n + 3 * frame + 2 === column ? 1 : 0) << position) as number,
    );
    return (bits.reduce((all, bit) => all | bit, pixel) & 0xffff) >>> 0;
  });
}

function dump(pixels: Pixels): string {
  const { stored, high, signed = false, positions } = pixels;
  const groups = positions.map((position, n) => {
    const group = (0x6000 + 2 * n).toString(16);
    return `(${group},0010) US ${SIDE}
(${group},0011) US ${SIDE}
(${group},0015) IS 2
(${group},0040) CS G
(${group},0050) SS 1\\1
(${group},0051) US 1
(${group},0100) US 16
(${group},0102) US ${position}`;
  });
  return `(0002,0010) UI =LittleEndianExplicit
(0008,0016) UI =SecondaryCaptureImageStorage
(0008,0018) UI 1.2.3.4
(0028,0002) US 1
(0028,0004) CS MONOCHROME2
(0028,0008) IS 2
(0028,0010) US ${SIDE}
(0028,0011) US ${SIDE}
(0028,0100) US 16
(0028,0101) US ${stored}
(0028,0102) US ${high}
(0028,0103) US ${signed ? 1 : 0}
(0028,1050) DS ${signed ? 0 : 2 ** (stored - 1)}
(0028,1051) DS ${2 ** stored}
${groups.join('\n')}
(7fe0,0010) OW ${words(pixels)
    .map((word) => word.toString(16).padStart(4, '0'))
    .join('\\')}
`;
}

describe('DW-8 overlays in unused bits', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'overlay-'));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const at = (name: string) => join(scratch, name);
  const run = (command: string, ...parameters: string[]) =>
    execFileSync(command, parameters, { stdio: 'pipe', cwd: scratch });
  const grey = (png: Buffer) => sharp(png).toColourspace('b-w').removeAlpha().raw().toBuffer();

  const cases: [string, Pixels][] = [
    ['above 12 bits', { stored: 12, high: 11, positions: [12] }],
    ['the highest bit, and two more', { stored: 12, high: 11, positions: [15, 12, 14] }],
    ['above signed pixels', { stored: 12, high: 11, signed: true, positions: [13] }],
    ['below pixels that end at the highest bit', { stored: 12, high: 15, positions: [0, 3] }],
    ['within the pixels, which is not an overlay', { stored: 12, high: 11, positions: [4] }],
  ];
  const forms: [string, string?][] = [['native'], ['RLE', 'dcmcrle'], ['big endian', 'dcmconv +tb']];

  test.each(
    cases.flatMap(([what, pixels]) => forms.map(([form, convert]) => ({ what, form, pixels, convert }))),
  )('$what, $form', async ({ pixels: described, convert }) => {
    writeFileSync(at('dump.txt'), dump(described));
    run('dump2dcm', '-q', 'dump.txt', 'native.dcm');
    const [command, ...options] = convert?.split(' ') ?? ['cp'];
    run(command!, ...options, 'native.dcm', 'file.dcm');
    const { dataset, frames, transferSyntax, pixels } = (await fileFrames(at('file.dcm')))!;
    // DW-5, DW-7: transcoding would lose the overlays.
    expect(encoderTakes(pixels, TransferSyntax.JPEGLSLossless)).toBe(false);
    expect(
      encoderTakes({ ...pixels, overlaysBeside: undefined } as never, TransferSyntax.JPEGLSLossless),
    ).toBe(true);
    const shown = async (frame: number, overlays: boolean) => {
      const one = { number: frame, bytes: frames[frame - 1]!, attributes: frameAttributes(dataset, frame) };
      const size = { width: SIDE, height: SIDE };
      const task = { frames: [one], transferSyntax, pixels, type: 'image/png' as const, size, overlays };
      return grey(Buffer.from(await renderPicture(task)));
    };
    const window = [
      '+Ww',
      String(described.signed ? 0 : 2 ** (described.stored - 1)),
      String(2 ** described.stored),
    ];
    for (const frame of [1, 2]) {
      for (const overlays of [true, false]) {
        run(
          'dcm2img',
          '-q',
          '+on',
          '+F',
          String(frame),
          overlays ? '+O' : '-O',
          ...(overlays ? ['0'] : []),
          ...window,
          'native.dcm',
          'theirs.png',
        );
        const theirs = await grey(await sharp(at('theirs.png')).toBuffer());
        const ours = await shown(frame, overlays);
        expect(ours.length).toBe(theirs.length);
        // A window that ends between two greys may be rounded either way.
        const off = [...ours].filter((value, i) => Math.abs(value - theirs[i]!) > 1);
        expect(off).toEqual([]);
      }
      const drawn = Buffer.compare(await shown(frame, true), await shown(frame, false)) !== 0;
      expect(drawn).toBe(described.positions[0] !== 4);
    }
  });
});
