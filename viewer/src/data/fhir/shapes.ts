/**
 * FHIR R4 resources as far as the viewer reads them: as JSON of a FHIR server, where an element may be absent, and as
 * answers of GraphQL, where it may be null. Nothing in them is certain.
 */
export type Maybe<T> = T | null | undefined;
export type List<T> = Maybe<readonly Maybe<T>[]>;

export interface FhirCoding {
  system?: Maybe<string>;
  code?: Maybe<string>;
  display?: Maybe<string>;
}

export interface FhirConcept {
  text?: Maybe<string>;
  coding?: List<FhirCoding>;
}

export interface FhirReference {
  reference?: Maybe<string>;
  display?: Maybe<string>;
  identifier?: Maybe<FhirIdentifier>;
}

export interface FhirIdentifier {
  system?: Maybe<string>;
  value?: Maybe<string>;
  type?: Maybe<FhirConcept>;
}

export interface FhirPeriod {
  start?: Maybe<string>;
  end?: Maybe<string>;
}

export interface FhirQuantity {
  value?: Maybe<number>;
  comparator?: Maybe<string>;
  unit?: Maybe<string>;
  system?: Maybe<string>;
  code?: Maybe<string>;
}

export interface FhirPatient {
  id?: Maybe<string>;
  name?: List<{ use?: Maybe<string>; text?: Maybe<string>; given?: List<string>; family?: Maybe<string> }>;
  birthDate?: Maybe<string>;
  gender?: Maybe<string>;
  identifier?: List<FhirIdentifier>;
  deceasedBoolean?: Maybe<boolean>;
  deceasedDateTime?: Maybe<string>;
}

export interface FhirAllergy {
  id?: Maybe<string>;
  code?: Maybe<FhirConcept>;
  criticality?: Maybe<string>;
  clinicalStatus?: Maybe<FhirConcept>;
  verificationStatus?: Maybe<FhirConcept>;
}

export interface FhirCondition {
  id?: Maybe<string>;
  code?: Maybe<FhirConcept>;
  clinicalStatus?: Maybe<FhirConcept>;
  verificationStatus?: Maybe<FhirConcept>;
  onsetDateTime?: Maybe<string>;
  onsetPeriod?: Maybe<FhirPeriod>;
}

export interface FhirMedicationRequest {
  id?: Maybe<string>;
  status?: Maybe<string>;
  authoredOn?: Maybe<string>;
  medicationCodeableConcept?: Maybe<FhirConcept>;
  medicationReference?: Maybe<FhirReference>;
}

export interface FhirObservation {
  id?: Maybe<string>;
  status?: Maybe<string>;
  code?: Maybe<FhirConcept>;
  effectiveDateTime?: Maybe<string>;
  effectiveInstant?: Maybe<string>;
  effectivePeriod?: Maybe<FhirPeriod>;
  valueQuantity?: Maybe<FhirQuantity>;
  valueCodeableConcept?: Maybe<FhirConcept>;
  valueString?: Maybe<string>;
  valueInteger?: Maybe<number>;
  valueBoolean?: Maybe<boolean>;
  component?: List<FhirComponent>;
  referenceRange?: List<FhirRange>;
  interpretation?: List<FhirConcept>;
}

export type FhirComponent = Omit<FhirObservation, 'id' | 'component' | 'status'>;

export interface FhirRange {
  text?: Maybe<string>;
  low?: Maybe<FhirQuantity>;
  high?: Maybe<FhirQuantity>;
  type?: Maybe<FhirConcept>;
}

export interface FhirReport {
  id?: Maybe<string>;
  status?: Maybe<string>;
  code?: Maybe<FhirConcept>;
  effectiveDateTime?: Maybe<string>;
  effectivePeriod?: Maybe<FhirPeriod>;
  conclusion?: Maybe<string>;
  presentedForm?: List<{
    contentType?: Maybe<string>;
    title?: Maybe<string>;
    data?: Maybe<string>;
    url?: Maybe<string>;
  }>;
  result?: List<FhirReference>;
}

export interface FhirStudy {
  id?: Maybe<string>;
  status?: Maybe<string>;
  identifier?: List<FhirIdentifier>;
  started?: Maybe<string>;
  description?: Maybe<string>;
  modality?: List<FhirCoding>;
  numberOfInstances?: Maybe<number>;
  series?: List<FhirSeries>;
}

export interface FhirSeries {
  uid?: Maybe<string>;
  number?: Maybe<number>;
  modality?: Maybe<FhirCoding>;
  description?: Maybe<string>;
  numberOfInstances?: Maybe<number>;
  bodySite?: Maybe<FhirCoding>;
}

/** Returns a list without its empty items; an empty list for an element that is absent. */
export function present<T>(list: List<T>): T[] {
  return (list ?? []).filter((item): item is T => item !== null && item !== undefined);
}

/** Returns an object without its members that are undefined or null. */
export function omitEmpty<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], null> } {
  const members = Object.entries(object).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(members) as { [K in keyof T]: Exclude<T[K], null> };
}
