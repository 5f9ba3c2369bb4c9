/** Compares images of the shared data with the picture that DCMTK makes with the same window (DW-8). */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWithSharedData, variedDicomFiles } from '../../../gateway/test/setup/shared-data.ts';
import { testEach } from '../../../gateway/test/setup/usual-run.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { parseAccept } from '../../../schema/http/media-ranges.ts';
import { frameAttributes } from './image/frame-attributes.ts';
import { pixelAspect } from './image/geometry.ts';
import { Pictures } from './pictures.ts';
import { atOnce } from './test/at-once.ts';
import { openSharedImages, type SharedImage } from './test/shared-images.ts';
import { ThumbnailCache } from './thumbnail-cache.ts';
import { representativeFrame } from './image/timing.ts';
import { rowOf } from '../test/metadata-rows.ts';
import { testParsing } from '../test/parsing.ts';
import { ownWindow } from './image/window.ts';

const run = promisify(execFile);
const { threads } = testParsing();

/** DCMTK 3.6.9 cannot read these transfer syntaxes; gdcmconv decompresses them for it. */
const BY_GDCM = /JPEG 2000/;
/**
 * Files that neither of them reads. People have looked at these pictures; some equal another file of the same picture.
 */
const UNREADABLE: Record<string, string> = {
  'ts-matrix/HTJ2KLossless_08_RGB.dcm': 'neither DCMTK 3.6.9 nor GDCM 3.0.24 decodes HTJ2K',
  'ts-matrix/HTJ2K_08_RGB.dcm': 'neither DCMTK 3.6.9 nor GDCM 3.0.24 decodes HTJ2K',
  'seg/liver_deflate.dcm': 'DCMTK 3.6.9 does not know Deflated Image Frame Compression',
  'seg/liver_nonbyte_aligned_deflate.dcm': 'DCMTK 3.6.9 does not know Deflated Image Frame Compression',
  'seg/liver_rle.dcm': 'DCMTK 3.6.9 does not read RLE of one bit',
  'seg/liver_nonbyte_aligned_rle.dcm': 'DCMTK 3.6.9 does not read RLE of one bit',
};
/** Without an offset table DCMTK finds only the first frame. */
const FIRST_FRAME = new Set(['us-cine/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm']);
/** A file with Rows and Columns, but no pixels. */
const WITHOUT_PIXELS = 'charset/chrKoreanMulti.dcm';
const LOSSY = /Baseline|Extended|Progression|^HTJ2K$/;

const files = variedDicomFiles().filter(({ file, rows }) => rows && file !== WITHOUT_PIXELS);

describeWithSharedData('pictures compared with those of DCMTK', () => {
  let shared: Awaited<ReturnType<typeof openSharedImages>>;
  let directory: string;
  let pictures: Pictures;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dcmtk-'));
    shared = await openSharedImages();
    const thumbnails = new ThumbnailCache({ directory: join(directory, 'thumbnails') });
    pictures = new Pictures({ ...atOnce, thumbnails, threads, now: () => 0 });
  }, 60_000);
  afterAll(async () => {
    await shared.close();
    await rm(directory, { recursive: true, force: true });
  });

  const imageOf = (file: string) => shared.images.find((image) => image.file === file)!;

  async function ours(image: SharedImage): Promise<Buffer> {
    const query = new URLSearchParams();
    const frames = FIRST_FRAME.has(image.file) ? [1] : undefined;
    const request = { target: image.target, frames, query, accept: parseAccept('image/png') };
    const { headers, body } = await pictures.rendered(image.images, request);
    expect(headers['content-type']).toBe('image/png');
    return body as Buffer;
  }

  async function datasetOf({ images, target }: SharedImage): Promise<DicomJson> {
    return rowOf(await images.read(target, '', (study) => study.metadata(target)));
  }

  /** Renders the same frame with DCMTK: unscaled, and its size with square pixels. */
  async function theirs(image: SharedImage): Promise<{ png: Buffer; width: number; height: number }> {
    const dataset = await datasetOf(image);
    const frame = FIRST_FRAME.has(image.file) ? 1 : representativeFrame(dataset, image.frames);
    const attributes = frameAttributes(dataset, frame);
    const aspect = pixelAspect(attributes);
    let { path } = image;
    if (BY_GDCM.test(image.transferSyntaxName)) {
      path = join(directory, 'plain.dcm');
      await run('gdcmconv', ['--raw', image.path, path]);
    }
    const window = ownWindow(attributes);
    const bits = Number(attributes['00280101']?.Value?.[0]);
    const look = window ? ['+Ww', String(window.center), String(window.width)] : bits > 8 ? ['+Wm'] : [];
    const target = join(directory, 'theirs.png');
    const convert = async (...more: string[]): Promise<Buffer> => {
      await run('dcm2img', ['-q', '+on', '+F', String(frame), ...look, ...more, path, target]);
      return sharp(target).toBuffer();
    };
    const png = await convert();
    const scaled = aspect === 1 ? png : await convert('+a', ...(aspect > 1 ? ['+Sxf', '1'] : ['+Syf', '1']));
    const { width, height } = await sharp(scaled).metadata();
    return { png, width, height };
  }

  const readable = files.filter(({ file }) => !UNREADABLE[file]);
  /** `npm test` has the first file of each transfer syntax, and of each kind of pixels and of object. */
  const kindsOf = ({ transferSyntax, photometric, bitsAllocated, modality }: (typeof files)[number]) => [
    transferSyntax,
    `${photometric} ${bitsAllocated}`,
    modality,
  ];
  const isUsual = (file: (typeof files)[number], index: number) =>
    kindsOf(file).some((kind) => !readable.slice(0, index).some((before) => kindsOf(before).includes(kind)));
  const names = readable.map(({ file }) => file);
  testEach(names, (_, index) => isUsual(readable[index]!, index))(
    'DW-8 %s',
    async (file) => {
      const image = imageOf(file);
      const [own, other] = await Promise.all([ours(image), theirs(image)]);
      const a = await sharp(own)
        .toColourspace('srgb')
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      const { width, height } = a.info;
      // If a side is not a whole number of square pixels, DCMTK cuts off and we round.
      expect(width - other.width).toBeOneOf([0, 1]);
      expect(height - other.height).toBeOneOf([0, 1]);
      const b = await sharp(other.png)
        .resize(width, height, { fit: 'fill' })
        .toColourspace('srgb')
        .removeAlpha()
        .raw()
        .toBuffer();
      expect(a.data.length).toBe(b.length);
      const pixelsOfError = new Array<number>(256).fill(0);
      a.data.forEach((value, i) => pixelsOfError[Math.abs(value - b[i]!)]!++);
      const mean = pixelsOfError.reduce((sum, pixels, error) => sum + pixels * error, 0) / b.length;
      expect.soft(mean, 'mean error').toBeLessThanOrEqual(1);
      const beyond = pixelsOfError.slice(4).reduce((sum, pixels) => sum + pixels, 0) / b.length;
      if (!LOSSY.test(image.transferSyntaxName))
        expect.soft(beyond, 'pixels more than 3 off').toBeLessThanOrEqual(0.001);
    },
    20_000,
  );

  test.each(Object.entries(UNREADABLE))('DW-8 renders %s, although %s', async (file) => {
    const { channels, width, height } = await sharp(await ours(imageOf(file))).metadata();
    const { rows, columns, photometric } = imageOf(file);
    expect([width, height]).toEqual([columns, rows]);
    expect(channels).toBe(photometric === 'RGB' ? 3 : 1);
  });
});
