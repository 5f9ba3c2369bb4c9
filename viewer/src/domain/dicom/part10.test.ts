import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Attribute, Instance } from '../instance.ts';
import { readPart10 } from './part10-reader.ts';
import { decimal, writePart10 } from './part10.ts';

const of = (vr: string, ...Value: unknown[]): Attribute => ({ vr, Value });
const NAMED: Instance = {
  '00080005': of('CS', 'ISO_IR 192'),
  '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.88.34'),
  '00080018': of('UI', '2.25.1'),
  '0020000D': of('UI', '1.2.3'),
};
const folder = mkdtempSync(join(tmpdir(), 'part10-'));
afterAll(() => rmSync(folder, { recursive: true }));

function again(instance: Instance): Instance {
  const reading = readPart10(writePart10({ ...NAMED, ...instance }));
  if ('refused' in reading) throw new Error(reading.refused);
  return reading.instance;
}

test.each<[tag: string, value: Attribute]>([
  ['00280009', of('AT', '00181063', '7FE00010')],
  ['00186011', of('SQ', { '00186012': of('US', 1), '00186013': of('SQ') }, {})],
  ['00700022', of('FL', 0.5, -12.25, 1e10)],
  ['0040A161', of('FD', 0.1, Math.PI)],
  ['00700052', of('SL', -5, 70000)],
  ['00280106', of('SS', -3)],
  ['00720082', of('SV', -5_000_000_000)],
  ['00041220', of('UL', 4_000_000_000)],
  ['00280010', of('US', 512, 65535)],
  ['00720083', of('UV', 5_000_000_000)],
  ['00100010', of('PN', { Alphabetic: 'Müller^Åsa', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' })],
  ['00100010', of('PN', { Ideographic: '山田' })],
  ['00280030', of('DS', 0.7, 1)],
  ['00200013', of('IS', 12)],
  ['00080008', of('CS', 'ORIGINAL', 'PRIMARY')],
  ['00081030', of('LO', 'one', null, 'three 😀')],
  ['00102000', of('LO')],
  ['0040A160', of('UT', 'a\\b\r\nc')],
  ['00081190', of('UR', 'https://a.example/b?c')],
  ['00080119', of('UC', 'x'.repeat(70_000))],
  ['00420011', { vr: 'OB', InlineBinary: 'AQID' }],
])('%s is read as it was written (%#)', (tag, value) => {
  const read = again({ [tag]: value })[tag]!;
  // A byte of padding is no value, and one that is empty has no list.
  if (value.InlineBinary) expect(read.InlineBinary).toBe('AQIDAA==');
  else expect({ Value: [], ...read }).toEqual(withoutEmpty(value));
});

/** Sequences that are written empty stay lists. */
const withoutEmpty = (value: Attribute): Attribute =>
  value.vr === 'SQ' ? of('SQ', { '00186012': of('US', 1), '00186013': of('SQ') }, {}) : value;

test('values are as long as an even number of bytes, and attributes are in the order of their tags', () => {
  const bytes = writePart10({ '00200010': of('SH', 'odd'), ...NAMED, '00080060': of('CS', 'SR') });
  const written = new TextDecoder('latin1').decode(bytes);
  expect(written.slice(128, 132)).toBe('DICM');
  expect(written).toContain('odd ');
  expect(written).toContain('2.25.1');
  expect(bytes.length % 2).toBe(0);
  expect(written.indexOf('CS\x02\0SR')).toBeLessThan(written.indexOf('odd'));
});

test('a backslash, an equals sign and control characters become spaces where they would mean something else', () => {
  const read = again({
    '00100010': of('PN', { Alphabetic: 'A\\B=C^D\n\u0000' }),
    '00081030': of('LO', 'C:\\new\tline'),
    '0040A160': of('UT', 'kept \\ and\nnot\tthis \u0007'),
  });
  expect(read['00100010']!.Value).toEqual([{ Alphabetic: 'A B C^D' }]);
  expect(read['00081030']!.Value).toEqual(['C: new line']);
  expect(read['0040A160']!.Value).toEqual(['kept \\ and\nnot this']);
});

test.each([
  [0.1, '0.1'],
  [1 / 3, '0.33333333333333'],
  [-1 / 3, '-0.3333333333333'],
  [1e-20 / 3, '3.333333333e-21'],
  [123456789012345680, '1.2345678901e+17'],
])('%d is a decimal string of 16 characters at most: %s', (value, written) => {
  expect(decimal(value).length).toBeLessThanOrEqual(16);
  expect(Number(decimal(value)) / Number(written)).toBeCloseTo(1, 9);
});

test.each<[what: string, tag: string, value: Attribute]>([
  ['a number that is none', '00700022', of('FL', NaN)],
  ['a decimal that is none', '00280030', of('DS', Infinity)],
  ['a text that is too long', '00081030', of('LO', 'x'.repeat(70_000))],
  ['an unknown value representation', '00081030', of('XX', 'x')],
  ['bytes that are elsewhere', '7FE00010', { vr: 'OW', BulkDataURI: 'https://a.example' }],
])('%s is written in no file', (_what, tag, value) => {
  expect(() => writePart10({ ...NAMED, [tag]: value })).toThrow(RangeError);
  expect(() => writePart10({ '00080018': of('UI', '1.2') })).toThrow(RangeError);
});

const SAMPLE = writePart10({
  ...NAMED,
  '0040A730': of('SQ', { '0040A040': of('CS', 'TEXT'), '0040A160': of('UT', 'words') }),
  '0040A993': of('LO', 'last'),
});

test('a file that is cut is refused, wherever it ends within a value', () => {
  const whole = readPart10(SAMPLE);
  expect(whole).toHaveProperty('instance');
  for (let length = 0; length < SAMPLE.length; length++) {
    const reading = readPart10(SAMPLE.slice(0, length));
    if (length < 132) expect(reading).toEqual({ refused: 'foreign' });
    // Between two attributes nothing says that there were more.
    else if ('instance' in reading) expect(reading).not.toEqual(whole);
    else expect(['cut', 'encoding']).toContain(reading.refused);
  }
});

test('bytes that are changed never throw, and lengths beyond the end are refused', () => {
  for (let at = 128; at < SAMPLE.length; at++)
    for (const value of [0, 0xff, 0x80]) {
      const changed = SAMPLE.slice();
      changed[at] = value;
      expect(() => readPart10(changed)).not.toThrow();
    }
  expect(readPart10(new Uint8Array(1000))).toEqual({ refused: 'foreign' });
  expect(readPart10(new TextEncoder().encode('{"resourceType":"Bundle"}'))).toEqual({ refused: 'foreign' });
});

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

test('DCMTK reads it, and what DCMTK writes is read here, also with lengths that are not defined', () => {
  const [file, open, implicit] = ['a.dcm', 'b.dcm', 'c.dcm'].map((name) => join(folder, name));
  writeFileSync(file!, SAMPLE);
  expect(run('/usr/bin/dcmdump', '+Ep', file!)).toMatch(/UT \[words\].*\n[^]*LO \[last\]/);
  run('/usr/bin/dcmconv', '+te', '-e', file!, open!);
  const { instance } = readPart10(SAMPLE) as { instance: Instance };
  expect(readPart10(new Uint8Array(readFileSync(open!)))).toEqual({ instance });
  run('/usr/bin/dcmconv', '+ti', file!, implicit!);
  expect(readPart10(new Uint8Array(readFileSync(implicit!)))).toEqual({ refused: 'encoding' });
});

test.each([
  ['ISO_IR 100', [0xc4], 'Ä'],
  ['ISO_IR 144', [0xb1], 'Б'],
  ['GB18030', [0xcd, 0xf5], '王'],
  ['', [0x41], 'A'],
])('texts of %s are read', (named, bytes, expected) => {
  const written = writePart10({ ...NAMED, '00081030': of('LO', 'x'.repeat(bytes.length)) });
  const at = new TextDecoder('latin1').decode(written).indexOf('LO', 140) + 4;
  written.set(bytes, at);
  const characters = new TextEncoder().encode(named.padEnd(10));
  written.set(characters, new TextDecoder('latin1').decode(written).indexOf('ISO_IR 192'));
  expect(readPart10(written)).toMatchObject({ instance: { '00081030': { Value: [expected] } } });
});
