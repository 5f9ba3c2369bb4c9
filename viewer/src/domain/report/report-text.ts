/** A report's plain text as headings and paragraphs. */

export interface ReportBlock {
  kind: 'heading' | 'paragraph';
  text: string;
  /** Of a heading: true if a colon follows it. */
  hasColon?: boolean;
}

/** A line of capitals, or one that ends with a colon, is a heading: `FINDINGS`, `Impression:`, `IMPRESSION: normal.` */
const HEADING = /^(?:([\p{Lu}][\p{Lu}\d /()&-]{2,60}):?|([\p{Lu}][\p{L} /()&-]{2,40}):)$/u;
const HEADING_WITH_TEXT = /^([\p{Lu}][\p{Lu} /()&-]{3,40}):\s+(\S.*)$/u;
/** Before a heading that stands beside another text: `DATE: 2026-10-14   ACCESSION: RB26-118204`. */
const COLUMN = /\s{2,}(?=\p{Lu}[\p{Lu} /()&-]{3,40}:\s)/u;

/** Splits a report into blocks. Lines of one paragraph stay lines; empty lines separate paragraphs. */
export function reportBlocks(text: string): ReportBlock[] {
  const blocks: ReportBlock[] = [];
  let lines: string[] = [];
  const endParagraph = () => {
    if (lines.length > 0) blocks.push({ kind: 'paragraph', text: lines.join('\n') });
    lines = [];
  };
  for (const line of text.split(/\r?\n/).flatMap((one) => one.trim().split(COLUMN))) {
    const heading = HEADING.exec(line);
    const withText = heading ? null : HEADING_WITH_TEXT.exec(line);
    if (line === '' || heading || withText) endParagraph();
    if (heading)
      blocks.push({ kind: 'heading', text: heading[1] ?? heading[2]!, hasColon: line.endsWith(':') });
    else if (withText) {
      blocks.push({ kind: 'heading', text: withText[1]!, hasColon: true });
      lines.push(withText[2]!);
    } else if (line !== '') lines.push(line);
  }
  endParagraph();
  return blocks;
}
