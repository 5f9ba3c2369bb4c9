import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { imageObject, SMALL } from '../../../../gateway/test/setup/image-object.ts';
import { LONG } from '../../../../gateway/test/setup/long.ts';
import { describeWithSharedData, sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Bytes, DamagedFile } from './bytes.ts';
import { dicomJson } from './json.ts';
import { pixelLayout } from './pixels.ts';
import { readWhole } from './test/whole-file.ts';
import { processorTime } from '../../../../gateway/test/setup/processor-time.ts';

/** Returns the same numbers in every run. */
function pseudoRandom(seed: number): () => number {
  return () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000;
}

/** Returns the JSON of bytes, `none` for other formats, or `damaged`. Throws any other error. */
function outcome(bytes: Buffer): DicomJson | 'none' | 'damaged' {
  try {
    const file = readWhole(bytes);
    return file ? dicomJson(file.bytes, file.elements, file.encoding) : 'none';
  } catch (error) {
    if (error instanceof DamagedFile) return 'damaged';
    throw error;
  }
}

/** Damaged copies of each file. */
const ROUNDS = LONG ? 300 : 60;

const FILES = [
  'charset/chrH32.dcm',
  'sr/sr_document.dcm',
  'ts-matrix/MR_small_bigendian.dcm',
  'ts-matrix/image_dfl.dcm',
  'pt/sample.dcm',
  'seg/liver_rle.dcm',
  'rt/rtplan.dcm',
  'sm/sm_image.dcm',
];

describeWithSharedData('damaged files', () => {
  test.each(FILES)('reads or refuses %s with overwritten bytes, and never crashes', async (file) => {
    const random = pseudoRandom(file.length);
    const original = readFileSync(sharedDataPath('dicom', file));
    const read = () => {
      for (let round = 0; round < ROUNDS; round++) {
        const bytes = Buffer.from(original);
        const header = Math.min(bytes.length, 6000);
        for (let n = 0; n < 1 + (6 * round) / ROUNDS; n++)
          bytes[Math.floor(random() * header)] = Math.floor(random() * 256);
        outcome(bytes);
      }
    };
    expect(await processorTime(read)).toBeLessThan(10_000);
  });

  test.each(FILES)('never takes %s for whole when it ends before its pixels', (file) => {
    const original = readFileSync(sharedDataPath('dicom', file));
    const whole = outcome(original) as DicomJson;
    const tags = Object.keys(whole).length;
    for (let length = 0; length < Math.min(original.length - 9, 3000); length += 7) {
      const cut = outcome(original.subarray(0, length));
      if (typeof cut !== 'string') expect(Object.keys(cut).length).toBeLessThan(tags);
    }
  });
});

describe('reads encodings that real devices write:', () => {
  const explicit = (tag: string, vr: string, value: string, long = false): Buffer => {
    const bytes = Buffer.from(value.length % 2 ? `${value}\0` : value, 'latin1');
    const head = Buffer.alloc(long ? 12 : 8);
    head.writeUInt16LE(parseInt(tag.slice(0, 4), 16), 0);
    head.writeUInt16LE(parseInt(tag.slice(4), 16), 2);
    head.write(vr, 4, 'latin1');
    if (long) head.writeUInt32LE(bytes.length, 8);
    else head.writeUInt16LE(bytes.length, 6);
    return Buffer.concat([head, bytes]);
  };
  const file = (transferSyntax: string, ...elements: Buffer[]): DicomJson => {
    const meta = explicit('00020010', 'UI', transferSyntax);
    return outcome(Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), meta, ...elements])) as DicomJson;
  };
  const LITTLE = '1.2.840.10008.1.2.1';
  const name = explicit('00080060', 'CS', 'CT');
  const implicitId = Buffer.concat([Buffer.from('10002000' + '04000000', 'hex'), Buffer.from('ID 7')]);

  test('an implicit element in an explicit data set', () => {
    expect(file(LITTLE, name, implicitId)['00100020']).toEqual({ vr: 'LO', Value: ['ID 7'] });
  });

  test('a data set in another VR encoding than declared', () => {
    expect(file('1.2.840.10008.1.2', name)['00080060']).toEqual({ vr: 'CS', Value: ['CT'] });
    expect(file(LITTLE, implicitId)['00100020']).toEqual({ vr: 'LO', Value: ['ID 7'] });
  });

  test('VR UN for an attribute of the dictionary, but not for private attributes', () => {
    const json = file(
      LITTLE,
      explicit('00091001', 'UN', 'x', true),
      explicit('00100020', 'UN', 'ID 7', true),
    );
    expect(json['00100020']).toEqual({ vr: 'LO', Value: ['ID 7'] });
    expect(json['00091001']).toEqual({ vr: 'UN', InlineBinary: Buffer.from('x\0').toString('base64') });
  });

  test('but not a transfer syntax that would break an HTTP header', () => {
    expect(file('1.2.3\r\nX-Y: z', name)).toBe('damaged');
  });

  test('rubbish after complete pixels', () => {
    const pixels = explicit('7FE00010', 'OW', '12345678', true);
    expect(file(LITTLE, name, pixels, Buffer.alloc(100, 0xee))['7FE00010']).toBeDefined();
    expect(outcome(Buffer.concat([name, Buffer.alloc(100, 0xee)]))).toBe('damaged');
  });

  test('invalid numbers, missing values, an unknown character set', () => {
    const json = file(
      LITTLE,
      explicit('00080005', 'CS', 'constructor'),
      explicit('00100010', 'PN', 'M\u00fcller'),
      explicit('00180050', 'DS', '1.50\\\\abc\\ 7 '),
      explicit('00200013', 'IS', ''),
    );
    expect(json['00100010']!.Value).toEqual([{ Alphabetic: 'Müller' }]);
    expect(json['00180050']!.Value).toEqual([1.5, null, 'abc', 7]);
    expect(json['00200013']).toEqual({ vr: 'IS' });
  });
});

describe('before values are counted', () => {
  test('refuses a Specific Character Set of 15 MB without reading it', () => {
    const bytes = new Bytes(Buffer.alloc(15_000_000, '\\'));
    const slice = vi.spyOn(bytes, 'slice');
    const charset = { tag: '00080005', vr: 'CS', offset: 0, length: 15_000_000 };
    const encoding = { explicitVr: false, littleEndian: true };
    expect(() => dicomJson(bytes, [charset], encoding)).toThrow(/Specific Character Set is too long/);
    expect(slice).not.toHaveBeenCalled();
  });

  test('refuses ten million frames in one fragment without reading their offset table', () => {
    const described = { ...SMALL, numberOfFrames: 10_000_000 };
    const file = readWhole(
      imageObject('1.2.3', '1.2.840.10008.1.2.5', described, [Buffer.alloc(0), Buffer.alloc(80)]),
    )!;
    const table = { tag: '7FE00001', vr: 'OV', offset: 0, length: 80_000_000 };
    const element = file.elements.find(({ tag }) => tag === '7FE00010')!;
    const slice = vi.spyOn(file.bytes, 'slice');
    const layout = () => pixelLayout({ ...file, elements: [table, ...file.elements] }, element, described);
    expect(layout).toThrow(/fewer fragments of pixel data than frames/);
    expect(slice).not.toHaveBeenCalled();
  });
});
