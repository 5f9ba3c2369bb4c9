/** Finds the studies that a report is about, by the statements of the two resources about each other (docs/joins.md). */
import {
  present,
  type FhirIdentifier,
  type FhirReference,
  type FhirReport,
  type List,
  type Maybe,
} from '../fhir/shapes.ts';
import { hasCode } from '../fhir/words.ts';
import type { RestStudies } from './rest-studies.ts';
import type { Resource } from './search.ts';

export interface RestReport extends FhirReport, Resource {
  status?: FhirReport['status'];
  id?: FhirReport['id'];
  identifier?: List<FhirIdentifier>;
  imagingStudy?: List<FhirReference>;
  basedOn?: List<FhirReference>;
}

/** Types of identifiers that are accession numbers: of the accession itself, of filler and placer. */
const ACCESSION = ['ACSN', 'FILL', 'PLAC'];

/** An order: it has the accession number where the report has none. */
export interface RestOrder extends Resource {
  identifier?: List<FhirIdentifier>;
  requisition?: Maybe<FhirIdentifier>;
}

/** Returns Study Instance UIDs. @param orders of the patient */
export function studiesOfReport(
  report: RestReport,
  studies: RestStudies['studies'],
  orders: readonly RestOrder[],
): string[] {
  const references = present(report.imagingStudy).flatMap(({ reference }) => reference ?? []);
  const uids = uidsIn(present(report.identifier), present(report.imagingStudy), references);
  const ordered = targets(report.basedOn);
  const based = orders.filter(({ id }) => ordered.some((one) => one.endsWith(`ServiceRequest/${id}`)));
  const numbers = [
    ...accessions(present(report.identifier), present(report.basedOn)),
    ...based.flatMap(({ identifier, requisition }) => [
      ...accessions(present(identifier), []),
      ...(requisition?.value ? [requisition.value] : []),
    ]),
  ];
  const joined = studies.filter(
    ({ study, resource }) =>
      uids.has(study.uid) ||
      references.some((one) => one.endsWith(`ImagingStudy/${study.id}`)) ||
      targets(resource.basedOn).some((one) => ordered.includes(one)) ||
      accessions(present(resource.identifier), present(resource.basedOn)).some((one) =>
        numbers.includes(one),
      ),
  );
  return joined.map(({ study }) => study.uid);
}

function uidsIn(
  own: readonly FhirIdentifier[],
  named: readonly FhirReference[],
  references: readonly string[],
): Set<string> {
  const identifiers = [...own, ...named.flatMap(({ identifier }) => identifier ?? [])];
  const byIdentifier = identifiers
    .filter(({ system }) => system === 'urn:dicom:uid')
    .flatMap(({ value }) => value ?? []);
  const inReferences = references.flatMap(
    (one) => /(?:^urn:oid:|ImagingStudy\/|\/studies\/)([\d.]+)$/.exec(one)?.[1] ?? [],
  );
  return new Set([...byIdentifier.map((value) => value.replace(/^urn:oid:/, '')), ...inReferences]);
}

function targets(references: List<FhirReference>): string[] {
  return present(references).flatMap(({ reference }) => reference ?? []);
}

function accessions(own: readonly FhirIdentifier[], orders: readonly FhirReference[]): string[] {
  const identifiers = [...own, ...orders.flatMap(({ identifier }) => identifier ?? [])];
  return identifiers.filter(({ type }) => hasCode(type, ...ACCESSION)).flatMap(({ value }) => value ?? []);
}
