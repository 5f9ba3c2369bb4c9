import type { Identifier } from 'fhir/r4.js';
import type { PatientIdentity } from '../../schema/access/access.ts';
import { dateRange } from '../../schema/fhir/date-range.ts';

/** The parts of a Patient resource that say who a person is, and which other records are the same person's. */
export interface PatientRecord {
  /** Logical id. */
  id: string;
  identifier: readonly Identifier[];
  /** FHIR date. */
  birthDate?: string;
  /** Undefined when the record does not say whether it is in use. */
  active?: boolean;
  /** Logical ids of `Patient.link` with type `replaces`; undefined for a target that is not a Patient of this server. */
  replaces: readonly (string | undefined)[];
  /** The same for `replaced-by`. `refer` and `seealso` are not read: they never make two records one. */
  replacedBy: readonly (string | undefined)[];
}

/** Returns the record in a Patient resource; undefined for another patient or resource. */
export function patientRecord(json: Record<string, unknown>, id: string): PatientRecord | undefined {
  if (json['resourceType'] !== 'Patient' || json['id'] !== id) return undefined;
  const { identifier, birthDate, active, link } = json;
  const links = objectsIn<{ type?: unknown; other?: { reference?: unknown } }>(link);
  const targets = (type: string) =>
    links.filter((one) => one.type === type).map(({ other }) => localPatient(other?.reference));
  return Object.freeze({
    id,
    identifier: objectsIn<Identifier>(identifier),
    ...(typeof birthDate === 'string' && { birthDate }),
    ...(typeof active === 'boolean' && { active }),
    replaces: targets('replaces'),
    replacedBy: targets('replaced-by'),
  });
}

/** Returns the id in a relative reference. An absolute one may name a patient of another server with the same id. */
function localPatient(reference: unknown): string | undefined {
  return typeof reference === 'string'
    ? /^Patient\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/.+)?$/.exec(reference)?.[1]
    : undefined;
}

function objectsIn<T extends object>(value: unknown): T[] {
  const items: unknown[] = Array.isArray(value) ? value : [];
  return items.filter((item): item is T => typeof item === 'object' && item !== null);
}

/** Returns the identity as the record alone gives it. */
export function ownIdentity({ id, identifier, birthDate }: PatientRecord): PatientIdentity {
  return Object.freeze({ id, identifier, birthDate });
}

/** Returns the identity in a Patient resource, as the resource alone gives it; undefined for another patient or resource. */
export function identityOf(json: Record<string, unknown>, id: string): PatientIdentity | undefined {
  const record = patientRecord(json, id);
  return record && ownIdentity(record);
}

/** Returns the text of an identifier's value, without the spaces around it; empty if it has none. */
export function valueOf({ value }: Identifier): string {
  return typeof value === 'string' ? value.trim() : '';
}

/** Tells whether an identifier is in use at a time: neither `use: old` nor outside its period (R4 §2.24.0.5). */
export function isCurrent({ use, period }: Identifier, now: number): boolean {
  if (use === 'old') return false;
  const { start, end } = period ?? {};
  if (end !== undefined && !(now < (dateRange(String(end))?.high ?? -Infinity))) return false;
  return start === undefined || now >= (dateRange(String(start))?.low ?? Infinity);
}

/**
 * Tells whether an identifier identifies the record's patient by the record's word alone: the record is in use, nothing
 * has replaced it, and the identifier is in use.
 */
export function isCertain(record: PatientRecord, identifier: Identifier, now: number): boolean {
  return record.active !== false && record.replacedBy.length === 0 && isCurrent(identifier, now);
}

/** Returns the identifiers of a record that has several of one kind: a merge often leaves the other record's there. */
export function severalOfOneKind({ identifier }: PatientRecord): Identifier[] {
  const kindOf = ({ system, type }: Identifier) => JSON.stringify([system, type?.coding?.[0]?.code]);
  const isAnother = (one: Identifier, other: Identifier) =>
    kindOf(one) === kindOf(other) && valueOf(other) !== '' && valueOf(one) !== valueOf(other);
  return identifier.filter((one) => valueOf(one) && identifier.some((other) => isAnother(one, other)));
}

/** Tells whether the record alone says which identifiers are its patient's, so that no other record is needed. */
export function standsAlone(record: PatientRecord, now: number): boolean {
  return (
    record.replaces.length === 0 &&
    record.identifier.every((one) => !valueOf(one) || isCertain(record, one, now)) &&
    severalOfOneKind(record).length === 0
  );
}
