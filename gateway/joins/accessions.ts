import type { DiagnosticReport, ImagingStudy, Resource, ServiceRequest } from 'fhir/r4.js';
import { Fault } from '../../schema/fault/fault.ts';
import { ACCESSION_TYPES, accessionNumbers } from '../../schema/fhir/accession-types.ts';

/** A search of the clinical record, a page at a time. */
type Search = (
  type: string,
  search: { params: readonly (readonly [string, string])[]; count: number; cursor?: string },
) => Promise<{ resources: readonly Resource[]; next?: string }>;

const PAGE = 1000;
/** A record that has more of one type for one patient is not read to its end. */
const MOST_PAGES = 20;

/** Where a record says which accession numbers are a patient's (DW-19). */
export const ACCESSION_HOLDERS = ['ServiceRequest', 'DiagnosticReport', 'ImagingStudy'] as const;

/** Why a record may tell nothing of one type, and still be believed of the others. */
const UNTOLD: readonly string[] = [
  'insufficient_scope',
  'forbidden',
  'not_found',
  'unsupported_parameter',
  'not_implemented',
];

/**
 * Accession numbers of a patient's orders, reports and studies: their identifiers of type ACSN and those of what they are
 * based on. A type that the record does not show is left out, which finds fewer studies, never more.
 * @throws Fault where it shows none of them, or fails
 */
export async function accessionNumbersOf(search: Search, patientId: string): Promise<string[]> {
  const refused: Fault[] = [];
  const found = await Promise.all(
    ACCESSION_HOLDERS.map((type) =>
      allOf(search, type, patientId).catch((error: unknown) => {
        if (!(error instanceof Fault) || !UNTOLD.includes(error.code)) throw error;
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
