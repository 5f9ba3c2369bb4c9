import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { nearestName } from '../../../schema/fhir/nearest-name.ts';
import { items, string, strings } from '../dicom/dicom-text.ts';
import type { StudyRecord } from '../study/studies.ts';
import { BODY_REGIONS } from './body-regions.ts';
import { MODALITY_FAMILIES, NOT_COMPARED } from './modality-families.ts';

/** Which earlier studies are comparable with a study, from its rows alone (FG-18). */

/** Arguments of `priors`; what is given replaces the comparison. */
export interface PriorsArguments {
  modality?: readonly string[] | null;
  bodySite?: readonly string[] | null;
}

type Rows = Pick<StudyRecord, 'study' | 'series'>;

/** The facts by which studies are compared. */
interface ComparedStudy {
  modalities: ReadonlySet<string>;
  regions: ReadonlySet<string>;
  /** Sides of paired regions. */
  sides: ReadonlySet<string>;
  /** Procedure codes, as `scheme value`. */
  procedures: ReadonlySet<string>;
}

const familyOf = new Map(
  Object.entries(MODALITY_FAMILIES).flatMap(([family, all]) => all.map((one) => [one, family] as const)),
);
const regionsOfTerm = regionsBy('terms');
const regionsOfCode = regionsBy('codes');

function regionsBy(kind: 'terms' | 'codes'): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, region] of Object.entries(BODY_REGIONS))
    for (const key of region[kind]) found.set(key, [...(found.get(key) ?? []), name]);
  return found;
}

/** Writes a term of Body Part Examined as the table has it. */
const termOf = (text: string): string => text.toUpperCase().replace(/[^A-Z0-9]/g, '');

const PROCEDURE_CODES = '00081032';
const REQUESTED_PROCEDURE_CODES = '00321064';
const ANATOMIC_REGIONS = '00082218';

const known = new WeakMap<DicomJson, ComparedStudy & { series: readonly DicomJson[] }>();

/** Returns the facts of a study; kept with its rows. */
function comparedStudy({ study, series }: Rows): ComparedStudy {
  const kept = known.get(study);
  if (kept?.series === series) return kept;
  const regions = series.flatMap(regionsOf);
  const compared = {
    series,
    modalities: new Set(modalitiesOf(study, series)),
    regions: new Set(regions.map(({ region }) => region)),
    sides: new Set(regions.flatMap(({ side }) => side ?? [])),
    procedures: new Set([
      ...codesOf(study, PROCEDURE_CODES),
      ...[study, ...series].flatMap((row) => codesOf(row, REQUESTED_PROCEDURE_CODES)),
      ...series.flatMap((row) =>
        items(row, Tag.RequestAttributesSequence).flatMap((one) => codesOf(one, REQUESTED_PROCEDURE_CODES)),
      ),
    ]),
  };
  known.set(study, compared);
  return compared;
}

function modalitiesOf(study: DicomJson, series: readonly DicomJson[]): string[] {
  return [...strings(study, Tag.ModalitiesInStudy), ...series.flatMap((row) => strings(row, Tag.Modality))]
    .map((code) => code.toUpperCase())
    .filter((code) => !NOT_COMPARED.includes(code));
}

function regionsOf(row: DicomJson): { region: string; side: string | undefined }[] {
  const term = string(row, Tag.BodyPartExamined);
  const codes = items(row, ANATOMIC_REGIONS).flatMap((one) => string(one, '00080100') ?? []);
  const names = [
    ...(term === undefined ? [] : (regionsOfTerm.get(termOf(term)) ?? [])),
    ...codes.flatMap((code) => regionsOfCode.get(code) ?? []),
  ];
  const side = /^[LR]$/.exec(string(row, Tag.Laterality)?.toUpperCase() ?? '')?.[0];
  return [...new Set(names)].map((region) => ({ region, side: BODY_REGIONS[region]!.paired && side }));
}

function codesOf(dataset: DicomJson, sequence: string): string[] {
  return items(dataset, sequence).flatMap((item) => {
    const [value, scheme] = [string(item, '00080100'), string(item, '00080102')];
    return value && scheme ? [`${scheme} ${value}`] : [];
  });
}

/**
 * Returns the test for earlier studies that are comparable with a study. Whose studies they are is the caller's to decide.
 * @throws Fault `invalid_request` for an argument without values, and for a body site that is not in the table
 */
export function priorTo(current: Rows, args: PriorsArguments): (candidate: Rows) => boolean {
  const of = comparedStudy(current);
  const modalities = args.modality && givenModalities(args.modality);
  const regions = args.bodySite && givenRegions(args.bodySite);
  return (candidate) => {
    if (!isEarlier(candidate.study, current.study)) return false;
    const other = comparedStudy(candidate);
    const sameModality = modalities
      ? meets(modalities, other.modalities)
      : meets(families(of.modalities), families(other.modalities));
    if (!sameModality) return false;
    return regions ? meets(regions, other.regions) : isSameRegion(of, other);
  };
}

/** Compares regions; the same procedure code is enough. A study without a known region is compared by modality alone. */
function isSameRegion(of: ComparedStudy, other: ComparedStudy): boolean {
  if (meets(of.procedures, other.procedures)) return !isOtherSide(of, other);
  if (of.regions.size === 0) return other.regions.size === 0;
  return meets(of.regions, other.regions) && !isOtherSide(of, other);
}

function isOtherSide(of: ComparedStudy, other: ComparedStudy): boolean {
  return of.sides.size > 0 && other.sides.size > 0 && !meets(of.sides, other.sides);
}

function families(modalities: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...modalities].map((one) => familyOf.get(one) ?? one));
}

function meets(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...some].some((one) => others.has(one));
}

/** Returns true if a study was begun before another; a study without a date is neither earlier nor later. */
function isEarlier(one: DicomJson, other: DicomJson): boolean {
  const dates = [one, other].map((row) => string(row, Tag.StudyDate)?.replaceAll('.', ''));
  const [date, otherDate] = dates;
  if (!date || !otherDate || date !== otherDate) return Boolean(date && otherDate && date < otherDate);
  const [time, otherTime] = [one, other].map((row) => string(row, Tag.StudyTime)?.replaceAll(':', ''));
  return Boolean(time && otherTime && time < otherTime);
}

function givenModalities(values: readonly string[]): ReadonlySet<string> {
  if (values.length === 0) throw withoutValues('modality');
  return new Set(values.map((value) => value.slice(value.lastIndexOf('|') + 1).toUpperCase()));
}

function givenRegions(values: readonly string[]): ReadonlySet<string> {
  if (values.length === 0) throw withoutValues('bodySite');
  return new Set(values.flatMap(regionsNamed));
}

/** Returns the regions of a region's name, a term of Body Part Examined, or a SNOMED CT code. */
function regionsNamed(value: string): readonly string[] {
  const name = value.slice(value.lastIndexOf('|') + 1);
  const region = Object.keys(BODY_REGIONS).find((one) => one.toLowerCase() === name.toLowerCase());
  const found = region ? [region] : (regionsOfCode.get(name) ?? regionsOfTerm.get(termOf(name)));
  if (found) return found;
  const nearest = nearestName(termOf(name), regionsOfTerm.keys());
  throw new Fault(
    'invalid_request',
    `bodySite takes terms of Body Part Examined and SNOMED CT codes of regions that are compared. The nearest is "${nearest}".`,
  );
}

function withoutValues(argument: string): Fault {
  return new Fault('invalid_request', `${argument} has no value. Leave it out to compare with the study.`);
}
