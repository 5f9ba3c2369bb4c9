/** Objects without images, as metadata: a measurement report, a PDF and an electrocardiogram. */
import type { Instance } from '../../src/domain/instance.ts';

const HELEN: Instance = {
  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'CASTELLANOS^HELEN^MARIE' }] },
  '00100020': { vr: 'LO', Value: ['MRN-0004711'] },
  '00100030': { vr: 'DA', Value: ['19720501'] },
};

const codes = (value: string, meaning: string, scheme = 'SCT') => ({
  vr: 'SQ',
  Value: [
    {
      '00080100': { vr: 'SH', Value: [value] },
      '00080102': { vr: 'SH', Value: [scheme] },
      '00080104': { vr: 'LO', Value: [meaning] },
    },
  ],
});
const item = (type: string, name: [string, string], rest: Instance = {}): Instance => ({
  '0040A010': { vr: 'CS', Value: ['CONTAINS'] },
  '0040A040': { vr: 'CS', Value: [type] },
  '0040A043': codes(...name),
  ...rest,
});
const below = (...items: Instance[]) => ({ '0040A730': { vr: 'SQ', Value: items } });
const object = (instance: string) => ({ vr: 'SQ', Value: [{ '00081155': { vr: 'UI', Value: [instance] } }] });

/** The longest diameter of a lesion on image 14 of series 3 of Helen's MR, and an item that is broken. */
export const REPORT: Instance = {
  ...HELEN,
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.88.33'] },
  '00080018': { vr: 'UI', Value: ['1.2.10.4.1'] },
  '0040A043': codes('126000', 'Imaging Measurement Report', 'DCM'),
  '0040A491': { vr: 'CS', Value: ['COMPLETE'] },
  '0040A493': { vr: 'CS', Value: ['UNVERIFIED'] },
  '0040A375': {
    vr: 'SQ',
    Value: [
      {
        '0020000D': { vr: 'UI', Value: ['1.2.10'] },
        '00081115': {
          vr: 'SQ',
          Value: [{ '0020000E': { vr: 'UI', Value: ['1.2.10.3'] }, '00081199': object('1.2.10.3.14') }],
        },
      },
    ],
  },
  ...below(
    item(
      'CONTAINER',
      ['125007', 'Measurement Group'],
      below(
        item('TEXT', ['112039', 'Tracking Identifier'], { '0040A160': { vr: 'UT', Value: ['Lesion 1'] } }),
        item('UIDREF', ['112040', 'Tracking Unique Identifier'], {
          '0040A124': { vr: 'UI', Value: ['2.25.77'] },
        }),
        item('CODE', ['363698007', 'Finding Site'], { '0040A168': codes('83251001', 'Left frontal lobe') }),
        item('NUM', ['103339001', 'Long Axis'], {
          '0040A300': {
            vr: 'SQ',
            Value: [{ '0040A30A': { vr: 'DS', Value: [9] }, '004008EA': codes('mm', 'millimeter', 'UCUM') }],
          },
          ...below(
            item('SCOORD', ['121055', 'Path'], {
              '00700022': { vr: 'FL', Value: [100.5, 200.5, 140.5, 230.5] },
              '00700023': { vr: 'CS', Value: ['POLYLINE'] },
              ...below(item('IMAGE', ['260753009', 'Source'], { '00081199': object('1.2.10.3.14') })),
            }),
          ),
        }),
        item('IMAGE', ['260753009', 'Source'], { '00081199': object('9.9.9') }),
        item('TEXT', ['121106', 'Comment']),
      ),
    ),
  ),
};

export const PDF: Instance = {
  ...HELEN,
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.104.1'] },
  '00080018': { vr: 'UI', Value: ['1.2.10.4.1'] },
  '00420010': { vr: 'ST', Value: ['Radiology report'] },
  '00420012': { vr: 'LO', Value: ['application/pdf'] },
  '00420011': { vr: 'OB', BulkDataURI: 'https://images.example/bulk/pdf' },
};

const LEADS = ['I', 'II', 'III'];
const FREQUENCY = 250;

/** Three leads of four seconds, one beat a second: samples of 5 µV in which lead II is twice lead I. */
export function electrocardiogramBytes(): Uint8Array {
  const samples = new Int16Array(4 * FREQUENCY * LEADS.length);
  for (let n = 0; n < 4 * FREQUENCY; n++) {
    const beat = (n % FREQUENCY) / FREQUENCY;
    const height =
      200 * Math.exp(-((beat - 0.2) ** 2) / 0.0002) + 40 * Math.exp(-((beat - 0.5) ** 2) / 0.004);
    [0.5, 1, 0.5].forEach((part, lead) => {
      samples[n * LEADS.length + lead] = Math.round(height * part);
    });
  }
  return new Uint8Array(samples.buffer);
}

export const ELECTROCARDIOGRAM: Instance = {
  ...HELEN,
  '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.9.1.1'] },
  '00080018': { vr: 'UI', Value: ['1.2.10.4.1'] },
  '0040B020': {
    vr: 'SQ',
    Value: [
      { '00700006': { vr: 'ST', Value: ['SINUS RHYTHM'] } },
      {
        '0040A043': codes('5.10.2.1-3', 'RR Interval', 'SCPECG'),
        '0040A30A': { vr: 'DS', Value: [1000] },
        '004008EA': codes('ms', 'milliseconds', 'UCUM'),
      },
    ],
  },
  '54000100': {
    vr: 'SQ',
    Value: [
      {
        '003A0005': { vr: 'US', Value: [LEADS.length] },
        '003A0010': { vr: 'UL', Value: [4 * FREQUENCY] },
        '003A001A': { vr: 'DS', Value: [FREQUENCY] },
        '003A0200': {
          vr: 'SQ',
          Value: LEADS.map((lead) => ({
            '003A0203': { vr: 'SH', Value: [`Lead ${lead}`] },
            '003A0210': { vr: 'DS', Value: [5] },
            '003A0211': codes('uV', 'microvolt', 'UCUM'),
            '003A0220': { vr: 'DS', Value: [0.05] },
            '003A0221': { vr: 'DS', Value: [150] },
            '003A0222': { vr: 'DS', Value: [50] },
          })),
        },
        '54001006': { vr: 'CS', Value: ['SS'] },
        '54001010': { vr: 'OW', BulkDataURI: 'https://images.example/bulk/ecg' },
      },
    ],
  },
};
