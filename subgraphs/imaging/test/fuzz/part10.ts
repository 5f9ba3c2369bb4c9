import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { isPixelData } from '../../dicom/part10/dataset.ts';
import type { DicomFile } from '../../dicom/part10/file.ts';
import { dicomJson } from '../../dicom/part10/json.ts';
import { pixelLayout, readFrame } from '../../dicom/part10/pixels.ts';
import { readWhole, transcoded } from '../../dicom/part10/test/whole-file.ts';
import { canTranscode } from '../../dicom/part10/transcode.ts';
import { describedPixels } from '../../pixels/codecs/description.ts';
import { damaged } from './random.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';
import { hold, orRefused, type Target } from './target.ts';

/** Small files with every encoding of a data set and its pixels. */
export const FILES = [
  'charset/chrH32.dcm',
  'charset/chrX1.dcm',
  'sr/sr_document.dcm',
  'sr/test-SR.dcm',
  'rt/rtdose.dcm',
  'ts-matrix/MR_small_bigendian.dcm',
  'ts-matrix/image_dfl.dcm',
  'ts-matrix/SC_rgb_jpeg_dcmtk.dcm',
  'seg/liver_deflate.dcm',
  'seg/liver_rle.dcm',
  'seg/liver_j2k.dcm',
  'sm/sm_image.dcm',
  'mr-multiframe/emri_small_jpeg_2k_lossless.dcm',
  'rt/rtplan.dcm',
];

const WRITTEN = [
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.ExplicitVRBigEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
];

let files: Buffer[] = [];

/** Damaged Part 10 files: read, converted to JSON, read by frame, and rewritten. */
export const part10: Target = {
  name: 'part10',
  async open() {
    files = FILES.map((file) => readFileSync(sharedDataPath('dicom', file)));
  },
  async run(random) {
    const bytes = mangled(random.of(files), random);
    const file = await orRefused(() => readWhole(bytes));
    if (!file) return;
    await orRefused(() => JSON.stringify(dicomJson(file.bytes, file.elements, file.encoding)));
    await orRefused(() => frames(file, random));
    await orRefused(() => rewritten(file, random.of(WRITTEN)));
  },
};

/** Damages a file, and sometimes inserts many nested sequences or items. */
function mangled(original: Buffer, random: Random): Buffer {
  const bytes = damaged(original, random);
  if (!random.chance(0.05)) return bytes;
  const sequence = Buffer.from('08001511' + '53510000ffffffff' + 'feff00e0ffffffff', 'hex');
  const item = Buffer.from('feff00e000000000', 'hex');
  const many = Buffer.concat(Array(1 + random.below(3000)).fill(random.chance(0.5) ? sequence : item));
  const at = 300 + random.below(200);
  return Buffer.concat([bytes.subarray(0, at), many, bytes.subarray(at)]);
}

async function frames(file: DicomFile, random: Random): Promise<void> {
  const element = file.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
  const pixels = element && describedPixels(file);
  if (!pixels) return;
  const layout = pixelLayout(file, element, pixels);
  const { frames: count } = layout;
  hold(count >= 1, `a layout of ${count} frames`);
  const number = 1 + random.below(Math.min(count, 2 ** 31));
  const frame = await readFrame(layout, number, async (offset, length) => file.bytes.slice(offset, length));
  hold(frame.length <= file.bytes.size, 'a frame larger than its file');
  if (layout.kind === 'native') {
    const expected = Math.ceil(layout.bitsPerFrame / 8);
    hold(frame.length === expected, `frame ${number} has ${frame.length} bytes instead of ${expected}`);
  }
}

/** Checks that a rewritten file can be read. */
async function rewritten(file: DicomFile, transferSyntax: string): Promise<void> {
  if (!canTranscode(file.transferSyntax, transferSyntax)) return;
  const written = await buffer(transcoded(file, transferSyntax));
  hold(readWhole(written) !== undefined, `what was written in ${transferSyntax} is no DICOM`);
}
