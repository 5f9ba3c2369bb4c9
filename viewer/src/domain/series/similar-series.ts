/** Finds the series of one study that shows the same as a series of another one. */
import { foldedText } from '../../../../schema/fhir/folded-text.ts';
import type { Series, Study } from '../study.ts';

/** Modalities of projection radiographs: the archive of one year writes CR, that of the next DX. */
const RADIOGRAPHS = ['CR', 'DX', 'RG', 'DR'];
/** Modalities of objects without images of their own. */
const NO_IMAGES = new Set(
  'AU DOC FID KO PLAN PR REG RTDOSE RTPLAN RTRECORD RTSTRUCT RWV SEG SMR SR'.split(' '),
);

/** Words of descriptions that name an orientation; record and archive do not say it in another way. */
const ORIENTATIONS: Record<string, string> = {
  ...named('axial', 'ax axial axiale tra trans transverse transversal'),
  ...named('coronal', 'cor coronal coronale'),
  ...named('sagittal', 'sag sagittal sagittale'),
};
/** Words of the short scans by which the others are planned. */
const LOCALIZERS = new Set('localizer localiser loc scout topogram scanogram surview survey plan'.split(' '));

/** Weights, so that the first of modality, kind, orientation, body site and words decides, mostly. */
const WEIGHT = { modality: 8, localizer: 4, orientation: 3, bodySite: 1, words: 2 };

/**
 * Returns the series of a study that is the most similar: by modality, orientation, description and body site, and of
 * equally similar ones the longest. Undefined if the study has no images.
 * @param series undefined if nothing is known of what it is compared with
 */
export function similarSeries(series: Series | undefined, study: Study): Series | undefined {
  const all = study.series.filter(({ modality }) => !NO_IMAGES.has(modality));
  const rated = all.map((one) => ({ one, points: series ? similarity(series, one) : 0 }));
  rated.sort(
    (a, b) => b.points - a.points || (b.one.numberOfInstances ?? 0) - (a.one.numberOfInstances ?? 0),
  );
  return rated[0]?.one;
}

function similarity(a: Series, b: Series): number {
  const [words, others] = [wordsOf(a), wordsOf(b)];
  return (
    WEIGHT.modality * agreement(familyOf(a), familyOf(b)) +
    WEIGHT.localizer * (isLocalizer(words) === isLocalizer(others) ? 0 : -1) +
    WEIGHT.orientation * agreement(orientationOf(words), orientationOf(others)) +
    WEIGHT.bodySite * agreement(a.bodySite?.toLowerCase(), b.bodySite?.toLowerCase()) +
    WEIGHT.words * shared(words, others)
  );
}

/** Returns 1 for the same, -1 for different values, 0 if one is unknown. */
function agreement(a: string | undefined, b: string | undefined): number {
  if (!a || !b) return 0;
  return a === b ? 1 : -1;
}

function familyOf({ modality }: Series): string {
  return RADIOGRAPHS.includes(modality) ? 'DX' : modality;
}

/** Numbers belong to their unit: `5 mm` and `1.5 mm` have no word in common. */
function wordsOf({ description = '' }: Series): ReadonlySet<string> {
  const plain = foldedText(description);
  const joined = plain.replace(/(\d)\s+(mm|ms|s)\b/g, '$1$2');
  return new Set(joined.split(/[^\p{L}\p{N}.]+/u).filter(Boolean));
}

function orientationOf(words: ReadonlySet<string>): string | undefined {
  return [...words].map((word) => ORIENTATIONS[word]).find((found) => found !== undefined);
}

function isLocalizer(words: ReadonlySet<string>): boolean {
  return [...words].some((word) => LOCALIZERS.has(word));
}

/** Returns the share of words that both have, from 0 to 1. */
function shared(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const both = [...a].filter((word) => b.has(word)).length;
  const all = a.size + b.size - both;
  return all === 0 ? 0 : both / all;
}

function named(orientation: string, words: string): Record<string, string> {
  return Object.fromEntries(words.split(' ').map((word) => [word, orientation]));
}
