/**
 * Links of a report's text to the images that it names. A link must not lie: where a text could mean another study, another
 * series or no image at all, there is none.
 */
import type { ImageReference } from '../series/image-reference.ts';
import { hasImages } from '../series/series-content.ts';
import { isStored, type Series, type Study } from '../study.ts';
import { mentionsOf, type Mention } from './mentions.ts';
import { sentencesOf } from './sentences.ts';

/** A part of a sentence; a link if it names something that is there. */
export interface Piece {
  text: string;
  link?: ImageReference;
}

export interface LinkContext {
  /** All studies of the record. */
  studies: readonly Study[];
  /** Study Instance UIDs, or ids, of the studies that the report is about. */
  of: readonly string[];
  /** The heading above the paragraph. */
  heading?: string | undefined;
}

/** Words of another study than the one that is reported; `smaller than before` is about this one. */
const EARLIER =
  /(?<![\p{L}])(?:prior|previous(?:ly)?|earlier|(?<!than )before|comparison|compared|former|previ[oa]s?|previamente|(?<!que )antes|comparaci[oó]n|comparad[oa]s?|(?:estudio|examen|exploraci[oó]n|informe|control|tc|tac|rm)\s+(?:\p{L}+\s+)?anterior(?:es)?)(?![\p{L}])/iu;
/** A day, or a year: of an earlier study. */
const DATE = /\b(?:\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|(?:19|20)\d{2})\b/;
const UID = /(?<![\d.])[0-2](?:\.(?:0|[1-9]\d*)){4,}(?![\d.]*\d)/g;

/** Returns the sentences of a paragraph, each as pieces that together are its text. */
export function linkedSentences(paragraph: string, context: LinkContext): Piece[][] {
  const own = context.studies.filter(({ uid, id }) => context.of.some((one) => one === uid || one === id));
  return sentencesOf(paragraph).map((sentence) => {
    const studies = studyMentions(sentence, context.studies, own);
    const images = mentionsOf(sentence);
    const links = [
      ...studies.flatMap(({ start, end, study }) =>
        study && !own.includes(study) && isStored(study) ? { start, end, link: { study: study.uid } } : [],
      ),
      ...images.flatMap((mention) => {
        const of = studiesMeant(sentence, mention, { studies, own, heading: context.heading });
        const link = resolve(mention, of, images);
        return link ? { start: mention.start, end: mention.end, link } : [];
      }),
    ];
    return piecesOf(sentence, links);
  });
}

interface StudyMention {
  start: number;
  end: number;
  /** Undefined for a study that the record does not have. */
  study?: Study | undefined;
}

/** Finds accession numbers and Study Instance UIDs, those of unknown studies too. */
function studyMentions(text: string, all: readonly Study[], own: readonly Study[]): StudyMention[] {
  const shapes = new Set([...all, ...own].flatMap(({ accession }) => (accession ? shapeOf(accession) : [])));
  const found: StudyMention[] = [];
  for (const { 0: uid, index } of text.matchAll(UID))
    found.push({ start: index, end: index + uid.length, study: all.find((one) => one.uid === uid) });
  for (const { 0: word, index } of text.matchAll(/[\p{L}\p{N}][\p{L}\p{N}._/-]*[\p{L}\p{N}]/gu)) {
    const having = all.filter(({ accession }) => accession === word);
    const isKnown = word.length >= 4 && having.length > 0;
    if (!isKnown && !(word.length >= 6 && /\d/.test(word) && shapes.has(shapeOf(word)))) continue;
    // Of two studies with one number nobody knows which is meant.
    found.push({
      start: index,
      end: index + word.length,
      study: having.length === 1 ? having[0] : undefined,
    });
  }
  return found;
}

/** `RB26-118204` as `AA00-000000`: what looks so is an accession number of the same kind. */
const shapeOf = (accession: string): string => accession.replace(/\p{L}/gu, 'A').replace(/\p{N}/gu, '0');

/** Returns the studies that a mention may be of; empty where that is not certain. */
function studiesMeant(
  text: string,
  { start, end }: Mention,
  about: { studies: readonly StudyMention[]; own: readonly Study[]; heading: string | undefined },
): readonly Study[] {
  const bracket = openBracket(text.slice(0, start));
  const semicolon = text.lastIndexOf(';', (bracket ?? start) - 1);
  const scope = bracket === 0 ? 0 : semicolon + 1;
  const named = about.studies.filter((one) => one.end <= start && one.start >= scope).at(-1);
  if (named && !(named.study && about.own.includes(named.study))) {
    const between = text.slice(named.end, start);
    return named.study && !/[;)\]]/.test(between) ? [named.study] : [];
  }
  const before = text.slice(scope, start);
  const after = /^[^.;,)\]\n]*/.exec(text.slice(end))![0];
  const isEarlier =
    [before, after, about.heading ?? ''].some((part) => EARLIER.test(part)) || DATE.test(before);
  return isEarlier && !named ? [] : about.own;
}

/** Returns where the bracket stands that is open at the end of a text. */
function openBracket(text: string): number | undefined {
  let depth = 0;
  for (let at = text.length - 1; at >= 0; at--) {
    if (/[)\]]/.test(text[at]!)) depth++;
    else if (/[([]/.test(text[at]!) && depth-- === 0) return at;
  }
  return undefined;
}

/** Returns what a mention names, if exactly one thing in these studies can be meant. */
function resolve(
  { series: number, images, frames }: Mention,
  studies: readonly Study[],
  others: readonly Mention[],
): ImageReference | undefined {
  const candidates = studies
    .filter(isStored)
    .flatMap((study) => study.series.map((series) => ({ study, series })));
  const chosen =
    number === undefined
      ? soleWith(candidates, images!, others)
      : candidates.filter(({ series }) => series.number === number);
  const [only] = chosen;
  if (!only || chosen.length > 1 || (images && !has(only.series, images))) return undefined;
  return {
    study: only.study.uid,
    series: only.series.uid,
    ...(images && { images }),
    ...(frames && { frames }),
  };
}

interface Candidate {
  study: Study;
  series: Series;
}

/** Returns the series in which an image can be whose series is not said. */
function soleWith(
  candidates: readonly Candidate[],
  images: readonly [number, number],
  others: readonly Mention[],
): readonly Candidate[] {
  const pictures = candidates.filter(({ series }) => hasImages(series));
  if (pictures.some(({ series }) => series.numberOfInstances === undefined)) return [];
  const able = pictures.filter(({ series }) => has(series, images));
  // A sentence about series 3 does not go on about another.
  const isOther = others.some(({ series }) => series !== undefined && series !== able[0]?.series.number);
  return isOther ? [] : able;
}

const has = ({ numberOfInstances = 0 }: Series, [from, to]: readonly [number, number]): boolean =>
  from >= 1 && to >= from && to <= numberOfInstances;

/** @param links of parts of the text that do not overlap */
function piecesOf(
  text: string,
  links: readonly { start: number; end: number; link: ImageReference }[],
): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  for (const { start, end, link } of links.toSorted((a, b) => a.start - b.start)) {
    if (start > done) pieces.push({ text: text.slice(done, start) });
    pieces.push({ text: text.slice(start, end), link });
    done = end;
  }
  if (done < text.length) pieces.push({ text: text.slice(done) });
  return pieces;
}
