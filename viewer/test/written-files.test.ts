/** Files that the viewer writes, judged by other programs: dicom3tools, DCMTK, pydicom, dcmjs and two FHIR validators. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Bundle } from 'fhir/r4.js';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { complaints } from '../../subgraphs/imaging/test/fhir-judges.ts';
import { writePart10 } from '../src/domain/dicom/part10.ts';
import { bundleOf } from '../src/domain/files/fhir-bundle.ts';
import { selectionOf } from '../src/domain/files/key-selection.ts';
import { reportOf } from '../src/domain/files/measurement-report.ts';
import { stateOf } from '../src/domain/files/presentation-file.ts';
import type { Instance } from '../src/domain/instance.ts';
import { authorship, CT, KEYED, keyed, MEASURED, ON_CT } from './setup/marks.ts';

const folder = mkdtempSync(join(tmpdir(), 'written-'));
afterAll(() => rmSync(folder, { recursive: true }));

const series = '2.25.77';
/** As a hospital's patient may be called, and as nobody is. */
const ODD: Instance = {
  ...CT,
  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'O\\Neill^Zoë 😀=x', Ideographic: '山田^太郎' }] },
  '00100021': { vr: 'LO', Value: ['Hospital\\A'] },
};
const measurements = MEASURED.slice(0, 9).map(({ measurement }) => measurement);
const colour = { ...CT, '00280002': { vr: 'US', Value: [3] }, '00280004': { vr: 'CS', Value: ['RGB'] } };
const odd = { ...keyed(ON_CT), metadata: ODD, measurements };

const FILES: Readonly<Record<string, Instance>> = {
  'report.dcm': reportOf(MEASURED, authorship('Ana García'))!,
  'report-of-program.dcm': reportOf(MEASURED, authorship())!,
  'report-odd.dcm': reportOf([{ ...MEASURED[0]!, metadata: ODD }], authorship('A^B\\C=😀'))!,
  'selection.dcm': selectionOf(KEYED, authorship()),
  'state.dcm': stateOf({ ...KEYED[1]!, measurements }, { series, at: 1 }, authorship('Ana')),
  'state-of-film.dcm': stateOf({ ...KEYED[0]!, measurements: [] }, { series, at: 2 }, authorship()),
  'state-of-colour.dcm': stateOf(
    { ...keyed(ON_CT, {}, colour), measurements },
    { series, at: 4 },
    authorship(),
  ),
  'state-odd.dcm': stateOf(odd, { series, at: 3 }, authorship()),
};
const pathOf = (name: string) => join(folder, name);
for (const [name, instance] of Object.entries(FILES)) writeFileSync(pathOf(name), writePart10(instance));

const names = Object.keys(FILES);
const documents = names.filter((name) => !name.startsWith('state'));

/** Returns what a program says, on either stream, and that it has ended well. */
function said(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  expect(status).toBe(0);
  return stdout + stderr;
}

/** A private scheme (PS3.16 §8.2) is in no list; of these images nobody knows the side. */
const KNOWN = ['term <99SIG>', 'only permitted to be empty when actually unknown'];

test.each(names)('%s is valid for dciodvfy', (name) => {
  const { stdout, stderr } = spawnSync('/usr/bin/dciodvfy', [pathOf(name)], { encoding: 'utf8' });
  const complaints = (stdout + stderr)
    .split('\n')
    .filter((line) => /^(Error|Warning)/.test(line) && !KNOWN.some((known) => line.includes(known)));
  expect(complaints).toEqual([]);
});

test.each(documents)('%s is a document for dsrdump, without a warning', (name) => {
  const words = said('/usr/bin/dsrdump', pathOf(name));
  const complaints = words.split('\n').filter((line) => /^[EW]: /.test(line));
  // Of what it does not check itself.
  expect(complaints.filter((line) => !/VR checker|template constraints/.test(line))).toEqual([]);
  expect(words).toMatch(/Imaging Measurement Report|Of Interest/);
});

test('dsrdump reads the numbers of all measurements', () => {
  const words = said('/usr/bin/dsrdump', pathOf('report.dcm'));
  for (const line of ['"35" (mm', '"42" (mm', '"14" (mm', '"90" (deg', '"-812" ([hnsf', '"5" ({pixels}'])
    expect(words).toContain(line);
});

describe('pydicom', () => {
  // Debian's own: other installations of Python do not have the package.
  const PROGRAM = `
import json, sys, warnings, pydicom
warnings.simplefilter('error')
pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
read = {}
for path in sys.argv[1:]:
    object = pydicom.dcmread(path)
    for element in object.iterall(): element.value
    meta = object.file_meta
    read[path.rsplit('/', 1)[1]] = dict(
        name=str(object.PatientName), syntax=meta.TransferSyntaxUID,
        same=meta.MediaStorageSOPInstanceUID == object.SOPInstanceUID,
        numbers=[element.value for element in object.iterall() if element.keyword == 'FloatingPointValue'])
print(json.dumps(read))
`;
  const read = (): Record<string, { name: string; syntax: string; same: boolean; numbers: number[] }> =>
    JSON.parse(
      execFileSync('/usr/bin/python3', ['-c', PROGRAM, ...names.map(pathOf)], { encoding: 'utf8' }),
    ) as ReturnType<typeof read>;

  test('reads every value of all files, in its strict mode', () => {
    const found = read();
    expect(Object.keys(found)).toEqual(names);
    for (const one of Object.values(found))
      expect(one).toMatchObject({ syntax: '1.2.840.10008.1.2.1', same: true });
    expect(found['report-odd.dcm']!.name).toBe('O Neill^Zoë 😀 x=山田^太郎');
    expect(found['state-odd.dcm']!.name).toBe('O Neill^Zoë 😀 x=山田^太郎');
    expect(found['report.dcm']!.name).toBe('CASTELLANOS^HELEN^MARIE');
    expect(found['report.dcm']!.numbers.slice(0, 4)).toEqual([35, 42, 14, 90]);
  });
});

test('dcmjs reads the same attributes', () => {
  const require = createRequire(import.meta.url);
  const { data } = require('dcmjs') as {
    data: { DicomMessage: { readFile(bytes: ArrayBuffer): { meta: object; dict: Record<string, object> } } };
  };
  for (const name of names) {
    const { buffer } = new Uint8Array(readFileSync(pathOf(name)));
    const { dict } = data.DicomMessage.readFile(buffer);
    expect(Object.keys(dict).sort()).toEqual(Object.keys({ '00080005': 0, ...FILES[name] }).sort());
  }
});

test('dcmdump finds nothing wrong', () => {
  for (const name of names) expect(said('/usr/bin/dcmdump', pathOf(name))).not.toMatch(/^[EW]: /m);
});

test('the Bundle of measurements and key images is valid FHIR R4', () => {
  const studies = [{ uid: ON_CT.study, id: 'study-ct', modalities: ['CT'], series: [] }];
  const marks = { measured: MEASURED, keyed: KEYED, patient: 'helen', studies };
  for (const by of [authorship('Ana García'), authorship()])
    expect(complaints(JSON.parse(JSON.stringify(bundleOf(marks, by))) as Bundle)).toEqual([]);
});
