import type { DiagnosticReport, ImagingStudy, Resource, ServiceRequest } from 'fhir/r4.js';
import { Fault } from '../../schema/fault/fault.ts';
import { ACCESSION_TYPES, accessionNumbers } from '../../schema/fhir/accession-types.ts';

/** Searches the clinical record, one page at a time. */
type Search = (
  type: string,
  search: { params: readonly (readonly [string, string])[]; count: number; cursor?: string },
) => Promise<{ resources: readonly Resource[]; next?: string }>;

const PAGE = 1000;
/** A record with more pages of one type for one patient is refused. */
const MOST_PAGES = 20;

/** Resource types that hold a patient's accession numbers (DW-19). */
export const ACCESSION_HOLDERS = ['ServiceRequest', 'DiagnosticReport', 'ImagingStudy'] as const;

/** Errors after which one type is left out and the others still count. */
const TOLERATED_CODES: readonly string[] = [
  'insufficient_scope',
  'forbidden',
  'not_found',
  'unsupported_parameter',
  'not_implemented',
];

/**
 * Finds the accession numbers of a patient's orders, reports and studies: their identifiers of type ACSN and those of the
 * resources they are based on. A type that the record refuses is left out, which finds fewer studies, never more.
 * @throws Fault when the record refuses all types, or fails
 */
export async function accessionNumbersOf(search: Search, patientId: string): Promise<string[]> {
  const refused: Fault[] = [];
  const found = await Promise.all(
    ACCESSION_HOLDERS.map((type) =>
      allOf(search, type, patientId).catch((error: unknown) => {
        if (!(error instanceof Fault) || !TOLERATED_CODES.includes(error.code)) throw error;
        refused.push(error);
        return [];
      }),
    ),
  );
  if (refused.length === ACCESSION_HOLDERS.length) throw refused[0]!;
  return [...new Set(found.flat().flatMap(numbersIn))];
}

async function allOf(search: Search, type: string, patientId: string): Promise<Resource[]> {
  const params = [['patient', patientId]] as const;
  let page = await search(type, { params, count: PAGE });
  const resources = [...page.resources];
  for (let pages = 1; page.next !== undefined; pages++) {
    if (pages === MOST_PAGES) {
      throw new Fault('too_large', `The clinical record has too many ${type} resources of this patient.`, {
        service: 'clinical',
      });
    }
    page = await search(type, { params, count: PAGE, cursor: page.next });
    resources.push(...page.resources);
  }
  return resources;
}

function numbersIn(resource: Resource): string[] {
  const { identifier = [], basedOn = [] } = resource as ServiceRequest | DiagnosticReport | ImagingStudy;
  const named = [...identifier, ...basedOn.map((reference) => reference.identifier)];
  return accessionNumbers(named, ACCESSION_TYPES);
}
