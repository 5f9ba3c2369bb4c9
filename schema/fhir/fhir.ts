import type { Identifier, OperationOutcome, OperationOutcomeIssue, Reference } from 'fhir/r4.js';

/** Media type of FHIR JSON, FHIR R4 §2.6.1. */
export const FHIR_JSON = 'application/fhir+json';

/** Identifier system of a DICOM UID in FHIR; its values are `urn:oid:<uid>` (FHIR R4 ImagingStudy, notes). */
export const DICOM_UID_SYSTEM = 'urn:dicom:uid';

export const V2_IDENTIFIER_TYPE = 'http://terminology.hl7.org/CodeSystem/v2-0203';

/**
 * FHIR `id`: 1 to 64 letters, digits, dashes and dots (R4 §2.24.0.1). Not `.` or `..`, which are removed from URLs
 * (RFC 3986 §5.2.4).
 */
export const FHIR_ID = /^(?!\.{1,2}$)[A-Za-z0-9\-.]{1,64}$/;

/**
 * Splits a literal reference: `Patient/123`, `Patient/123/_history/4`, or an absolute URL that ends in one of them.
 * @returns undefined for fragments (`#x`), `urn:` references and anything else
 */
export function parseReference(reference: string | undefined): { type: string; id: string } | undefined {
  const match = /(?:^|\/)([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/.exec(
    reference ?? '',
  );
  const isLiteral = match && FHIR_ID.test(match[2]!) && !/^(#|urn:)/.test(reference ?? '');
  return isLiteral ? { type: match[1]!, id: match[2]! } : undefined;
}

/** Returns true when the reference, relative or absolute, names this resource. */
export function refersTo(reference: Reference | undefined, type: string, id: string): boolean {
  const target = parseReference(reference?.reference);
  return target?.type === type && target.id === id;
}

/** Returns true when the identifier has this type code, in any code system: senders use different ones. */
export function hasIdentifierType(identifier: Identifier, code: string): boolean {
  return identifier.type?.coding?.some((coding) => coding.code === code) ?? false;
}

/** Reads a UID: `urn:oid:1.2.3`, `urn:dicom:uid|urn:oid:1.2.3`, `|1.2.3` or `1.2.3` → `1.2.3` (IA-13). */
export function uidFromToken(token: string): string {
  return token.slice(token.lastIndexOf('|') + 1).replace(/^urn:oid:/, '');
}

/** Returns an OperationOutcome with one issue. */
export function operationOutcome(
  severity: OperationOutcomeIssue['severity'],
  code: OperationOutcomeIssue['code'],
  diagnostics: string,
): OperationOutcome {
  return { resourceType: 'OperationOutcome', issue: [{ severity, code, diagnostics }] };
}
