/** Reports and waveforms as documents (DW-8), without HTTP. */
import { expect, test } from 'vitest';
import type { DicomElement, DicomJson } from '../../../schema/dicom/dicom.ts';
import { modalityIcon } from './image/icon.ts';
import { srDocument } from './document/sr-document.ts';
import { firstWaveform } from './document/waveform.ts';
import { waveformSvg } from './document/waveform-svg.ts';

const of = (vr: string, ...Value: unknown[]): DicomElement => ({ vr, Value });
const code = (value: string, scheme: string, meaning: string): DicomElement =>
  of('SQ', { '00080100': of('SH', value), '00080102': of('SH', scheme), '00080104': of('LO', meaning) });
const item = (type: string, name: string, more: DicomJson, children: DicomJson[] = []): DicomJson => ({
  '0040A010': of('CS', 'CONTAINS'),
  '0040A040': of('CS', type),
  '0040A043': code('1', '99X', name),
  ...more,
  ...(children.length > 0 && { '0040A730': of('SQ', ...children) }),
});
const REFERENCE = of('SQ', {
  '00081150': of('UI', '1.2.840.10008.5.1.4.1.1.2'),
  '00081155': of('UI', '1.2.3.4'),
  '00081160': of('IS', 3, 5),
});

test.each<[name: string, content: DicomJson, html: string]>([
  ['TEXT', item('TEXT', 'Finding', { '0040A160': of('UT', 'Line 1\nLine 2') }), 'Line 1\nLine 2'],
  [
    'CODE',
    item('CODE', 'Site', { '0040A168': code('T-28000', 'SRT', 'Lung') }),
    'Lung <span class="code">(T-28000, SRT)</span>',
  ],
  [
    'NUM',
    item('NUM', 'Length', {
      '0040A300': of('SQ', { '0040A30A': of('DS', 12.5), '004008EA': code('mm', 'UCUM', 'millimeter') }),
    }),
    '12.5 <span title="millimeter">mm</span>',
  ],
  [
    'NUM without units',
    item('NUM', 'Count', {
      '0040A300': of('SQ', { '0040A30A': of('DS', 3), '004008EA': code('1', 'UCUM', 'no units') }),
    }),
    '</span> 3</li>',
  ],
  [
    'DATETIME',
    item('DATETIME', 'When', { '0040A120': of('DT', '20260114101530+0100') }),
    '2026-01-14 10:15:30 +0100',
  ],
  ['DATE', item('DATE', 'Day', { '0040A121': of('DA', '20260114') }), '2026-01-14'],
  ['TIME', item('TIME', 'At', { '0040A122': of('TM', '101530.25') }), '10:15:30'],
  ['PNAME', item('PNAME', 'By', { '0040A123': of('PN', { Alphabetic: 'Doe^Jane^^Dr' }) }), 'Dr Jane Doe'],
  ['UIDREF', item('UIDREF', 'UID', { '0040A124': of('UI', '1.2.3') }), '<span class="uid">1.2.3</span>'],
  ['IMAGE', item('IMAGE', 'Of', { '00081199': REFERENCE }), '<span class="uid">1.2.3.4</span>, frame 3, 5'],
  [
    'SCOORD',
    item('SCOORD', 'Where', { '00700023': of('CS', 'POINT'), '00700022': of('FL', 1.5, 2) }),
    'POINT <span class="code">1.5 2</span>',
  ],
  [
    'CONTAINER',
    item('CONTAINER', 'Section', {}, [item('TEXT', 'Inner', { '0040A160': of('UT', 'deep') })]),
    '<h2>Section <span class="code">(1, 99X)</span></h2><ul><li>',
  ],
  ['an item with its own time', item('TEXT', 'X', { '0040A032': of('DT', '2026') }), 'observed 2026'],
  ['an item by reference', { '0040DB73': of('UL', 1, 2) }, 'see item 1.2'],
])('DW-8 a report shows %s', (_, content, html) => {
  expect(srDocument({ '0040A043': code('1', 'X', 'Report'), '0040A730': of('SQ', content) })).toContain(html);
});

