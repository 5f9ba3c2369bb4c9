/** A report as it is set: headings, and paragraphs of sentences with links. */
import type { Report } from '../record/record.ts';
import type { Study } from '../study.ts';
import { linkedSentences, type Piece } from './report-links.ts';
import { reportBlocks, type ReportBlock } from './report-text.ts';

export type ReportPart =
  { kind: 'heading'; text: string } | { kind: 'paragraph'; sentences: readonly (readonly Piece[])[] };

export interface ReportParts {
  /** Paragraphs of the author's conclusion, which are read first; none where the report has no heading of it. */
  conclusion: readonly ReportPart[];
  /** All else, in the order of the report. */
  others: readonly ReportPart[];
}

/** Headings of a conclusion in reports of English and Spanish authors; a longer one says something else. */
const CONCLUSION =
  /^(?:impressions?|conclusions?|summary|opinion|impresi[oó]n(?: diagn[oó]stica)?|conclusi[oó]n|conclusiones)$/iu;
/** Headings whose text stands in the report's header already, if it is the same. */
const HEADER =
  /^(?:exam(?:ination)?|study|procedure|date(?: of (?:exam|study))?|accession(?: (?:no|number))?|estudio|examen|fecha)$/iu;

interface Section {
  heading: string | undefined;
  paragraphs: string[];
}

/** Returns a report in parts. @param studies of the record */
export function reportParts(report: Report, studies: readonly Study[]): ReportParts {
  const sections = sectionsOf(reportBlocks(report.text));
  const conclusions = sections.filter(isConclusion);
  // Of two, such as one of an addendum, each stays in its place.
  const only = conclusions.length === 1 && conclusions[0]!.paragraphs.length > 0 ? conclusions[0] : undefined;
  const partsOf = ({ heading, paragraphs }: Section): ReportPart[] =>
    paragraphs.map((text) => ({
      kind: 'paragraph',
      sentences: linkedSentences(text, { studies, of: report.studies, heading }),
    }));
  const others = sections
    .filter((section) => section !== only && !isInHeader(section, report, studies))
    .flatMap((section): ReportPart[] => [
      ...(section.heading === undefined ? [] : [{ kind: 'heading' as const, text: section.heading }]),
      ...partsOf(section),
    ]);
  return { conclusion: only ? partsOf(only) : [], others };
}

const isConclusion = ({ heading }: Section): boolean => heading !== undefined && CONCLUSION.test(heading);

/**
 * Returns the headings, each with the paragraphs below it; the first section has none. In the conclusion of a report whose
 * headings have colons, a line of capitals is no heading but what its author wants to be seen.
 */
function sectionsOf(blocks: readonly ReportBlock[]): Section[] {
  const sections: Section[] = [{ heading: undefined, paragraphs: [] }];
  let hasColon: boolean | undefined = false;
  for (const block of blocks) {
    const section = sections.at(-1)!;
    const isWithin = isConclusion(section) && hasColon && !block.hasColon;
    if (block.kind === 'paragraph' || isWithin) section.paragraphs.push(block.text);
    else {
      sections.push({ heading: block.text, paragraphs: [] });
      hasColon = block.hasColon;
    }
  }
  return sections;
}

/** True for the name of the report, its date, and the accession numbers of its studies: its header has them. */
function isInHeader(
  { heading, paragraphs }: Section,
  { concept, date, studies: of }: Report,
  studies: readonly Study[],
): boolean {
  if (heading === undefined || !HEADER.test(heading) || paragraphs.length === 0) return false;
  const own = studies.filter(({ uid, id }) => of.includes(uid) || of.includes(id));
  const known = [concept.text, date?.slice(0, 10), ...own.flatMap(({ accession }) => accession ?? [])];
  return paragraphs.every((text) => known.some((one) => one?.toLowerCase() === text.trim().toLowerCase()));
}
