import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../../gateway/test/setup/shared-data.ts';
import { isInTurn, testEach } from '../../../../gateway/test/setup/usual-run.ts';
import type { DicomElement, DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { DicomFile } from './file.ts';
import { dicomJson } from './json.ts';
import { readWhole, transcoded } from './test/whole-file.ts';

const scratch = mkdtempSync(join(tmpdir(), 'part10-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const read = (bytes: Buffer): DicomFile => readWhole(bytes)!;
const json = ({ bytes, elements, encoding }: DicomFile): DicomJson => dicomJson(bytes, elements, encoding);

/** Returns DCMTK's JSON. DCMTK fails on compressed pixels, so they are removed from a copy first. */
function dcm2json(path: string): DicomJson {
  const copy = join(scratch, basename(path));
  copyFileSync(path, copy);
  let run = spawnSync('dcm2json', ['-q', '-ee', '-fc', copy], { maxBuffer: 1 << 30 });
  if (run.status !== 0) {
    // One file spells its character set in a way that DCMTK refuses.
    const misspelt = readFileSync(copy).includes('ISO-IR 100') ? ['-m', '0008,0005=ISO_IR 100'] : [];
    execFileSync('dcmodify', ['-q', '-nb', '-ie', '-e', '7fe0,0010', ...misspelt, copy]);
    run = spawnSync('dcm2json', ['-q', '-ee', '-fc', copy], { maxBuffer: 1 << 30 });
  }
  rmSync(copy);
  return JSON.parse(run.stdout.toString()) as DicomJson;
}

/** Returns the differences of two data sets as lines. Numbers are rounded, because DCMTK prints floats differently. */
function differences(ours: DicomJson, theirs: DicomJson, path = ''): string[] {
  const lines: string[] = [];
  for (const tag of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [a, b] = [ours[tag], theirs[tag]];
    if (tag === '7FE00010' && path === '') continue;
    if (!a || !b) lines.push(`${path}${tag} only ${a ? 'here' : 'at DCMTK'}`);
    // DCMTK has a dictionary of private elements; here they are UN in implicit VR.
    else if ((a.vr === 'UN') !== (b.vr === 'UN') && parseInt(tag.slice(0, 4), 16) % 2) continue;
    else if (a.vr !== b.vr) lines.push(`${path}${tag} is ${a.vr}, at DCMTK ${b.vr}`);
    else if (a.vr === 'SQ') lines.push(...itemDifferences(a, b, `${path}${tag}`));
    else if (!a.BulkDataURI && plain(a) !== plain(b))
      lines.push(`${path}${tag} ${plain(a)} at DCMTK ${plain(b)}`);
  }
  return lines;
}

function itemDifferences(a: DicomElement, b: DicomElement, path: string): string[] {
  const [ours, theirs] = [a, b].map(({ Value }) => (Value ?? []) as DicomJson[]) as [
    DicomJson[],
    DicomJson[],
  ];
  if (ours.length !== theirs.length) return [`${path} has ${ours.length} items, at DCMTK ${theirs.length}`];
  return ours.flatMap((item, i) => differences(item, theirs[i]!, `${path}/${i}/`));
}

/** Returns values as text to compare. DCMTK writes a DS of more than 16 characters as text. */
function plain({ vr, Value, InlineBinary }: DicomElement): string {
  const numbers = Value?.map((value) => (vr === 'DS' && value ? Number(value) : value));
  const values = numbers?.map((value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value));
  return JSON.stringify(values ?? InlineBinary ?? null);
}

/** Two files of each directory, and all files of directories with special encodings. */
const sample = sharedDicomFiles().filter(({ file }, _, all) => {
  const directory = file.split('/')[0]!;
  if (['charset', 'ts-matrix', 'seg', 'sr', 'rt', 'us-cine', 'mr-multiframe'].includes(directory))
    return true;
  return (
    all.filter((other) => other.file.startsWith(`${directory}/`)).findIndex((other) => other.file === file) <
    2
  );
});

describeWithSharedData('DW-6: the DICOM JSON model', () => {
  // `npm test` has the half of them, of each directory.
  testEach(
    sample.map(({ file }) => file),
    (_, index) => index % 2 === 0,
  )('%s has the VRs and values of dcm2json', (file) => {
    const path = sharedDataPath('dicom', file);
    expect(differences(json(read(readFileSync(path))), dcm2json(path))).toEqual([]);
  });

  test('has binary values over 1 KiB and all pixels as bulk data, smaller values inline', () => {
    for (const { file } of sample) {
      const walk = (dataset: DicomJson, path: string): void => {
        for (const [tag, { vr, Value, InlineBinary, BulkDataURI }] of Object.entries(dataset)) {
          if (BulkDataURI) expect(BulkDataURI).toBe(`bulkdata/${path}${tag}`);
          if (InlineBinary) expect(Buffer.from(InlineBinary, 'base64').length).toBeLessThanOrEqual(1024);
          if (vr === 'SQ')
            (Value as DicomJson[] | undefined)?.forEach((item, i) => walk(item, `${path}${tag}/${i}/`));
          if (tag === '7FE00010') expect(BulkDataURI).toBeDefined();
        }
      };
      walk(json(read(readFileSync(sharedDataPath('dicom', file)))), '');
    }
  });
});

const SYNTAXES = [
  ['implicit little endian', '1.2.840.10008.1.2', '+ti'],
  ['explicit little endian', '1.2.840.10008.1.2.1', '+te'],
  ['explicit big endian', '1.2.840.10008.1.2.2', '+tb'],
  ['deflated', '1.2.840.10008.1.2.1.99', '+td'],
] as const;

const UNCOMPRESSED = [
  'ct-head-ge/01.dcm',
  'pt/sample.dcm',
  'rt/rtplan.dcm',
  'rt/rtdose.dcm',
  'ts-matrix/MR_small_bigendian.dcm',
  'ts-matrix/image_dfl.dcm',
  'ecg/waveform_ecg.dcm',
  'sr/sr_document.dcm',
  'us-still/color-pl.dcm',
  'mr-fmri-forrest/0008.dcm',
  'seg/liver_nonbyte_aligned.dcm',
];

/** Returns the whole content of a file: the JSON, and the bytes of each bulk value. */
function content(file: DicomFile): [DicomJson, string[]] {
  const values = file.elements
    .filter(({ vr }) => vr.startsWith('O'))
    .map((element) => {
      const bytes = file.bytes.slice(element.offset, element.length);
      const unit = file.encoding.littleEndian ? 1 : ({ OW: 2, OL: 4, OF: 4, OD: 8, OV: 8 }[element.vr] ?? 1);
      if (unit === 2) bytes.swap16();
      if (unit === 4) bytes.swap32();
      if (unit === 8) bytes.swap64();
      return `${element.tag} ${bytes.toString('base64')}`;
    });
  return [json(file), values];
}

describeWithSharedData('DW-5: transcodes uncompressed transfer syntaxes', () => {
  // `npm test` has each file once, and each transfer syntax several times.
  describe.each(UNCOMPRESSED)('%s', (name) => {
    const row = UNCOMPRESSED.indexOf(name);
    const original = readFileSync(sharedDataPath('dicom', name));

    testEach(SYNTAXES, (_, column) => isInTurn([row, column], SYNTAXES.length))(
      'to %s with the same content, which DCMTK can read',
      async (_, uid, flag) => {
        const written = await buffer(transcoded(read(original), uid));
        const file = read(written);
        expect(file.transferSyntax).toBe(uid);

        // DCMTK converts the original and the transcoded file to explicit little endian: both must be equal.
        const [ours, theirs] = [join(scratch, 'ours.dcm'), join(scratch, 'theirs.dcm')];
        writeFileSync(ours, written);
        execFileSync('dcmconv', ['-q', '+te', '+e', ours, `${ours}.te`]);
        execFileSync('dcmconv', ['-q', flag, sharedDataPath('dicom', name), theirs]);
        execFileSync('dcmconv', ['-q', '+te', '+e', theirs, `${theirs}.te`]);
        const [a, b] = [read(readFileSync(`${ours}.te`)), read(readFileSync(`${theirs}.te`))];
        expect(differences(...([json(a), json(b)] as const))).toEqual([]);
        expect(content(a)[1]).toEqual(content(b)[1]);
      },
    );

    test('and back without loss', async () => {
      const start = read(await buffer(transcoded(read(original), SYNTAXES[1][1])));
      let file = start;
      for (const [, uid] of [SYNTAXES[2], SYNTAXES[3], SYNTAXES[1]])
        file = read(await buffer(transcoded(file, uid)));
      expect(content(file)).toEqual(content(start));
      expect(differences(json(start), json(read(original)))).toEqual([]);
    });
  });
});