test('DW-8 escapes every text of a report', () => {
  const bad = '<script>alert(1)</script>"\'&';
  const html = srDocument({
    '00100010': of('PN', { Alphabetic: bad }),
    '0040A043': code(bad, bad, bad),
    '0040A730': of(
      'SQ',
      item('TEXT', bad, { '0040A160': of('UT', bad) }),
      item(bad, bad, {}),
      item('NUM', bad, {
        '0040A300': of('SQ', { '0040A30A': of('DS', bad), '004008EA': code(bad, bad, bad) }),
      }),
      item('UIDREF', bad, { '0040A124': of('UI', bad) }),
    ),
  });
  expect(html).not.toMatch(/<script|<\/script|=\s*["']?javascript|title="[^"]*<|<img|<a /i);
  expect(html.split('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;').length).toBeGreaterThan(8);
});

test('DW-8 cuts a report that is too long or too deep, and says so', () => {
  const wide = of(
    'SQ',
    ...Array.from({ length: 60_000 }, () => item('TEXT', 'x', { '0040A160': of('UT', 'y') })),
  );
  expect(srDocument({ '0040A730': wide })).toContain('longer than what is shown');
  let deep = item('CONTAINER', 'last', {});
  for (let i = 0; i < 200; i++) deep = item('CONTAINER', 'level', {}, [deep]);
  expect(srDocument({ '0040A730': of('SQ', deep) })).toContain('Deeper content is not shown');
});

/** Two channels of 16 bits: samples 0, 1, 2 and 10, 20, 30. */
function waveformOf(more: DicomJson = {}): DicomJson {
  const samples = Buffer.from(Int16Array.of(0, 10, 1, 20, 2, 30).buffer);
  const channel = (label: string, unit: string, sensitivity: number): DicomJson => ({
    '003A0203': of('SH', label),
    '003A0210': of('DS', sensitivity),
    '003A0211': code(unit, 'UCUM', unit),
    '003A0212': of('DS', 2),
    '003A0213': of('DS', 5),
  });
  const group: DicomJson = {
    '003A0005': of('US', 2),
    '003A0010': of('UL', 3),
    '003A001A': of('DS', 500),
    '003A0200': of('SQ', channel('Lead I (Einthoven)', 'uV', 10), channel('Pressure', 'mmHg', 1)),
    '54001006': of('CS', 'SS'),
    '54001010': { vr: 'OW', InlineBinary: samples.toString('base64') },
    ...more,
  };
  return { '54000100': of('SQ', group) };
}
const noBulk = new Uint8Array();

test('DW-8 separates the channels of a waveform, and applies sensitivity, correction, baseline and label', () => {
  const { frequency, channels } = firstWaveform(waveformOf(), noBulk);
  expect(frequency).toBe(500);
  expect(channels.map(({ label, unit, values }) => [label, unit, ...values])).toEqual([
    ['I', 'uV', 5, 25, 45],
    ['Pressure', 'mmHg', 25, 45, 65],
  ]);
});

test('DW-8 a waveform is drawn whose sequences hold something else than items, and whose names are padded', () => {
  const nothing = { vr: 'SQ', Value: [null] };
  const unnamed = { '003A0208': nothing, '003A0211': nothing };
  const padded = { '003A0203': of('SH', 'Lead  II \0'), '003A0211': code('uV \0', 'UCUM', 'uV') };
  const { channels } = firstWaveform(waveformOf({ '003A0200': of('SQ', unnamed, padded) }), noBulk);
  expect(channels.map(({ label, unit }) => [label, unit])).toEqual([
    ['Channel 1', ''],
    ['II', 'uV'],
  ]);
});

test.each<[name: string, object: DicomJson]>([
  ['none', {}],
  ['without data', waveformOf({ '54001010': { vr: 'OW' } })],
  ['companded samples', waveformOf({ '54001006': of('CS', 'MB') })],
  ['without a frequency', waveformOf({ '003A001A': { vr: 'DS' } })],
])('DW-8 refuses to draw a waveform: %s', (_, object) => {
  expect(() => firstWaveform(object, noBulk)).toThrow('no waveform that can be drawn');
});

test('DW-8 draws an ECG at 25 mm/s and 10 mm/mV', () => {
  // One second at 100 Hz: a spike of a millivolt in the middle.
  const values = Float64Array.from({ length: 101 }, (_, i) => (i === 50 ? 1000 : 0));
  const svg = waveformSvg({ frequency: 100, channels: [{ label: '<V1>', unit: 'uV', values }] }, 'ECG');
  expect(svg).toContain('&lt;V1&gt;');
  const [, line = ''] = /<path d="(M20 [^"]*L[^"]*)"/.exec(svg) ?? [];
  const points = line
    .slice(1)
    .split('L')
    .map((point) => point.split(' ').map(Number));
  const [start, peak, end] = [points[0]!, points[50]!, points.at(-1)!];
  expect(peak[0]! - start[0]!).toBeCloseTo(12.5);
  expect(end[0]! - start[0]!).toBeCloseTo(25);
  expect(start[1]! - peak[1]!).toBeCloseTo(10);
});

test('DW-8 keeps a spike between two points of the drawing', () => {
  const values = Float64Array.from({ length: 10_001 }, (_, i) => (i === 4999 ? 1 : 0));
  const svg = waveformSvg({ frequency: 1000, channels: [{ label: 'I', unit: 'mV', values }] }, 'ECG');
  const heights = [...svg.matchAll(/L[\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y));
  expect(Math.max(...heights) - Math.min(...heights)).toBeCloseTo(10);
  expect(heights.length).toBeLessThan(3000);
});

test('DW-9 the icon of a modality contains only its code', () => {
  expect(modalityIcon('RTSTRUCT')).toContain('>RTSTRUCT</text>');
  expect(modalityIcon('<b>')).toContain('>?</text>');
  expect(modalityIcon('')).toContain('>?</text>');
});
