import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { nearestName } from '../../../schema/fhir/nearest-name.ts';
import { string } from '../dicom/dicom-text.ts';
import { BODY_REGIONS } from './body-regions.ts';
import {
  comparedStudy,
  regionsOfCode,
  regionsOfTerm,
  termOf,
  type ComparableStudy,
  type ComparedStudy,
} from './compared-study.ts';
import { MODALITY_FAMILIES } from './modality-families.ts';

/** Finds the earlier studies that are comparable with a study, by the statements of its archive and of the clinical record (FG-18). */

/** Arguments of `priors`; what is given replaces the comparison. */
export interface PriorsArguments {
  modality?: readonly string[] | null;
  bodySite?: readonly string[] | null;
}

const familyOf = new Map(
  Object.entries(MODALITY_FAMILIES).flatMap(([family, all]) => all.map((one) => [one, family] as const)),
);
/** Status of studies of the record that were not made, or not of this patient. */
const NOT_DONE: ReadonlySet<string> = new Set(['cancelled', 'entered-in-error']);

/**
 * Returns the test for earlier studies that are comparable with a study. Whose studies they are is the caller's to decide.
 * @throws Fault `invalid_request` for an argument without values, and for a body site that is not in the table
 */
export function priorTo(
  current: ComparableStudy,
  args: PriorsArguments,
): (candidate: ComparableStudy) => boolean {
  const of = comparedStudy(current);
  const modalities = args.modality && givenModalities(args.modality);
  const regions = args.bodySite && givenRegions(args.bodySite);
  return (candidate) => {
    if (NOT_DONE.has(candidate.study.status) || !isEarlier(candidate, current)) return false;
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

/**
 * Returns true if a study was begun before another; a study without a date is neither earlier nor later. Two studies of
 * archives are compared by their DICOM dates and times, others as far as both `started` are exact.
 */
function isEarlier(one: ComparableStudy, other: ComparableStudy): boolean {
  const dates = [one, other].map(({ record }) => record && dateIn(record.study));
  if (one.record && other.record && dates[0] && dates[1]) {
    if (dates[0] !== dates[1]) return dates[0] < dates[1];
    const [time, otherTime] = [one.record.study, other.record.study].map((row) =>
      string(row, Tag.StudyTime)?.replaceAll(':', ''),
    );
    return Boolean(time && otherTime && time < otherTime);
  }
  const [started, otherStarted] = [one.study.started, other.study.started];
  if (!started || !otherStarted) return false;
  if (started.includes('T') && otherStarted.includes('T'))
    return Date.parse(started) < Date.parse(otherStarted);
  const exact = Math.min(started.length, otherStarted.length, '2026-01-01'.length);
  return started.slice(0, exact) < otherStarted.slice(0, exact);
}

const dateIn = (row: DicomJson): string | undefined => string(row, Tag.StudyDate)?.replaceAll('.', '');

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
