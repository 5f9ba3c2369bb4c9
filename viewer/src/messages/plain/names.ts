/**
 * Plain names for what clinicians name by codes. A name comes from a table, or there is none: what is not in a table, and
 * what could mean two things, stays as the record says it, unless only a laboratory would say it so.
 */
import { foldedText } from '../../../../schema/fhir/folded-text.ts';
import { m } from '../compiled/messages.js';
import { getLocale } from '../compiled/runtime.js';
import { modalityName, type Wording } from '../modalities.ts';
import { OBSERVATIONS } from './observations.ts';
import { REGIONS } from './regions.ts';

const LOINC = 'http://loinc.org';

/** The name that a record uses, with its code. */
export interface Coded {
  text: string;
  system?: string;
  code?: string;
  /** True if the text is that of the code. */
  coded?: true;
}

/** The subject of a study, as the record and its images state it. */
export interface Imaged {
  description?: string;
  modalities: readonly string[];
  series: readonly { bodySite?: string }[];
}

/**
 * Parts of the names that LOINC gives (its Users' Guide, chapter 2), which nobody says: properties in brackets, systems,
 * methods, and the abbreviations of short names (`Ferritin SerPl-mCnc`).
 */
const LOINC_NAME =
  /[[\]]|\b(serum|plasma|SerPl\w*|Bld)\b|\b(in|of) \w+ by \w|\bby (automated|manual|test|calculat)|\w\/(volume|mass|time)\b|\/.?1\.73|[a-z]{4}\.[a-z]{4}|-[a-z]Cnc\b/i;

/** Returns the plain name of a result: that of a table, or the record's own words, or `Laboratory result`. */
export function plainResult(concept: Coded): string {
  const isSaid = concept.text !== '' && !concept.coded && !LOINC_NAME.test(concept.text);
  return named(concept) ?? (isSaid ? concept.text : m.laboratoryResult());
}

/** Returns the plain name of a report; undefined if it stays as the record says it. */
export function plainReport(concept: Coded): string | undefined {
  return named(concept) ?? (LOINC_NAME.test(concept.text) ? m.kindReport() : undefined);
}

/** Returns the name of a result for the wording. */
export function nameFor(concept: Coded, wording: Wording): string {
  return wording === 'plain' ? plainResult(concept) : concept.text;
}

function named({ system, code }: Coded): string | undefined {
  return system === LOINC && code !== undefined && Object.hasOwn(OBSERVATIONS, code)
    ? OBSERVATIONS[code]![getLocale()]
    : undefined;
}

/** DICOM modalities (PS3.3 §C.7.3.1.1.1) that accompany images and are none of their own. */
export const ACCOMPANYING: readonly string[] = ['SR', 'KO', 'PR', 'SEG', 'REG', 'DOC', 'FID', 'RWV', 'SC'];
/** Their names say where. */
const WITHOUT_REGION = ['MG', 'ECG'];
/** Something was done besides taking images, which a name made of modality and region would hide. */
const INTERVENTION =
  /\b(biopsy|biopsia|guid\w+|drain\w*|drenaje|inject\w*|infiltra\w*|aspirat\w*|ablat\w*|punc\w+|placement|needle|stent\w*|planning|therap\w*)\b/;
/** Words of descriptions that name a modality: of another one than the images have, they contradict. */
const MODALITY_WORDS = new Map<string, readonly string[]>([
  ...['ct', 'tc', 'tac'].map((word) => [word, ['CT']] as const),
  ...['mri', 'mr', 'rm', 'resonancia'].map((word) => [word, ['MR']] as const),
  ...['ultrasound', 'ecografia'].map((word) => [word, ['US']] as const),
  ...['xr', 'radiografia'].map((word) => [word, ['CR', 'DX']] as const),
  ['pet', ['PT']] as const,
]);
const SIDES = {
  left: /\b(left|lt|izquierd[oa])\b/,
  right: /\b(right|rt|derech[oa])\b/,
  both: /\b(both|bilateral|ambos|ambas)\b/,
};

/** Returns `MRI of the head`; undefined unless the study has one modality, and one region that a table knows. */
export function plainStudy({ description = '', modalities, series }: Imaged): string | undefined {
  const taken = modalities.filter((code) => !ACCOMPANYING.includes(code));
  const [modality] = taken;
  const words = foldedText(description);
  if (modality === undefined || taken.length > 1 || INTERVENTION.test(words)) return undefined;
  if (words.split(/[^a-z]+/).some((word) => MODALITY_WORDS.get(word)?.includes(modality) === false))
    return undefined;
  const name = modalityName(modality, 'plain');
  const region = regionOf(words, series);
  const sides = sidesIn(words);
  // A code that has no plain name is no plainer with a region.
  if (name === modality && modality !== 'ECG') return undefined;
  if (region === 'ambiguous' || sides.length > 1) return undefined;
  if (WITHOUT_REGION.includes(modality)) return withSide(name, sides[0]);
  return region && withSide(`${name} ${REGIONS[region]![getLocale()]}`, sides[0]);
}

type Side = keyof typeof SIDES;

function sidesIn(words: string): Side[] {
  return (Object.keys(SIDES) as Side[]).filter((side) => SIDES[side].test(words));
}

function withSide(name: string, side: Side | undefined): string {
  const said = { left: m.sideLeft, right: m.sideRight, both: m.sideBoth };
  return side === undefined ? name : `${name} (${said[side]()})`;
}

/** Returns the key of the only region that the body sites and the description name. */
function regionOf(words: string, series: Imaged['series']): string | undefined {
  const sites = series.flatMap(({ bodySite }) => (bodySite ? [foldedText(bodySite)] : []));
  const named = [...sites, words].map(regionsIn);
  // A body site that no table knows may be any.
  if (sites.some((_, index) => named[index]!.length === 0)) return 'ambiguous';
  const all = [...new Set(named.flat())];
  const narrowest = all.filter((one) => !all.some((other) => REGIONS[other]!.within === one));
  return narrowest.length > 1 ? 'ambiguous' : narrowest[0];
}

function regionsIn(text: string): string[] {
  const words = text.split(/[^a-z]+/);
  return Object.entries(REGIONS).flatMap(([key, region]) =>
    region.words.some((word) => words.includes(word)) ? [key] : [],
  );
}
