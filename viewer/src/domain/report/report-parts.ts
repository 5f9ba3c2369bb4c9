/** A report as it is set: headings, and paragraphs of sentences with links. */
import type { Report } from '../record/record.ts';
import type { Study } from '../study.ts';
import { linkedSentences, type Piece } from './report-links.ts';
import { reportBlocks } from './report-text.ts';

export type ReportPart =
  { kind: 'heading'; text: string } | { kind: 'paragraph'; sentences: readonly (readonly Piece[])[] };

/** @param studies of the record */
export function reportParts({ text, studies: of }: Report, studies: readonly Study[]): ReportPart[] {
  let heading: string | undefined;
  return reportBlocks(text).map((block): ReportPart => {
    if (block.kind === 'heading') {
      heading = block.text;
      return { kind: 'heading', text: block.text };
    }
    return { kind: 'paragraph', sentences: linkedSentences(block.text, { studies, of, heading }) };
  });
}
