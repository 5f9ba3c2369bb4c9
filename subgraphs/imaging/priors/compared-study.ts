import type { CodeableConcept, Coding, ImagingStudy } from 'fhir/r4.js';
import { items, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { string, strings } from '../dicom/dicom-text.ts';
import { codeSystem } from '../measurements/sr-code.ts';
import type { RecordStudy } from '../study/record/record-study.ts';
import type { StudyRecord } from '../study/study-records.ts';
import { BODY_REGIONS } from './body-regions.ts';
import { NOT_COMPARED } from './modality-families.ts';

/** A study with its halves: rows of an archive, the resource of the clinical record, or both (IA-34). */
export interface ComparableStudy {
  /** The resource of both halves. */
  study: Pick<ImagingStudy, 'started' | 'status'>;
  record?: Pick<StudyRecord, 'study' | 'series'>;
  own?: Pick<RecordStudy, 'resource'>;
}

/** The facts by which studies are compared. */
export interface ComparedStudy {
  modalities: ReadonlySet<string>;
  regions: ReadonlySet<string>;
  /** Sides of paired regions. */
  sides: ReadonlySet<string>;
  /** Procedure codes, as `system value`. */
  procedures: ReadonlySet<string>;
}

/** Regions by term of Body Part Examined. */
export const regionsOfTerm = regionsBy('terms');
/** Regions by SNOMED CT code. */
export const regionsOfCode = regionsBy('codes');

function regionsBy(kind: 'terms' | 'codes'): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [name, region] of Object.entries(BODY_REGIONS))
    for (const key of region[kind]) found.set(key, [...(found.get(key) ?? []), name]);
  return found;
}

/** Writes a term of Body Part Examined as the table has it. */
export const termOf = (text: string): string => text.toUpperCase().replace(/[^A-Z0-9]/g, '');

const SNOMED = 'http://snomed.info/sct';
const PROCEDURE_CODES = '00081032';
const REQUESTED_PROCEDURE_CODES = '00321064';
const ANATOMIC_REGIONS = '00082218';

/** Returns the facts of a study: of both halves. */
export function comparedStudy({ record, own }: ComparableStudy): ComparedStudy {
  const halves = [...(record ? [ofRows(record)] : []), ...(own ? [ofResource(own.resource)] : [])];
  const [only, other] = halves;
  return only && !other ? only : united(halves);
}

function united(halves: readonly ComparedStudy[]): ComparedStudy {
  const all = (fact: keyof ComparedStudy) => new Set(halves.flatMap((half) => [...half[fact]]));
  return {
    modalities: all('modalities'),
    regions: all('regions'),
    sides: all('sides'),
    procedures: all('procedures'),
  };
}

/** The facts of rows, kept with them. */
const known = new WeakMap<DicomJson, ComparedStudy & { series: readonly DicomJson[] }>();

function ofRows({ study, series }: Pick<StudyRecord, 'study' | 'series'>): ComparedStudy {
  const kept = known.get(study);
  if (kept?.series === series) return kept;
  const compared = {
    series,
    modalities: modalitiesIn(
      [study, ...series].flatMap((row) => [
        ...strings(row, Tag.ModalitiesInStudy),
        ...strings(row, Tag.Modality),
      ]),
    ),
    ...regionsWithSides(series.map((row) => ({ names: namesIn(row), side: sideIn(row) }))),
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

function modalitiesIn(codes: readonly string[]): Set<string> {
  return new Set(codes.map((code) => code.toUpperCase()).filter((code) => !NOT_COMPARED.includes(code)));
}

function namesIn(row: DicomJson): string[] {
  const term = string(row, Tag.BodyPartExamined);
  const codes = items(row, ANATOMIC_REGIONS).flatMap((one) => string(one, '00080100') ?? []);
  return [
    ...(term === undefined ? [] : (regionsOfTerm.get(termOf(term)) ?? [])),
    ...codes.flatMap((code) => regionsOfCode.get(code) ?? []),
  ];
}

function sideIn(row: DicomJson): string | undefined {
  return /^[LR]$/.exec(string(row, Tag.Laterality)?.toUpperCase() ?? '')?.[0];
}

function codesOf(dataset: DicomJson, sequence: string): string[] {
  return items(dataset, sequence).flatMap((item) => {
    const [value, scheme] = [string(item, '00080100'), string(item, '00080102')];
    return value && scheme ? [`${codeSystem(scheme) ?? scheme} ${value}`] : [];
  });
}

/** Returns the facts that the clinical record states. */
function ofResource({ modality = [], series = [], procedureCode = [] }: ImagingStudy): ComparedStudy {
  const codings = [...modality, ...series.flatMap((one) => one.modality ?? [])];
  return {
    modalities: modalitiesIn(codings.flatMap(({ code }) => code ?? [])),
    ...regionsWithSides(
      series.map(({ bodySite, laterality }) => ({
        names: bodySite ? namesOf(bodySite) : [],
        side: SIDES.get(laterality?.code ?? ''),
      })),
    ),
    procedures: new Set(procedureCode.flatMap(codingsOf)),
  };
}

/** Body sites are of SNOMED CT; without a system they are terms of DICOM. */
function namesOf({ system, code = '' }: Coding): readonly string[] {
  const found = system === undefined ? regionsOfTerm.get(termOf(code)) : undefined;
  return found ?? (system === undefined || system === SNOMED ? regionsOfCode.get(code) : undefined) ?? [];
}

const SIDES: ReadonlyMap<string, string> = new Map([
  ['L', 'L'],
  ['R', 'R'],
  ['7771000', 'L'],
  ['24028007', 'R'],
]);

function codingsOf({ coding = [] }: CodeableConcept): string[] {
  return coding.flatMap(({ system, code }) => (system && code ? [`${system} ${code}`] : []));
}

function regionsWithSides(series: readonly { names: readonly string[]; side: string | undefined }[]) {
  const sides = series.flatMap(({ names, side }) =>
    side !== undefined && names.some((name) => BODY_REGIONS[name]!.paired) ? [side] : [],
  );
  return { regions: new Set(series.flatMap(({ names }) => names)), sides: new Set(sides) };
}
