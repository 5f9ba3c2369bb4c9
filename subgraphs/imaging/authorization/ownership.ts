import type { Identifier } from 'fhir/r4.js';
import type { PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { Tag, text, texts, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Coverage } from '../../../schema/access/scopes.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { RETRY_SECONDS } from '../../../schema/outbound/unreachable.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { exactlyQueryable, statedIdentifier, unpadded, type PatientKey } from '../facts/identifiers.ts';

/** Decides who owns a study: pure functions over facts of the source, evaluated for every request (IA-29, DW-21). */

type Lookup = Pick<ImagesConfig, 'lookup' | 'mrn' | 'issuer' | 'matchBirthDate'>;

/**
 * The studies that one grant reaches in one image source: all, those of PatientIDs, or those of accession numbers. It
 * depends on how the source finds a patient (DW-19). An empty list reaches nothing.
 */
export type Reach = { grant: PatientGrant } & (
  { by: 'server' } | MrnReach | { by: 'accession'; numbers: readonly string[] }
);

interface MrnReach {
  by: 'mrn';
  keys: readonly PatientKey[];
  issued: IssuedNumbers;
  /** Equal for patients to whom the same rows belong. */
  patient: string;
}

/**
 * Returns the reach of a grant in a source.
 * @param numbers of the patient, by which the source finds studies: accession numbers, or medical record numbers
 * @throws Fault when the EHR did not identify the patient, who is never guessed (IA-9): `unavailable` when the EHR is
 * away, `bad_gateway` when its answer has no identity
 */
export function reachOf(grant: PatientGrant, config: Lookup, numbers: readonly string[]): Reach {
  if (config.lookup === 'all-studies-on-server') return { grant, by: 'server' };
  if (!grant.identity && (config.lookup === 'studies-by-mrn' || config.matchBirthDate)) {
    const message = 'The clinical server did not say who the patient is; try again later.';
    const service = 'clinical';
    throw grant.identityAway
      ? new Fault('unavailable', message, { service, retryAfter: RETRY_SECONDS })
      : new Fault('bad_gateway', message, { service });
  }
  if (config.lookup === 'studies-by-accession') {
    return { grant, by: 'accession', numbers: exactlyQueryable(numbers.map(unpadded)) };
  }
  return reaches.of(grant, [config, numbers], () => mrnReach(grant, config, numbers));
}

/** A grant whose identity the gateway keeps is frozen, and the same for many requests. */
const reaches = new Derivation<PatientGrant, Reach>();

function mrnReach(grant: PatientGrant, { issuer }: Lookup, numbers: readonly string[]): Reach {
  const identity = grant.identity!;
  const keys = Object.freeze(numbers.map((value) => ({ value, issuer })));
  const issued = issuedNumbers(identity, numbers);
  const texts = [...issued].map(([issuer, numbers]) => [issuer, ...numbers]);
  return { grant, by: 'mrn', keys, issued, patient: JSON.stringify([keys, texts, identity.birthDate]) };
}

/**
 * Tells whether a row belongs to a study that the grant reaches. All of these must hold:
 * - its PatientID, or its accession number, equals one of the patient's exactly;
 * - the issuer of the PatientID agrees, if one is configured, and did not give the patient another number;
 * - the birth date does not contradict, if it is compared (DW-21);
 * - the study is one of those that the grant is limited to, if it is limited (IA-8).
 *
 * Accession numbers belong to studies. A row of another level may not have one, and then belongs to no patient.
 */
export function belongsTo(row: DicomJson, reach: Reach, config: Lookup): boolean {
  const { grant } = reach;
  if (grant.studies && !grant.studies.includes(text(row, Tag.StudyInstanceUID) ?? '')) return false;
  if (reach.by === 'server') return true;
  const named =
    reach.by === 'mrn'
      ? reach.keys.some(({ value }) => value === statedIdentifier(row, Tag.PatientID))
      : reach.numbers.includes(statedIdentifier(row, Tag.AccessionNumber));
  if (!named) return false;
  const issuer = statedIdentifier(row, Tag.IssuerOfPatientID);
  if (config.issuer !== undefined && config.issuer !== issuer) return false;
  if (reach.by === 'mrn' && contradictsIssuer(row, reach.issued)) return false;
  return !config.matchBirthDate || !contradicts(text(row, Tag.PatientBirthDate), grant.identity?.birthDate);
}

/** Returns what alone keeps a row out of these reaches although it has the number; undefined if nothing does. */
export function contradictionIn(
  row: DicomJson,
  reaches: readonly Reach[],
  config: Lookup,
): 'birth date' | 'issuer' | undefined {
  const unmatched = { ...config, matchBirthDate: false };
  if (config.matchBirthDate && reaches.some((reach) => belongsTo(row, reach, unmatched))) return 'birth date';
  const trusting = reaches.map((reach) => (reach.by === 'mrn' ? { ...reach, issued: NONE_ISSUED } : reach));
  return trusting.some((reach) => belongsTo(row, reach, unmatched)) ? 'issuer' : undefined;
}

/** Tells whether a patient has an identifier with this value, and this system when one is given. */
export function hasIdentifier(
  identity: PatientIdentity | undefined,
  value: string,
  system: string | undefined,
): boolean {
  if (!identity || identity.withheld?.includes(value.trim())) return false;
  return [identity.identifier, ...(identity.merged ?? [])]
    .flat()
    .some((own) => own.value === value && (!system || own.system === system));
}

/** Tells whether a DICOM date and a FHIR date, both present, differ. The FHIR date may be a year or a month. */
export function contradicts(dicomDate: string | undefined, fhirDate: string | undefined): boolean {
  const dicom = (dicomDate ?? '').replace(/\D/g, '');
  const fhir = (fhirDate ?? '').slice(0, 10).replace(/\D/g, '');
  return dicom.length === 8 && fhir.length >= 4 && !dicom.startsWith(fhir);
}

/**
 * Tells whether a granular scope covers a study (SM-5). A study's row decides constraints on modality and identifier.
 * A scope with any other constraint covers nothing, because it cannot be checked.
 */
export function coveredBy(study: DicomJson, coverage: Coverage): boolean {
  return (
    coverage.constraints === undefined ||
    coverage.constraints.some((pairs) => pairs.every(([name, value]) => meets(study, name, value)))
  );
}

function meets(study: DicomJson, name: string, value: string): boolean {
  const wanted = value.split(',').map((token) => token.slice(token.lastIndexOf('|') + 1));
  if (name === 'modality') return texts(study, Tag.ModalitiesInStudy).some((code) => wanted.includes(code));
  if (name !== 'identifier') return false;
  const own = [text(study, Tag.StudyInstanceUID), text(study, Tag.AccessionNumber)];
  return wanted.some((token) => own.includes(token.replace(/^urn:oid:/, '')));
}

/** The record numbers of a patient by the names of their issuers. */
type IssuedNumbers = ReadonlyMap<string, ReadonlySet<string>>;

const NONE_ISSUED: IssuedNumbers = new Map();

/**
 * Returns the numbers of a patient by issuer, as far as the record names issuers.
 * @param numbers the medical record numbers of the patient; other identifiers, such as a passport's, are ignored
 */
function issuedNumbers(
  { identifier, merged = [], withheld = [] }: PatientIdentity,
  numbers: readonly string[],
): IssuedNumbers {
  const issued = new Map<string, Set<string>>();
  for (const one of [identifier, ...merged].flat()) {
    const value = typeof one.value === 'string' ? unpadded(one.value) : '';
    if (!numbers.includes(value) && !withheld.includes(value.trim())) continue;
    for (const name of issuersOf(one)) issued.set(name, (issued.get(name) ?? new Set()).add(value));
  }
  return issued;
}

/** Returns the names by which an archive may call the issuer of an identifier: its system, an OID, its assigner. */
function issuersOf({ system, assigner }: Identifier): string[] {
  const names = [system, system?.replace(/^urn:oid:/, ''), assigner?.display, assigner?.identifier?.value];
  return names.filter((name): name is string => typeof name === 'string' && name !== '').map(unpadded);
}

/**
 * Tells whether the issuer of a row's PatientID gave the patient only other numbers: the PatientID is then that of another
 * person, who has the same number from that issuer. An issuer that the record does not name says nothing.
 */
function contradictsIssuer(row: DicomJson, issued: IssuedNumbers): boolean {
  if (issued.size === 0) return false;
  const own = issued.get(statedIdentifier(row, Tag.IssuerOfPatientID));
  return own !== undefined && !own.has(statedIdentifier(row, Tag.PatientID));
}
