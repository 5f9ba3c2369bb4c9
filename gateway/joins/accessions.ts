import type { DiagnosticReport, ImagingStudy, Resource, ServiceRequest } from 'fhir/r4.js';
import { Fault } from '../../schema/fault/fault.ts';
import { ACCESSION_TYPES, accessionNumbers } from '../../schema/fhir/accession-types.ts';
import { allPages, type ClinicalRecord } from './record-lookup.ts';

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
export async function accessionNumbersOf(
  search: ClinicalRecord['search'],
  patientId: string,
): Promise<string[]> {
  const params = [['patient', patientId]] as const;
  const refused: Fault[] = [];
  const found = await Promise.all(
    ACCESSION_HOLDERS.map((type) =>
      allPages(
        (page) => search(type, { params, ...page }),
        `The clinical record has too many ${type} resources of this patient.`,
      ).catch((error: unknown) => {
        if (!(error instanceof Fault) || !TOLERATED_CODES.includes(error.code)) throw error;
        refused.push(error);
        return [];
      }),
    ),
  );
  if (refused.length === ACCESSION_HOLDERS.length) throw refused[0]!;
  return [...new Set(found.flat().flatMap(numbersIn))];
}

function numbersIn(resource: Resource): string[] {
  const { identifier = [], basedOn = [] } = resource as ServiceRequest | DiagnosticReport | ImagingStudy;
  const named = [...identifier, ...basedOn.map((reference) => reference.identifier)];
  return accessionNumbers(named, ACCESSION_TYPES);
}
