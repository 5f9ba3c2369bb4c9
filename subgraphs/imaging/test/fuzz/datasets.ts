import type { DicomElement, DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';

/** Valid numbers, and numbers that no object should have. */
const NUMBERS = [0, 1, 2, 3, 4, 8, 12, 16, 255, 256, 65535, 65536, -1, 0.5, 1e-300, 1e9, 2 ** 31, 1e300];
const TEXTS = ['', ' ', 'x', '1', 'NaN', '1e400', 'MONOCHROME1', 'PALETTE COLOR', 'RGB', 'YBR_FULL_422'];
const MORE_TEXTS = [
  '<script>',
  '\u0000',
  'COLOR',
  'SIGMOID',
  'INVERSE',
  '20240230',
  '9'.repeat(300),
  '😀\ud800',
];

/** Attributes for rendering: image pixel, LUTs, overlays, timing, waveforms, reports. */
const TAGS = [
  ...'00280002 00280004 00280006 00280008 00280010 00280011 00280030 00280034 00280100 00280101 00280102'.split(
    ' ',
  ),
  ...'00280103 00280120 00280121 00281050 00281051 00281052 00281053 00281056 00281101 00281102 00281103'.split(
    ' ',
  ),
  ...'00281201 00281202 00281203 00281221 00281222 00281223 00283002 00283006 00286010 00289145'.split(' '),
  ...'00080060 00080016 00089205 00181063 00181065 00082144 20500020 3004000E 60000010 60000011 60000015'.split(
    ' ',
  ),
  ...'60000050 60000051 60003000 003A0005 003A0010 003A001A 54001006 54001010 003A0210 003A0212 003A0213'.split(
    ' ',
  ),
  ...'0040A010 0040A040 0040A032 0040A160 0040A121 0040A122 0040A123 0040A30A 00700022 00700023'.split(' '),
  ...'00420011 00420015 00100010 00100020 00080023 00080104 0040A027'.split(' '),
];
const SEQUENCES = [
  ...'00283000 00283010 00289110 00289132 00289145 52009229 52009230 54000100 003A0200 003A0208 003A0211'.split(
    ' ',
  ),
  ...'0040A730 0040A043 0040A168 0040A300 00081199 0040A073 0040A375'.split(' '),
];
const BINARY = new Set(['00281201', '00281202', '00281203', '00281221', '00281222', '00281223', '00283006']);
const MORE_BINARY = new Set(['60003000', '54001010', '00420011', '7FE00010']);
const WORDS: Record<string, readonly string[]> = {
  '0040A040': [
    'CONTAINER',
    'TEXT',
    'CODE',
    'NUM',
    'DATE',
    'TIME',
    'PNAME',
    'UIDREF',
    'IMAGE',
    'SCOORD',
    'TCOORD',
  ],
  '54001006': ['SB', 'UB', 'SS', 'US', 'SL', 'UL', 'MB', 'XX'],
  '00080016': ['1.2.840.10008.5.1.4.1.1.104.1', '1.2.840.10008.5.1.4.1.1.2'],
};

/** Returns a well-formed data set of the DICOM JSON model with absurd content. */
export function absurdDataset(random: Random, depth = 0): DicomJson {
  const dataset: DicomJson = {};
  for (let count = random.below(depth === 0 ? 40 : 12); count > 0; count--) {
    const sequence = depth < 4 && random.chance(0.25);
    const tag = random.of(sequence ? SEQUENCES : TAGS);
    dataset[tag] = sequence
      ? { vr: 'SQ', Value: Array.from({ length: random.below(4) }, () => absurdDataset(random, depth + 1)) }
      : absurdElement(tag, random);
  }
  return dataset;
}

function absurdElement(tag: string, random: Random): DicomElement {
  if ((BINARY.has(tag) || MORE_BINARY.has(tag)) && random.chance(0.8)) {
    if (random.chance(0.2)) return { vr: 'OW', BulkDataURI: `bulkdata/${tag}` };
    return { vr: 'OW', InlineBinary: absurdBytes(random).toString('base64') };
  }
  const words = WORDS[tag];
  if (words && random.chance(0.9)) return { vr: 'CS', Value: [random.of(words)] };
  const Value = Array.from({ length: random.below(5) }, () => absurdValue(random));
  return random.chance(0.1) ? { vr: 'DS' } : { vr: 'DS', Value };
}

function absurdValue(random: Random): unknown {
  if (random.chance(0.6)) return random.of(NUMBERS);
  if (random.chance(0.8)) return random.of(random.chance(0.5) ? TEXTS : MORE_TEXTS);
  return random.chance(0.5) ? null : { Alphabetic: random.of(MORE_TEXTS) };
}

/** Returns noise, or repeated words, like a segmented table with repetitions. */
export function absurdBytes(random: Random): Buffer {
  const length = random.of([0, 1, 7, 64, 512, 3000]);
  if (random.chance(0.5)) return random.bytes(length);
  const words = Array.from({ length: 4 }, () => random.of([0, 1, 2, 0xffff]));
  return Buffer.from(Uint16Array.from({ length }, (_, i) => words[i % 4]!).buffer);
}
