/** The DICOMDIR of the viewer, judged by DCMTK and dicom3tools. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writePart10 } from '../src/domain/dicom/part10.ts';
import { fileMeta } from '../src/domain/dicom/frame-places.ts';
import { writeDicomdir, type ListedFile } from '../src/domain/files/dicomdir.ts';
import { selectionOf } from '../src/domain/files/key-selection.ts';
import { reportOf } from '../src/domain/files/measurement-report.ts';
import { stateOf } from '../src/domain/files/presentation-file.ts';
import type { Instance } from '../src/domain/instance.ts';
import { authorship, CT, KEYED, MEASURED } from './setup/marks.ts';

const folder = mkdtempSync(join(tmpdir(), 'dicomdir-'));
afterAll(() => rmSync(folder, { recursive: true }));

const of = (vr: string, ...Value: unknown[]) => ({ vr, Value });
const ctOf = (end: string, changes: Instance = {}): Instance => ({
  ...CT,
  '00080018': of('UI', `1.2.20.${end}`),
  ...changes,
});
/** In the order in which they arrive: series and patients are not beside each other. */
const OBJECTS: readonly Instance[] = [
  ctOf('1.5'),
  ctOf('2.1', { '0020000E': of('UI', '1.2.20.2'), '00200011': of('IS', 2) }),
  ctOf('1.6', { '00200013': of('IS', 6) }),
  reportOf(MEASURED, authorship('Ana García'))!,
  selectionOf(KEYED, authorship()),
  stateOf({ ...KEYED[1]!, measurements: [] }, { series: '2.25.77', at: 1 }, authorship('Ana')),
  ctOf('9.1', {
    '00100010': of('PN', { Alphabetic: 'Müller^Åsa' }),
    '00100020': of('LO', 'M-9'),
    '0020000D': of('UI', '1.2.90'),
    '0020000E': of('UI', '1.2.90.1'),
  }),
];
const FILES = OBJECTS.map((metadata, at): ListedFile => {
  const path = ['DICOM', 'S0000001', `I000000${at + 1}`];
  const bytes = writePart10(metadata);
  mkdirSync(join(folder, dirname(path.join('/'))), { recursive: true });
  writeFileSync(join(folder, ...path), bytes);
  return { path, metadata, meta: fileMeta(bytes)! };
});
writeFileSync(join(folder, 'DICOMDIR'), writeDicomdir(FILES, '2.25.4711'));

/** Returns the values of some attributes of a file, as DCMTK reads them, one line for each. */
function valuesIn(name: string, ...tags: string[]): string[] {
  const lines = execFileSync('dcmdump', ['+L', join(folder, name)], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [, tag, value] = /\(([0-9a-f,]{9})\) \w\w \[?([^\]#]*)/.exec(line) ?? [];
    return tag && tags.includes(tag) ? [value!.trim()] : [];
  });
}

test('it lists all files below their series, studies and patients', () => {
  expect(valuesIn('DICOMDIR', '0004,1430')).toEqual([
    'PATIENT',
    'STUDY',
    'SERIES',
    'IMAGE',
    'IMAGE',
    'SERIES',
    'IMAGE',
    'SERIES',
    'SR DOCUMENT',
    'KEY OBJECT DOC',
    'SERIES',
    'PRESENTATION',
    'PATIENT',
    'STUDY',
    'SERIES',
    'IMAGE',
  ]);
  expect(valuesIn('DICOMDIR', '0004,1500').toSorted()).toEqual(FILES.map(({ path }) => path.join('\\')));
  expect(new Set(valuesIn('DICOMDIR', '0004,1511'))).toEqual(new Set(FILES.map(({ meta }) => meta.uid)));
  expect(valuesIn('DICOMDIR', '0010,0010').at(-1)).toBe('Müller^Åsa');
});

test('it is valid for dciodvfy', () => {
  const { stdout, stderr } = spawnSync('/usr/bin/dciodvfy', [join(folder, 'DICOMDIR')], { encoding: 'utf8' });
  expect((stdout + stderr).split('\n').filter((line) => line.startsWith('Error'))).toEqual([]);
});

test('DCMTK follows its offsets: it adds a file to it, and nothing is lost', () => {
  const added = ctOf('1.7', { '00200013': of('IS', 7) });
  writeFileSync(join(folder, 'DICOM', 'S0000001', 'I0000008'), writePart10(added));
  writeFileSync(join(folder, 'COPY'), readFileSync(join(folder, 'DICOMDIR')));
  execFileSync('dcmmkdir', ['+A', '+D', 'COPY', '--invent', 'DICOM/S0000001/I0000008'], { cwd: folder });
  const before = valuesIn('DICOMDIR', '0004,1511');
  expect(valuesIn('COPY', '0004,1511').toSorted()).toEqual([...before, '1.2.20.1.7'].toSorted());
  // It has found the series that is there, and makes no other.
  expect(valuesIn('COPY', '0004,1430').filter((type) => type !== 'IMAGE')).toEqual(
    valuesIn('DICOMDIR', '0004,1430').filter((type) => type !== 'IMAGE'),
  );
});
