import { expect, test } from 'vitest';
import { reportBlocks } from './report-text.ts';

test.each<[string, string[]]>([
  [
    'FINDINGS:\nNormal.\n\nImpression:\n1. Normal.\n2. None.',
    ['# FINDINGS', 'Normal.', '# Impression', '1. Normal.\n2. None.'],
  ],
  ['IMPRESSION: No change.\nSee above.', ['# IMPRESSION', 'No change.\nSee above.']],
  ['DATE: 2026-10-14   ACCESSION: RB26-1', ['# DATE', '2026-10-14', '# ACCESSION', 'RB26-1']],
  ['A normal chest.\r\n\r\nNo effusion.', ['A normal chest.', 'No effusion.']],
  ['OK', ['OK']],
  ['', []],
])('blocks of %j', (text, expected) => {
  expect(
    reportBlocks(text).map((block) => (block.kind === 'heading' ? `# ${block.text}` : block.text)),
  ).toEqual(expected);
});
