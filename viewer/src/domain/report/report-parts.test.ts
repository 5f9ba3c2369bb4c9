import { expect, test } from 'vitest';
import type { Report } from '../record/record.ts';
import type { Study } from '../study.ts';
import { reportParts, type ReportPart } from './report-parts.ts';

const STUDY: Study = {
  uid: '1.2.3',
  id: 'study',
  description: 'CT chest',
  accession: 'RB26-1',
  modalities: ['CT'],
  series: [],
};
const words = (parts: readonly ReportPart[]) =>
  parts.map((part) =>
    part.kind === 'heading'
      ? `# ${part.text}`
      : part.sentences
          .flat()
          .map(({ text }) => text)
          .join(''),
  );

test.each<[what: string, text: string, conclusion: string[], others: string[]]>([
  [
    'the conclusion first',
    'FINDINGS:\nNormal.\n\nIMPRESSION: No change.\n\nTECHNIQUE:\nNo contrast.',
    ['No change.'],
    ['# FINDINGS', 'Normal.', '# TECHNIQUE', 'No contrast.'],
  ],
  [
    'in Spanish',
    'HALLAZGOS:\nNormal.\n\nCONCLUSIÓN: Sin cambios.',
    ['Sin cambios.'],
    ['# HALLAZGOS', 'Normal.'],
  ],
  ['no heading', 'A normal chest.', [], ['A normal chest.']],
  [
    'what the header has already',
    'EXAM: CT CHEST\nDATE: 2026-10-14   ACCESSION: RB26-1\n\nFINDINGS:\nNormal.',
    [],
    ['# FINDINGS', 'Normal.'],
  ],
  [
    'two conclusions stay where they are',
    'IMPRESSION: Normal.\n\nADDENDUM:\nCorrected.\n\nIMPRESSION: A fracture.',
    [],
    ['# IMPRESSION', 'Normal.', '# ADDENDUM', 'Corrected.', '# IMPRESSION', 'A fracture.'],
  ],
  [
    'a longer heading is another one',
    'IMPRESSION - LEFT BREAST:\nNormal.',
    [],
    ['# IMPRESSION - LEFT BREAST', 'Normal.'],
  ],
  [
    'a line of capitals in a conclusion belongs to it',
    'FINDINGS:\nStones.\n\nIMPRESSION:\nNormal liver.\nACUTE CHOLECYSTITIS\nCall the surgeon.',
    ['Normal liver.', 'ACUTE CHOLECYSTITIS', 'Call the surgeon.'],
    ['# FINDINGS', 'Stones.'],
  ],
  [
    'headings without colons end it',
    'IMPRESSION\nNo change.\nFINDINGS\nNormal.',
    ['No change.'],
    ['# FINDINGS', 'Normal.'],
  ],
  ['an empty one stays', 'IMPRESSION:\n\nFINDINGS:\nNormal.', [], ['# IMPRESSION', '# FINDINGS', 'Normal.']],
  [
    'what the header does not have',
    'EXAM: CT CHEST AND ABDOMEN\nACCESSION: RB26-2\n\nFINDINGS:\nNormal.',
    [],
    ['# EXAM', 'CT CHEST AND ABDOMEN', '# ACCESSION', 'RB26-2', '# FINDINGS', 'Normal.'],
  ],
])('%s', (_, text, conclusion, others) => {
  const report: Report = {
    id: 'report',
    concept: { text: 'CT chest' },
    status: 'final',
    date: '2026-10-14T10:30:00Z',
    text,
    attachments: [],
    studies: ['1.2.3'],
    results: [],
  };
  const parts = reportParts(report, [STUDY]);
  expect(words(parts.conclusion)).toEqual(conclusion);
  expect(words(parts.others)).toEqual(others);
});
